held.id = shown.rowid AND held.row_id = shown.id AND held.data IS NULL AND held.removed <> 1
  AND held.id & 17179869183 <= (SELECT settled FROM main.ps_buckets AS bucket WHERE bucket.id = (held.id >> 34) & 4194303)

-- Copies the data of all operations in the rows of a table to the operations, so that the table may change in any way.
INSERT OR IGNORE INTO main.ps_row_operations(row_type, row_id, operation)
  SELECT held.row_type, held.row_id, held.id
    FROM main.@table@ AS shown CROSS JOIN main.ps_operations AS held ON {in_place} AND held.row_type = @type@
   ORDER BY held.row_id;

UPDATE main.ps_operations AS operation SET data = coalesce(shown.data, '{}')
  FROM main.@table@ AS shown CROSS JOIN main.ps_operations AS held ON {in_place} AND held.row_type = @type@
 WHERE operation.id = held.id;

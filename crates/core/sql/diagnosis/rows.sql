-- Rows of type ?1 that are published, with those of the table `@table@`: id, whether local writes or a later publish
-- explain a difference, whether there is one, and the newest version. ?2: whether rows that are missing may be elsewhere.
-- `@differs@`, `@of_type@` and `@is_entry@` depend on the kind of table.
WITH explained(id) AS (
  SELECT row_id FROM main.ps_updated_rows WHERE row_type = ?1 AND row_id IS NOT NULL
   UNION
  SELECT entry ->> '$.id' FROM (SELECT iif(json_valid(data), data, '{}') AS entry FROM main.ps_crud)
   WHERE entry ->> '$.type' = ?1 AND entry ->> '$.id' IS NOT NULL
),
published AS (
  SELECT entry.row_id, data, max(op_id) AS op_id, sum(last_applied_op = 0) AS is_unpublished
    FROM main.ps_row_operations AS entry
   CROSS JOIN main.ps_operations AS held
      ON held.id = entry.operation AND held.row_type = entry.row_type AND held.row_id = entry.row_id
   CROSS JOIN main.ps_buckets AS bucket ON bucket.id = (held.id >> 34) & 4194303
   WHERE entry.row_type = ?1 AND removed <> 1
   GROUP BY entry.row_id
)
SELECT published.row_id,
       published.is_unpublished OR published.row_id IN (SELECT id FROM explained) OR ?2 AND shown.id IS NULL,
       @differs@ shown.id IS NULL, published.data
  FROM published LEFT JOIN main.@table@ AS shown ON @of_type@ shown.id = published.row_id
 WHERE @is_entry@

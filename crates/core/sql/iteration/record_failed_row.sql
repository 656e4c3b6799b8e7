-- Stores the row on which publishing failed: ?1 has its type and id and the error, ?2 is the time. What follows the cause
-- in the message may hold the row.
WITH failed AS (
  SELECT ?1 ->> '$[0]' AS type, ?1 ->> '$[1]' AS id,
         substr(?1 ->> '$[2]', 1, instr((?1 ->> '$[2]') || ' (context:', ' (context:') - 1) AS message
)
INSERT INTO main.ps_diagnostics(kind, subject, at, detail)
SELECT 'operation', type || '/' || failed.id, ?2,
       json_object('bucket', name, 'type', type, 'id', failed.id, 'op_id', CAST(op_id AS TEXT), 'message', message,
                   'times', 1)
  FROM failed
  JOIN (SELECT operation.id AS operation, row_type, row_id FROM {pending}
         UNION ALL
        SELECT operation, row_type, row_id FROM main.ps_row_operations) AS version
    ON version.row_type = type AND version.row_id = failed.id
  JOIN main.ps_operations AS held ON held.id = version.operation
  JOIN main.ps_buckets AS bucket ON bucket.id = (held.id >> 34) & 4194303
 ORDER BY op_id DESC LIMIT 1

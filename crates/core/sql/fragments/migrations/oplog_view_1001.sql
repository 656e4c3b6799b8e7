-- It groups by key without carrying data, then fetches the operations shown, so that it costs one sort of keys. Its last
-- column, the operation's id, lets the trigger find the operation without a search.
CREATE VIEW main.ps_oplog(bucket, op_id, row_type, row_id, key, data, hash, operation) AS
  SELECT newest.bucket, newest.op_id, newest.row_type, newest.row_id,
         newest.row_type || '/' || newest.row_id || '/' || coalesce(operation.subkey, 'null'),
         operation.data, operation.hash, operation.id
    FROM (
      SELECT bucket.id AS bucket, held.row_type, held.row_id, held.id AS operation, max(held.op_id) AS op_id
        FROM ps_operations AS held
       CROSS JOIN ps_buckets AS bucket ON bucket.id = (held.id >> 34) & 4194303
       GROUP BY bucket.id, held.row_type, held.row_id, held.subkey
      HAVING NOT held.removed
    ) AS newest
   CROSS JOIN ps_operations AS operation ON operation.id = newest.operation AND operation.op_id = newest.op_id

-- Format 1004: the data of a downloaded row of a JSON table are in that table alone.
--
-- In `ps_operations`, `data` may be NULL for a PUT: its data are in the row of the table for its type whose rowid is the
-- operation's id, or, while it is pending, under that rowid in `ps_pending__<type>`. Such an operation has no entry in
-- `ps_row_operations`. Nothing changes for operations that were stored before, and no column is added.
--
-- **Down.** The data of all operations are copied to them. The statements for that name each table, so they are stored
-- when tables change: see `note_way_down`.

DROP VIEW main.ps_oplog;
CREATE VIEW main.ps_oplog(bucket, op_id, row_type, row_id, key, data, hash, operation) AS
  SELECT newest.bucket, newest.op_id, newest.row_type, newest.row_id,
         newest.row_type || '/' || newest.row_id || '/' || coalesce(operation.subkey, 'null'),
         coalesce(operation.data, powersync_operation_data(operation.row_type, operation.row_id, operation.id)), operation.hash, operation.id
    FROM (
      SELECT bucket.id AS bucket, held.row_type, held.row_id, held.id AS operation, max(held.op_id) AS op_id
        FROM ps_operations AS held
       CROSS JOIN ps_buckets AS bucket ON bucket.id = (held.id >> 34) & 4194303
       GROUP BY bucket.id, held.row_type, held.row_id, held.subkey
      HAVING held.removed IN (0, 2)
    ) AS newest
   CROSS JOIN ps_operations AS operation ON operation.id = newest.operation AND operation.op_id = newest.op_id;
{oplog_key_repair_1002};
-- Iterations that were running in another format end.
UPDATE main.ps_checkpoint SET generation = random() & ~1;

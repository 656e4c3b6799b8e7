ALTER TABLE main.ps_checkpoint ADD COLUMN writer INTEGER NOT NULL DEFAULT 0;
ALTER TABLE main.ps_checkpoint ADD COLUMN removed_op INTEGER NOT NULL DEFAULT 0;
ALTER TABLE main.ps_buckets ADD COLUMN requested_by INTEGER NOT NULL DEFAULT 0;
-- Iterations that were running in another format end (bucket_storage/iteration.rs says what the lowest bit means).
UPDATE main.ps_checkpoint SET generation = random() & ~1;

-- A list of changed rows that has grown without bound becomes one without duplicates. Without a rowid, what is inserted at a
-- commit does not change last_insert_rowid().
CREATE TABLE main.ps_updated_rows_limit(
  id INTEGER PRIMARY KEY CHECK (id = 1),
  next_check INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
DELETE FROM main.ps_updated_rows
 WHERE rowid NOT IN (SELECT min(rowid) FROM main.ps_updated_rows GROUP BY row_type, row_id);

DROP VIEW main.ps_oplog;
-- As before, but for operations whose subkey is not known.
CREATE VIEW main.ps_oplog(bucket, op_id, row_type, row_id, key, data, hash, operation) AS
  SELECT newest.bucket, newest.op_id, newest.row_type, newest.row_id,
         newest.row_type || '/' || newest.row_id || '/' || coalesce(operation.subkey, 'null'),
         operation.data, operation.hash, operation.id
    FROM (
      SELECT bucket.id AS bucket, held.row_type, held.row_id, held.id AS operation, max(held.op_id) AS op_id
        FROM ps_operations AS held
       CROSS JOIN ps_buckets AS bucket ON bucket.id = (held.id >> 34) & 4194303
       GROUP BY bucket.id, held.row_type, held.row_id, held.subkey
      HAVING held.removed IN (0, 2)
    ) AS newest
   CROSS JOIN ps_operations AS operation ON operation.id = newest.operation AND operation.op_id = newest.op_id;
CREATE TRIGGER main.ps_oplog_repair_key INSTEAD OF UPDATE OF key ON ps_oplog
  WHEN NEW.key IS NOT OLD.key
   AND substr(CAST(NEW.key AS BLOB), 1, length(CAST(OLD.row_type || '/' || OLD.row_id || '/' AS BLOB)))
     = CAST(OLD.row_type || '/' || OLD.row_id || '/' AS BLOB)
BEGIN
  UPDATE ps_operations
     SET subkey = nullif(CAST(substr(
           CAST(NEW.key AS BLOB), length(CAST(OLD.row_type || '/' || OLD.row_id || '/' AS BLOB)) + 1) AS TEXT), 'null'),
         removed = iif(removed = 2, 0, removed)
   WHERE id = OLD.operation;
END;

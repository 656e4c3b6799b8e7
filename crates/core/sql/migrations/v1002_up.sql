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
{oplog_view_1002};
{oplog_key_repair_1002};

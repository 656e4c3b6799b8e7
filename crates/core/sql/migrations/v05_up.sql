CREATE TABLE main.ps_updated_rows(
  row_type TEXT,
  row_id TEXT,
  PRIMARY KEY(row_type, row_id)) STRICT, WITHOUT ROWID;
INSERT OR IGNORE INTO main.ps_updated_rows(row_type, row_id) SELECT row_type, row_id FROM main.ps_oplog WHERE op <> 3;

CREATE TABLE main.ps_staged_buckets(id INTEGER PRIMARY KEY, name, last_applied_op, last_op, target_op, add_checksum,
  op_checksum, pending_delete, no_longer_held);
INSERT INTO main.ps_staged_buckets(name, last_applied_op, last_op, target_op, add_checksum, op_checksum, pending_delete,
    no_longer_held)
  SELECT bucket.name, last_applied_op, last_op, target_op, add_checksum, op_checksum, pending_delete,
         coalesce(other.checksum, 0)
    FROM main.ps_buckets AS bucket
    LEFT JOIN (SELECT bucket, sum(hash & 4294967295) AS checksum FROM main.ps_oplog
                WHERE op <> 3 OR superseded <> 0 GROUP BY bucket) AS other ON other.bucket = bucket.name
   WHERE bucket.name IS NOT NULL
   ORDER BY bucket.rowid;
CREATE TABLE main.ps_staged_oplog AS
  SELECT bucket.id AS bucket, oplog.op_id, oplog.row_type, oplog.row_id, oplog.key, oplog.data, oplog.hash
    FROM main.ps_staged_buckets AS bucket
   CROSS JOIN main.ps_oplog AS oplog ON oplog.bucket = bucket.name
   WHERE oplog.op = 3 AND oplog.superseded = 0
   ORDER BY bucket.id, oplog.op_id;

DROP TABLE main.ps_buckets;
CREATE TABLE main.ps_buckets(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  last_applied_op INTEGER NOT NULL DEFAULT 0,
  last_op INTEGER NOT NULL DEFAULT 0,
  target_op INTEGER NOT NULL DEFAULT 0,
  add_checksum INTEGER NOT NULL DEFAULT 0,
  op_checksum INTEGER NOT NULL DEFAULT 0,
  pending_delete INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO main.ps_buckets(id, name, last_applied_op, last_op, target_op, add_checksum, op_checksum, pending_delete)
  SELECT id, name, last_applied_op, last_op, target_op, (add_checksum + no_longer_held) & 4294967295,
         (op_checksum - no_longer_held) & 4294967295, pending_delete
    FROM main.ps_staged_buckets;
CREATE UNIQUE INDEX main.ps_buckets_name ON ps_buckets (name);
DROP TABLE main.ps_staged_buckets;

DROP TABLE main.ps_oplog;
CREATE TABLE main.ps_oplog(
  bucket INTEGER NOT NULL,
  op_id INTEGER NOT NULL,
  row_type TEXT,
  row_id TEXT,
  key TEXT,
  data TEXT,
  hash INTEGER NOT NULL) STRICT;
INSERT INTO main.ps_oplog(bucket, op_id, row_type, row_id, key, data, hash)
  SELECT bucket, op_id, row_type, row_id, key, data, hash FROM main.ps_staged_oplog ORDER BY rowid;
CREATE INDEX main.ps_oplog_row ON ps_oplog (row_type, row_id);
CREATE INDEX main.ps_oplog_opid ON ps_oplog (bucket, op_id);
CREATE INDEX main.ps_oplog_key ON ps_oplog (bucket, key);
DROP TABLE main.ps_staged_oplog;

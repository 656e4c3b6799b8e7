-- Format 1: the first internal tables, buckets keyed by name, superseded operations kept.
--
-- It cannot be undone: a database without internal tables is not one of ours.

CREATE TABLE main.ps_oplog(
  bucket TEXT NOT NULL,
  op_id INTEGER NOT NULL,
  op INTEGER NOT NULL,
  row_type TEXT,
  row_id TEXT,
  key TEXT,
  data TEXT,
  hash INTEGER NOT NULL,
  superseded INTEGER NOT NULL);
CREATE INDEX main.ps_oplog_by_row ON ps_oplog (row_type, row_id) WHERE superseded = 0;
CREATE INDEX main.ps_oplog_by_opid ON ps_oplog (bucket, op_id);
CREATE INDEX main.ps_oplog_by_key ON ps_oplog (bucket, key) WHERE superseded = 0;
CREATE TABLE main.ps_buckets(
  name TEXT PRIMARY KEY,
  last_applied_op INTEGER NOT NULL DEFAULT 0,
  last_op INTEGER NOT NULL DEFAULT 0,
  target_op INTEGER NOT NULL DEFAULT 0,
  add_checksum INTEGER NOT NULL DEFAULT 0,
  pending_delete INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE main.ps_untyped(type TEXT NOT NULL, id TEXT NOT NULL, data TEXT, PRIMARY KEY (type, id));
CREATE TABLE main.ps_crud (id INTEGER PRIMARY KEY AUTOINCREMENT, data TEXT);

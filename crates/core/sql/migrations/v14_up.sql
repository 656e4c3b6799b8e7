-- Format 14: how far local writes are acknowledged moves from the bucket `$local` to the key-value table.

DELETE FROM main.ps_kv WHERE key IN (
  'last_applied_checkpoint_request_id', 'last_seen_checkpoint_request_id', 'target_checkpoint_request_id');
INSERT INTO main.ps_kv(key, value)
  SELECT 'last_applied_checkpoint_request_id', last_applied_op FROM main.ps_buckets
   WHERE name = '$local' AND last_applied_op > 0;
INSERT INTO main.ps_kv(key, value)
  SELECT 'last_seen_checkpoint_request_id', last_op FROM main.ps_buckets WHERE name = '$local' AND last_op > 0;
INSERT INTO main.ps_kv(key, value)
  SELECT 'target_checkpoint_request_id', target_op FROM main.ps_buckets WHERE name = '$local' AND target_op > 0;
CREATE TABLE main.ps_staged_buckets AS SELECT * FROM main.ps_buckets WHERE name <> '$local';
DROP TABLE main.ps_buckets;
CREATE TABLE main.ps_buckets(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  last_applied_op INTEGER NOT NULL DEFAULT 0,
  last_op INTEGER NOT NULL DEFAULT 0,
  add_checksum INTEGER NOT NULL DEFAULT 0,
  op_checksum INTEGER NOT NULL DEFAULT 0,
  pending_delete INTEGER NOT NULL DEFAULT 0
, count_at_last INTEGER NOT NULL DEFAULT 0, count_since_last INTEGER NOT NULL DEFAULT 0, downloaded_size INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE UNIQUE INDEX main.ps_buckets_name ON ps_buckets (name);
INSERT INTO main.ps_buckets(id, name, last_applied_op, last_op, add_checksum, op_checksum, pending_delete,
    count_at_last, count_since_last, downloaded_size)
  SELECT id, name, last_applied_op, last_op, add_checksum, op_checksum, pending_delete,
    count_at_last, count_since_last, downloaded_size
    FROM main.ps_staged_buckets ORDER BY id;
DROP TABLE main.ps_staged_buckets;

ALTER TABLE ps_buckets RENAME TO ps_buckets_14;

DROP INDEX ps_buckets_name;

CREATE TABLE ps_buckets(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  last_applied_op INTEGER NOT NULL DEFAULT 0,
  last_op INTEGER NOT NULL DEFAULT 0,
  target_op INTEGER NOT NULL DEFAULT 0,
  add_checksum INTEGER NOT NULL DEFAULT 0,
  op_checksum INTEGER NOT NULL DEFAULT 0,
  pending_delete INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE UNIQUE INDEX ps_buckets_name ON ps_buckets (name);

ALTER TABLE ps_buckets ADD COLUMN count_at_last INTEGER NOT NULL DEFAULT 0;

ALTER TABLE ps_buckets ADD COLUMN count_since_last INTEGER NOT NULL DEFAULT 0;

ALTER TABLE ps_buckets ADD COLUMN downloaded_size INTEGER NOT NULL DEFAULT 0;

INSERT INTO ps_buckets(
  id,
  name,
  last_applied_op,
  last_op,
  add_checksum,
  op_checksum,
  pending_delete,
  count_at_last,
  count_since_last,
  downloaded_size
)
SELECT
  id,
  name,
  last_applied_op,
  last_op,
  add_checksum,
  op_checksum,
  pending_delete,
  count_at_last,
  count_since_last,
  downloaded_size
FROM ps_buckets_14;

DROP TABLE ps_buckets_14;

INSERT INTO ps_buckets(name, pending_delete, last_op, last_applied_op, target_op)
SELECT '$local', 1, seen, applied, target
  FROM (
    SELECT
      IFNULL((SELECT CAST(value AS INTEGER) FROM ps_kv WHERE key = 'last_seen_checkpoint_request_id'), 0) AS seen,
      IFNULL((SELECT CAST(value AS INTEGER) FROM ps_kv WHERE key = 'last_applied_checkpoint_request_id'), 0) AS applied,
      (SELECT CAST(value AS INTEGER) FROM ps_kv WHERE key = 'target_checkpoint_request_id') AS target
  )
 WHERE EXISTS (
    SELECT 1 FROM ps_kv WHERE key = 'target_checkpoint_request_id'
 )
ON CONFLICT(name) DO UPDATE SET
  pending_delete = excluded.pending_delete,
  last_op = excluded.last_op,
  last_applied_op = excluded.last_applied_op,
  target_op = excluded.target_op;

DELETE FROM ps_migration WHERE id >= 14;

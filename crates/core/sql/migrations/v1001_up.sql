CREATE TABLE main.ps_operations(
  id INTEGER PRIMARY KEY,
  op_id INTEGER NOT NULL,
  row_type TEXT NOT NULL,
  row_id TEXT NOT NULL,
  subkey TEXT,
  data TEXT,
  hash INTEGER NOT NULL,
  removed INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE main.ps_row_operations(
  row_type TEXT NOT NULL,
  row_id TEXT NOT NULL,
  operation INTEGER NOT NULL,
  PRIMARY KEY(row_type, row_id, operation)
) STRICT, WITHOUT ROWID;
CREATE TABLE main.ps_checkpoint(
  id INTEGER PRIMARY KEY CHECK (id = 1),
  generation INTEGER NOT NULL,
  last_op INTEGER NOT NULL,
  region INTEGER NOT NULL DEFAULT 0,
  region_size INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE main.ps_schema(
  id INTEGER PRIMARY KEY CHECK (id = 1),
  fingerprint BLOB NOT NULL,
  schema_version INTEGER NOT NULL
) STRICT;

-- The generation starts anywhere, so that an iteration that was running before a journey down and up notices it.
INSERT INTO main.ps_checkpoint(id, generation, last_op) VALUES (1, abs(random() >> 2), 0);

CREATE TABLE main.ps_staged_updated_rows AS
  SELECT row_type, row_id FROM main.ps_updated_rows
   UNION
  SELECT row_type, row_id FROM main.ps_oplog
   WHERE bucket IN (SELECT bucket FROM main.ps_oplog EXCEPT SELECT id FROM main.ps_buckets)
     AND row_type IS NOT NULL AND row_id IS NOT NULL;
DROP TABLE main.ps_updated_rows;
CREATE TABLE main.ps_updated_rows(
  row_type TEXT,
  row_id TEXT
) STRICT;
INSERT INTO main.ps_updated_rows(row_type, row_id)
  SELECT row_type, row_id FROM main.ps_staged_updated_rows ORDER BY rowid;
DROP TABLE main.ps_staged_updated_rows;

-- What follows needs no index of these, and builds on the pages that become free.
DROP INDEX IF EXISTS main.ps_oplog_row;
DROP INDEX IF EXISTS main.ps_oplog_opid;
DROP INDEX IF EXISTS main.ps_oplog_key;

CREATE TABLE main.ps_staged_buckets(source_id INTEGER PRIMARY KEY, id INTEGER NOT NULL UNIQUE, name, last_applied_op,
  last_op, checksum, pending_delete, count_at_last, count_since_last, downloaded_size);
INSERT INTO main.ps_staged_buckets(source_id, id, name, last_applied_op, last_op, checksum, pending_delete,
    count_at_last, count_since_last, downloaded_size)
  SELECT id,
         iif((SELECT min(id) >= 1 AND max(id) <= 4194303 FROM main.ps_buckets), id, row_number() OVER (ORDER BY id)),
         name, last_applied_op, last_op, (add_checksum & 4294967295) + (op_checksum & 4294967295), pending_delete,
         count_at_last, count_since_last, downloaded_size
    FROM main.ps_buckets;
DROP TABLE main.ps_buckets;
CREATE TABLE main.ps_buckets(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  last_applied_op INTEGER NOT NULL DEFAULT 0,
  last_op INTEGER NOT NULL DEFAULT 0,
  add_checksum INTEGER NOT NULL DEFAULT 0,
  op_checksum INTEGER NOT NULL DEFAULT 0,
  pending_delete INTEGER NOT NULL DEFAULT 0,
  count_at_last INTEGER NOT NULL DEFAULT 0,
  count_since_last INTEGER NOT NULL DEFAULT 0,
  downloaded_size INTEGER NOT NULL DEFAULT 0,
  settled INTEGER NOT NULL DEFAULT 0,
  in_checkpoint INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX main.ps_buckets_name ON ps_buckets (name);

-- Lengths are counted in bytes of blobs, as SQLite's text functions stop at a NUL character. How many bytes a character has
-- depends on the database's encoding.
INSERT INTO main.ps_operations(id, op_id, row_type, row_id, subkey, data, hash, removed)
  SELECT numbered.id, oplog.op_id, oplog.row_type, oplog.row_id, numbered.subkey, coalesce(oplog.data, '{}'), oplog.hash,
         iif(numbered.is_readable, 0, 2)
    FROM (
      SELECT (bucket << 34) | row_number() OVER (PARTITION BY bucket ORDER BY op_id, source) AS id, source, subkey,
             is_readable
        FROM (
          SELECT bucket, source, max(op_id) AS op_id,
                 coalesce(substr(key, 1, length(prefix)) = prefix, 0) AS is_readable,
                 nullif(iif(substr(key, 1, length(prefix)) = prefix, CAST(substr(key, length(prefix) + 1) AS TEXT), NULL),
                        'null') AS subkey
            FROM (
              SELECT bucket.id AS bucket, held.rowid AS source, held.op_id, held.row_type, held.row_id,
                     CAST(held.key AS BLOB) AS key, CAST(held.row_type || '/' || held.row_id || '/' AS BLOB) AS prefix
                FROM main.ps_oplog AS held
                JOIN main.ps_staged_buckets AS bucket ON bucket.source_id = held.bucket
               WHERE held.row_type IS NOT NULL AND held.row_id IS NOT NULL
            )
           GROUP BY bucket, row_type, row_id, subkey
        )
    ) AS numbered
   CROSS JOIN main.ps_oplog AS oplog ON oplog.rowid = numbered.source;
DROP TABLE main.ps_oplog;

INSERT INTO main.ps_buckets(id, name, last_applied_op, last_op, add_checksum, op_checksum, pending_delete,
    count_at_last, count_since_last, downloaded_size, settled)
  SELECT bucket.id, name, last_applied_op, last_op,
         (checksum - coalesce(sum(operation.hash & 4294967295), 0)) & 4294967295,
         coalesce(sum(operation.hash & 4294967295), 0) & 4294967295,
         pending_delete, count_at_last, count_since_last, downloaded_size, count(operation.id)
    FROM main.ps_staged_buckets AS bucket
    LEFT JOIN main.ps_operations AS operation
      ON operation.id BETWEEN bucket.id << 34 AND (bucket.id << 34) | 17179869183
     AND operation.op_id <= bucket.last_applied_op
   GROUP BY bucket.source_id;
DROP TABLE main.ps_staged_buckets;

INSERT INTO main.ps_row_operations(row_type, row_id, operation)
  SELECT operation.row_type, operation.row_id, operation.id
    FROM main.ps_buckets AS bucket
   CROSS JOIN main.ps_operations AS operation
      ON operation.id BETWEEN bucket.id << 34 AND (bucket.id << 34) + bucket.settled
   ORDER BY operation.row_type, operation.row_id, operation.id;

{oplog_view_1001};
{oplog_key_repair_1001};

-- Format 4: the checksum of the operations held is kept per bucket, so that validating does not add them up.

ALTER TABLE main.ps_buckets ADD COLUMN op_checksum INTEGER NOT NULL DEFAULT 0;
ALTER TABLE main.ps_buckets ADD COLUMN remove_operations INTEGER NOT NULL DEFAULT 0;
UPDATE main.ps_buckets SET op_checksum = (
  SELECT coalesce(sum(hash & 4294967295), 0) & 4294967295
    FROM main.ps_oplog AS oplog WHERE oplog.bucket = ps_buckets.name);

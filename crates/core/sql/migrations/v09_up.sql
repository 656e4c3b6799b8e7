-- Format 9: operations are counted per bucket, for the download progress.

ALTER TABLE main.ps_buckets ADD COLUMN count_at_last INTEGER NOT NULL DEFAULT 0;
ALTER TABLE main.ps_buckets ADD COLUMN count_since_last INTEGER NOT NULL DEFAULT 0;

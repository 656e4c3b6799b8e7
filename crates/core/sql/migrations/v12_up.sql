-- Format 12: the bytes received are counted per bucket.

ALTER TABLE main.ps_buckets ADD COLUMN downloaded_size INTEGER NOT NULL DEFAULT 0;

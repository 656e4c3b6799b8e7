ALTER TABLE ps_buckets DROP COLUMN count_at_last;

ALTER TABLE ps_buckets DROP COLUMN count_since_last;

DELETE FROM ps_migration WHERE id >= 9;

ALTER TABLE ps_buckets DROP COLUMN downloaded_size;

DELETE FROM ps_migration WHERE id >= 12;

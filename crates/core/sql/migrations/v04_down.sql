DELETE FROM ps_migration WHERE id >= 4;

ALTER TABLE ps_buckets DROP COLUMN op_checksum;

ALTER TABLE ps_buckets DROP COLUMN remove_operations;

DELETE FROM ps_migration WHERE id >= 6;

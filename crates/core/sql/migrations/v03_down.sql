DELETE FROM ps_migration WHERE id >= 3;

DROP TABLE ps_kv;

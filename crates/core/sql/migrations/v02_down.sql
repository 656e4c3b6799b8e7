DELETE FROM ps_migration WHERE id >= 2;

DROP TABLE ps_tx;

ALTER TABLE ps_crud DROP COLUMN tx_id;

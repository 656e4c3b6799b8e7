-- Format 2: local writes of one transaction are queued under one transaction id.

CREATE TABLE main.ps_tx(id INTEGER PRIMARY KEY NOT NULL, current_tx INTEGER, next_tx INTEGER);
INSERT INTO main.ps_tx(id, current_tx, next_tx) VALUES (1, NULL, 1);
ALTER TABLE main.ps_crud ADD COLUMN tx_id INTEGER;

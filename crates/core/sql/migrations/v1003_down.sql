-- Older formats have no place for rejected uploads: how many transactions there were is left in `ps_kv`. As in 1002, the
-- column goes with a copy of its table.
INSERT OR REPLACE INTO main.ps_kv(key, value)
  SELECT 'powersync_rejected_dropped', dropped
    FROM (SELECT count(DISTINCT transaction_id) AS dropped FROM main.ps_rejected) WHERE dropped > 0;

DROP VIEW main.powersync_rejected;

DROP TABLE main.ps_rejected;

DROP TABLE main.ps_diagnostics;

UPDATE main.ps_buckets SET in_checkpoint = 1 WHERE in_checkpoint > 1;

CREATE TABLE main.ps_staged_updated_rows AS SELECT row_type, row_id FROM main.ps_updated_rows ORDER BY rowid;

DROP TABLE main.ps_updated_rows;

CREATE TABLE main.ps_updated_rows(
  row_type TEXT,
  row_id TEXT
) STRICT;

INSERT INTO main.ps_updated_rows(row_type, row_id)
  SELECT row_type, row_id FROM main.ps_staged_updated_rows ORDER BY rowid;

DROP TABLE main.ps_staged_updated_rows;

DELETE FROM main.ps_migration WHERE id >= 1003;

-- Forgets whose data these are: everything that must not be uploaded, or acknowledged, twice. What was downloaded stays,
-- with the positions of buckets.
--
-- Rows with local writes that the service has not acknowledged keep their marks, and get one for each entry of the queue,
-- since triggers of the app may add entries without. So the next full publish shows what the service has: none of them is
-- a local write of the new client.
UPDATE main.ps_updated_rows SET downloaded = 1;
INSERT INTO main.ps_updated_rows(row_type, row_id, downloaded)
  SELECT entry ->> '$.type', entry ->> '$.id', 1
    FROM (SELECT iif(json_valid(data), data, '{}') AS entry FROM main.ps_crud)
   WHERE entry ->> '$.type' IS NOT NULL AND entry ->> '$.id' IS NOT NULL;
DELETE FROM main.ps_updated_rows_limit;
DELETE FROM main.ps_crud;
DELETE FROM main.ps_rejected;
DELETE FROM main.ps_diagnostics;
DELETE FROM main.ps_kv WHERE key IN ('client_id', 'target_checkpoint_request_id', 'last_seen_checkpoint_request_id',
  'last_applied_checkpoint_request_id', 'last_requested_checkpoint_request_id', 'powersync_rejected_dropped',
  'powersync_export');

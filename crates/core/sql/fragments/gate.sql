-- The request ids, the queue, and what they make of the gate (docs/reference/sync-client.md#the-gate).
WITH ids AS (
  SELECT CAST((SELECT value FROM main.ps_kv WHERE key = 'target_checkpoint_request_id') AS INTEGER) AS target,
         CAST((SELECT value FROM main.ps_kv WHERE key = 'last_seen_checkpoint_request_id') AS INTEGER) AS seen,
         CAST((SELECT value FROM main.ps_kv WHERE key = 'last_applied_checkpoint_request_id') AS INTEGER) AS applied,
         CAST((SELECT value FROM main.ps_kv WHERE key = 'last_requested_checkpoint_request_id') AS INTEGER) AS requested
),
queue AS (
  SELECT count(*) AS entries, count(DISTINCT coalesce(tx_id, -id)) AS transactions, min(id) AS oldest FROM main.ps_crud
),
gate AS (
  SELECT *,
         CASE WHEN entries > 0 THEN 'local writes queued'
              WHEN target IS NULL OR target <= coalesce(seen, 0) THEN 'open'
              WHEN target = 9223372036854775807 THEN 'request id unknown'
              ELSE 'not acknowledged' END AS state
    FROM ids, queue
),
remedies(of_state, remedy) AS (VALUES
  ('local writes queued',
   'Upload the queue. If it does not get shorter, look at the transaction at its head: the backend does not take it, or the upload function does not complete it. powersync_crud_reject() takes it out.'),
  ('request id unknown',
   'After the last upload, ask the service for a write checkpoint and store it: powersync_control(''target_checkpoint_request_id'', id) or powersync_crud_complete(last_entry_id, id).'),
  ('not acknowledged',
   'Wait for the service. If this stays, the service does not replicate what the backend wrote, or the write checkpoint was requested for another user or client id.')
)

-- Problems that stored data show: code, subject, text and remedy. ?1: whether an iteration is running.
{gate},
attempt(detail) AS (
  SELECT iif(json_valid(detail), detail, '{}') FROM main.ps_diagnostics WHERE kind = 'attempt'
   UNION ALL
  SELECT NULL LIMIT 1
),
details(kind, subject, detail) AS (SELECT kind, subject, iif(json_valid(detail), detail, '{}') FROM main.ps_diagnostics)
SELECT 'never-connected', NULL,
       iif(detail IS NULL,
           'No attempt to sync has ended, and nothing was ever downloaded.',
           'The service did not answer the last attempt to sync, and nothing was ever downloaded.'),
       'Check that the app connects, the address of the service, the network, and that the token is accepted.'
  FROM attempt
 WHERE NOT ?1 AND NOT coalesce(detail ->> '$.connected', 0)
   AND NOT EXISTS (SELECT 1 FROM main.ps_buckets) AND NOT EXISTS (SELECT 1 FROM main.ps_sync_state)
UNION ALL
SELECT 'last-attempt-failed', detail ->> '$.last_error.class',
       'The last attempt to sync ended because a call failed: ' || coalesce(detail ->> '$.last_error.message', 'unknown'),
       'Look the message up in the list of errors (docs/reference/errors.md).'
  FROM attempt WHERE detail ->> '$.ended_by' = 'error'
UNION ALL
SELECT iif(times > 2, 'repeated-checksum-failures', 'checksum-mismatch'), subject,
       'The checksum of the bucket was wrong at the last ' || times || ' attempts: expected '
         || coalesce(detail ->> '$.expected', '?') || ', got ' || coalesce(detail ->> '$.actual', '?') || '.',
       iif(times > 2,
           'The bucket is downloaded again each time, with the same result: the service sends operations that do not fit its checksums. Compact or reprocess the bucket on the service, and report it.',
           'Nothing: the bucket is downloaded again.')
  FROM (SELECT subject, detail, CAST(detail ->> '$.times' AS INTEGER) AS times FROM details WHERE kind = 'checksum')
 WHERE times > 0
UNION ALL
SELECT 'subscription-error', subject, 'The service reports: ' || coalesce(detail ->> '$.message', 'an error'),
       'Correct the stream in the service''s sync config, or the parameters of the subscription.'
  FROM details WHERE kind = 'stream'
UNION ALL
SELECT iif(state = 'local writes queued', 'uploads-waiting',
           iif(state = 'not acknowledged', 'gate-not-acknowledged', 'gate-unknown-request-id')),
       CAST(oldest AS TEXT),
       CASE state
         WHEN 'local writes queued' THEN entries || ' local writes in ' || transactions
           || ' transactions wait for their upload. Downloads wait for them.'
         WHEN 'not acknowledged' THEN 'All local writes were uploaded, and the service has not acknowledged write checkpoint '
           || target || ' yet. Downloads wait for that.'
         ELSE 'All local writes were uploaded, but no write checkpoint was stored for them, so nothing can acknowledge them. Downloads wait for that.'
       END,
       remedy
  FROM gate JOIN remedies ON of_state = state
UNION ALL
SELECT 'unpublishable-operation', subject,
       'Operation ' || (detail ->> '$.op_id') || ' of bucket ' || (detail ->> '$.bucket')
         || ' could not be published: ' || (detail ->> '$.message'),
       'Correct the table, its statements and triggers, or the row in the source database. Nothing is published until then.'
  FROM details WHERE kind = 'operation' AND detail ->> '$.message' IS NOT NULL
UNION ALL
SELECT 'stored-data-invalid', 'client_id', 'There is no client id, without which no attempt to sync begins.',
       'powersync_adopt() makes the file a new client. Local writes that were not uploaded are lost.'
 WHERE NOT EXISTS (SELECT 1 FROM main.ps_kv WHERE key = 'client_id' AND typeof(value) = 'text' AND value <> ''
                       OR key = 'powersync_export')
UNION ALL
SELECT 'untyped-rows', type, count(*) || ' rows were downloaded of a type that the schema does not have.',
       'Add a table with this name to the schema, or stop syncing the type.'
  FROM main.ps_untyped GROUP BY type

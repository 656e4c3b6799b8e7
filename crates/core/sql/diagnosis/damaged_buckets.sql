-- Buckets whose stored operations are damaged, as problems. What is pending counts in `add_checksum`, together with
-- operations that are no longer held, so that only the next checkpoint can check it.
WITH RECURSIVE regions(region) AS (
  SELECT 0
   UNION ALL
  SELECT region + 1 FROM regions WHERE region < min((SELECT max(region) FROM main.ps_checkpoint), 127)
),
held AS (
  SELECT name, op_checksum & 4294967295 AS stored,
         coalesce(sum(iif(operation.id & 17179869183 <= settled AND removed <> 1, hash & 4294967295, 0)), 0) & 4294967295
           AS actual,
         sum(operation.id & 17179869183 <= settled
             AND (entry.operation IS NULL) = (operation.data IS NOT NULL OR removed = 1)) AS lost,
         sum(removed <> 1
             AND iif(data IS NULL,
                     powersync_operation_data(operation.row_type, operation.row_id, operation.id) IS NULL,
                     NOT iif(json_valid(data), json_type(data) = 'object', 0))) AS unreadable
    FROM main.ps_buckets AS bucket
   CROSS JOIN regions
    LEFT JOIN main.ps_operations AS operation
      ON operation.id BETWEEN ((region << 56) | (bucket.id << 34)) + 1
                          AND ((region << 56) | (bucket.id << 34)) + 17179869183
    LEFT JOIN main.ps_row_operations AS entry
      ON entry.row_type = operation.row_type AND entry.row_id = operation.row_id AND entry.operation = operation.id
   WHERE bucket.id BETWEEN 1 AND 4194303 AND settled BETWEEN 0 AND 17179869183
   GROUP BY bucket.id
)
SELECT code, name,
       iif(code = 'checksum-mismatch',
           'The sum of the stored operations is ' || actual || ', and ' || stored || ' is expected.',
           lost + unreadable || ' stored operations are damaged.'),
       'powersync_repair() with this code deletes the bucket, so that it is downloaded again. Its rows stay until then.'
  FROM held
 CROSS JOIN (SELECT 'checksum-mismatch' AS code UNION ALL SELECT 'operations-invalid')
 WHERE iif(code = 'checksum-mismatch', stored <> actual, lost + unreadable > 0)

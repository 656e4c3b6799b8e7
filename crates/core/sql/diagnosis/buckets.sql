-- Joined by the buckets' ids: SQLite would compare each bucket with each count.
WITH buckets AS (
  SELECT *, (add_checksum + op_checksum) & 4294967295 AS checksum
    FROM (SELECT of_bucket, sum(is_held) AS held, sum(is_pending) AS waiting
            FROM (SELECT (id >> 34) & 4194303 AS of_bucket, 1 AS is_held, 0 AS is_pending FROM main.ps_operations
                   UNION ALL
                  SELECT id, 0, 0 FROM main.ps_buckets
                   UNION ALL
                  SELECT bucket, 0, 1 FROM {pending})
           GROUP BY of_bucket)
   CROSS JOIN main.ps_buckets AS bucket ON bucket.id = of_bucket
   ORDER BY name
)
SELECT json_group_array(json_object(
    'name', name,
    'last_op', CAST(iif(in_checkpoint, max(last_op, coalesce((SELECT last_op FROM main.ps_checkpoint), 0)), last_op) AS TEXT),
    'last_applied_op', CAST(last_applied_op AS TEXT), 'operations', held, 'bytes', downloaded_size,
    'pending_operations', waiting, 'checksum', iif(checksum > 2147483647, checksum - 4294967296, checksum),
    'count_at_last', count_at_last, 'count_since_last', count_since_last,
    'superseded', max(count_at_last + count_since_last - held, 0)))
  FROM buckets

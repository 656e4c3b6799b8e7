-- All versions of row ?2 of type ?1 that are stored: settled ones, those of pending operations, which are not indexed by
-- row, and `@in_place@`. A settled one is pending too if the row was held back when it came.
WITH stored AS (
  SELECT operation.id, op_id, data,
         EXISTS (SELECT 1 FROM main.ps_updated_rows WHERE row_type = ?1 AND row_id = ?2 AND downloaded)
           AND op_id > coalesce((SELECT last_applied_op FROM main.ps_buckets AS bucket
                                  WHERE bucket.id = (operation.id >> 34) & 4194303), 0) AS pending
    FROM main.ps_row_operations AS by_row
    JOIN main.ps_operations AS operation ON operation.id = by_row.operation
   WHERE by_row.row_type = ?1 AND by_row.row_id = ?2
   UNION ALL
  SELECT operation.id, op_id, coalesce(data, powersync_operation_data(row_type, row_id, operation.id)), 1
    FROM {pending}
   WHERE row_type = ?1 AND row_id = ?2
   @in_place@
),
newest AS (
  SELECT max(iif(pending, NULL, op_id)) AS settled, max(iif(pending, op_id, NULL)) AS pending FROM stored
)

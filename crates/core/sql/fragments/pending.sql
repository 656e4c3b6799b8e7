-- The pending operations (docs/reference/tables.md#ps_operations).
main.ps_operations AS operation
  JOIN (SELECT id AS bucket, (coalesce((SELECT region FROM main.ps_checkpoint), 0) << 56) | (id << 34) AS start, settled
          FROM main.ps_buckets)
    ON operation.id BETWEEN start + settled + 1 AND start + 17179869183

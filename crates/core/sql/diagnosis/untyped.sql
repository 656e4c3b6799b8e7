-- Types of which something was downloaded.
WITH RECURSIVE types(type) AS (
  SELECT min(row_type) FROM main.ps_row_operations
   UNION ALL
  SELECT (SELECT min(row_type) FROM main.ps_row_operations WHERE row_type > types.type)
    FROM types WHERE types.type IS NOT NULL
)
SELECT type FROM types WHERE type IS NOT NULL UNION SELECT type FROM main.ps_untyped

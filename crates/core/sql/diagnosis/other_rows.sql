-- And those of the table that have no entry. `@is_kept@`: whether such rows stay.
 UNION ALL
SELECT shown.id, @is_kept@ shown.id IN (SELECT id FROM explained), TRUE, NULL
  FROM main.@table@ AS shown
 WHERE @of_type@ NOT EXISTS (SELECT 1 FROM main.ps_row_operations WHERE row_type = ?1 AND row_id = shown.id) AND @is_entry@

-- And those with the data of an operation in place.
 UNION ALL
SELECT shown.id, shown.id IN (SELECT id FROM explained), FALSE, NULL
  FROM main.@table@ AS shown
 CROSS JOIN main.ps_operations AS held ON {in_place} AND held.row_type = ?1

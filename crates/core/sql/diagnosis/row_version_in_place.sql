-- The version whose data are in the row, from the table `@table@`.
 UNION ALL
SELECT held.id, op_id, shown.data, 0
  FROM main.@table@ AS shown CROSS JOIN main.ps_operations AS held ON {in_place}
 WHERE held.row_type = ?1 AND shown.id = ?2

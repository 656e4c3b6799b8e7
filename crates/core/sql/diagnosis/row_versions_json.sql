SELECT json_group_array(json_object(
    'bucket', name, 'op_id', CAST(op_id AS TEXT),
    'published', json(iif(NOT pending AND op_id = (SELECT settled FROM newest), 'true', 'false')),
    'pending', json(iif(pending, 'true', 'false')), 'data', json(iif(json_valid(data), data, 'null'))))
  FROM (SELECT stored.*, name
          FROM stored LEFT JOIN main.ps_buckets AS bucket ON bucket.id = (stored.id >> 34) & 4194303
         ORDER BY op_id DESC)

-- Entries of the upload queue that no SDK can upload, as problems. Ids grow: a smaller one would be uploaded again, or
-- never. `@condition@` says which entries are looked at.
SELECT 'queue-entry-invalid', CAST(id AS TEXT),
       iif(is_readable, 'The ids of the entry or its transaction are smaller than those before.',
           'The entry is no write of a row.') || ' Nothing behind it is uploaded.',
       'powersync_crud_reject(' || coalesce(tx_id, -id) || ', code, message) takes its transaction out of the queue.'
  FROM (SELECT id, tx_id,
               coalesce(entry ->> '$.op' IN ('PUT', 'PATCH', 'DELETE') AND json_type(entry, '$.type') = 'text'
                   AND json_type(entry, '$.id') = 'text'
                   AND coalesce(json_type(entry, '$.data'), 'null') IN ('null', 'object'), 0) AS is_readable,
               id < 1 OR id > coalesce((SELECT max(seq) FROM main.sqlite_sequence WHERE name = 'ps_crud'), id)
                 OR tx_id < (SELECT tx_id FROM main.ps_crud AS older WHERE older.id < stored.id
                              ORDER BY older.id DESC LIMIT 1) AS is_disordered
          FROM (SELECT id, tx_id, iif(json_valid(data), data, '{}') AS entry FROM main.ps_crud) AS stored
         WHERE @condition@)
 WHERE NOT is_readable OR is_disordered

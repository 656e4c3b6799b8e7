-- ?9: the state, in the order of `State` in src/diagnosis/explain.rs.
WITH states(number, state, text) AS (VALUES
  (0, 'type not in the schema',
   'The schema has no table for this type: add one, and its rows are shown with the next powersync_replace_schema().'),
  (1, 'absent', 'No stored bucket has the row, and it was not written locally.'),
  (2, 'as downloaded', 'The row is what the service sent last.'),
  (3, 'changed locally', 'The table is local-only: the row is never synced.'),
  (4, 'changed locally', 'Local writes of the row wait for their upload.'),
  (5, 'changed locally',
   'The row was written locally, and a checkpoint that acknowledges this was not published yet.'),
  (6, 'newer version waits for the gate',
   'A newer version was downloaded. It is shown when all local writes are uploaded and acknowledged: see powersync_diagnose().'),
  (7, 'newer version waits for its checkpoint',
   'A newer version was downloaded. It is shown when its checkpoint is complete.'),
  (8, 'differs from what was downloaded',
   'The row is not what the service sent last, and no local write explains it: something else has changed the table.')
)
SELECT json_object('type', ?1, 'id', ?2, 'table', iif(?3 IS NULL, NULL, json_object('name', ?3, 'kind', ?4)),
                   'shown', json(iif(json_valid(?5), ?5, 'null')), 'versions', json(?6), 'local', json(?7),
                   'rejected', json(?8), 'state', state, 'text', text)
  FROM states WHERE number = ?9

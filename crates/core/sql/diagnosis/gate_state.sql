{gate}
SELECT json_object(
    'open', json(iif(state = 'open', 'true', 'false')), 'state', state,
    'queued_entries', entries, 'queued_transactions', transactions, 'oldest_entry_id', CAST(oldest AS TEXT),
    'target', iif(target = 9223372036854775807, 'unknown', CAST(target AS TEXT)), 'last_seen', CAST(seen AS TEXT),
    'last_applied', CAST(applied AS TEXT), 'last_requested', CAST(requested AS TEXT),
    'rows_held_back', iif(state = 'open', 0, (
      SELECT count(*)
        FROM (SELECT row_type, row_id FROM {pending}
               UNION
              SELECT row_type, row_id FROM main.ps_updated_rows WHERE downloaded))),
    'remedy', remedy)
  FROM gate LEFT JOIN remedies ON of_state = state

-- The content of the published version, and whether there is a newer one.
SELECT settled IS NOT NULL, (SELECT data FROM stored WHERE NOT pending AND op_id = settled),
       coalesce(newest.pending > coalesce(settled, 0), 0)
  FROM newest

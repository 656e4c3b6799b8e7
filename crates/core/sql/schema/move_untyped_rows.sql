-- Moves rows from `ps_untyped` to a JSON table that has some already. Where rows of the type were downloaded, the next full
-- publish looks at those that the table had, of which some may have been removed meanwhile.
INSERT INTO main.ps_updated_rows(row_type, row_id, downloaded)
  SELECT @type@, CAST(id AS TEXT), 1 FROM main.@table@
   WHERE EXISTS (SELECT 1 FROM main.ps_row_operations WHERE row_type = @type@);
INSERT INTO main.@table@(id, data)
  SELECT id, iif(iif(json_valid(data), json_type(data) = 'object', FALSE), data, '{}')
    FROM main.ps_untyped WHERE type = @type@
      ON CONFLICT(id) DO UPDATE SET data = excluded.data;
DELETE FROM main.ps_untyped WHERE type = @type@;

-- Earlier builds wrote rows of types that differ only in case to one data table. The next full publish looks at the rows of
-- such a type, and at those that its table may have in their place. Types are found one by one in the index.
INSERT OR IGNORE INTO main.ps_updated_rows(row_type, row_id)
  WITH RECURSIVE
    row_types(name) AS (
      SELECT min(row_type) FROM main.ps_row_operations
       UNION ALL
      SELECT (SELECT min(row_type) FROM main.ps_row_operations WHERE row_type > name)
        FROM row_types WHERE name IS NOT NULL
    ),
    mistaken(name, table_type) AS (
      SELECT row_types.name, substr(object.name, length('ps_data__') + 1)
        FROM row_types CROSS JOIN main.sqlite_schema AS object
       WHERE object.type = 'table' AND object.name = 'ps_data__' || row_types.name COLLATE NOCASE
         AND object.name GLOB 'ps_data__*' AND object.name <> 'ps_data__' || row_types.name
    )
  SELECT iif(side.is_table, mistaken.table_type, mistaken.name), entry.row_id
    FROM mistaken
   CROSS JOIN main.ps_row_operations AS entry ON entry.row_type = mistaken.name
   CROSS JOIN (SELECT 0 AS is_table UNION ALL SELECT 1) AS side;

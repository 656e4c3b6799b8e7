-- Gives pending operations of a type their data, from the table that these wait in, and drops the table.
UPDATE main.ps_operations AS operation SET data = waiting.data
  FROM main.@table@ AS waiting
 WHERE operation.id = waiting.rowid AND operation.data IS NULL AND operation.removed <> 1;

DROP TABLE main.@table@;

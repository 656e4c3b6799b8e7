-- Gives operations the data that wait for them.
UPDATE main.ps_operations AS operation SET data = waiting.data
  FROM main.@waiting@ AS waiting
 WHERE operation.id = waiting.rowid

-- Gives those operations their data that are not the only one of their row, as far as this table shows.
UPDATE main.ps_operations AS operation SET data = waiting.data
  FROM main.@waiting@ AS waiting
 WHERE operation.id = waiting.rowid
   AND waiting.id IN (SELECT id FROM main.@waiting@ GROUP BY id HAVING count(*) > 1)

-- Gives the operations from ?1 to ?2 their data.
UPDATE main.ps_operations AS operation SET data = waiting.data
  FROM main.@waiting@ AS waiting
 WHERE waiting.rowid BETWEEN ?1 AND ?2 AND operation.id = waiting.rowid AND operation.data IS NULL

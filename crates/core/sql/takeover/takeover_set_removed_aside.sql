-- Gives those operations their data whose rows have REMOVEs from ?1 to ?2.
UPDATE main.ps_operations AS operation SET data = waiting.data
  FROM main.@waiting@ AS waiting
 WHERE operation.id = waiting.rowid
   AND waiting.id IN (SELECT row_id FROM main.ps_operations
                       WHERE id BETWEEN ?1 AND ?2 AND removed = 1 AND row_type = @type@)

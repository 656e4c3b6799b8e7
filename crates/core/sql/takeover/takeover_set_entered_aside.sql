-- Gives those operations their data whose rows have other operations.
UPDATE main.ps_operations AS operation SET data = waiting.data
  FROM main.@waiting@ AS waiting
 WHERE operation.id = waiting.rowid
   AND waiting.id IN (SELECT waiting.id FROM main.@waiting@ AS waiting
                       WHERE EXISTS (SELECT 1 FROM main.ps_row_operations
                                      WHERE row_type = @type@ AND row_id = waiting.id))

-- Deletes the data that operations have got.
DELETE FROM main.@waiting@
 WHERE rowid IN (SELECT waiting.rowid
                   FROM main.@waiting@ AS waiting
                   JOIN main.ps_operations AS operation ON operation.id = waiting.rowid
                  WHERE operation.data IS NOT NULL)

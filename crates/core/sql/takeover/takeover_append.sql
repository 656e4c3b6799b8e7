-- Shows the rows from ?1 to ?2.
INSERT INTO main.@shown@(rowid, id, data)
SELECT rowid, id, data FROM main.@waiting@ WHERE rowid BETWEEN ?1 AND ?2 ORDER BY rowid

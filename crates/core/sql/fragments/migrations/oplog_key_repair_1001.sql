-- An update of another part of the key than the subkey changes nothing.
CREATE TRIGGER main.ps_oplog_repair_key INSTEAD OF UPDATE OF key ON ps_oplog
  WHEN NEW.key IS NOT OLD.key
   AND substr(CAST(NEW.key AS BLOB), 1, length(CAST(OLD.row_type || '/' || OLD.row_id || '/' AS BLOB)))
     = CAST(OLD.row_type || '/' || OLD.row_id || '/' AS BLOB)
BEGIN
  UPDATE ps_operations
     SET subkey = nullif(CAST(substr(
           CAST(NEW.key AS BLOB), length(CAST(OLD.row_type || '/' || OLD.row_id || '/' AS BLOB)) + 1) AS TEXT), 'null')
   WHERE id = OLD.operation;
END

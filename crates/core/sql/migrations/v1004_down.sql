-- What follows the statements for each table.
DROP VIEW main.ps_oplog;

{oplog_view_1002};

{oplog_key_repair_1002};

DELETE FROM main.ps_migration WHERE id >= 1004;

-- Views without the triggers that belong to them, as problems.
WITH triggers AS (
  SELECT tbl_name, sum(name = 'ps_view_insert_' || tbl_name) AS inserts,
         sum(name = 'ps_view_update_' || tbl_name) AS updates, sum(name = 'ps_view_delete_' || tbl_name) AS deletes
    FROM main.sqlite_schema WHERE type = 'trigger' AND name GLOB 'ps_view_*' GROUP BY tbl_name
)
SELECT 'schema-differs', view.name, 'The view has lost triggers.', 'Call powersync_replace_schema() in a transaction.'
  FROM main.sqlite_schema AS view LEFT JOIN triggers ON triggers.tbl_name = view.name
 WHERE view.type = 'view' AND view.sql GLOB 'CREATE VIEW "*"("id"*-- powersync-auto-generated'
   AND (inserts IS NOT 1 OR updates <> deletes)

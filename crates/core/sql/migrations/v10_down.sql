-- Format 10: views use functions that older versions do not have.
--
-- Going up changes nothing, as the next `powersync_replace_schema` creates the views again; going down drops them.

SELECT powersync_drop_view(view.name)
  FROM sqlite_master view
  WHERE view.type = 'view'
    AND view.sql GLOB  '*-- powersync-auto-generated';

DELETE FROM ps_migration WHERE id >= 10;

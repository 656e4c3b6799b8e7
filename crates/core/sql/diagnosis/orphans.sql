-- Rows of internal tables that mean nothing: the table, the condition, and what they are. ?1: types that have a table.
ps_buckets |
id NOT BETWEEN 1 AND 4194303 OR settled NOT BETWEEN 0 AND 17179869183 OR pending_delete <> 0 |
rows are no valid buckets;

ps_operations |
((id >> 34) & 4194303) NOT IN (SELECT id FROM main.ps_buckets)
  OR (id >> 56) NOT BETWEEN 0 AND coalesce((SELECT max(region) FROM main.ps_checkpoint), 0) |
operations are of no bucket;

ps_row_operations |
NOT EXISTS (
  SELECT 1 FROM main.ps_operations AS held JOIN main.ps_buckets AS bucket ON bucket.id = (held.id >> 34) & 4194303
   WHERE held.id = operation AND held.row_type = ps_row_operations.row_type
     AND held.row_id = ps_row_operations.row_id AND held.id & 17179869183 <= settled) |
entries are of no published operation;

ps_updated_rows |
row_type IS NULL OR row_id IS NULL |
marks are of no row;

ps_untyped |
type IN (SELECT value FROM json_each(?1)) |
rows are of types that have a table;

ps_sync_state |
priority NOT BETWEEN 0 AND 3 AND priority <> 2147483647 |
rows are of no priority;

ps_stream_subscriptions |
NOT json_valid(local_params) |
subscriptions have parameters that are no JSON;

ps_diagnostics |
kind NOT IN ('attempt', 'checksum', 'stream', 'operation', 'untyped')
  OR NOT coalesce(json_valid(detail), kind = 'untyped') |
rows are of no known kind;

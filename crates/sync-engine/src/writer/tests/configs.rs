//! Configurations of random sessions.

use super::basics::LISTS;

/// Configurations that share some definitions, and not others.
pub(super) const CONFIGS: [&str; 8] = [
    LISTS,
    "
config: {edition: 3}
streams:
  renamed:
    query: SELECT * FROM todos WHERE list_id IN (SELECT id FROM lists WHERE owner = auth.user_id())
  all:
    auto_subscribe: true
    query: SELECT id, upper(name) AS name FROM lists WHERE owner <> 'ann'
",
    "
config: {edition: 3}
streams:
  notes:
    queries:
      - SELECT id, note FROM lists
      - SELECT id, text FROM todos
  owners:
    query: SELECT id, name FROM lists WHERE owner IN (SELECT owner FROM lists WHERE id = subscription.parameter('list'))
",
    "
config: {edition: 3}
streams:
  lists:
    query: SELECT id, name FROM lists WHERE owner = auth.user_id()
  parts:
    query: SELECT * FROM \"part_%\"
",
    "
config: {edition: 3}
streams:
  parts:
    query: SELECT id, name FROM \"part_%\" WHERE name = subscription.parameter('name')
  color:
    query: SELECT id, color FROM lists WHERE owner = auth.user_id()
",
    // Queries that come, go and move between streams.
    "
config: {edition: 3}
streams:
  s:
    query: SELECT id, name FROM lists
  t:
    query: SELECT id, text FROM todos
",
    "
config: {edition: 3}
streams:
  s:
    queries:
      - SELECT id, text FROM todos
      - SELECT id, name FROM lists
      - SELECT * FROM \"part_%\"
",
    "
config: {edition: 3}
streams:
  s:
    queries:
      - SELECT id, name FROM lists
      - SELECT id, note FROM lists
      - SELECT id, text FROM todos
  u:
    priority: 1
    queries:
      - SELECT id, text FROM todos
      - SELECT id, color AS name FROM lists
",
];

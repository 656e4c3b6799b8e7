//! Connections against a small backend and a model of the client: what is sent, in which order, and that clients converge.

mod activation;
mod backend;
mod changes;
mod clock;
mod model;
mod order;
mod random;
mod recordings;
mod restart;
mod session;
mod wakes;

/// A user `u1` has two default streams and several to subscribe to, of all priorities.
const CONFIG: &str = "config: {edition: 3}
streams:
  announcements:
    auto_subscribe: true
    priority: 1
    query: SELECT * FROM announcements
  my_lists:
    auto_subscribe: true
    priority: 2
    query: SELECT * FROM lists WHERE owner_id = auth.user_id()
  list_todos:
    query: SELECT * FROM todos WHERE list_id = subscription.parameter('list_id') AND list_id IN (SELECT id FROM lists WHERE owner_id = auth.user_id())
  shared_todos:
    query: SELECT todos.* FROM todos JOIN list_members m ON m.list_id = todos.list_id WHERE m.user_id = auth.user_id()
  region:
    priority: 0
    query: SELECT * FROM regions WHERE id = subscription.parameter('region')
  fragile:
    query: SELECT * FROM regions WHERE id = abs(subscription.parameter('n'))
";

//! What the functions of the upload queue cost does not depend on how much is queued or rejected
//! (docs/reference/functions.md#upload-queue).

use rowtide_testkit::Host;
use rowtide_testkit::counters::Counters;
use rusqlite::Connection;
use serde_json::json;

/// Calls, each of which finds transactions 1 to 9 at the head of the queue, or what is left of them, and rejected ones
/// from 1000001 on.
const CALLS: [&str; 8] = [
    "SELECT powersync_crud_next(5)",
    "SELECT powersync_crud_next(1000, 500)",
    "SELECT powersync_crud_complete(2)",
    r#"SELECT powersync_crud_results('[{"status":"success"},{"status":"fatal_error","failed_operation":{}},
        {"status":"retryable_error"}]', '{"transaction_ids":["2","3","4"]}')"#,
    "SELECT powersync_crud_reject(4, 'code', 'message')",
    "SELECT powersync_crud_retry(1000007)",
    "SELECT powersync_crud_discard(1000005)",
    "SELECT powersync_crud_next(5)",
];

/// Steps of each call, with so many transactions of two entries queued, and as many rejected.
fn steps(transactions: usize) -> Vec<u64> {
    let mut connection = Connection::open_in_memory().unwrap();
    let counters = Counters::install(&mut connection).unwrap();
    let host = Host::load_into(connection);
    host.replace_schema(&json!({"tables": [{"name": "lists", "columns": [{"name": "name", "type": "text"}]}]}));
    let fill = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {transactions})
         INSERT INTO ps_crud(tx_id, data) SELECT i, json_object('op', 'PUT', 'type', 'lists', 'id', 'l' || i || '-' || j,
                'data', json_object('name', 'x'))
            FROM n, (SELECT 1 AS j UNION ALL SELECT 2) ORDER BY i, j"
    );
    host.execute(&fill);
    host.execute(
        "INSERT INTO ps_rejected(transaction_id, entry_id, at, data)
         SELECT tx_id + 1000000, id + 1000000, 1, data FROM ps_crud",
    );
    // Statements are compiled by the first calls.
    host.execute("SAVEPOINT warm_up");
    for call in CALLS {
        host.rows(call);
    }
    host.execute("ROLLBACK TO warm_up");
    host.execute("RELEASE warm_up");
    let cost = |call: &&str| counters.count(|| host.transaction(call, [])).1.steps;
    CALLS.iter().map(cost).collect()
}

#[test]
fn calls_cost_as_much_with_a_long_queue_as_with_a_short_one() {
    let (short, long) = (steps(100), steps(50_000));
    for ((call, short), long) in CALLS.iter().zip(short).zip(long) {
        println!("{short} and {long} steps: {call}");
        // A b-tree with more levels takes no more steps. What is left is for statistics and the like.
        assert!(long <= short + short / 10, "{short} steps with a short queue, {long} with a long one: {call}");
    }
}

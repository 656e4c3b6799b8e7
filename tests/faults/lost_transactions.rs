//! SQLite can lose a transaction without a word. When a statement turns out to be of an older schema, SQLite takes back
//! what it has begun, prepares it again and runs it again. If memory is refused while it takes back, the whole transaction
//! is rolled back, but what the statement reports is that of the second run, which is outside of any transaction.
//!
//! The library's own statements report SQLITE_NOMEM then. For those of the application nothing can be done.

use rowtide_testkit::Host;
use rowtide_testkit::faults::allocator;
use rusqlite::{Connection, ErrorCode};
use serde_json::json;

use crate::Surroundings;

/// What came of a write within a transaction, in which one request for memory was refused.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcomes {
    failed: usize,
    succeeded: usize,
    /// Reported success, but the transaction is gone.
    lost: usize,
}

/// Lets one request for memory after the other fail in `write`, which begins with what `prepare` makes.
fn outcomes<T>(
    prepare: impl Fn() -> T,
    write: impl Fn(&T) -> rusqlite::Result<()>,
    is_open: impl Fn(&T) -> bool,
) -> Outcomes {
    let mut outcomes = Outcomes::default();
    for number in 0.. {
        let prepared = prepare();
        let (result, was_refused) = allocator::failing(number, false, || write(&prepared));
        match result {
            Ok(()) if !is_open(&prepared) => outcomes.lost += 1,
            Ok(()) => outcomes.succeeded += 1,
            Err(error) => {
                assert_eq!(error.sqlite_error_code(), Some(ErrorCode::OutOfMemory), "request {number}: {error}");
                outcomes.failed += 1;
            }
        }
        if !was_refused {
            break;
        }
    }
    outcomes
}

#[test]
fn plain_sqlite_loses_transactions() {
    let _surroundings = Surroundings::enter();
    // A statement that is kept, as hosts do, and of an older schema when it runs.
    const KEPT: &str = "INSERT INTO items VALUES (2)";
    let prepare = || {
        let connection = Connection::open_in_memory().unwrap();
        let setup = "CREATE TABLE items(id UNIQUE); CREATE TABLE log(id NOT NULL);
            CREATE TRIGGER logged AFTER INSERT ON items BEGIN INSERT INTO log VALUES (NEW.id); END;";
        connection.execute_batch(setup).unwrap();
        drop(connection.prepare_cached(KEPT).unwrap());
        connection.execute_batch("CREATE TABLE other(x); BEGIN; INSERT INTO items VALUES (1)").unwrap();
        connection
    };
    let write = |connection: &Connection| connection.prepare_cached(KEPT)?.execute([]).map(|_| ());
    let outcomes = outcomes(prepare, write, |connection| !connection.is_autocommit());
    // If SQLite has learnt to report this, `Rows::has_lost_transaction` can go.
    assert!(outcomes.failed > 0 && outcomes.lost > 0, "{outcomes:?}");
}

#[test]
fn statements_of_the_library_that_lose_a_transaction_report_it() {
    let _surroundings = Surroundings::enter();
    let schema = json!({"tables": [{"name": "lists", "columns": [{"name": "name", "type": "TEXT"}]}]});
    let prepare = || {
        let host = Host::open_in_memory();
        host.replace_schema(&schema);
        host.execute("INSERT INTO lists(id, name) VALUES ('first', 'x')");
        host.execute("CREATE TABLE other(x); BEGIN; INSERT INTO other VALUES (1)");
        host
    };
    let write = |host: &Host| host.connection().execute_batch("INSERT INTO lists(id, name) VALUES ('second', 'y')");
    let outcomes = outcomes(prepare, write, |host| !host.connection().is_autocommit());
    assert!(outcomes.failed > 0 && outcomes.succeeded > 0, "{outcomes:?}");
    assert_eq!(outcomes.lost, 0, "{outcomes:?}");
}

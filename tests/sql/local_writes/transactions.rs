//! Transaction ids, the gate, and what rollbacks of every kind leave (docs/reference/functions.md#powersync_crud;
//! docs/reliability.md#traps, traps 2 and 3).

use std::sync::{Arc, Mutex};

use rowtide_testkit::service::Service;
use rowtide_testkit::{Host, HostError};
use rusqlite::Connection;
use rusqlite::hooks::Action;
use serde_json::{Value, json};

const SENTINEL: i64 = i64::MAX;

fn host() -> Host {
    with_tables(Host::open_in_memory())
}

fn schema() -> Value {
    let columns = json!([{"name": "x", "type": "text"}]);
    json!({"tables": [{"name": "a", "columns": columns}, {"name": "events", "columns": columns, "insert_only": true}]})
}

fn with_tables(host: Host) -> Host {
    host.replace_schema(&schema());
    host
}

/// Transaction id and row id of each entry.
fn queue(host: &Host) -> Value {
    host.table("SELECT tx_id, data ->> 'id' FROM ps_crud ORDER BY id")
}

fn gate(host: &Host) -> Value {
    host.table("SELECT key, value FROM ps_kv WHERE key LIKE '%checkpoint_request_id' ORDER BY key")
}

fn closed() -> Value {
    json!([["target_checkpoint_request_id", SENTINEL]])
}

fn open_gate(host: &Host) {
    host.execute(
        "INSERT OR REPLACE INTO ps_kv VALUES ('target_checkpoint_request_id', 3), ('last_seen_checkpoint_request_id', 3),
         ('last_applied_checkpoint_request_id', 3), ('last_requested_checkpoint_request_id', 7)",
    );
}

#[test]
fn entries_of_a_transaction_share_an_id_across_both_tables() {
    let host = host();
    host.execute("INSERT INTO a(id) VALUES ('1')");
    host.execute(
        "BEGIN; INSERT INTO events(id) VALUES ('2'); INSERT INTO a(id) VALUES ('3'), ('4');
        INSERT INTO powersync_crud(op, id, type, data) VALUES ('PUT', '5', 'b', '{}');
        INSERT INTO powersync_crud_(data) VALUES ('{\"id\":\"6\"}'); COMMIT",
    );
    host.execute("INSERT INTO a(id) VALUES ('7'), ('8')");
    assert_eq!(queue(&host), json!([[1, "1"], [2, "2"], [2, "3"], [2, "4"], [2, "5"], [2, "6"], [3, "7"], [3, "8"]]));
    assert_eq!(host.table("SELECT * FROM ps_tx"), json!([[1, null, 4]]));
}

#[test]
fn transactions_that_record_nothing_take_no_id() {
    let host = host();
    host.execute("BEGIN; UPDATE a SET x = 1; SELECT * FROM a; COMMIT; BEGIN; COMMIT");
    host.execute("CREATE TABLE other(x); INSERT INTO other VALUES (1)");
    assert_eq!(host.value("SELECT next_tx FROM ps_tx"), 1);
}

#[test]
fn a_rolled_back_transaction_leaves_no_trace() {
    let host = host();
    open_gate(&host);
    let before = gate(&host);
    host.execute("BEGIN; INSERT INTO a(id) VALUES ('1'); ROLLBACK");
    assert_eq!((queue(&host), gate(&host)), (json!([]), before));
    assert_eq!(host.value("SELECT next_tx FROM ps_tx"), 1);
    host.execute("INSERT INTO a(id) VALUES ('2')");
    assert_eq!(queue(&host), json!([[1, "2"]]));
    assert_eq!(host.value("SELECT count(*) FROM ps_updated_rows"), 1);
}

#[test]
fn a_write_closes_the_gate() {
    let host = host();
    open_gate(&host);
    host.execute("INSERT INTO a(id) VALUES ('1')");
    let closed = json!([["last_requested_checkpoint_request_id", 7], ["target_checkpoint_request_id", SENTINEL]]);
    assert_eq!(gate(&host), closed);
    assert_eq!(host.value("SELECT typeof(value) FROM ps_kv WHERE key = 'target_checkpoint_request_id'"), "integer");
    assert_eq!(host.table("SELECT row_type, row_id FROM ps_updated_rows"), json!([["a", "1"]]));
}

#[test]
fn a_write_closes_a_gate_that_was_opened_in_its_transaction() {
    let clear_target = "SELECT powersync_control('target_checkpoint_request_id', 0)";
    let openings = [
        clear_target,
        "SELECT powersync_control('target_checkpoint_request_id', 3)",
        "SELECT powersync_clear(0)",
        "DELETE FROM ps_kv WHERE key <> 'client_id'",
        "INSERT INTO ps_kv VALUES ('last_seen_checkpoint_request_id', 5), ('last_applied_checkpoint_request_id', 5)",
        "UPDATE ps_kv SET value = '3' WHERE key = 'target_checkpoint_request_id'",
        "SAVEPOINT s; INSERT INTO a(id) VALUES ('2'); DELETE FROM ps_kv; RELEASE s",
    ];
    for opening in openings {
        let host = host();
        host.execute("BEGIN; INSERT INTO a(id) VALUES ('1')");
        host.execute(opening);
        assert_ne!(gate(&host), closed(), "{opening}");
        host.execute("INSERT INTO a(id) VALUES ('3'); COMMIT");
        assert_eq!(gate(&host), closed(), "{opening}");
    }
    // The part that had closed the gate is undone after something else has opened it.
    let host = host();
    host.execute("BEGIN; INSERT INTO a(id) VALUES ('1'); SAVEPOINT s");
    host.execute(clear_target);
    host.execute("INSERT INTO a(id) VALUES ('2'); ROLLBACK TO s");
    assert_eq!(gate(&host), closed());
    host.execute(clear_target);
    host.execute("INSERT INTO a(id) VALUES ('3'); COMMIT");
    assert_eq!(gate(&host), closed());
}

/// The transaction of the write goes on with what an SDK does when an upload is completed.
#[test]
fn a_write_after_an_acknowledgement_in_its_transaction_is_not_overwritten() {
    for opening in [
        "SELECT powersync_control('target_checkpoint_request_id', 0)",
        "SELECT powersync_clear(0)",
        "DELETE FROM ps_kv WHERE key <> 'client_id'",
    ] {
        let host = host();
        let mut service = Service::new();
        service.put("bucket", "a", "1", &json!({"x": "service"}));
        host.execute("BEGIN; INSERT INTO a(id, x) VALUES ('0', 'first')");
        host.execute(opening);
        host.execute("INSERT INTO a(id, x) VALUES ('1', 'local'); COMMIT; DELETE FROM ps_crud");
        host.control("start", ());
        for line in service.lines(0) {
            host.line(&line);
        }
        assert_eq!(host.value("SELECT x FROM a WHERE id = '1'"), "local", "{opening}");
        // Only the service's acknowledgement opens the gate.
        host.control("target_checkpoint_request_id", 7);
        let mut acknowledged = service.checkpoint();
        acknowledged["checkpoint"]["write_checkpoint"] = "7".into();
        host.line(&acknowledged);
        host.line(&service.complete());
        assert_eq!(host.value("SELECT x FROM a WHERE id = '1'"), "service", "{opening}");
    }
}

#[test]
fn a_target_that_an_sdk_wrote_as_text_is_replaced() {
    let host = host();
    host.execute("INSERT INTO ps_kv VALUES ('target_checkpoint_request_id', '9223372036854775807')");
    host.execute("INSERT INTO a(id) VALUES ('1')");
    assert_eq!(gate(&host), closed());
    host.execute("INSERT INTO ps_kv VALUES ('last_seen_checkpoint_request_id', 5); INSERT INTO a(id) VALUES ('2')");
    assert_eq!(gate(&host), closed(), "a closed gate forgets ids that were seen since");
}

#[test]
fn insert_only_writes_leave_the_gate_open() {
    let host = host();
    open_gate(&host);
    let before = gate(&host);
    host.execute("BEGIN; INSERT INTO events(id) VALUES ('1')");
    assert_eq!(gate(&host), before);
    host.execute("INSERT INTO a(id) VALUES ('2'); COMMIT");
    assert_ne!(gate(&host), before);
    assert_eq!(queue(&host), json!([[1, "1"], [1, "2"]]));
}

#[test]
fn the_first_write_rolled_back_to_a_savepoint() {
    let host = host();
    open_gate(&host);
    host.execute(
        "BEGIN; SAVEPOINT s; INSERT INTO a(id) VALUES ('1'); ROLLBACK TO s; INSERT INTO a(id) VALUES ('2');
        RELEASE s; INSERT INTO a(id) VALUES ('3'); COMMIT; INSERT INTO a(id) VALUES ('4')",
    );
    assert_eq!(queue(&host), json!([[1, "2"], [1, "3"], [2, "4"]]));
    assert_eq!(host.value("SELECT value FROM ps_kv WHERE key = 'target_checkpoint_request_id'"), SENTINEL);
    assert_eq!(host.value("SELECT next_tx FROM ps_tx"), 3);
}

#[test]
fn a_later_write_rolled_back_to_a_savepoint() {
    let host = host();
    host.execute(
        "BEGIN; INSERT INTO a(id) VALUES ('1'); SAVEPOINT s; INSERT INTO a(id) VALUES ('2'); ROLLBACK TO s;
        INSERT INTO a(id) VALUES ('3'); COMMIT; INSERT INTO a(id) VALUES ('4')",
    );
    assert_eq!(queue(&host), json!([[1, "1"], [1, "3"], [2, "4"]]));
}

#[test]
fn the_gate_closed_by_the_part_rolled_back_is_closed_again() {
    let host = host();
    // The insert-only write has taken the transaction id outside the savepoint.
    host.execute(
        "BEGIN; INSERT INTO events(id) VALUES ('1'); SAVEPOINT s; INSERT INTO a(id) VALUES ('2');
        ROLLBACK TO s; RELEASE s",
    );
    assert_eq!(gate(&host), json!([]));
    host.execute("INSERT INTO a(id) VALUES ('3'); COMMIT");
    assert_eq!((queue(&host), gate(&host)), (json!([[1, "1"], [1, "3"]]), closed()));
}

#[test]
fn savepoints_within_savepoints() {
    let host = host();
    host.execute(
        "BEGIN; SAVEPOINT a; SAVEPOINT b; INSERT INTO a(id) VALUES ('1'); RELEASE b; SAVEPOINT c;
        INSERT INTO a(id) VALUES ('2'); ROLLBACK TO c; INSERT INTO a(id) VALUES ('3'); RELEASE c; ROLLBACK TO a;
        INSERT INTO a(id) VALUES ('4'); RELEASE a; INSERT INTO a(id) VALUES ('5'); COMMIT",
    );
    assert_eq!((queue(&host), gate(&host)), (json!([[1, "4"], [1, "5"]]), closed()));
    assert_eq!(host.value("SELECT next_tx FROM ps_tx"), 2);
}

#[test]
fn a_savepoint_that_is_the_transaction() {
    let host = host();
    host.execute(
        "SAVEPOINT outer; INSERT INTO a(id) VALUES ('1'); ROLLBACK TO outer; INSERT INTO a(id) VALUES ('2');
        SAVEPOINT inner; INSERT INTO a(id) VALUES ('3'); ROLLBACK TO outer; INSERT INTO a(id) VALUES ('4');
        RELEASE outer; INSERT INTO a(id) VALUES ('5')",
    );
    assert_eq!((queue(&host), gate(&host)), (json!([[1, "4"], [2, "5"]]), closed()));
}

#[test]
fn many_savepoints() {
    let host = host();
    host.execute("BEGIN");
    for depth in 0..100 {
        host.execute(&format!("SAVEPOINT s{depth}; INSERT INTO a(id) VALUES ('{depth}')"));
    }
    host.execute(
        "ROLLBACK TO s90; INSERT INTO a(id) VALUES ('after 90'); ROLLBACK TO s0; INSERT INTO a(id) VALUES ('after 0')",
    );
    host.execute("COMMIT; INSERT INTO a(id) VALUES ('next')");
    assert_eq!((queue(&host), gate(&host)), (json!([[1, "after 0"], [2, "next"]]), closed()));
}

#[test]
fn the_first_write_fails_and_the_transaction_goes_on() {
    let host = host();
    host.execute("INSERT INTO ps_data__a(id, data) VALUES ('taken', '{}')");
    host.execute("BEGIN");
    // The first row is recorded, then the statement is undone.
    let error = host.try_execute("INSERT INTO a(id) VALUES ('1'), ('taken')").unwrap_err();
    assert!(error.message.contains("UNIQUE constraint failed"), "{error}");
    assert_eq!((queue(&host), gate(&host)), (json!([]), json!([])));
    host.execute("INSERT INTO a(id) VALUES ('2'); COMMIT; INSERT INTO a(id) VALUES ('3')");
    assert_eq!((queue(&host), gate(&host)), (json!([[1, "2"], [2, "3"]]), closed()));
}

#[test]
fn a_trigger_on_the_queue_refuses_an_entry() {
    let host = host();
    host.execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON ps_crud WHEN NEW.data LIKE '%refused%'
         BEGIN SELECT RAISE(ABORT, 'not this one'); END",
    );
    host.execute("BEGIN");
    assert!(host.try_execute("INSERT INTO a(id) VALUES ('refused')").unwrap_err().message.contains("not this one"));
    assert_eq!(host.value("SELECT count(*) FROM ps_data__a"), 0);
    let direct = "INSERT INTO powersync_crud(op, id, type) VALUES ('DELETE', 'refused', 'a')";
    assert!(host.try_execute(direct).unwrap_err().message.contains("not this one"));
    assert_eq!(gate(&host), json!([]));
    host.execute("INSERT INTO a(id) VALUES ('1'); COMMIT; INSERT INTO a(id) VALUES ('2')");
    assert_eq!((queue(&host), gate(&host)), (json!([[1, "1"], [2, "2"]]), closed()));
}

#[test]
fn a_trigger_on_the_queue_rolls_everything_back() {
    let host = host();
    host.execute(
        "CREATE TRIGGER refuse BEFORE INSERT ON ps_crud WHEN NEW.data LIKE '%refused%'
         BEGIN SELECT RAISE(ROLLBACK, 'all of it'); END",
    );
    host.execute("BEGIN; INSERT INTO a(id) VALUES ('1')");
    assert!(host.try_execute("INSERT INTO a(id) VALUES ('refused')").is_err());
    assert!(host.connection().is_autocommit());
    host.execute("INSERT INTO a(id) VALUES ('2'); BEGIN; INSERT INTO a(id) VALUES ('3'), ('4'); COMMIT");
    assert_eq!((queue(&host), gate(&host)), (json!([[1, "2"], [2, "3"], [2, "4"]]), closed()));
}

/// A host whose connection is interrupted when a row of the table that is named here is written.
fn interruptible() -> (Host, Arc<Mutex<Option<&'static str>>>) {
    let mut connection = Connection::open_in_memory().unwrap();
    let handle = connection.get_interrupt_handle();
    let table = Arc::new(Mutex::new(None));
    let hooked = Arc::clone(&table);
    let hook = move |_: Action, _: &str, name: &str, _: i64| {
        if *hooked.lock().unwrap() == Some(name) {
            handle.interrupt();
        }
    };
    connection.update_hook(Some(hook)).unwrap();
    (with_tables(Host::load_into(connection)), table)
}

#[test]
fn a_rollback_inside_a_write() {
    for table in ["ps_data__a", "ps_tx", "ps_crud", "ps_kv", "ps_updated_rows"] {
        let (host, interrupted) = interruptible();
        host.execute("BEGIN; INSERT INTO events(id) VALUES ('0')");
        if table == "ps_tx" {
            host.execute("COMMIT; BEGIN");
        }
        *interrupted.lock().unwrap() = Some(table);
        let result: Result<(), HostError> = host.try_execute("INSERT INTO a(id, x) VALUES ('1', 'x'), ('2', 'y')");
        *interrupted.lock().unwrap() = None;
        assert_eq!(result.unwrap_err().code, 9, "{table}");
        assert!(host.connection().is_autocommit(), "SQLite has rolled back, {table}");
        let first = if table == "ps_tx" { json!([[1, "0"]]) } else { json!([]) };
        assert_eq!((queue(&host), gate(&host)), (first.clone(), json!([])), "{table}");
        host.execute("INSERT INTO a(id) VALUES ('3'); BEGIN; INSERT INTO a(id) VALUES ('4'); COMMIT");
        let ids = host.table("SELECT DISTINCT tx_id FROM ps_crud");
        assert_eq!(ids.as_array().unwrap().len(), 2 + first.as_array().unwrap().len(), "{table}");
        assert_eq!(gate(&host), closed(), "{table}");
        host.try_close().unwrap();
    }
}

#[test]
fn a_full_disk() {
    let host = host();
    let pages = host.value("PRAGMA page_count").as_i64().unwrap();
    host.execute(&format!("PRAGMA max_page_count = {pages}"));
    let fill = "INSERT INTO a(id, x) VALUES (hex(randomblob(8)), hex(randomblob(3000)))";
    let error = (0..100).find_map(|_| host.try_execute(fill).err()).unwrap();
    assert_eq!(error.code, 13);
    host.execute("PRAGMA max_page_count = 100000; INSERT INTO a(id) VALUES ('1'), ('2')");
    let ids = host.table("SELECT tx_id, count(*) FROM ps_crud GROUP BY tx_id ORDER BY tx_id DESC LIMIT 1");
    assert_eq!(ids[0][1], 2);
    assert_eq!(host.value("SELECT count(*) FROM a"), host.value("SELECT count(*) FROM ps_crud"));
    assert_eq!(gate(&host), closed());
}

#[test]
fn a_commit_that_fails() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("busy.db");
    let (host, reader) = (Host::open(&file), Host::open(&file));
    host.replace_schema(&json!({"tables": [{"name": "a", "columns": []}]}));
    host.execute("PRAGMA busy_timeout = 0; PRAGMA journal_mode = DELETE; BEGIN; INSERT INTO a(id) VALUES ('1')");
    reader.execute("BEGIN");
    reader.value("SELECT count(*) FROM ps_crud");
    assert_eq!(host.try_execute("COMMIT").unwrap_err().code & 0xff, 5);
    // The transaction is still open; its next write belongs to it.
    host.execute("INSERT INTO a(id) VALUES ('2')");
    reader.execute("COMMIT");
    host.execute("COMMIT; INSERT INTO a(id) VALUES ('3')");
    assert_eq!(queue(&host), json!([[1, "1"], [1, "2"], [2, "3"]]));
    host.execute(
        "PRAGMA foreign_keys = ON; CREATE TABLE parent(id PRIMARY KEY);
        CREATE TABLE child(parent REFERENCES parent(id) DEFERRABLE INITIALLY DEFERRED);
        DELETE FROM ps_crud; DELETE FROM ps_kv WHERE key != 'client_id';
        BEGIN; INSERT INTO child VALUES (1); INSERT INTO a(id) VALUES ('4')",
    );
    assert_eq!(host.try_execute("COMMIT").unwrap_err().code & 0xff, 19);
    host.execute("ROLLBACK; INSERT INTO a(id) VALUES ('5')");
    assert_eq!((queue(&host), gate(&host)), (json!([[3, "5"]]), closed()));
}

#[test]
fn ids_are_shared_by_connections_and_survive_them() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("shared.db");
    let (host, other) = (Host::open(&file), Host::open(&file));
    host.replace_schema(&json!({"tables": [{"name": "a", "columns": []}]}));
    for (number, host) in [&host, &other, &host, &other].into_iter().enumerate() {
        host.execute(&format!("INSERT INTO a(id) VALUES ('{number}')"));
    }
    host.try_close().unwrap();
    other.try_close().unwrap();
    let host = Host::open(&file);
    host.execute("INSERT INTO a(id) VALUES ('4')");
    assert_eq!(queue(&host), json!([[1, "0"], [2, "1"], [3, "2"], [4, "3"], [5, "4"]]));
}

#[test]
fn a_damaged_counter_is_repaired_above_all_ids_in_use() {
    for damage in [
        "DELETE FROM ps_tx",
        "UPDATE ps_tx SET next_tx = NULL",
        "UPDATE ps_tx SET next_tx = -5",
        "UPDATE ps_tx SET next_tx = 0",
        "UPDATE ps_tx SET next_tx = 'x'",
        "UPDATE ps_tx SET next_tx = 1.5",
        "UPDATE ps_tx SET next_tx = 9223372036854775807",
    ] {
        let host = host();
        host.execute(damage);
        host.execute("INSERT INTO a(id) VALUES ('first'); INSERT INTO a(id) VALUES ('second')");
        assert_eq!(queue(&host), json!([[1, "first"], [2, "second"]]), "{damage}");
        host.execute("INSERT INTO ps_crud(tx_id, data) VALUES (40, '{}'), (NULL, '{}'), ('x', '{}')");
        host.execute(damage);
        host.execute("INSERT INTO a(id) VALUES ('third')");
        assert_eq!(host.value("SELECT tx_id FROM ps_crud ORDER BY id DESC LIMIT 1"), 41, "{damage}");
        assert_eq!(host.table("SELECT id, next_tx FROM ps_tx"), json!([[1, 42]]), "{damage}");
    }
    let host = host();
    host.execute("DELETE FROM ps_tx; INSERT INTO ps_crud(tx_id, data) VALUES (9223372036854775807, '{}')");
    let error = host.try_execute("INSERT INTO a(id) VALUES ('1')").unwrap_err();
    assert_eq!(error.code, 11, "{error}");
}

#[test]
fn a_counter_that_is_set_back_gives_no_id_in_use() {
    let back = [
        "UPDATE ps_tx SET next_tx = 1",
        "DELETE FROM ps_tx",
        "REPLACE INTO ps_tx(id, next_tx) VALUES (1, 2)",
        "SELECT powersync_test_migration(1); SELECT powersync_init()",
    ];
    for set_back in back {
        for within in [true, false] {
            let host = host();
            host.execute("INSERT INTO a(id) VALUES ('1'); INSERT INTO a(id) VALUES ('2')");
            host.execute("BEGIN; INSERT INTO a(id) VALUES ('3')");
            if !within {
                host.execute("COMMIT; BEGIN");
            }
            host.execute(set_back);
            host.rows_with("SELECT powersync_replace_schema(?)", [schema().to_string()]);
            host.execute("INSERT INTO a(id) VALUES ('4'); INSERT INTO a(id) VALUES ('5'); COMMIT");
            host.execute("INSERT INTO a(id) VALUES ('6'); INSERT INTO a(id) VALUES ('7')");
            let tx_of = |id: u32| host.value(&format!("SELECT tx_id FROM ps_crud WHERE data ->> 'id' = '{id}'"));
            let lost = set_back.contains("migration");
            let groups =
                [(!lost).then(|| tx_of(1)), (!lost).then(|| tx_of(2)), (!lost).then(|| tx_of(3)), Some(tx_of(4))];
            let mut ids: Vec<i64> = groups.into_iter().flatten().map(|id| id.as_i64().unwrap()).collect();
            assert_eq!(tx_of(4), tx_of(5), "{set_back}");
            if within && !lost {
                assert_eq!(tx_of(3), tx_of(4), "{set_back}");
                ids.pop();
            }
            ids.extend([tx_of(6), tx_of(7)].map(|id| id.as_i64().unwrap()));
            assert!(ids.is_sorted_by(|a, b| a < b), "{set_back}, within {within}: {ids:?}");
        }
    }
}

#[test]
fn closing_with_an_open_transaction() {
    let host = host();
    host.execute("BEGIN; INSERT INTO a(id) VALUES ('1')");
    host.try_close().unwrap();
}

#[test]
fn the_statements_count_what_sql_counts() {
    let host = host();
    host.execute("INSERT INTO a(id) VALUES ('1')");
    assert_eq!(host.value("SELECT changes()"), 0, "as for every view");
}

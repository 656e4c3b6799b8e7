//! `ps_updated_rows`: each row that was written to is in it, and it does not grow without bound
//! (docs/reference/tables.md#ps_updated_rows).

use rowtide_testkit::service::Service;
use rowtide_testkit::{Host, invariants};
use serde_json::{Value, json};

use crate::migrations::stored_format::{FIRST_OWN, NEWEST, PUBLISHED, migrate};

fn with_schema(host: Host) -> Host {
    let table = |name: &str| json!({"name": name, "columns": [{"name": "a", "type": "text"}]});
    host.replace_schema(&json!({"tables": [table("t"), table("u")]}));
    host
}

fn marked(host: &Host) -> Value {
    host.table("SELECT DISTINCT row_type, row_id FROM ps_updated_rows")
}

fn marks(host: &Host) -> i64 {
    host.value("SELECT count(*) FROM ps_updated_rows").as_i64().unwrap()
}

/// The most marks that there may be of so many rows, outside of the transaction that makes them.
fn most_marks(rows: i64) -> i64 {
    4 * rows + 1500
}

const INSERT: &str = "INSERT INTO t(id, a) SELECT CAST(value AS TEXT), 'x' FROM json_each(?)";

fn insert_rows(host: &Host, count: i64) {
    let numbers: Vec<i64> = (1..=count).collect();
    host.rows_with(INSERT, [json!(numbers).to_string()]);
}

#[test]
fn every_row_written_to_is_marked() {
    let host = with_schema(Host::open_in_memory());
    host.execute("INSERT INTO t(id, a) VALUES ('1', 'x'), ('2', 'x'); INSERT INTO u(id) VALUES ('1')");
    host.execute("UPDATE t SET a = 'y'; UPDATE t SET a = 'z' WHERE id = '2'");
    host.execute("BEGIN; DELETE FROM t WHERE id = '1'; UPDATE u SET a = 'y'; COMMIT");
    assert_eq!(marked(&host), json!([["t", "1"], ["t", "2"], ["u", "1"]]));
}

#[test]
fn a_mark_that_is_gone_is_made_again() {
    for undo in ["DELETE FROM ps_updated_rows", "UPDATE ps_updated_rows SET row_id = 'other'"] {
        let host = with_schema(Host::open_in_memory());
        host.execute("INSERT INTO t(id, a) VALUES ('1', 'x')");
        host.execute(undo);
        host.execute("UPDATE t SET a = 'y'");
        let is_marked = "SELECT count(*) FROM ps_updated_rows WHERE row_type = 't' AND row_id = '1'";
        assert_eq!(host.value(is_marked), 1, "{undo}");
    }
    for (begin, undo) in [("BEGIN", "ROLLBACK"), ("BEGIN; SAVEPOINT s", "ROLLBACK TO s; COMMIT")] {
        let host = with_schema(Host::open_in_memory());
        host.execute(&format!("{begin}; INSERT INTO t(id, a) VALUES ('1', 'x'); {undo}"));
        assert_eq!(marked(&host), json!([]));
        host.execute("INSERT INTO t(id, a) VALUES ('1', 'y')");
        assert_eq!(marked(&host), json!([["t", "1"]]), "{undo}");
    }
}

#[test]
fn marks_survive_a_journey_between_formats() {
    let host = with_schema(Host::open_in_memory());
    let write = "INSERT INTO powersync_crud(op, id, type) VALUES ('PUT', '1', 't')";
    for format in [PUBLISHED, NEWEST, PUBLISHED, FIRST_OWN, NEWEST, FIRST_OWN] {
        host.execute(write);
        migrate(&host, format);
        host.execute(write);
        assert_eq!(marked(&host), json!([["t", "1"]]), "format {format}");
    }
}

/// Files of format 1001 may hold a list that has grown for long.
#[test]
fn duplicates_are_dropped_on_the_way_up() {
    let host = Host::open_in_memory();
    migrate(&host, FIRST_OWN);
    let mark = "INSERT INTO ps_updated_rows(row_type, row_id) SELECT 't', CAST(value % 3 AS TEXT) FROM json_each(?)";
    host.rows_with(mark, [json!((0..5000).collect::<Vec<_>>()).to_string()]);
    migrate(&host, NEWEST);
    assert_eq!(host.table("SELECT row_type, row_id FROM ps_updated_rows"), json!([["t", "0"], ["t", "1"], ["t", "2"]]));
}

#[test]
fn what_is_known_of_the_list_does_not_outlive_its_format() {
    let host = with_schema(Host::open_in_memory());
    insert_rows(&host, 1500);
    assert_eq!(host.table("SELECT next_check FROM ps_updated_rows_limit"), json!([[6000]]));
    migrate(&host, FIRST_OWN);
    assert_eq!(host.value("SELECT count(*) FROM sqlite_schema WHERE name = 'ps_updated_rows_limit'"), 0);
    host.execute("DELETE FROM ps_updated_rows");
    migrate(&host, NEWEST);
    assert_eq!(host.table("SELECT next_check FROM ps_updated_rows_limit"), json!([]));
    let host = with_schema(host);
    host.transaction("SELECT powersync_clear(0)", []);
    insert_rows(&host, 1500);
    host.transaction("SELECT powersync_clear(0)", []);
    assert_eq!(host.table("SELECT next_check FROM ps_updated_rows_limit"), json!([]));
}

#[test]
fn one_row_written_again_and_again_is_no_long_list() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.db");
    with_schema(Host::open(&path)).execute("INSERT INTO t(id, a) VALUES ('1', 'x')");
    for round in 0..6 {
        let host = Host::open(&path);
        // An update that changes nothing marks its row too.
        let update = "UPDATE t SET a = CASE ?1 % 3 WHEN 0 THEN a ELSE ?1 END";
        host.in_transaction(|host| (0..600).try_for_each(|number| host.try_rows(update, [number]).map(drop))).unwrap();
        let count = marks(&host);
        assert!(count <= most_marks(1), "{count} marks after {} updates", (round + 1) * 600);
    }
    for number in 0..1100 {
        Host::open(&path).rows_with("UPDATE t SET a = ?", [number]);
    }
    let count = marks(&Host::open(&path));
    assert!(count <= most_marks(1), "{count} marks");
    assert_eq!(marked(&Host::open(&path)), json!([["t", "1"]]));
}

#[test]
fn many_rows_written_again_and_again_are_no_endless_list() {
    let host = with_schema(Host::open_in_memory());
    insert_rows(&host, 3000);
    for pass in 0..12 {
        host.rows_with("UPDATE t SET a = ?", [pass]);
        let count = marks(&host);
        assert!(count <= most_marks(3000), "{count} marks after pass {pass}");
        assert_eq!(host.value("SELECT count(DISTINCT row_id) FROM ps_updated_rows"), 3000);
    }
    // Rows are checked as before, and the list begins again.
    host.execute("DELETE FROM ps_crud");
    host.control("target_checkpoint_request_id", 0);
    host.control("start", ());
    Service::new().lines(0).iter().for_each(|line| _ = host.line(line));
    assert_eq!(host.value("SELECT (SELECT count(*) FROM t) + (SELECT count(*) FROM ps_updated_rows)"), 0);
    assert_eq!(host.value("SELECT count(*) FROM ps_updated_rows_limit"), 0);
    insert_rows(&host, 1);
    for _ in 0..3 {
        host.in_transaction(|host| {
            (0..700).try_for_each(|number| host.try_rows("UPDATE t SET a = ?", [number]).map(drop))
        })
        .unwrap();
    }
    let count = marks(&host);
    assert!(count <= most_marks(1), "{count} marks");
}

#[test]
fn several_connections_share_the_bound() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.db");
    let hosts = [with_schema(Host::open(&path)), with_schema(Host::open(&path))];
    hosts[0].execute("INSERT INTO t(id, a) VALUES ('1', 'x'), ('2', 'x')");
    for number in 0..1500 {
        hosts[number % 2].rows_with("UPDATE t SET a = ?", [i64::try_from(number).unwrap()]);
    }
    let count = marks(&hosts[0]);
    assert!(count <= most_marks(2), "{count} marks");
    assert_eq!(marked(&hosts[1]), json!([["t", "1"], ["t", "2"]]));
}

#[test]
fn buckets_that_come_and_go_are_no_endless_list() {
    let host = with_schema(Host::open_in_memory());
    let mut service = Service::new();
    for number in 0..700 {
        service.put("a", "t", &number.to_string(), &json!({"a": "x"}));
    }
    // The gate stays closed, so that nothing is published.
    host.execute("INSERT INTO u(id) VALUES ('1')");
    host.control("start", ());
    for _ in 0..10 {
        service.lines(0).iter().for_each(|line| _ = host.line(line));
        host.line(&service.checkpoint_diff(&[], &["a"]));
        let count = marks(&host);
        assert!(count <= most_marks(701), "{count} marks");
    }
    assert_eq!(host.value("SELECT count(*) FROM (SELECT DISTINCT row_type, row_id FROM ps_updated_rows)"), 701);
    invariants::assert_consistent(&host);
}

#[test]
fn partial_publishes_are_no_endless_list() {
    let host = with_schema(Host::open_in_memory());
    let mut service = Service::new();
    service.bucket("urgent").priority = 0;
    host.execute("INSERT INTO u(id) VALUES ('1')");
    host.control("start", ());
    let mut after = 0;
    for round in 0..4 {
        for number in 0..400 {
            service.put("urgent", "t", &number.to_string(), &json!({"a": round}));
        }
        host.line(&service.checkpoint());
        host.line(&service.data("urgent", after));
        host.line(&service.partial_complete(0));
        after = service.last_op_id;
        for number in 0..400 {
            service.remove("urgent", "t", &number.to_string());
        }
        host.line(&service.checkpoint());
        host.line(&service.data("urgent", after));
        host.line(&service.partial_complete(0));
        after = service.last_op_id;
    }
    let count = marks(&host);
    assert!(count > 1 && count <= 1400, "{count} marks");
}

/// What drops duplicates belongs to the commit: if it fails, the transaction is rolled back.
#[test]
fn a_commit_that_cannot_drop_duplicates() {
    let host = with_schema(Host::open_in_memory());
    host.execute("CREATE TRIGGER refuse BEFORE DELETE ON ps_updated_rows BEGIN SELECT RAISE(ABORT, 'not now'); END");
    host.execute("BEGIN; INSERT INTO t(id, a) VALUES ('0', 'x')");
    for number in 0..1000 {
        host.rows_with("UPDATE t SET a = ?", [number]);
    }
    let error = host.try_execute("COMMIT").unwrap_err();
    assert!(error.message.contains("not now"), "{error}");
    assert!(host.connection().is_autocommit());
    assert_eq!(host.table("SELECT (SELECT count(*) FROM t), (SELECT count(*) FROM ps_crud)"), json!([[0, 0]]));
    host.execute("DROP TRIGGER refuse; INSERT INTO t(id, a) VALUES ('1', 'x')");
    assert_eq!(host.table("SELECT tx_id, data ->> 'id' FROM ps_crud"), json!([[1, "1"]]));
    assert_eq!(marked(&host), json!([["t", "1"]]));
    invariants::assert_consistent(&host);
}

/// What the library inserts at a commit does not show.
#[test]
fn the_last_row_inserted_stays_that_of_the_application() {
    let host = with_schema(Host::open_in_memory());
    host.execute("CREATE TABLE mine(id INTEGER PRIMARY KEY); INSERT INTO t(id) VALUES ('1')");
    for _ in 0..2 {
        host.execute("BEGIN");
        (0..1500).for_each(|number| _ = host.rows_with("UPDATE t SET a = ?", [number]));
        host.execute("INSERT OR REPLACE INTO mine VALUES (77); COMMIT");
        assert_eq!(host.value("SELECT last_insert_rowid()"), 77);
        let count = marks(&host);
        assert!(count <= most_marks(1), "{count} marks");
    }
}

#[test]
fn a_reader_of_the_list_does_not_keep_it_long() {
    let host = with_schema(Host::open_in_memory());
    insert_rows(&host, 1);
    let mut statement = host.connection().prepare("SELECT row_id FROM ps_updated_rows").unwrap();
    let mut rows = statement.query([]).unwrap();
    assert!(rows.next().unwrap().is_some());
    for number in 0..1500 {
        host.rows_with("UPDATE t SET a = ?", [number]);
    }
    drop(rows);
    let count = marks(&host);
    assert!(count <= most_marks(1), "{count} marks");
}

//! `ps_updated_rows`: each row that was written to is in it, and most of them once ("schema", powersync_crud and
//! powersync_crud_; "performance").

use powersync_testkit::Host;
use serde_json::{Value, json};

use crate::stored_format::{NEWEST, PUBLISHED, migrate};

fn with_schema(host: Host) -> Host {
    let table = |name: &str| json!({"name": name, "columns": [{"name": "a", "type": "text"}]});
    host.replace_schema(&json!({"tables": [table("t"), table("u")]}));
    host
}

fn marked(host: &Host) -> Value {
    host.table("SELECT row_type, row_id FROM ps_updated_rows")
}

#[test]
fn a_row_that_is_written_again_is_marked_once() {
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
fn marks_of_other_connections_do_not_matter() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("app.db");
    let (one, other) = (with_schema(Host::open(&path)), with_schema(Host::open(&path)));
    one.execute("INSERT INTO t(id, a) VALUES ('1', 'x')");
    other.execute("DELETE FROM ps_updated_rows; INSERT INTO u(id) VALUES ('1')");
    one.execute("UPDATE t SET a = 'y'");
    assert_eq!(marked(&one), json!([["u", "1"], ["t", "1"]]));
}

#[test]
fn marks_survive_a_journey_between_formats() {
    let host = with_schema(Host::open_in_memory());
    let write = "INSERT INTO powersync_crud(op, id, type) VALUES ('PUT', '1', 't')";
    for format in [PUBLISHED, NEWEST, PUBLISHED] {
        host.execute(write);
        migrate(&host, format);
        host.execute(write);
        assert_eq!(marked(&host), json!([["t", "1"]]), "format {format}");
    }
}

#[test]
fn many_rows_are_marked() {
    let host = with_schema(Host::open_in_memory());
    let numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)";
    host.execute(&format!("{numbers} INSERT INTO t(id, a) SELECT i, 'x' FROM (SELECT CAST(i AS TEXT) AS i FROM n)"));
    host.execute("UPDATE t SET a = 'y'");
    assert_eq!(host.value("SELECT count(DISTINCT row_id) FROM ps_updated_rows"), 3000);
    let count = host.value("SELECT count(*) FROM ps_updated_rows").as_i64().unwrap();
    assert!(count < 3300, "{count} marks");
}

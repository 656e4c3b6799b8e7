//! Tables of the application whose names begin like those of data tables (docs/reliability.md#traps, trap 15;
//! docs/reference/schema.md#tables-of-the-app-under-our-names): they are left alone, unless the schema has one. Then it
//! serves as it is.

use rowtide_testkit::Host;
use rowtide_testkit::session::Session;
use serde_json::{Value, json};

use crate::migrations::stored_format::{NEWEST, in_format, migrate};

/// A full-text index keeps its content in its own tables; two others are not of our form.
const OF_THE_APP: &str = "
    CREATE VIRTUAL TABLE ps_data__search USING fts5(id, data);
    INSERT INTO ps_data__search(id, data) VALUES ('1', 'found text'), ('2', 'more text');
    CREATE TABLE ps_data__counted(id INTEGER PRIMARY KEY, data TEXT, more TEXT NOT NULL);
    INSERT INTO ps_data__counted VALUES (1, 'one', 'x'), (2, 'two', 'y');
    CREATE TABLE ps_data__named(id TEXT PRIMARY KEY NOT NULL, data TEXT, more TEXT);
    INSERT INTO ps_data__named VALUES ('1', 'one', 'x');
    CREATE TABLE ps_data_local__mine(id TEXT PRIMARY KEY NOT NULL, data TEXT, more TEXT);
    INSERT INTO ps_data_local__mine VALUES ('1', 'one', 'x');
";

#[track_caller]
fn assert_untouched(host: &Host) {
    let found = "SELECT id, data FROM ps_data__search WHERE ps_data__search MATCH 'text' ORDER BY id";
    assert_eq!(host.table(found), json!([["1", "found text"], ["2", "more text"]]));
    assert_eq!(host.table("SELECT * FROM ps_data__counted"), json!([[1, "one", "x"], [2, "two", "y"]]));
    assert_eq!(host.table("SELECT * FROM ps_data__named"), json!([["1", "one", "x"]]));
    assert_eq!(host.table("SELECT * FROM ps_data_local__mine"), json!([["1", "one", "x"]]));
    assert_eq!(host.table("PRAGMA integrity_check"), json!([["ok"]]));
}

fn schema(tables: &[Value]) -> Value {
    json!({"tables": tables})
}

fn lists() -> Value {
    json!({"name": "lists", "columns": [{"name": "name", "type": "text"}]})
}

fn untyped(host: &Host) -> Value {
    host.table("SELECT type, id, data FROM ps_untyped ORDER BY 1, 2")
}

#[test]
fn rows_of_such_types_are_kept_elsewhere_and_block_nothing() {
    let mut session = Session::with_tables(OF_THE_APP, &schema(&[lists()]));
    let types = ["counted", "named", "search", "search_content", "search_data"];
    for row_type in types.into_iter().chain(["lists"]) {
        session.put(row_type, "1", "{}");
        session.put(row_type, "2", "{}");
    }
    session.sync();
    assert_eq!(session.host.table("SELECT id FROM lists"), json!([["1"], ["2"]]));
    assert_eq!(session.host.value("SELECT count(*) FROM ps_untyped"), 10);
    assert_untouched(&session.host);
    for row_type in types {
        session.remove(row_type, "2");
        session.host.rows_with("INSERT INTO ps_updated_rows(row_type, row_id) VALUES (?, '7')", [row_type]);
    }
    session.sync();
    let kept: Vec<Value> = types.iter().map(|row_type| json!([row_type, "1", "{}"])).collect();
    assert_eq!(untyped(&session.host), json!(kept));
    assert_untouched(&session.host);
}

#[test]
fn clearing_and_changes_of_the_schema_leave_them_alone() {
    let host = Host::open_in_memory();
    host.replace_schema(&schema(&[lists()]));
    host.execute(OF_THE_APP);
    for flags in [0, 1, 2, 3] {
        host.transaction("SELECT powersync_clear(?)", [flags]);
        assert_untouched(&host);
    }
    host.replace_schema(&schema(&[]));
    assert_untouched(&host);
    assert_eq!(untyped(&host), json!([]));
}

#[test]
fn migrations_leave_them_alone() {
    let host = in_format(5);
    host.execute(OF_THE_APP);
    migrate(&host, 6);
    let marked = "SELECT row_type FROM ps_updated_rows WHERE row_type NOT IN ('lists', 'todos', 'notes')";
    assert_eq!(host.table(marked), json!([]));
    migrate(&host, NEWEST);
    migrate(&host, 1);
    migrate(&host, NEWEST);
    assert_untouched(&host);
}

/// A session with a data table to which the application has added a column, and a row.
fn with_added_column() -> Session {
    let mut session = Session::with_schema(&schema(&[lists()]));
    session.host.execute("ALTER TABLE ps_data__lists ADD COLUMN extra DEFAULT 7");
    for id in ["1", "2", "3"] {
        session.put("lists", id, r#"{"name":"old"}"#);
    }
    session.sync();
    session.host.execute("UPDATE ps_data__lists SET extra = 'of ' || id");
    session
}

#[test]
fn a_data_table_with_a_column_of_the_application_serves() {
    let mut session = with_added_column();
    session.put("lists", "1", r#"{"name":"new"}"#);
    session.remove("lists", "2");
    session.sync();
    let rows = "SELECT view.id, name, extra FROM lists AS view JOIN ps_data__lists USING (id) ORDER BY 1";
    assert_eq!(session.host.table(rows), json!([["1", "new", "of 1"], ["3", "old", "of 3"]]));
    session.host.execute("INSERT INTO lists(id, name) VALUES ('4', 'written')");
    assert_eq!(session.host.value("SELECT extra FROM ps_data__lists WHERE id = '4'"), 7);
    session.host.control("stop", ());
    session.host.transaction("SELECT powersync_clear(0)", []);
    assert_eq!(session.host.value("SELECT count(*) FROM ps_data__lists"), 0);
}

#[test]
fn it_loses_nothing_while_the_schema_does_not_have_it() {
    let mut session = with_added_column();
    session.host.replace_schema(&schema(&[]));
    let all = json!([["1", "of 1"], ["2", "of 2"], ["3", "of 3"]]);
    assert_eq!(session.host.table("SELECT id, extra FROM ps_data__lists ORDER BY 1"), all);
    assert_eq!(session.host.value("SELECT count(*) FROM ps_untyped"), 3);
    session.put("lists", "1", r#"{"name":"new"}"#);
    session.put("lists", "4", r#"{"name":"new"}"#);
    session.remove("lists", "2");
    session.sync();
    assert_eq!(session.host.table("SELECT id, extra FROM ps_data__lists ORDER BY 1"), all, "now the application's");
    session.host.replace_schema(&schema(&[lists()]));
    assert_eq!(untyped(&session.host), json!([]));
    session.put("lists", "5", r#"{"name":"newer"}"#);
    session.sync();
    let rows = "SELECT id, data ->> 'name', extra FROM ps_data__lists ORDER BY 1";
    let expected = json!([["1", "new", "of 1"], ["3", "old", "of 3"], ["4", "new", 7], ["5", "newer", 7]]);
    assert_eq!(session.host.table(rows), expected);
    assert_eq!(session.host.value("SELECT count(*) FROM ps_crud"), 0);
}

#[test]
fn a_table_that_cannot_hold_the_rows_of_a_type_is_refused() {
    for (table, problem) in [
        (
            "CREATE VIRTUAL TABLE ps_data__lists USING fts5(id, data)",
            "without the columns id, which must be a key, and data",
        ),
        ("CREATE TABLE ps_data__lists(id TEXT, data TEXT)", "without the columns id, which must be a key, and data"),
        ("CREATE TABLE ps_data__lists(id TEXT PRIMARY KEY)", "without the columns id, which must be a key, and data"),
        (
            "CREATE TABLE ps_data__lists(id TEXT PRIMARY KEY, data TEXT, x NOT NULL)",
            "with a further column that needs a value",
        ),
    ] {
        let host = Host::open_in_memory();
        host.execute(table);
        let call = "SELECT powersync_replace_schema(?)";
        let error = host.try_transaction(call, [schema(&[lists()]).to_string()]).unwrap_err();
        assert_eq!(error.code, 3091, "{table}");
        assert!(
            error.message.contains("cannot use table \"ps_data__lists\"") && error.message.contains(problem),
            "{error}"
        );
    }
    for table in [
        "CREATE TABLE ps_data__lists(id TEXT PRIMARY KEY, data TEXT, x NOT NULL DEFAULT 1, y AS (data ->> '$.name'))",
        "CREATE TABLE ps_data__lists(data, x, id UNIQUE)",
        "CREATE TABLE ps_data__lists(id TEXT PRIMARY KEY NOT NULL, data TEXT) WITHOUT ROWID",
    ] {
        let mut session = Session::with_schema(&schema(&[]));
        session.host.execute(table);
        session.host.replace_schema(&schema(&[lists()]));
        session.put("lists", "1", r#"{"name":"one"}"#);
        session.sync();
        assert_eq!(session.host.table("SELECT id, name FROM lists"), json!([["1", "one"]]), "{table}");
    }
}

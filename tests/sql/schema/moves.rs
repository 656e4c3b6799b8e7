//! Where rows go when tables come, go and change their kind (docs/reference/schema.md#when-the-schema-changes).

use rowtide_testkit::Host;
use serde_json::{Value, json};

fn table(options: Value) -> Value {
    let mut table = json!({"name": "t's", "view_name": "t", "columns": [{"name": "x", "type": "text"}]});
    table.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    table
}

fn apply(host: &Host, tables: &[Value]) {
    host.replace_schema(&json!({"tables": tables}));
}

fn untyped(host: &Host) -> Value {
    host.table("SELECT type, id, data FROM ps_untyped ORDER BY type, id")
}

#[test]
fn rows_of_a_synced_table_wait_in_untyped_while_the_schema_does_not_have_it() {
    let host = Host::open_in_memory();
    apply(&host, &[table(json!({}))]);
    host.execute("INSERT INTO t(id, x) VALUES ('1', 'one'), ('2', NULL)");
    host.execute("INSERT INTO ps_untyped VALUES ('other', '1', '{}')");
    apply(&host, &[]);
    assert_eq!(
        untyped(&host),
        json!([["other", "1", "{}"], ["t's", "1", r#"{"x":"one"}"#], ["t's", "2", r#"{"x":null}"#]])
    );
    assert_eq!(host.value("SELECT count(*) FROM sqlite_schema WHERE name LIKE 'ps_data__%'"), 0);
    assert_eq!(host.value("SELECT count(*) FROM ps_crud"), 2, "moving rows is no local write");
    apply(&host, &[table(json!({}))]);
    assert_eq!(untyped(&host), json!([["other", "1", "{}"]]));
    assert_eq!(host.table("SELECT id, x FROM t ORDER BY id"), json!([["1", "one"], ["2", null]]));
    assert_eq!(host.value("SELECT count(*) FROM ps_crud"), 2);
}

#[test]
fn the_newer_content_wins_when_untyped_holds_the_row_already() {
    let host = Host::open_in_memory();
    apply(&host, &[table(json!({}))]);
    host.execute(
        r#"INSERT INTO t(id, x) VALUES ('1', 'new'); INSERT INTO ps_untyped VALUES ('t''s', '1', '{"x":"old"}')"#,
    );
    apply(&host, &[]);
    assert_eq!(untyped(&host), json!([["t's", "1", r#"{"x":"new"}"#]]));
}

#[test]
fn local_only_rows_go_with_their_table() {
    let host = Host::open_in_memory();
    apply(&host, &[table(json!({"local_only": true}))]);
    host.execute("INSERT INTO t(id, x) VALUES ('1', 'one')");
    apply(&host, &[]);
    assert_eq!(untyped(&host), json!([]));
    apply(&host, &[table(json!({"local_only": true}))]);
    assert_eq!(host.table("SELECT * FROM t"), json!([]));
}

#[test]
fn rows_never_change_between_synced_and_local_only() {
    let host = Host::open_in_memory();
    apply(&host, &[table(json!({}))]);
    host.execute("INSERT INTO t(id, x) VALUES ('1', 'synced')");
    apply(&host, &[table(json!({"local_only": true}))]);
    // What was synced is not a local-only row, or it would be lost on the way back.
    assert_eq!(host.table("SELECT * FROM t"), json!([]));
    assert_eq!(untyped(&host), json!([["t's", "1", r#"{"x":"synced"}"#]]));
    host.execute("INSERT INTO t(id, x) VALUES ('2', 'local')");
    apply(&host, &[table(json!({}))]);
    assert_eq!(host.table("SELECT * FROM t"), json!([["1", "synced"]]));
    assert_eq!(untyped(&host), json!([]));
    assert_eq!(
        host.table("SELECT name FROM sqlite_schema WHERE name LIKE 'ps_data%' AND type = 'table'"),
        json!([["ps_data__t's"]])
    );
}

#[test]
fn rows_of_the_same_table_stay_when_its_view_changes() {
    let host = Host::open_in_memory();
    apply(&host, &[table(json!({}))]);
    host.execute("INSERT INTO t(id, x) VALUES ('1', 'one')");
    let place = "SELECT rootpage FROM sqlite_schema WHERE name = 'ps_data__t''s'";
    let before = host.value(place);
    apply(&host, &[table(json!({"view_name": "renamed", "insert_only": true}))]);
    assert_eq!(host.table("SELECT * FROM renamed"), json!([["1", "one"]]));
    assert_eq!(host.value(place), before);
}

#[test]
fn types_that_differ_in_case_are_different() {
    let host = Host::open_in_memory();
    apply(&host, &[json!({"name": "Lists", "columns": []})]);
    host.execute("INSERT INTO Lists(id) VALUES ('upper'); INSERT INTO ps_untyped VALUES ('lists', 'lower', '{}')");
    apply(&host, &[json!({"name": "lists", "columns": []})]);
    assert_eq!(host.table("SELECT id FROM lists"), json!([["lower"]]));
    assert_eq!(untyped(&host), json!([["Lists", "upper", "{}"]]));
}

#[test]
fn triggers_of_the_application_on_data_tables_stay_and_see_local_writes() {
    let host = Host::open_in_memory();
    apply(&host, &[table(json!({}))]);
    host.execute(
        r#"CREATE TABLE log(entry);
           CREATE TRIGGER mine AFTER INSERT ON "ps_data__t's" BEGIN INSERT INTO log VALUES (NEW.id); END;
           CREATE TEMP TRIGGER mine_too AFTER UPDATE ON "ps_data__t's" BEGIN INSERT INTO log VALUES (NEW.data); END"#,
    );
    apply(&host, &[table(json!({"include_metadata": true, "columns": [{"name": "y"}]}))]);
    host.execute("INSERT INTO t(id, y) VALUES ('1', 'one'), ('2', 'two'); UPDATE t SET y = 'all'");
    assert_eq!(host.table("SELECT entry FROM log"), json!([["1"], ["2"], [r#"{"y":"all"}"#], [r#"{"y":"all"}"#]]));
}

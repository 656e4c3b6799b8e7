//! Statements for raw tables that are inferred from the table's columns, and the schemas that name raw tables
//! (docs/reference/schema.md#raw-tables; docs/reliability.md#traps, trap 23).

use rowtide_testkit::Host;
use rowtide_testkit::session::Session;
use serde_json::{Value, json};

use crate::tables::raw::raw;

fn inferred(options: Value) -> Value {
    let mut table = json!({"table_name": "items"});
    table.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    raw(table)
}

fn items(session: &Session) -> Value {
    session.host.table("SELECT * FROM items ORDER BY id")
}

#[test]
fn all_columns_are_written() {
    let ddl = "CREATE TABLE items(a, id TEXT PRIMARY KEY, \"b\"\"c\", g AS (a || '!'))";
    let mut session = Session::with_tables(ddl, &inferred(json!({})));
    session.put("thing", "1", r#"{"a":"A","b\"c":[1],"g":"not this","other":1}"#);
    session.put("thing", "2", "{}");
    session.sync();
    assert_eq!(items(&session), json!([["A", "1", "[1]", "A!"], [null, "2", null, null]]));
    session.put("thing", "1", r#"{"a":"B"}"#);
    session.remove("thing", "2");
    session.sync();
    assert_eq!(items(&session), json!([["B", "1", null, "B!"]]));
}

#[test]
fn only_synced_columns_are_written() {
    let ddl = "CREATE TABLE items(id TEXT PRIMARY KEY, a, b DEFAULT 'mine', c)";
    let synced = json!({"synced_columns": ["c", "id", "a", "missing"]});
    let mut session = Session::with_tables(ddl, &inferred(synced));
    session.put("thing", "1", r#"{"a":"A","b":"B","c":"C","missing":1}"#);
    session.sync();
    assert_eq!(items(&session), json!([["1", "A", "mine", "C"]]));
    session.host.execute("UPDATE items SET b = 'changed'");
    session.put("thing", "1", r#"{"a":"AA","b":"BB"}"#);
    session.sync();
    assert_eq!(items(&session), json!([["1", "AA", "changed", null]]));
}

#[test]
fn without_synced_columns_rows_are_inserted_and_removed_only() {
    for (ddl, synced) in [("b DEFAULT 'mine'", json!([])), ("b DEFAULT 'mine'", json!(["other"]))] {
        let ddl = format!("CREATE TABLE items(id TEXT PRIMARY KEY, {ddl})");
        let mut session = Session::with_tables(&ddl, &inferred(json!({"synced_columns": synced})));
        session.put("thing", "1", r#"{"b":"B"}"#);
        session.put("thing", "2", r#"{"b":"B"}"#);
        session.sync();
        session.host.execute("UPDATE items SET b = 'changed'");
        session.put("thing", "1", r#"{"b":"BB"}"#);
        session.remove("thing", "2");
        session.sync();
        assert_eq!(items(&session), json!([["1", "changed"]]));
    }
    let mut session = Session::with_tables("CREATE TABLE items(id TEXT PRIMARY KEY)", &inferred(json!({})));
    session.put("thing", "1", r#"{"b":"B"}"#);
    session.sync();
    assert_eq!(items(&session), json!([["1"]]));
}

#[test]
fn one_statement_can_be_given_and_the_other_inferred() {
    let put = json!({"sql": "INSERT INTO items VALUES (?, 'given')", "params": ["Id"]});
    let delete = json!({"sql": "UPDATE items SET a = 'gone' WHERE id = ?", "params": ["Id"]});
    for (options, written, removed) in [
        (json!({"put": put}), json!([["1", "given"]]), json!([])),
        (json!({"delete": delete}), json!([["1", "A"]]), json!([["1", "gone"]])),
    ] {
        let mut session = Session::with_tables("CREATE TABLE items(id TEXT PRIMARY KEY, a)", &inferred(options));
        session.put("thing", "1", r#"{"a":"A"}"#);
        session.sync();
        assert_eq!(items(&session), written);
        session.remove("thing", "1");
        session.sync();
        assert_eq!(items(&session), removed);
    }
}

#[test]
fn what_cannot_be_inferred_is_an_argument_error_that_names_the_table() {
    for (ddl, schema, problem) in [
        ("", inferred(json!({})), "Could not find items"),
        ("CREATE TABLE items(a, b)", inferred(json!({})), "Table items has no id column"),
        ("CREATE TABLE thing(id TEXT PRIMARY KEY)", raw(json!({})), "Raw table thing has no local name"),
    ] {
        let mut session = Session::with_tables(ddl, &schema);
        session.put("thing", "1", "{}");
        let error = session.sync_error();
        assert_eq!(error.code, 3091, "{error}");
        assert!(error.message.contains(problem), "{error}");
    }
    // The same when only the delete is inferred.
    let put = json!({"sql": "SELECT ?", "params": ["Id"]});
    for (ddl, schema, problem) in [
        ("", inferred(json!({"put": put})), "Could not find items"),
        ("CREATE TABLE items(a, b)", inferred(json!({"put": put})), "Table items has no id column"),
        ("", raw(json!({"put": put})), "Raw table thing has no local name"),
    ] {
        let mut session = Session::with_tables(ddl, &schema);
        session.put("thing", "1", "{}");
        session.sync();
        session.remove("thing", "1");
        let error = session.sync_error();
        assert_eq!(error.code, 3091, "{error}");
        assert!(error.message.contains(problem), "{error}");
    }
}

#[test]
fn a_table_made_later_lets_the_checkpoint_through() {
    let mut session = Session::with_schema(&inferred(json!({})));
    session.put("thing", "1", r#"{"a":"A"}"#);
    session.sync_error();
    session.host.execute("CREATE TABLE items(id TEXT PRIMARY KEY, a)");
    session.sync();
    assert_eq!(items(&session), json!([["1", "A"]]));
}

#[test]
fn inferred_statements_follow_the_table() {
    let mut session = Session::with_tables("CREATE TABLE items(id TEXT PRIMARY KEY, a)", &inferred(json!({})));
    session.put("thing", "1", r#"{"a":"A","b":"B"}"#);
    session.sync();
    session.host.execute("ALTER TABLE items ADD COLUMN b");
    session.put("thing", "2", r#"{"a":"A","b":"B"}"#);
    session.sync();
    assert_eq!(items(&session), json!([["1", "A", null], ["2", "A", "B"]]));
    session.host.execute("ALTER TABLE items DROP COLUMN a");
    session.put("thing", "3", r#"{"a":"A","b":"B"}"#);
    session.remove("thing", "1");
    session.sync();
    assert_eq!(items(&session), json!([["2", "B"], ["3", "B"]]));
    session.host.execute("DROP TABLE items; CREATE TABLE items(a, id TEXT PRIMARY KEY)");
    session.put("thing", "4", r#"{"a":"A","b":"B"}"#);
    session.sync();
    assert_eq!(items(&session), json!([["A", "4"]]));
}

#[test]
fn inferred_statements_forget_a_rolled_back_change_of_the_table() {
    let mut session = Session::with_tables("CREATE TABLE items(id TEXT PRIMARY KEY, a)", &inferred(json!({})));
    session.put("thing", "1", r#"{"a":"A","b":"B","c":"C"}"#);
    let lines = session.service.lines(0);
    lines[..2].iter().for_each(|line| _ = session.host.line(line));
    session.host.execute("BEGIN IMMEDIATE; ALTER TABLE items ADD COLUMN b");
    session.host.rows_with("SELECT powersync_control('line_text', ?)", [lines[2].to_string()]);
    assert_eq!(items(&session), json!([["1", "A", "B"]]));
    // SQLite gives the next change the same PRAGMA schema_version.
    session.host.execute("ROLLBACK; ALTER TABLE items ADD COLUMN c");
    assert_eq!(session.host.control("completed_upload", ())[1]["CloseSyncStream"]["hide_disconnect"], true);
    session.host.control("start", ());
    lines[..1].iter().chain(&lines[2..]).for_each(|line| _ = session.host.line(line));
    assert_eq!(items(&session), json!([["1", "A", "C"]]));
}

#[test]
fn equal_rows_are_not_written() {
    let ddl = "CREATE TABLE items(id TEXT PRIMARY KEY, a TEXT COLLATE NOCASE, b, i INTEGER)";
    let mut session = Session::with_tables(ddl, &inferred(json!({})));
    session.put("thing", "1", r#"{"a":"x","b":1,"i":"5"}"#);
    session.sync();
    session.written_tables();
    for (data, is_written) in [
        (r#"{"a":"x","b":1,"i":"5"}"#, false),
        (r#"{"i":5, "b":1, "a":"x", "more":1}"#, false),
        (r#"{"a":"X","b":1,"i":5}"#, true),
        (r#"{"a":"X","b":1.0,"i":5}"#, true),
        (r#"{"a":"X","b":"1.0","i":5}"#, true),
        (r#"{"a":"X","b":"1.0"}"#, true),
        (r#"{"a":"X","b":"1.0","i":null}"#, false),
    ] {
        session.put("thing", "1", data);
        session.sync();
        let expected = if is_written { json!(["items"]) } else { json!([]) };
        assert_eq!(session.written_tables(), expected, "{data}");
    }
    assert_eq!(session.host.table("SELECT a, b, typeof(b), i FROM items"), json!([["X", "1.0", "text", null]]));
    session.remove("thing", "1");
    session.sync();
    assert_eq!(session.written_tables(), json!(["items"]));
    // Nothing is left to remove.
    session.service.bucket("other").operations.clear();
    session.put("thing", "2", "{}");
    session.remove("thing", "2");
    session.sync();
    assert_eq!(session.written_tables(), json!([]));
}

#[test]
fn tables_can_be_as_wide_as_sqlite_allows() {
    let names: Vec<String> = (0..1999).map(|number| format!("c{number}")).collect();
    let ddl = format!("CREATE TABLE items(id TEXT PRIMARY KEY, {})", names.join(", "));
    let mut session = Session::with_tables(&ddl, &inferred(json!({})));
    let row = |change: i64| {
        let members = names.iter().rev().enumerate().map(|(number, name)| (name.clone(), json!(number)));
        let mut row: serde_json::Map<String, Value> = members.collect();
        row.insert("c1998".into(), change.into());
        Value::Object(row).to_string()
    };
    session.put("thing", "1", &row(0));
    session.sync();
    session.written_tables();
    for (change, written) in [(0, json!([])), (1, json!(["items"]))] {
        session.put("thing", "1", &row(change));
        session.sync();
        assert_eq!(session.host.table("SELECT c0, c1, c1998 FROM items"), json!([[1998, 1997, change]]));
        assert_eq!(session.written_tables(), written);
    }
}

#[test]
fn the_table_is_that_of_the_main_database() {
    let mut session = Session::with_tables(
        "CREATE TABLE items(id TEXT PRIMARY KEY, a);
         CREATE TEMP TABLE items(id TEXT PRIMARY KEY, b); ATTACH ':memory:' AS other; CREATE TABLE other.thing(id)",
        &inferred(json!({})),
    );
    session.put("thing", "1", r#"{"a":"A","b":"B"}"#);
    session.sync();
    assert_eq!(session.host.table("SELECT * FROM main.items"), json!([["1", "A"]]));
    assert_eq!(session.host.table("SELECT * FROM temp.items"), json!([]));
}

/// A schema in which rows of type `thing` have `source` written next to them.
fn marked(source: &str) -> Value {
    let sql = format!("INSERT OR REPLACE INTO items VALUES (?, '{source}')");
    raw(json!({"put": {"sql": sql, "params": ["Id"]}}))
}

/// What the next row of type `thing` is marked with; null if it goes to `ps_untyped`.
fn mark_of_next_row(session: &mut Session) -> Value {
    let id = session.service.last_op_id.to_string();
    session.put("thing", &id, "{}");
    session.sync();
    session.host.value_with("SELECT source FROM items WHERE id = ?", [id])
}

fn session(replaced: &Value, options: &Value) -> Session {
    let host = Host::open_in_memory();
    host.execute("CREATE TABLE items(id TEXT PRIMARY KEY, source)");
    host.replace_schema(replaced);
    Session::start(host, options)
}

#[test]
fn raw_tables_of_either_schema_are_known() {
    let empty = json!({"tables": []});
    let (replaced, started) = (marked("replace_schema"), marked("start"));
    for (schema, options, mark) in [
        (&replaced, json!({}), json!("replace_schema")),
        (&replaced, Value::Null, json!("replace_schema")),
        (&replaced, json!({"schema": empty}), json!("replace_schema")),
        (&empty, json!({"schema": started}), json!("start")),
        (&replaced, json!({"schema": started}), json!("start")),
        (&empty, json!({"schema": empty}), Value::Null),
    ] {
        assert_eq!(mark_of_next_row(&mut session(schema, &options)), mark, "{schema} {options}");
    }
}

#[test]
fn the_schema_given_last_decides() {
    let mut session = session(&marked("first"), &json!({"schema": marked("start")}));
    assert_eq!(mark_of_next_row(&mut session), "start");
    session.host.replace_schema(&marked("second"));
    assert_eq!(mark_of_next_row(&mut session), "second");
    // A table that only the older schema has is still known.
    session.host.replace_schema(&json!({"tables": []}));
    assert_eq!(mark_of_next_row(&mut session), "start");
    // A new iteration forgets the schema of the one before.
    session.host.control("start", ());
    assert_eq!(mark_of_next_row(&mut session), Value::Null);
}

#[test]
fn a_rolled_back_schema_is_forgotten() {
    let mut session = session(&marked("first"), &json!({"schema": marked("start")}));
    session.host.execute("BEGIN");
    session.host.rows_with("SELECT powersync_replace_schema(?)", [marked("second").to_string()]);
    session.host.execute("ROLLBACK");
    assert_eq!(mark_of_next_row(&mut session), "start");
    session.host.control("start", ());
    assert_eq!(mark_of_next_row(&mut session), "first");
}

#[test]
fn a_start_that_fails_changes_no_schema() {
    let mut session = session(&marked("first"), &json!({"schema": marked("start")}));
    session.host.control_error("start", json!({"schema": marked("other"), "parameters": 1}));
    session.host.control_error("start", json!({"schema": {"tables": 1}}));
    assert_eq!(mark_of_next_row(&mut session), "start");
}

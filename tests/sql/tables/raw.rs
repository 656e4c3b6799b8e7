//! Publishing into tables that the application made itself, with statements that it gives
//! (docs/reference/schema.md#raw-tables).

use rowtide_testkit::Host;
use rowtide_testkit::session::Session;
use serde_json::{Value, json};

const ITEMS: &str = "CREATE TABLE items(id TEXT PRIMARY KEY NOT NULL, a, b, c)";

/// A schema with one raw table, for type `thing`.
pub(super) fn raw(table: Value) -> Value {
    let mut raw = json!({"name": "thing"});
    raw.as_object_mut().unwrap().extend(table.as_object().unwrap().clone());
    json!({"tables": [], "raw_tables": [raw]})
}

fn put(sql: &str, params: Value) -> Value {
    raw(json!({"put": {"sql": sql, "params": params},
        "delete": {"sql": "DELETE FROM items WHERE id = ?", "params": ["Id"]}}))
}

/// Puts of `id`, and the members `a`, `b` and `c`.
fn columns() -> Value {
    put(
        "INSERT OR REPLACE INTO items(id, a, b, c) VALUES (?, ?, ?, ?)",
        json!(["Id", {"Column": "a"}, {"Column": "b"}, {"Column": "c"}]),
    )
}

fn items(session: &Session) -> Value {
    session.host.table("SELECT * FROM items ORDER BY id")
}

#[test]
fn rows_are_written_and_removed_with_the_given_statements() {
    let mut session = Session::with_tables(ITEMS, &columns());
    session.put("thing", "1", r#"{"c":"C","a":"A","other":1}"#);
    session.put("thing", "2", r#"{"b":2}"#);
    session.sync();
    assert_eq!(items(&session), json!([["1", "A", null, "C"], ["2", null, 2, null]]));
    session.remove("thing", "1");
    session.put("thing", "2", r#"{"a":3}"#);
    session.sync();
    assert_eq!(items(&session), json!([["2", 3, null, null]]));
    assert_eq!(session.host.value("SELECT count(*) FROM ps_untyped"), 0);
    assert_eq!(session.host.value("SELECT count(*) FROM ps_crud"), 0);
}

#[test]
fn parameters_are_bound_by_position() {
    let params = json!([{"Column": "b"}, "Id", {"Column": "a"}, {"Column": "b"}]);
    let mut session = Session::with_tables(ITEMS, &put("INSERT INTO items(b, id, a, c) VALUES (?, ?, ?, ?)", params));
    session.put("thing", "1", r#"{"a":"A","b":"B"}"#);
    session.sync();
    assert_eq!(items(&session), json!([["1", "A", "B", "B"]]));
    // Numbered parameters are one each.
    let numbered = put("INSERT INTO items(id, a, b) VALUES (?1, ?2, ?1)", json!(["Id", {"Column": "a"}]));
    let mut session = Session::with_tables(ITEMS, &numbered);
    session.put("thing", "1", r#"{"a":"A","b":"B"}"#);
    session.sync();
    assert_eq!(items(&session), json!([["1", "A", "1", null]]));
}

#[test]
fn row_is_the_whole_json_as_received() {
    let mut session =
        Session::with_tables(ITEMS, &put("INSERT INTO items(id, a, b) VALUES (?, ?, ?)", json!(["Id", "Row", "Row"])));
    let data = r#"{"b" : 1.50,  "id":"x", "a":[1,  2], "b":"\u0041"}"#;
    session.put("thing", "1", data);
    session.sync();
    assert_eq!(items(&session), json!([["1", data, data, null]]));
}

#[test]
fn rest_is_an_object_of_the_members_that_nothing_else_names() {
    let params = json!(["Id", {"Column": "a"}, "Rest"]);
    let mut session = Session::with_tables(ITEMS, &put("INSERT INTO items(id, a, b) VALUES (?, ?, ?)", params));
    session.put("thing", "1", r#"{"id":"1","x":[1, {"y":null}],"a":"A","é\"":"\u00e9"}"#);
    session.put("thing", "2", r#"{"id":"2","a":"A"}"#);
    session.put("thing", "3", "{}");
    session.sync();
    assert_eq!(
        items(&session),
        json!([
            ["1", "A", r#"{"x":[1, {"y":null}],"é\"":"\u00e9"}"#, null],
            ["2", "A", null, null],
            ["3", null, null, null]
        ])
    );
}

#[test]
fn the_member_id_belongs_to_the_rest_of_statements_that_do_not_take_the_id() {
    let schema = put("INSERT INTO items(id, a, b) VALUES (lower(hex(randomblob(8))), ?, ?)", json!(["Rest", "Rest"]));
    let mut session = Session::with_tables(ITEMS, &schema);
    session.put("thing", "1", r#"{"id":"1"}"#);
    session.sync();
    assert_eq!(session.host.table("SELECT a, b FROM items"), json!([[r#"{"id":"1"}"#, r#"{"id":"1"}"#]]));
}

#[test]
fn json_values_become_sqlite_values() {
    let mut session = Session::with_tables(ITEMS, &columns());
    for (json, value, kind) in [
        ("true", json!(1), "integer"),
        ("false", json!(0), "integer"),
        ("null", Value::Null, "null"),
        ("9223372036854775807", json!(i64::MAX), "integer"),
        ("-9223372036854775808", json!(i64::MIN), "integer"),
        ("9007199254740993", json!(9_007_199_254_740_993_i64), "integer"),
        ("9223372036854775808", json!(9_223_372_036_854_775_808.0), "real"),
        ("1.0", json!(1.0), "real"),
        ("-2.5e-3", json!(-0.0025), "real"),
        ("1e400", json!({"real": "inf"}), "real"),
        (r#""""#, json!(""), "text"),
        (r#""\u00e9\n😀 it's""#, json!("é\n😀 it's"), "text"),
        (r#""1""#, json!("1"), "text"),
        ("[1, null, {}]", json!("[1, null, {}]"), "text"),
        (r#"{"x" : "\u0041"}"#, json!(r#"{"x" : "\u0041"}"#), "text"),
    ] {
        session.put("thing", "1", &format!(r#"{{"a":{json},"b":0}}"#));
        session.sync();
        assert_eq!(session.host.table("SELECT a, typeof(a), c FROM items"), json!([[value, kind, null]]), "{json}");
    }
}

#[test]
fn a_delete_statement_takes_nothing_but_the_id() {
    let forbidden = "Raw delete statement parameters must only reference id";
    for parameter in [json!({"Column": "a"}), json!("Row"), json!("Rest")] {
        let delete = json!({"sql": "DELETE FROM items WHERE a = ? AND id = ?", "params": [parameter, "Id"]});
        let put = json!({"sql": "INSERT INTO items(id) VALUES (?)", "params": ["Id"]});
        let mut session = Session::with_tables(ITEMS, &raw(json!({"put": put, "delete": delete})));
        session.put("thing", "1", r#"{"a":1}"#);
        session.sync();
        session.remove("thing", "1");
        let error = session.sync_error();
        assert_eq!(error.code, 3091, "{error}");
        assert!(error.message.contains(forbidden) && error.message.contains("thing"), "{error}");
    }
    // It may take it several times, or never.
    for (sql, params) in [("id = ? AND ? = '1'", json!(["Id", "Id"])), ("id = '1'", json!([]))] {
        let delete = json!({"sql": format!("DELETE FROM items WHERE {sql}"), "params": params});
        let put = json!({"sql": "INSERT INTO items(id) VALUES (?)", "params": ["Id"]});
        let mut session = Session::with_tables(ITEMS, &raw(json!({"put": put, "delete": delete})));
        session.put("thing", "1", r#"{"a":1}"#);
        session.sync();
        session.remove("thing", "1");
        session.sync();
        assert_eq!(items(&session), json!([]));
    }
}

#[test]
fn a_wrong_number_of_parameters_is_an_argument_error_with_both_numbers() {
    let delete = |params: Value| json!({"sql": "DELETE FROM items WHERE id = ?", "params": params});
    let put = |params: Value| json!({"sql": "INSERT INTO items(id, a) VALUES (?, ?)", "params": params});
    let good = json!(["Id", {"Column": "a"}]);
    for (table, expected) in [
        (json!({"put": put(json!(["Id"])), "delete": delete(json!(["Id"]))}), "2 parameters, but 1 values"),
        (json!({"put": put(json!(["Id", "Row", "Rest"])), "delete": delete(json!([]))}), "2 parameters, but 3 values"),
        (json!({"put": put(good.clone()), "delete": delete(json!([]))}), "1 parameters, but 0 values"),
        (json!({"put": put(good), "delete": delete(json!(["Id", "Id"]))}), "1 parameters, but 2 values"),
    ] {
        let mut session = Session::with_tables(ITEMS, &raw(table));
        session.put("thing", "1", "{}");
        let error = session.try_sync().err().unwrap_or_else(|| {
            session.remove("thing", "1");
            session.sync_error()
        });
        assert_eq!(error.code, 3091, "{error}");
        assert!(error.message.contains(expected) && error.message.contains("thing"), "{error}");
    }
}

#[test]
fn an_error_of_a_statement_fails_the_sync_and_names_the_row() {
    let mut session = Session::with_tables(ITEMS, &columns());
    let refuse = "CREATE TRIGGER refuse BEFORE INSERT ON items WHEN NEW.a = 'bad' BEGIN SELECT RAISE(ABORT, 'no'); END;
        CREATE TRIGGER keep BEFORE DELETE ON items WHEN OLD.id = 'kept' BEGIN SELECT RAISE(ABORT, 'stays'); END";
    session.host.execute(refuse);
    session.put("thing", "kept", r#"{"a":"good"}"#);
    session.sync();
    session.put("thing", "it's", r#"{"a":"bad", "x":"\u0041"}"#);
    let error = session.sync_error();
    assert_eq!(error.code, 1811, "{error}");
    let context = r#"(context: replacing into thing, id = it's, data = {"a":"bad", "x":"\u0041"})"#;
    assert!(error.message.ends_with(context) && error.message.contains("no"), "{error}");
    session.put("thing", "it's", r#"{"a":"good"}"#);
    session.sync();
    session.remove("thing", "kept");
    let error = session.sync_error();
    assert_eq!(error.code, 1811, "{error}");
    let context = "(context: deleting from thing, id = kept)";
    assert!(error.message.ends_with(context) && error.message.contains("stays"), "{error}");
    // The same checkpoint goes through once nothing is in the way.
    session.host.execute("DROP TRIGGER keep");
    session.sync();
    assert_eq!(items(&session), json!([["it's", "good", null, null]]));
}

#[test]
fn sql_that_does_not_fit_the_tables_is_reported_with_the_table() {
    for sql in ["INSERT INTO missing VALUES (?)", "INSERT INTO items(id) VALUES (?); SELECT 1", ""] {
        let mut session = Session::with_tables(ITEMS, &put(sql, json!(["Id"])));
        session.put("thing", "1", "{}");
        let error = session.sync_error();
        assert!(error.message.contains(sql) && error.message.contains("thing"), "{sql}: {error}");
    }
}

#[test]
fn given_statements_run_for_equal_rows_too() {
    let mut session = Session::with_tables(ITEMS, &columns());
    session.put("thing", "1", r#"{"a":"A"}"#);
    session.sync();
    session.written_tables();
    session.put("thing", "1", r#"{"a":"A"}"#);
    session.sync();
    assert_eq!(session.written_tables(), json!(["items"]));
}

#[test]
fn statements_that_return_rows_run_to_their_end() {
    let sql = "INSERT INTO items(id) VALUES (?), ('second') RETURNING id";
    let mut session = Session::with_tables(ITEMS, &put(sql, json!(["Id"])));
    session.put("thing", "1", "{}");
    session.sync();
    assert_eq!(session.host.value("SELECT count(*) FROM items"), 2);
}

#[test]
fn raw_tables_take_precedence_over_json_tables_of_their_type() {
    let mut schema = columns();
    schema["tables"] = json!([{"name": "thing", "columns": [{"name": "a", "type": "text"}]}]);
    let mut session = Session::with_tables(ITEMS, &schema);
    session.put("thing", "1", r#"{"a":"A"}"#);
    session.sync();
    assert_eq!(items(&session), json!([["1", "A", null, null]]));
    assert_eq!(session.host.value("SELECT count(*) FROM thing"), 0);
}

#[test]
fn partial_checkpoints_reach_raw_tables() {
    let mut session = Session::with_tables(ITEMS, &columns());
    session.service.bucket("first").priority = 1;
    session.service.put("first", "thing", "1", &json!({"a": "early"}));
    session.service.put("last", "thing", "2", &json!({"a": "late"}));
    let lines = [session.service.checkpoint(), session.service.data("first", 0), session.service.partial_complete(1)];
    lines.iter().for_each(|line| _ = session.host.line(line));
    assert_eq!(items(&session), json!([["1", "early", null, null]]));
    session.sync();
    assert_eq!(session.host.value("SELECT count(*) FROM items"), 2);
}

#[test]
fn a_resync_writes_all_rows_again() {
    let mut session = Session::with_tables(ITEMS, &columns());
    session.put("thing", "1", r#"{"a":"A"}"#);
    session.sync();
    session.host.control("stop", ());
    session.host.execute("DELETE FROM items");
    session.host.transaction("SELECT powersync_trigger_resync(0)", []);
    let Session { host, service, .. } = session;
    host.control("start", ());
    for line in [service.checkpoint(), service.complete()] {
        host.line(&line);
    }
    assert_eq!(host.table("SELECT id, a FROM items"), json!([["1", "A"]]));
}

#[test]
fn rows_stored_before_formats_of_ours_may_be_no_json() {
    let host = Host::open_in_memory();
    host.execute(ITEMS);
    host.replace_schema(&columns());
    let mut session = Session::start(host, &json!({}));
    session.put("thing", "1", r#"{"a":"A","b":"B"}"#);
    session.put("thing", "2", r#"{"a":"A"}"#);
    let lines = session.service.lines(0);
    session.host.line(&lines[0]);
    session.host.line(&lines[1]);
    session.host.execute("UPDATE ps_operations SET data = '{\"a\":1,' WHERE row_id = '1'");
    session.host.line(&lines[2]);
    assert_eq!(items(&session), json!([["1", null, null, null], ["2", "A", null, null]]));
}

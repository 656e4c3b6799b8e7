//! What `powersync_clear` does to direct and raw tables (docs/reference/functions.md#powersync_clear).

use rowtide_testkit::Host;
use rowtide_testkit::session::Session;
use serde_json::{Value, json};

const HARD: i64 = 0;
const LOCAL: i64 = 1;
const SOFT: i64 = 2;

fn clear(host: &Host, flags: i64) {
    assert_eq!(host.transaction("SELECT powersync_clear(?)", [flags]), [[""]]);
}

fn table(name: &str, options: Value) -> Value {
    let mut table = json!({"name": name, "columns": [{"name": "a", "type": "text"}]});
    table.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    table
}

/// A synced and a local-only table of each kind, and a raw one, with a row each.
fn all_kinds() -> Session {
    let schema = json!({
        "tables": [
            table("json", json!({})),
            table("json_local", json!({"local_only": true})),
            table("direct", json!({"direct": true})),
            table("direct_local", json!({"direct": true, "local_only": true})),
            table("direct_insert", json!({"direct": true, "insert_only": true})),
        ],
        "raw_tables": [{"name": "raw", "table_name": "raw", "clear": "DELETE FROM raw"}],
    });
    let ddl = "CREATE TABLE raw(id TEXT PRIMARY KEY, a)";
    let mut session = Session::with_tables(ddl, &schema);
    for name in ["json", "direct", "direct_insert", "raw"] {
        session.put(name, "1", r#"{"a":"A"}"#);
        session.put(name, "2", r#"{"a":"A"}"#);
    }
    session.sync();
    session.host.control("stop", ());
    session.host.execute("INSERT INTO json_local VALUES ('1', 'A'); INSERT INTO direct_local VALUES ('1', 'A')");
    session
}

/// How many rows each table has.
fn counts(host: &Host) -> Value {
    let names = ["json", "direct", "direct_insert", "raw", "json_local", "direct_local"];
    names.iter().map(|name| host.value(&format!("SELECT count(*) FROM {name}"))).collect()
}

#[test]
fn every_synced_table_is_emptied_and_local_ones_on_demand() {
    for (flags, left) in [
        (HARD, json!([0, 0, 0, 0, 1, 1])),
        (SOFT, json!([0, 0, 0, 0, 1, 1])),
        (LOCAL, json!([0, 0, 0, 0, 0, 0])),
        (LOCAL | SOFT, json!([0, 0, 0, 0, 0, 0])),
    ] {
        let session = all_kinds();
        assert_eq!(counts(&session.host), json!([2, 2, 2, 2, 1, 1]));
        clear(&session.host, flags);
        assert_eq!(counts(&session.host), left, "flags {flags}");
        assert_eq!(session.host.value("SELECT count(*) FROM ps_crud"), 0);
        assert_eq!(session.host.value("SELECT count(*) FROM ps_updated_rows"), 0);
        let tables = "SELECT count(*) FROM sqlite_schema WHERE name IN ('direct', 'raw', 'ps_view_insert_direct')";
        assert_eq!(session.host.value(tables), 3);
    }
}

#[test]
fn a_soft_clear_brings_all_rows_back_with_the_next_checkpoint() {
    let session = all_kinds();
    clear(&session.host, SOFT);
    session.host.control("start", ());
    for line in [session.service.checkpoint(), session.service.complete()] {
        session.host.line(&line);
    }
    assert_eq!(counts(&session.host), json!([2, 2, 2, 2, 1, 1]));
}

#[test]
fn update_hooks_hear_of_every_table_that_had_rows() {
    let session = all_kinds();
    session.written_tables();
    clear(&session.host, HARD);
    assert_eq!(session.written_tables(), json!(["direct", "direct_insert", "ps_data__json", "raw"]));
    clear(&session.host, HARD);
    assert_eq!(session.written_tables(), json!([]));
    session.host.execute("INSERT INTO direct VALUES ('1', 'A')");
    session.written_tables();
    clear(&session.host, LOCAL);
    assert_eq!(session.written_tables(), json!(["direct", "direct_local", "ps_data_local__json_local"]));
}

#[test]
fn triggers_see_a_sync_operation() {
    let session = all_kinds();
    session.host.execute("CREATE TABLE log(name, in_sync)");
    for name in ["direct", "raw", "direct_local", "ps_data__json"] {
        session.host.execute(&format!(
            "CREATE TRIGGER log_{name} AFTER DELETE ON {name}
             BEGIN INSERT INTO log VALUES ('{name}', powersync_in_sync_operation()); END"
        ));
    }
    clear(&session.host, LOCAL);
    assert_eq!(
        session.host.table("SELECT name, in_sync, count(*) FROM log GROUP BY 1, 2 ORDER BY 1"),
        json!([["direct", 1, 2], ["direct_local", 1, 1], ["ps_data__json", 1, 2], ["raw", 1, 2]])
    );
    assert_eq!(session.host.value("SELECT powersync_in_sync_operation()"), 0);
}

fn raw_host(clear: Value) -> Host {
    let host = Host::open_in_memory();
    host.execute(
        "CREATE TABLE raw(id TEXT PRIMARY KEY, a); CREATE TABLE \"other one\"(id TEXT PRIMARY KEY) WITHOUT ROWID;
         INSERT INTO raw VALUES ('1', 'A'), ('2', 'B'); INSERT INTO \"other one\" VALUES ('1')",
    );
    let table = json!({"name": "type", "table_name": "raw", "clear": clear});
    host.replace_schema(&json!({"tables": [], "raw_tables": [table]}));
    host
}

#[test]
fn raw_tables_are_cleared_as_they_say() {
    for (clear_sql, left) in [
        (Value::Null, json!(["1", "2"])),
        (json!(""), json!(["1", "2"])),
        (json!("DELETE FROM raw"), json!([])),
        (json!("  delete from main.\"raw\"; "), json!([])),
        (json!("DELETE FROM raw WHERE id = '1'"), json!(["2"])),
        (json!("DELETE FROM raw WHERE id = '2'; INSERT INTO raw(id) VALUES ('3')"), json!(["1", "3"])),
        (json!("DELETE FROM \"other one\""), json!(["1", "2"])),
    ] {
        let host = raw_host(clear_sql.clone());
        clear(&host, HARD);
        let ids = host.value("SELECT json_group_array(id ORDER BY id) FROM raw");
        assert_eq!(ids, left.to_string(), "{clear_sql}");
        let is_other = clear_sql == "DELETE FROM \"other one\"";
        assert_eq!(host.value("SELECT count(*) FROM \"other one\""), i64::from(!is_other));
    }
}

#[test]
fn a_table_without_rowids_is_cleared_too() {
    let host = Host::open_in_memory();
    host.execute("CREATE TABLE raw(id TEXT PRIMARY KEY) WITHOUT ROWID; INSERT INTO raw VALUES ('1')");
    let table = json!({"name": "type", "clear": "DELETE FROM raw"});
    host.replace_schema(&json!({"tables": [], "raw_tables": [table]}));
    clear(&host, HARD);
    assert_eq!(host.value("SELECT count(*) FROM raw"), 0);
}

#[test]
fn an_error_of_a_clear_statement_names_the_raw_table() {
    for sql in ["DELETE FROM missing", "DELETE FROM raw WHERE id = ?", "nonsense"] {
        let host = raw_host(json!(sql));
        host.execute("INSERT INTO ps_untyped VALUES ('x', '1', '{}')");
        let error = host.try_transaction("SELECT powersync_clear(0)", []).unwrap_err();
        assert!(error.message.starts_with("powersync_clear: "), "{error}");
        assert!(
            error.message.contains(sql) && error.message.ends_with("(context: Clearing raw table type)"),
            "{error}"
        );
        assert_eq!(host.value("SELECT count(*) FROM ps_untyped"), 1);
        assert_eq!(host.value("SELECT powersync_in_sync_operation()"), 0);
    }
}

#[test]
fn the_schema_set_by_replace_schema_decides() {
    let host = raw_host(json!("DELETE FROM raw WHERE id = '1'"));
    let started = json!({"schema": {"tables": [], "raw_tables": [{"name": "type", "clear": "DELETE FROM raw"}]}});
    host.control("start", started);
    host.control("stop", ());
    host.execute("BEGIN");
    host.rows("SELECT powersync_replace_schema('{\"tables\":[]}')");
    host.execute("ROLLBACK");
    clear(&host, HARD);
    assert_eq!(host.table("SELECT id FROM raw"), json!([["2"]]));
    host.replace_schema(&json!({"tables": []}));
    clear(&host, HARD);
    assert_eq!(host.table("SELECT id FROM raw"), json!([["2"]]));
}

#[test]
fn tables_of_the_application_with_names_like_ours_are_left_alone() {
    let host = Host::open_in_memory();
    host.initialize();
    host.execute(
        "CREATE TABLE ps_data__mine(id, a); CREATE TABLE ps_data_x(id, data); CREATE TABLE marked(id, a /* ps-managed */);
         INSERT INTO ps_data__mine VALUES (1, 2); INSERT INTO ps_data_x VALUES (1, 2); INSERT INTO marked VALUES (1, 2)",
    );
    clear(&host, LOCAL);
    for name in ["ps_data__mine", "ps_data_x", "marked"] {
        assert_eq!(host.value(&format!("SELECT count(*) FROM {name}")), 1, "{name}");
    }
}

#[test]
fn data_tables_without_rowids_are_emptied() {
    let host = Host::open_in_memory();
    host.execute("CREATE TABLE ps_data__t(id TEXT PRIMARY KEY NOT NULL, data TEXT) WITHOUT ROWID");
    host.replace_schema(&json!({"tables": [table("t", json!({}))]}));
    host.execute("INSERT INTO t(id, a) VALUES ('1', 'A'), ('2', 'B')");
    clear(&host, HARD);
    assert_eq!(host.table("SELECT * FROM t"), json!([]));
    assert_eq!(host.value("SELECT count(*) FROM ps_crud"), 0);
}

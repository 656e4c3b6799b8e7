//! Functions that are reached again while rows are being published or cleared: from SQL given for a raw table, and from
//! triggers (docs/reliability.md#traps, trap 7).

use rowtide_testkit::session::Session;
use serde_json::{Value, json};

const MISUSE: i32 = 21;

/// Calls that must not happen while rows are being published.
const CALLS: [&str; 6] = [
    "powersync_clear(0)",
    "powersync_clear(3)",
    "powersync_trigger_resync(1)",
    "powersync_replace_schema('{\"tables\":[]}')",
    "powersync_control('stop', NULL)",
    "powersync_control('target_checkpoint_request_id', NULL)",
];

fn schema(put: &str) -> Value {
    json!({"tables": [], "raw_tables": [{
        "name": "thing", "table_name": "items", "clear": "DELETE FROM items",
        "put": {"sql": put, "params": ["Id", {"Column": "a"}]},
    }]})
}

const ITEMS: &str = "CREATE TABLE items(id TEXT PRIMARY KEY, a)";
const PUT: &str = "INSERT OR REPLACE INTO items VALUES (?, ?)";

fn state(session: &Session) -> Value {
    let queries = [
        "SELECT * FROM items",
        "SELECT key FROM ps_kv ORDER BY key",
        "SELECT last_op, last_applied_op FROM ps_buckets",
    ];
    queries.iter().map(|query| session.host.table(query)).collect()
}

#[test]
fn given_statements_cannot_call_back() {
    for call in CALLS {
        let mut session = Session::with_tables(ITEMS, &schema(PUT));
        session.put("thing", "1", r#"{"a":"A"}"#);
        session.sync();
        let calling = format!("INSERT OR REPLACE INTO items SELECT ?, ? || {call}");
        session.host.replace_schema(&schema(&calling));
        session.put("thing", "2", r#"{"a":"B"}"#);
        let lines = session.service.lines(1);
        session.host.line(&lines[0]);
        session.host.line(&lines[1]);
        let before = state(&session);
        let error = session.sync_error();
        assert_eq!(error.code, MISUSE, "{call}: {error}");
        assert!(error.message.contains("while downloaded rows are being published"), "{call}: {error}");
        assert!(error.message.contains("(context: replacing into thing, id = 2, data = "), "{call}: {error}");
        assert_eq!(state(&session), before);
        // The iteration goes on.
        session.host.replace_schema(&schema(PUT));
        session.sync();
        assert_eq!(session.host.table("SELECT * FROM items"), json!([["1", "A"], ["2", "B"]]));
    }
}

#[test]
fn triggers_cannot_call_back() {
    for call in CALLS.iter().filter(|call| !call.contains("control")) {
        for (table, event) in [("items", "INSERT"), ("items", "UPDATE"), ("items", "DELETE")] {
            let mut session = Session::with_tables(
                ITEMS,
                &schema(
                    "INSERT INTO items VALUES (?1, ?2)
                ON CONFLICT DO UPDATE SET a = excluded.a",
                ),
            );
            session.put("thing", "1", r#"{"a":"A"}"#);
            session.sync();
            session.host.execute(&format!("CREATE TRIGGER calls AFTER {event} ON {table} BEGIN SELECT {call}; END"));
            match event {
                "INSERT" => session.put("thing", "2", "{}"),
                "UPDATE" => session.put("thing", "1", "{}"),
                _ => session.remove("thing", "1"),
            }
            let error = session.sync_error();
            assert_eq!(error.code, MISUSE, "{call}: {error}");
            assert_eq!(session.host.table("SELECT * FROM items"), json!([["1", "A"]]), "{call}");
            session.host.execute("DROP TRIGGER calls");
            session.sync();
        }
    }
}

#[test]
fn clearing_is_publishing_in_that_respect() {
    for call in CALLS.iter().filter(|call| !call.contains("control")) {
        let mut session = Session::with_tables(ITEMS, &schema(PUT));
        session.put("thing", "1", r#"{"a":"A"}"#);
        session.sync();
        session.host.control("stop", ());
        session.host.execute(&format!("CREATE TRIGGER calls AFTER DELETE ON items BEGIN SELECT {call}; END"));
        let error = session.host.try_transaction("SELECT powersync_clear(0)", []).unwrap_err();
        assert_eq!(error.code, MISUSE, "{call}: {error}");
        assert_eq!(session.host.table("SELECT * FROM items"), json!([["1", "A"]]));
    }
}

#[test]
fn moving_rows_is_publishing_in_that_respect() {
    let columns = json!([{"name": "a", "type": "text"}]);
    let table = |direct: bool| json!({"tables": [{"name": "t", "columns": columns, "direct": direct}]});
    for call in CALLS.iter().filter(|call| !call.contains("control")) {
        let mut session = Session::with_schema(&table(false));
        session.put("t", "1", r#"{"a":"A"}"#);
        session.sync();
        session.host.execute(&format!("CREATE TRIGGER calls AFTER INSERT ON ps_untyped BEGIN SELECT {call}; END"));
        let error = session.host.try_transaction("SELECT powersync_replace_schema('{\"tables\":[]}')", []).unwrap_err();
        assert_eq!(error.code, MISUSE, "{call}: {error}");
        assert_eq!(session.host.table("SELECT * FROM t"), json!([["1", "A"]]));
    }
}

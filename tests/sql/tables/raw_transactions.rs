//! Statements of raw tables that end the transaction in which rows are published or cleared: what the SDK believes to be
//! one transaction must not be committed in parts without anybody noticing.

use rowtide_testkit::Host;
use rowtide_testkit::session::Session;
use serde_json::{Value, json};

use crate::lifecycle::closing::Client;
use crate::tables::raw::raw;

const ARGUMENT: i32 = 3091;

/// Statements that may not be used.
const CONTROL: [&str; 8] = [
    "COMMIT",
    " end transaction;",
    "ROLLBACK",
    "-- comment\nROLLBACK TO s",
    "/* comment */ RELEASE s",
    "SAVEPOINT s",
    "BEGIN",
    "\u{feff}COMMIT",
];

#[test]
fn a_schema_may_not_have_statements_about_transactions() {
    for sql in CONTROL {
        for use_ in ["put", "delete"] {
            let schema = raw(json!({use_: {"sql": sql, "params": []}}));
            let host = Host::open_in_memory();
            host.initialize();
            for error in [
                host.try_transaction("SELECT powersync_replace_schema(?)", [schema.to_string()]).unwrap_err(),
                host.control_error("start", json!({"schema": schema})),
            ] {
                assert_eq!(error.code, ARGUMENT, "{error}");
                let named = error.message.contains("raw table \"thing\"") && error.message.contains(use_);
                assert!(named && error.message.contains(sql), "{error}");
            }
        }
    }
}

#[test]
fn clearing_stops_before_a_statement_about_transactions() {
    for sql in CONTROL {
        let clear = format!("DELETE FROM items; {sql}; DELETE FROM items");
        let mut session = Session::with_tables(
            "CREATE TABLE items(id TEXT PRIMARY KEY, a)",
            &raw(json!({"table_name": "items", "clear": clear})),
        );
        session.put("thing", "1", "{}");
        session.sync();
        session.host.execute("BEGIN; SAVEPOINT s");
        let error = session.host.error("SELECT powersync_clear(0)");
        assert_eq!(error.code, ARGUMENT, "{error}");
        assert!(error.message.contains(sql.trim()) && error.message.contains("raw table thing"), "{error}");
        session.host.execute("ROLLBACK");
        assert_eq!(session.host.value("SELECT count(*) FROM items"), 1, "{sql}");
        session.put("thing", "2", "{}");
        session.sync();
    }
}

fn schema(table: Value) -> String {
    let mut raw_table = json!({"name": "notes", "table_name": "notes"});
    raw_table.as_object_mut().unwrap().extend(table.as_object().unwrap().clone());
    let tables = json!([{"name": "lists", "columns": [{"name": "name", "type": "text"}]}]);
    json!({"tables": tables, "raw_tables": [raw_table]}).to_string()
}

/// A client whose service has two rows for each of two tables, and the lines that bring them.
fn client(table: Value) -> (Client, Vec<Value>) {
    let mut client = Client::new();
    client.database.create_run_function().unwrap();
    client.transaction("SELECT powersync_replace_schema(?)", &[&schema(table)]);
    for id in ["1", "2"] {
        for table in ["lists", "notes"] {
            client.service.put("a", table, id, &json!({"name": "x"}));
        }
    }
    client.control("start", "");
    let lines = client.service.lines(0);
    (client, lines)
}

/// Whatever happened, a good schema brings the database to what the service has: a new iteration if a part of a call was
/// committed, or the same one if all of it was undone.
fn assert_recovers(client: &mut Client, is_committed: bool) {
    let after = client.line(&json!({"token_expires_in": 1000}));
    assert_eq!(after.contains(r#"{"CloseSyncStream":{"hide_disconnect":true}}"#), is_committed, "{after}");
    client.transaction("SELECT powersync_replace_schema(?)", &[&schema(json!({}))]);
    if is_committed {
        client.control("start", "");
    }
    client.service.put("a", "lists", "3", &json!({"name": "x"}));
    let last: Vec<String> = client.service.lines(0).iter().map(|line| client.line(line)).collect();
    assert!(last[2].contains("DidCompleteSync"), "{last:?}");
    let rows = "SELECT group_concat(id) FROM (SELECT id FROM lists UNION ALL SELECT 'n' || id FROM notes ORDER BY 1)";
    let gone = client.run(rows, &[]);
    let name = |(table, id): &(String, String)| if table == "lists" { id.clone() } else { format!("n{id}") };
    let expected: Vec<String> = client.service.rows().keys().map(name).collect();
    assert_eq!(gone, [expected.join(",")]);
    assert_eq!(client.run("SELECT count(*) FROM ps_untyped", &[]), ["0"]);
}

#[test]
fn functions_that_end_the_transaction_are_noticed_at_once() {
    for ending in ["COMMIT", "ROLLBACK"] {
        let statement = json!({"sql": format!("SELECT run('{ending}') WHERE ? <> ''"), "params": ["Id"]});

        let (mut client, lines) = client(json!({"put": statement}));
        client.line(&lines[0]);
        client.line(&lines[1]);
        let failure = client.fail("SELECT powersync_control('line_text', ?)", &[&lines[2].to_string()]);
        assert_eq!(failure.code, ARGUMENT, "{failure:?}");
        let message = format!(
            "the put statement of raw table notes has ended the transaction that it is a part of: \
            SELECT run('{ending}')"
        );
        assert!(failure.message.contains(&message), "{failure:?}");
        assert!(
            failure.message.ends_with(r#"(context: replacing into notes, id = 1, data = {"name":"x"})"#),
            "{failure:?}"
        );
        assert_recovers(&mut client, ending == "COMMIT");

        let (mut client, lines) = self::client(json!({"delete": statement}));
        lines.iter().for_each(|line| drop(client.line(line)));
        let before = client.service.last_op_id;
        client.service.remove("a", "notes", "2");
        let lines = client.service.lines(before);
        client.line(&lines[0]);
        client.line(&lines[1]);
        let failure = client.fail("SELECT powersync_control('line_text', ?)", &[&lines[2].to_string()]);
        assert!(failure.message.contains("the delete statement of raw table notes has ended"), "{failure:?}");
        assert!(failure.message.ends_with("(context: deleting from notes, id = 2)"), "{failure:?}");
        assert_recovers(&mut client, ending == "COMMIT");

        let (client, _) = self::client(json!({"clear": format!("DELETE FROM notes; SELECT run('{ending}')")}));
        let failure = client.fail("SELECT powersync_clear(0)", &[]);
        assert!(failure.message.contains("the clear statement of raw table notes has ended"), "{failure:?}");
    }
}

#[test]
fn a_transaction_that_a_trigger_rolls_back_leaves_nothing_in_memory() {
    let statement = json!({"sql": "INSERT INTO notes(id, name) VALUES (?, ?)", "params": ["Id", {"Column": "name"}]});
    let (mut client, lines) = client(json!({"put": statement}));
    client.run("CREATE TRIGGER t BEFORE INSERT ON notes BEGIN SELECT RAISE(ROLLBACK, 'gone'); END", &[]);
    client.line(&lines[0]);
    client.line(&lines[1]);
    let failure = client.fail("SELECT powersync_control('line_text', ?)", &[&lines[2].to_string()]);
    assert!(failure.message.contains("gone"), "{failure:?}");
    client.run("DROP TRIGGER t", &[]);
    assert_recovers(&mut client, false);
}

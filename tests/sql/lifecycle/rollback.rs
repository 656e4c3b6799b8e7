//! Rollback safety: a call that succeeded, and whose transaction, savepoint or COMMIT then failed, leaves memory and
//! database in step. Each call of a session is undone in each way; afterwards the session reaches the same state as if
//! nothing had happened.

use rowtide_testkit::service::Service;
use rowtide_testkit::{Host, invariants};
use serde_json::{Value, json};

/// How a successful call is undone.
#[derive(Debug, Clone, Copy)]
enum Undo {
    /// `ROLLBACK`
    Transaction,
    /// `ROLLBACK TO` a savepoint around the call; the transaction commits.
    Savepoint,
    /// `ROLLBACK TO` a savepoint in which the call's own savepoint was released.
    OuterSavepoint,
    /// A COMMIT that fails, as a deferred constraint is violated.
    Commit,
}

const WAYS: [Undo; 4] = [Undo::Transaction, Undo::Savepoint, Undo::OuterSavepoint, Undo::Commit];

/// A control call: operation and payload.
type Call = (&'static str, Value);

fn line(line: &Value) -> Call {
    ("line_text", json!(line.to_string()))
}

/// A whole session.
struct Session {
    calls: Vec<Call>,
    /// The service as it was before the call with this index.
    before: (usize, Service),
    /// The service as it is in the end.
    after: Service,
}

impl Session {
    /// What the service sends a client that connects at the call with this index.
    fn lines(&self, index: usize) -> Vec<Value> {
        if index < self.before.0 { self.before.1.lines(0) } else { self.after.lines(0) }
    }
}

fn session() -> Session {
    let mut service = Service::new();
    service.streams = vec![json!({"name": "s", "is_default": true, "errors": []})];
    service.bucket("urgent").priority = 1;
    service.bucket("urgent").subscriptions = json!([{"default": 0}]);
    service.put("urgent", "lists", "u1", &json!({"name": "urgent"}));
    service.put("gone", "lists", "g1", &json!({"name": "goes with its bucket"}));
    for number in 0..3 {
        service.put("a", "lists", &format!("l{number}"), &json!({"name": format!("list {number}")}));
    }
    service.put("a", "unknown", "x", &json!({"name": "of no table"}));
    let mut calls = vec![("start", Value::Null), ("connection", json!("established")), line(&service.checkpoint())];
    calls.push(line(&service.data("urgent", 0)));
    calls.push(line(&service.partial_complete(1)));
    calls.extend([line(&service.data("a", 0)), line(&service.data("gone", 0)), line(&service.complete())]);
    let stream = json!({"stream": {"name": "other", "params": {"p": 1}}, "ttl": 3600, "priority": 2});
    calls.push(("subscriptions", json!(json!({"subscribe": stream}).to_string())));
    calls.push(("seed_checkpoint_request_id", json!(7)));
    calls.push(("next_checkpoint_request_id", Value::Null));
    calls.push(line(&json!({"token_expires_in": 3600})));

    let before = (calls.len(), service.clone());
    let after = service.last_op_id;
    service.put("a", "lists", "l1", &json!({"name": "changed"}));
    service.remove("a", "lists", "l2");
    service.buckets.remove("gone");
    service.write_checkpoint = Some(8);
    calls.push(line(&service.checkpoint_diff(&["a"], &["gone"])));
    calls.push(line(&service.data("a", after)));
    calls.push(line(&service.complete()));
    calls.push(("completed_upload", Value::Null));
    calls.push(("target_checkpoint_request_id", json!(8)));
    calls.push(("stop", Value::Null));
    Session { calls, before, after: service }
}

fn opened() -> Host {
    let host = Host::open_in_memory();
    host.execute("PRAGMA foreign_keys = ON");
    host.replace_schema(&json!({"tables": [{"name": "lists", "columns": [{"name": "name", "type": "text"}]}]}));
    host.execute(
        "CREATE TABLE parent(id INTEGER PRIMARY KEY);
         CREATE TABLE child(id INTEGER REFERENCES parent(id) DEFERRABLE INITIALLY DEFERRED);",
    );
    host
}

fn call_sql((operation, payload): &Call) -> (String, [Value; 2]) {
    ("SELECT powersync_control(?, ?)".to_owned(), [json!(operation), payload.clone()])
}

fn bound(value: &Value) -> Box<dyn rusqlite::ToSql> {
    match value {
        Value::Null => Box::new(rusqlite::types::Null),
        Value::Number(number) => Box::new(number.as_i64()),
        Value::String(text) => Box::new(text.clone()),
        other => Box::new(other.to_string()),
    }
}

/// Makes a call and undoes it.
fn make_and_undo(host: &Host, call: &Call, undo: Undo) {
    host.execute("BEGIN IMMEDIATE");
    match undo {
        Undo::Transaction | Undo::Commit => {}
        Undo::Savepoint => host.execute("SAVEPOINT a"),
        Undo::OuterSavepoint => host.execute("SAVEPOINT a; SAVEPOINT b"),
    }
    let (sql, [operation, payload]) = call_sql(call);
    host.rows_with(&sql, [&*bound(&operation), &*bound(&payload)]);
    match undo {
        Undo::Transaction => host.execute("ROLLBACK"),
        Undo::Savepoint => host.execute("ROLLBACK TO a; RELEASE a; COMMIT"),
        Undo::OuterSavepoint => host.execute("RELEASE b; ROLLBACK TO a; COMMIT"),
        Undo::Commit => {
            host.execute("INSERT INTO child VALUES (1)");
            assert!(host.try_execute("COMMIT").is_err());
            host.execute("ROLLBACK");
        }
    }
}

fn control(host: &Host, (operation, payload): &Call) -> Result<Value, rowtide_testkit::host::HostError> {
    match payload {
        Value::String(text) => host.try_control(operation, text.as_str()),
        Value::Number(number) => host.try_control(operation, number.as_i64().unwrap()),
        _ => host.try_control(operation, ()),
    }
}

fn closes(result: &Value) -> bool {
    result.to_string().contains("CloseSyncStream")
}

/// What must be equal in the end: everything that is shown or sent, without times.
fn state(host: &Host) -> Value {
    json!([
        host.table("SELECT id, name FROM lists ORDER BY id"),
        host.table("SELECT type, id, data FROM ps_untyped"),
        host.table("SELECT name, last_applied_op = last_op, (add_checksum + op_checksum) & 0xffffffff, count_at_last FROM ps_buckets ORDER BY name"),
        host.table("SELECT op_id, key, data FROM ps_oplog ORDER BY op_id"),
        host.table("SELECT key, value FROM ps_kv WHERE key != 'client_id' ORDER BY key"),
        host.table("SELECT priority FROM ps_sync_state ORDER BY priority"),
        host.table("SELECT stream_name, local_params, active, is_default, ttl, local_priority FROM ps_stream_subscriptions ORDER BY 1"),
    ])
}

/// Goes on as an SDK does from call `position` to `end`: a closed iteration is started again, and the service sends all
/// that it has, of which the client ignores what it holds.
fn go_on(host: &Host, session: &Session, position: usize, end: usize) {
    for (index, call) in session.calls.iter().enumerate().take(end).skip(position) {
        match control(host, call) {
            Ok(result) if closes(&result) && call.0 != "stop" => {}
            Ok(_) => continue,
            Err(error) if error.message.contains("No iteration is active") => {}
            Err(error) => panic!("{call:?}: {error}"),
        }
        assert!(!closes(&host.control("start", ())));
        for line in session.lines(index) {
            let result = host.line(&line);
            assert!(!closes(&result), "{line} gave {result}");
        }
        if call.0 != "line_text" {
            control(host, call).unwrap_or_else(|error| panic!("{call:?} again: {error}"));
        }
    }
}

#[test]
fn an_undone_call_can_be_made_again() {
    let session = session();
    let calls = &session.calls;
    let undisturbed = opened();
    go_on(&undisturbed, &session, 0, calls.len());
    let expected = state(&undisturbed);
    let rows = session.after.rows().len();
    assert_eq!(expected[0].as_array().unwrap().len() + expected[1].as_array().unwrap().len(), rows);
    for undo in WAYS {
        for position in 0..calls.len() {
            let host = opened();
            go_on(&host, &session, 0, position);
            make_and_undo(&host, &calls[position], undo);
            go_on(&host, &session, position, calls.len());
            assert_eq!(state(&host), expected, "{undo:?} of call {position}: {:?}", calls[position]);
            invariants::assert_consistent(&host);
        }
    }
}

#[test]
fn an_undone_call_is_not_reported_as_done() {
    let session = session();
    let complete = session
        .calls
        .iter()
        .position(|call| call.1.as_str().is_some_and(|line| line.contains("\"checkpoint_complete")))
        .unwrap();
    for undo in WAYS {
        let host = opened();
        go_on(&host, &session, 0, complete);
        make_and_undo(&host, &session.calls[complete], undo);
        let status = host.control("stop", ());
        let told = status.to_string();
        assert!(!told.contains(&2_147_483_647.to_string()), "{undo:?}: a full checkpoint was reported: {told}");
        assert!(told.contains("CloseSyncStream"), "{undo:?}: {told}");
    }
}

#[test]
fn undone_schemas_are_forgotten() {
    let schema =
        |column: &str| json!({"tables": [{"name": "t", "columns": [{"name": column, "type": "text"}]}]}).to_string();
    for undo in WAYS {
        let host = opened();
        host.transaction("SELECT powersync_replace_schema(?)", [schema("a")]);
        host.execute("BEGIN IMMEDIATE; SAVEPOINT a; SAVEPOINT b");
        host.rows_with("SELECT powersync_replace_schema(?)", [schema("b")]);
        match undo {
            Undo::Transaction => host.execute("ROLLBACK"),
            Undo::Savepoint => host.execute("ROLLBACK TO b; COMMIT"),
            Undo::OuterSavepoint => host.execute("RELEASE b; ROLLBACK TO a; COMMIT"),
            Undo::Commit => {
                host.execute("INSERT INTO child VALUES (1)");
                assert!(host.try_execute("COMMIT").is_err());
                host.execute("ROLLBACK");
            }
        }
        host.transaction("SELECT powersync_replace_schema(?)", [schema("b")]);
        host.execute("INSERT INTO t(id, b) VALUES ('1', 'x')");
        assert_eq!(host.table("SELECT * FROM t"), json!([["1", "x"]]), "{undo:?}");
    }
}

#[test]
fn a_rolled_back_initialisation_can_be_repeated() {
    let host = Host::open_in_memory();
    host.execute("BEGIN");
    host.value("SELECT powersync_init()");
    host.execute("ROLLBACK");
    assert_eq!(host.value("SELECT count(*) FROM sqlite_schema"), 0);
    host.initialize();
    assert_eq!(host.value("SELECT max(id) FROM ps_migration"), 1004);
}

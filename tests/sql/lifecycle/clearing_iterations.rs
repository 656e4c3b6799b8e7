//! `powersync_clear` while an iteration runs, as when an app signs a user out without waiting for its SDK
//! (docs/reference/functions.md#powersync_clear, docs/reference/sync-client.md#several-iterations-on-one-file).

use rowtide_testkit::service::Service;
use rowtide_testkit::{Host, invariants};
use serde_json::{Value, json};

fn open(path: &std::path::Path) -> Host {
    let host = Host::open(path);
    let columns = json!([{"name": "name", "type": "text"}]);
    host.replace_schema(&json!({"tables": [{"name": "lists", "columns": columns}]}));
    host
}

fn service() -> Service {
    let mut service = Service::new();
    service.streams = vec![json!({"name": "s", "is_default": false, "errors": []})];
    service.bucket("urgent").priority = 1;
    service.put("urgent", "lists", "u1", &json!({"name": "urgent"}));
    service.bucket("a").subscriptions = json!([{"sub": 0}]);
    service.put("a", "lists", "l1", &json!({"name": "one"}));
    service.put("a", "lists", "l2", &json!({"name": "two"}));
    service
}

fn subscribe(host: &Host) {
    host.control("subscriptions", json!({"subscribe": {"stream": {"name": "s"}}}));
}

/// The lines of a session in which everything waits at some time.
fn lines(service: &Service) -> Vec<Value> {
    vec![
        service.checkpoint(),
        service.data("urgent", 0),
        service.partial_complete(1),
        service.data("a", 0),
        service.complete(),
    ]
}

fn rows(host: &Host) -> Value {
    host.table("SELECT id, name FROM lists ORDER BY id")
}

const EVERYTHING: &str = r#"[["l1","one"],["l2","two"],["u1","urgent"]]"#;

/// Starts again and downloads everything.
#[track_caller]
fn recover(host: &Host, service: &Service) {
    subscribe(host);
    let started = host.control("start", ());
    let request = &started[1]["EstablishSyncStream"]["request"];
    assert_eq!(request["buckets"], json!([]), "everything is downloaded again");
    assert_eq!(request["streams"]["subscriptions"].as_array().unwrap().len(), 1);
    let told: Vec<Value> = lines(service).iter().map(|line| host.line(line)).collect();
    assert!(told.last().unwrap().to_string().contains("DidCompleteSync"), "{told:?}");
    assert_eq!(rows(host).to_string(), EVERYTHING);
    invariants::assert_consistent(host);
}

/// What is left right after a clear.
#[track_caller]
fn assert_cleared(host: &Host) {
    let left =
        "SELECT (SELECT count(*) FROM lists), (SELECT count(*) FROM ps_buckets), (SELECT count(*) FROM ps_oplog),
        (SELECT count(*) FROM ps_crud), (SELECT count(*) FROM ps_updated_rows), (SELECT count(*) FROM ps_sync_state),
        (SELECT count(*) FROM ps_stream_subscriptions), (SELECT count(*) FROM ps_kv)";
    assert_eq!(host.table(left), json!([[0, 0, 0, 0, 0, 0, 0, 1]]));
    invariants::assert_consistent(host);
}

/// What an SDK can do next: commands with their payloads, '' meaning none.
fn events(service: &Service) -> Vec<(&'static str, String)> {
    let lines = [
        service.checkpoint(),
        service.checkpoint_diff(&["a"], &[]),
        service.data("a", 0),
        service.complete(),
        service.partial_complete(1),
        json!({"token_expires_in": 3600}),
        json!({"something_new": {}}),
    ];
    let lines = lines.iter().map(|line| ("line_text", line.to_string()));
    let commands = [
        ("connection", "established"),
        ("completed_upload", ""),
        ("update_subscriptions", "[]"),
        ("refreshed_token", ""),
        ("connection", "end"),
        ("stop", ""),
    ];
    lines.chain(commands.map(|(operation, payload)| (operation, payload.to_owned()))).collect()
}

#[test]
fn whatever_comes_next_ends_the_iteration_and_the_next_one_downloads_everything() {
    let service = service();
    for stage in [0, 2, 4, 5] {
        for (operation, payload) in events(&service) {
            for by_other in [false, true] {
                let directory = tempfile::tempdir().unwrap();
                let path = directory.path().join("app.db");
                let (host, other) = (open(&path), open(&path));
                subscribe(&host);
                host.control("start", ());
                for line in lines(&service).iter().take(stage) {
                    host.line(line);
                }
                host.execute("INSERT INTO lists(id, name) VALUES ('local', 'mine')");
                let clearing = if by_other { &other } else { &host };
                clearing.transaction("SELECT powersync_clear(0)", []);
                assert_cleared(&host);

                let what = format!("{operation} {payload} after {stage} lines, by another connection: {by_other}");
                let told = host.control(operation, payload.as_str());
                let told = told.as_array().unwrap();
                let end = &told.last().unwrap_or_else(|| panic!("{what}: nothing"))["CloseSyncStream"];
                assert!(end.is_object(), "{what}: {told:?}");
                let statuses: Vec<_> =
                    told.iter().filter_map(|told| told.pointer("/UpdateSyncStatus/status")).collect();
                for status in statuses {
                    assert_eq!(status["priority_status"], json!([]), "{what}");
                    assert_eq!(status["streams"], json!([]), "{what}");
                }
                assert_cleared(&host);
                assert!(host.control_error("completed_upload", ()).message.contains("No iteration is active"));
                recover(&host, &service);
            }
        }
    }
}

#[test]
fn a_checkpoint_that_waited_is_not_published_afterwards() {
    let (host, service) = (Host::open_in_memory(), service());
    let columns = json!([{"name": "name", "type": "text"}]);
    host.replace_schema(&json!({"tables": [{"name": "lists", "columns": columns}]}));
    host.execute("INSERT INTO lists(id, name) VALUES ('local', 'mine')");
    host.control("start", ());
    for line in service.lines(0) {
        host.line(&line);
    }
    // The gate opens, for the data that are gone.
    host.transaction("SELECT powersync_clear(0)", []);
    let told = host.control("completed_upload", ()).to_string();
    assert!(told.contains("CloseSyncStream") && !told.contains("DidCompleteSync"), "{told}");
    assert_cleared(&host);
    recover(&host, &service);
}

/// A new user's first write, before the SDK has started again.
#[test]
fn a_write_after_the_clear_is_protected_by_the_gate() {
    let directory = tempfile::tempdir().unwrap();
    let (host, mut service) = (open(&directory.path().join("app.db")), service());
    host.control("start", ());
    for line in service.lines(0) {
        host.line(&line);
    }
    host.execute("BEGIN; UPDATE lists SET name = 'of the old user'; SELECT powersync_clear(0)");
    host.execute("INSERT INTO lists(id, name) VALUES ('l1', 'of the new user'); COMMIT");
    assert_eq!(host.table("SELECT data ->> '$.data.name' FROM ps_crud"), json!([["of the new user"]]));
    assert!(host.line(&json!({"token_expires_in": 100})).to_string().contains("CloseSyncStream"));
    host.control("start", ());
    for line in service.lines(0) {
        assert!(!host.line(&line).to_string().contains("DidCompleteSync"));
    }
    assert_eq!(rows(&host), json!([["l1", "of the new user"]]));
    host.execute("DELETE FROM ps_crud");
    host.control("target_checkpoint_request_id", 9);
    service.write_checkpoint = Some(9);
    host.line(&service.checkpoint());
    host.line(&service.complete());
    assert_eq!(rows(&host).to_string(), EVERYTHING);
    invariants::assert_consistent(&host);
}

#[test]
fn a_clear_that_is_rolled_back_does_not_disturb_the_iteration() {
    let service = service();
    for (begin, undo) in [("BEGIN", "ROLLBACK"), ("BEGIN; SAVEPOINT s", "ROLLBACK TO s; COMMIT")] {
        let directory = tempfile::tempdir().unwrap();
        let host = open(&directory.path().join("app.db"));
        subscribe(&host);
        host.control("start", ());
        for line in lines(&service) {
            host.execute(&format!("{begin}; SELECT powersync_clear(1); {undo}"));
            assert!(!host.line(&line).to_string().contains("CloseSyncStream"), "{undo}, then {line}");
        }
        assert_eq!(rows(&host).to_string(), EVERYTHING);
        assert_eq!(host.value("SELECT count(*) FROM ps_stream_subscriptions"), 1);
        invariants::assert_consistent(&host);
    }
}

#[test]
fn a_line_in_the_transaction_of_the_clear() {
    let service = service();
    for line in lines(&service) {
        let directory = tempfile::tempdir().unwrap();
        let host = open(&directory.path().join("app.db"));
        host.control("start", ());
        host.line(&service.checkpoint());
        let told = host
            .in_transaction(|host| {
                host.try_rows("SELECT powersync_clear(0)", [])?;
                host.try_control_within("line_text", line.to_string())
            })
            .unwrap();
        assert!(told.as_array().unwrap().last().unwrap()["CloseSyncStream"].is_object(), "{line}: {told}");
        assert_cleared(&host);
        recover(&host, &service);
    }
}

/// Request ids: the counter is forgotten, and the SDK continues above what the service knows.
#[test]
fn commands_that_need_no_data_work_until_the_iteration_ends() {
    let directory = tempfile::tempdir().unwrap();
    let host = open(&directory.path().join("app.db"));
    host.control("start", json!({"checkpoint_mode": "requests"}));
    host.control("seed_checkpoint_request_id", 7);
    host.transaction("SELECT powersync_clear(0)", []);
    assert_eq!(host.control("current_checkpoint_request_id", ()), Value::Null);
    let error = host.control_error("next_checkpoint_request_id", ());
    assert!(error.message.contains("Checkpoint request state has not been seeded"), "{error}");
    host.control("seed_checkpoint_request_id", 8);
    assert_eq!(host.control("next_checkpoint_request_id", ()), 9);
    // A subscription of the new user.
    subscribe(&host);
    assert!(host.control("completed_upload", ()).to_string().contains("CloseSyncStream"));
    let started = host.control("start", json!({"checkpoint_mode": "requests"}));
    let establish = &started[1]["EstablishSyncStream"];
    assert_eq!(establish["checkpoint_request"]["checkpoint_request_id"], "9");
    assert_eq!(establish["request"]["streams"]["subscriptions"].as_array().unwrap().len(), 1);
}

//! Databases that were filled elsewhere become clients of their own, and download only the difference
//! (docs/reference/functions.md#warm-start).

use std::fs;
use std::path::Path;

use rowtide_testkit::service::Service;
use rowtide_testkit::{Host, invariants};
use serde_json::{Value, json};

fn schema() -> Value {
    let columns = json!([{"name": "name", "type": "text"}]);
    json!({
        "tables": [
            {"name": "lists", "columns": columns},
            {"name": "notes", "columns": columns, "direct": true},
            {"name": "drafts", "columns": columns, "local_only": true},
            {"name": "sketches", "columns": columns, "local_only": true, "direct": true},
        ],
        "raw_tables": [raw_table()],
    })
}

fn raw_table() -> Value {
    json!({"name": "tags", "table_name": "tags", "synced_columns": ["name"], "clear": "DELETE FROM tags"})
}

fn open(path: &Path) -> Host {
    let host = Host::open(path);
    host.execute("CREATE TABLE IF NOT EXISTS tags(id TEXT PRIMARY KEY, name TEXT)");
    host.replace_schema(&schema());
    host
}

const TYPES: [&str; 3] = ["lists", "notes", "tags"];

/// Two buckets with 20 rows of each type.
fn service() -> Service {
    let mut service = Service::new();
    for number in 0..20 {
        let id = number.to_string();
        for name in TYPES {
            service.put("a", name, &id, &json!({"name": "old"}));
        }
        service.put("b", "lists", &format!("b{id}"), &json!({"name": "old"}));
    }
    service.streams = vec![json!({"name": "s", "is_default": false, "errors": []})];
    service.bucket("b").subscriptions = json!([{"sub": 0}]);
    service
}

/// Downloads what the service has in addition, up to a full checkpoint, and gives the number of operations received.
#[track_caller]
fn download(host: &Host, service: &Service) -> usize {
    let started = host.control("start", json!({"schema": schema()}));
    let mut request = &Value::Null;
    for instruction in started.as_array().unwrap() {
        request = instruction.get("EstablishSyncStream").map_or(request, |stream| &stream["request"]);
    }
    assert_eq!(request["client_id"], host.value("SELECT powersync_client_id()"));
    let held = |name: &str| {
        let positions = request["buckets"].as_array().unwrap();
        let position = positions.iter().find(|position| position["name"] == name);
        position.map_or(0, |position| position["after"].as_str().unwrap().parse().unwrap())
    };
    host.line(&service.checkpoint());
    let mut received = 0;
    for name in service.buckets.keys() {
        let data = service.data(name, held(name));
        let operations = data["data"]["data"].as_array().unwrap().len();
        received += operations;
        if operations > 0 {
            host.line(&data);
        }
    }
    let last = host.line(&service.complete());
    assert!(last.to_string().contains("DidCompleteSync"), "{last}");
    host.control("stop", ());
    invariants::assert_consistent(host);
    received
}

/// Everything that synced tables show, in order.
fn rows(host: &Host) -> Value {
    host.table(
        "SELECT 'lists', id, name FROM lists UNION ALL SELECT 'notes', id, name FROM notes
         UNION ALL SELECT 'tags', id, name FROM tags ORDER BY 1, 2",
    )
}

/// What they have to show.
fn rows_of(service: &Service) -> Value {
    let rows = service.rows();
    let name = |data: &String| serde_json::from_str::<Value>(data).unwrap()["name"].clone();
    rows.iter().map(|((row_type, id), data)| json!([row_type, id, name(data)])).collect()
}

fn add_raw_trigger(host: &Host) {
    for write in ["INSERT", "UPDATE", "DELETE"] {
        host.rows_with(
            "SELECT powersync_create_raw_table_crud_trigger(?, ?, ?)",
            [raw_table().to_string(), format!("tags_{write}"), write.to_owned()],
        );
    }
}

/// A client with everything that a new one must not have: local writes of each kind, in the queue and rejected, one
/// that was uploaded and not acknowledged, request ids, a subscription, diagnostics.
fn used_client(path: &Path, service: &Service) -> Host {
    let host = open(path);
    add_raw_trigger(&host);
    host.control("subscriptions", json!({"subscribe": {"stream": {"name": "s"}, "ttl": 3600}}));
    assert_eq!(download(&host, service), 80);
    host.execute(
        "INSERT INTO drafts(id, name) VALUES ('d', 'draft'); INSERT INTO sketches(id, name) VALUES ('s', 'x')",
    );
    for name in TYPES {
        host.execute(&format!(
            "UPDATE {name} SET name = 'mine' WHERE id = '1'; DELETE FROM {name} WHERE id = '2';
             INSERT INTO {name}(id, name) VALUES ('mine', 'mine')"
        ));
    }
    host.execute("UPDATE lists SET name = 'refused' WHERE id = '3'");
    let last = host.value("SELECT max(tx_id) FROM ps_crud").as_i64().unwrap();
    host.transaction("SELECT powersync_crud_reject(?, 'no', NULL)", [last]);
    host.transaction("SELECT powersync_crud_complete(1, 77)", []);
    // A trigger of the app that adds entries, and marks no rows.
    host.execute(
        r#"INSERT INTO powersync_crud_(data) VALUES ('{"op":"PATCH","type":"lists","id":"4","data":{"name":"mine"}}');
           UPDATE ps_data__lists SET data = '{"name":"mine"}' WHERE id = '4';
           INSERT INTO ps_kv(key, value) VALUES ('last_requested_checkpoint_request_id', 76), ('mine', 1)
             ON CONFLICT DO NOTHING;
           INSERT INTO ps_diagnostics(kind, subject, at, detail) VALUES ('attempt', '', 1, '{}')
             ON CONFLICT DO NOTHING"#,
    );
    host
}

/// What a client has for itself alone.
#[track_caller]
fn assert_has_nothing_of_another(host: &Host) {
    for table in ["ps_crud", "ps_rejected", "ps_diagnostics"] {
        assert_eq!(host.value(&format!("SELECT count(*) FROM {table}")), 0, "{table}");
    }
    let keys = host.table("SELECT key FROM ps_kv WHERE key <> 'client_id' ORDER BY key");
    assert_eq!(keys, json!([["mine"]]));
}

fn adopt(host: &Host) -> Value {
    let adopted = host.transaction("SELECT powersync_adopt()", []);
    let adopted: Value = serde_json::from_str(adopted[0][0].as_str().unwrap()).unwrap();
    assert_eq!(adopted, json!({"client_id": host.value("SELECT powersync_client_id()")}));
    adopted["client_id"].clone()
}

#[test]
fn a_copy_becomes_a_client_that_downloads_the_difference() {
    let directory = tempfile::tempdir().unwrap();
    let mut service = service();
    let original = used_client(&directory.path().join("original.db"), &service);
    let subscriptions = original.table("SELECT * FROM ps_stream_subscriptions");
    let copies = ["one.db", "two.db"].map(|name| directory.path().join(name));
    for copy in &copies {
        fs::copy(directory.path().join("original.db"), copy).unwrap();
    }
    service.put("a", "lists", "5", &json!({"name": "new"}));
    service.remove("a", "notes", "6");
    let mut ids = vec![original.value("SELECT powersync_client_id()")];
    for copy in &copies {
        let host = open(copy);
        assert_eq!(host.value("SELECT powersync_client_id()"), ids[0], "an ordinary copy is adopted when asked for");
        ids.push(adopt(&host));
        assert_has_nothing_of_another(&host);
        assert_eq!(host.table("SELECT * FROM ps_stream_subscriptions"), subscriptions);
        assert_ne!(rows(&host), rows_of(&service));
        assert_eq!(download(&host, &service), 2);
        assert_eq!(rows(&host), rows_of(&service));
        assert_eq!(
            host.table("SELECT name FROM drafts UNION ALL SELECT name FROM sketches"),
            json!([["draft"], ["x"]])
        );
        assert_eq!(download(&open(copy), &service), 0);
    }
    ids.sort_by_key(Value::to_string);
    ids.dedup();
    assert_eq!(ids.len(), 3);
    assert_ne!(original.value("SELECT count(*) FROM ps_crud"), 0);
}

#[test]
fn local_writes_vanish_although_nothing_is_new() {
    let directory = tempfile::tempdir().unwrap();
    let service = service();
    let host = used_client(&directory.path().join("test.db"), &service);
    adopt(&host);
    assert_eq!(download(&host, &service), 0);
    assert_eq!(rows(&host), rows_of(&service));
    assert_eq!(host.value("SELECT count(*) FROM ps_updated_rows"), 0);
}

#[test]
fn what_waited_for_the_gate_is_shown_after_adopting() {
    let directory = tempfile::tempdir().unwrap();
    let mut service = service();
    let host = used_client(&directory.path().join("test.db"), &service);
    service.put("a", "lists", "1", &json!({"name": "new"}));
    host.control("start", json!({"schema": schema()}));
    host.line(&service.checkpoint());
    host.line(&service.data("a", service.last_op_id - 1));
    assert!(host.line(&service.complete()).to_string().contains("local"), "the gate is closed");
    host.control("stop", ());
    adopt(&host);
    assert_eq!(download(&host, &service), 0);
    assert_eq!(rows(&host), rows_of(&service));
}

#[test]
fn iterations_end_and_start_again_with_the_new_id() {
    let directory = tempfile::tempdir().unwrap();
    let service = service();
    let host = used_client(&directory.path().join("test.db"), &service);
    let other = open(&directory.path().join("test.db"));
    for host in [&host, &other] {
        host.control("start", json!({"schema": schema()}));
    }
    let id = adopt(&host);
    for host in [&host, &other] {
        assert!(host.line(&service.checkpoint()).to_string().contains("CloseSyncStream"));
        assert_eq!(download(host, &service), 0);
        assert_eq!(host.value("SELECT powersync_client_id()"), id);
    }
}

#[test]
fn a_rollback_leaves_the_client_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let host = used_client(&directory.path().join("test.db"), &service());
    let state = || host.table("SELECT key, value FROM ps_kv UNION ALL SELECT id, data FROM ps_crud");
    let before = state();
    host.execute("BEGIN");
    host.rows("SELECT powersync_adopt()");
    assert_ne!(state(), before);
    host.execute("ROLLBACK");
    assert_eq!(state(), before);
    // The last of its statements fails.
    host.execute("CREATE TRIGGER fail BEFORE UPDATE ON ps_checkpoint BEGIN SELECT RAISE(ABORT, 'refused'); END; BEGIN");
    assert!(host.error("SELECT powersync_adopt()").message.contains("refused"));
    assert_eq!(state(), before);
    host.execute("COMMIT");
    assert_eq!(state(), before);
}

#[test]
fn adopting_needs_a_transaction_and_our_tables() {
    let host = Host::open_in_memory();
    assert!(host.error("SELECT powersync_adopt()").message.contains("only be called in transactions"));
    let error = host.try_transaction("SELECT powersync_adopt()", []).unwrap_err();
    assert!(error.message.contains("There are no internal tables"), "{error}");
}

#[track_caller]
fn export(host: &Host, path: &Path) {
    let exported = host.value_with("SELECT powersync_export(?)", [path.to_str().unwrap()]);
    let exported: Value = serde_json::from_str(exported.as_str().unwrap()).unwrap();
    assert_eq!(exported, json!({"bytes": fs::metadata(path).unwrap().len()}));
}

/// Names of the files in a directory.
fn files(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn journal_modes() -> [&'static str; 2] {
    ["delete", "wal"]
}

#[test]
fn clients_made_of_an_export_have_their_own_ids_and_download_the_difference() {
    for mode in journal_modes() {
        let directory = tempfile::tempdir().unwrap();
        let path = |name: &str| directory.path().join(name);
        let mut service = service();
        let original = used_client(&path("original.db"), &service);
        original.rows(&format!("PRAGMA journal_mode = {mode}"));
        let queue = original.table("SELECT * FROM ps_crud");
        export(&original, &path("export.db"));
        assert_eq!(original.table("SELECT * FROM ps_crud"), queue, "the original stays as it is");
        assert!(!files(directory.path()).iter().any(|name| name.starts_with("export.db-")), "{mode}");
        service.put("a", "lists", "5", &json!({"name": "new"}));
        let mut ids = vec![original.value("SELECT powersync_client_id()")];
        for name in ["one.db", "two.db"] {
            fs::copy(path("export.db"), path(name)).unwrap();
            let host = open(&path(name));
            ids.push(host.value("SELECT powersync_client_id()"));
            assert_has_nothing_of_another(&host);
            assert_eq!(host.value("SELECT count(*) FROM drafts"), 0);
            assert_eq!(host.value("SELECT count(*) FROM sketches"), 0);
            assert_eq!(host.value("SELECT powersync_crud_next(10)"), r#"{"transactions":[],"more":false}"#);
            let lifetime =
                "SELECT (expires_at - CAST(strftime('%s') AS INTEGER) * 1000000) / 1000000 BETWEEN 3500 AND 3601
                FROM ps_stream_subscriptions";
            assert_eq!(host.table(lifetime), json!([[1]]), "it begins with the new client");
            assert_eq!(download(&host, &service), 1, "{mode}");
            assert_eq!(rows(&host), rows_of(&service), "{mode}");
            // A client like any other.
            host.execute("INSERT INTO lists(id, name) VALUES ('x', 'x')");
            let id = host.value("SELECT powersync_client_id()");
            drop(host);
            let host = open(&path(name));
            assert_eq!(
                (host.value("SELECT powersync_client_id()"), host.value("SELECT count(*) FROM ps_crud")),
                (id, json!(1))
            );
        }
        ids.sort_by_key(Value::to_string);
        ids.dedup();
        assert_eq!(ids.len(), 3);
    }
}

#[test]
fn an_export_holds_nothing_of_the_client() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let host = used_client(&path("original.db"), &service());
    host.execute(r#"INSERT INTO powersync_crud_(data) VALUES ('{"data":"a secret of this client"}')"#);
    let id = host.value("SELECT powersync_client_id()");
    export(&host, &path("export.db"));
    let exported = Host::open(path("export.db"));
    let keys = exported.table("SELECT key, value FROM ps_kv ORDER BY key");
    assert_eq!(keys, json!([["mine", 1], ["powersync_export", 1]]));
    assert_eq!(exported.table("SELECT expires_at FROM ps_stream_subscriptions"), json!([[null]]));
    assert_eq!(exported.table("PRAGMA integrity_check"), json!([["ok"]]));
    let error = exported.error("SELECT powersync_client_id()");
    assert!(error.message.contains("No client_id found"), "{error}");
    let bytes = fs::read(path("export.db")).unwrap();
    for text in ["a secret of this client", id.as_str().unwrap(), "draft\""] {
        assert!(!bytes.windows(text.len()).any(|window| window == text.as_bytes()), "{text} is in the file");
    }
}

#[test]
fn init_adopts_an_export_once() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let host = used_client(&path("original.db"), &service());
    export(&host, &path("export.db"));
    let first = Host::open(path("export.db"));
    first.execute("BEGIN");
    first.rows("SELECT powersync_init()");
    first.execute("ROLLBACK");
    assert!(first.error("SELECT powersync_client_id()").message.contains("No client_id found"));
    first.initialize();
    let id = first.value("SELECT powersync_client_id()");
    assert_ne!(id, host.value("SELECT powersync_client_id()"));
    first.initialize();
    let second = Host::open(path("export.db"));
    second.initialize();
    assert_eq!(first.value("SELECT powersync_client_id()"), id);
    assert_eq!(second.value("SELECT powersync_client_id()"), id);
}

#[test]
fn a_schema_that_is_known_adopts_again_what_a_rollback_undid() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    export(&used_client(&path("original.db"), &service()), &path("export.db"));
    let host = open(&path("export.db"));
    // The mark of an export, in a file to which the schema was applied.
    host.execute("INSERT INTO ps_kv(key, value) VALUES ('powersync_export', 1)");
    let id = host.value("SELECT powersync_client_id()");
    for connection in [&open(&path("export.db")), &host] {
        connection.execute("INSERT OR REPLACE INTO ps_kv(key, value) VALUES ('powersync_export', 1)");
        for end in ["ROLLBACK", "COMMIT"] {
            connection.execute("BEGIN IMMEDIATE");
            connection.rows_with("SELECT powersync_replace_schema(?)", [schema().to_string()]);
            assert_ne!(connection.value("SELECT powersync_client_id()"), id);
            connection.execute(end);
        }
        assert_eq!(connection.value("SELECT count(*) FROM ps_kv WHERE key = 'powersync_export'"), 0);
    }
}

#[test]
fn local_only_rows_are_exported_when_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let host = used_client(&path("original.db"), &service());
    // Triggers of the app, with functions that only its connections have.
    host.connection()
        .create_scalar_function("of_the_app", 0, rusqlite::functions::FunctionFlags::SQLITE_UTF8, |_| Ok(1))
        .unwrap();
    host.execute("CREATE TRIGGER on_drafts AFTER DELETE ON ps_data_local__drafts BEGIN SELECT of_the_app(); END");
    let target = path("with.db");
    host.value_with("SELECT powersync_export(?, 'with-local')", [target.to_str().unwrap()]);
    export(&host, &path("without.db"));
    let count = "SELECT (SELECT count(*) FROM drafts) + (SELECT count(*) FROM sketches)";
    assert_eq!(open(&target).value(count), 2);
    assert_eq!(open(&path("without.db")).value(count), 0);
}

#[test]
fn a_database_in_memory_can_be_exported() {
    let directory = tempfile::tempdir().unwrap();
    let service = service();
    let host = used_client(Path::new(":memory:"), &service);
    export(&host, &directory.path().join("export.db"));
    let copy = open(&directory.path().join("export.db"));
    assert_eq!(download(&copy, &service), 0);
    assert_eq!(rows(&copy), rows_of(&service));
}

#[test]
fn existing_files_transactions_and_wrong_arguments_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| directory.path().join(name);
    let host = used_client(&path("original.db"), &service());
    let refused = |call: &str, file: &Path, message: &str| {
        let before = files(directory.path());
        let error = host.try_rows(call, [file.to_str().unwrap()]).unwrap_err();
        assert!(error.message.contains(message), "{error}");
        assert_eq!(files(directory.path()), before);
    };
    const EXPORT: &str = "SELECT powersync_export(?)";
    fs::write(path("text"), "no database").unwrap();
    let original = host.table("SELECT * FROM ps_kv");
    for name in ["text", "original.db"] {
        refused(EXPORT, &path(name), "there is a file of that name already");
    }
    assert_eq!(fs::read(path("text")).unwrap(), b"no database");
    assert_eq!(host.table("SELECT * FROM ps_kv"), original);
    refused(EXPORT, &path("missing/export.db"), "unable to open database file");
    refused(EXPORT, directory.path(), "unable to open database file");
    refused("SELECT powersync_export(?, 'local')", &path("x"), "the second argument must be 'with-local'");
    refused("SELECT powersync_export(?, NULL)", &path("x"), "the second argument must be 'with-local'");
    refused("SELECT powersync_export(1 + ?)", &path("x"), "the path of the file must be text");
    refused(EXPORT, Path::new(""), "the path of the file must be text");
    refused("CREATE TABLE t AS SELECT powersync_export(?)", &path("x"), "database is locked");
    host.execute("BEGIN");
    refused(EXPORT, &path("x"), "must not be called in a transaction");
    host.execute("COMMIT");
    // What is left of an export that failed.
    fs::write(path("empty"), "").unwrap();
    export(&host, &path("empty"));
    let error = Host::open_in_memory().error("SELECT powersync_export('x')");
    assert!(error.message.contains("There are no internal tables"), "{error}");
}

//! Several connections on one file: readers, writers next to a running iteration, and changes made behind its back.

use rowtide_testkit::Host;
use rowtide_testkit::service::Service;
use rusqlite::OpenFlags;
use serde_json::{Value, json};
use tempfile::TempDir;

const JOURNAL_MODES: [&str; 2] = ["WAL", "DELETE"];

fn schema(columns: &[&str]) -> Value {
    let columns: Vec<Value> = columns.iter().map(|name| json!({"name": name, "type": "text"})).collect();
    json!({"tables": [{"name": "lists", "columns": columns}]})
}

/// A file with the schema, and the way to open connections to it.
struct File {
    directory: TempDir,
}

impl File {
    fn new(journal_mode: &str) -> (Self, Host) {
        let file = Self { directory: tempfile::tempdir().unwrap() };
        let host = file.open();
        host.execute(&format!("PRAGMA journal_mode = {journal_mode}"));
        host.replace_schema(&schema(&["name"]));
        (file, host)
    }

    fn path(&self) -> std::path::PathBuf {
        self.directory.path().join("app.db")
    }

    fn open(&self) -> Host {
        Host::open(self.path())
    }
}

fn service() -> Service {
    let mut service = Service::new();
    service.put("a", "lists", "l1", &json!({"name": "one"}));
    service.put("a", "lists", "l2", &json!({"name": "two"}));
    service
}

fn sync(host: &Host, service: &Service) {
    host.control("start", ());
    for line in service.lines(0) {
        host.line(&line);
    }
}

fn names(host: &Host) -> Value {
    host.table("SELECT id, name FROM lists ORDER BY id")
}

#[test]
fn readers_see_whole_checkpoints_and_need_no_write_access() {
    for mode in JOURNAL_MODES {
        let (file, writer) = File::new(mode);
        let reader = Host::open_with_flags(file.path(), OpenFlags::SQLITE_OPEN_READ_ONLY);
        sync(&writer, &service());
        assert_eq!(names(&reader), json!([["l1", "one"], ["l2", "two"]]), "{mode}");
        assert!(reader.value("SELECT powersync_rs_version()").is_string());
        assert_eq!(reader.value("SELECT powersync_client_id()"), writer.value("SELECT powersync_client_id()"));
        let status: Value =
            serde_json::from_str(reader.value("SELECT powersync_offline_sync_status()").as_str().unwrap()).unwrap();
        assert_eq!(status["priority_status"][0]["has_synced"], true);
        assert!(reader.value("SELECT powersync_last_synced_at()").is_string());
        assert_eq!(reader.error("SELECT powersync_control('start', NULL)").code & 0xff, 21);
        reader.try_close().unwrap();
    }
}

#[test]
fn the_target_can_be_read_without_writing() {
    let (file, writer) = File::new("WAL");
    writer.execute("INSERT INTO lists(id, name) VALUES ('new', 'x')");
    let read_only = Host::open_with_flags(file.path(), OpenFlags::SQLITE_OPEN_READ_ONLY);
    let query_only = file.open();
    for (reader, begin) in [(read_only, "BEGIN IMMEDIATE"), (query_only, "BEGIN IMMEDIATE; PRAGMA query_only = ON")] {
        reader.execute(begin);
        let target = reader.value("SELECT powersync_control('target_checkpoint_request_id', NULL)");
        assert_eq!(target, json!(i64::MAX), "{begin}");
        reader.execute("COMMIT");
    }
}

#[test]
fn an_up_to_date_file_can_be_opened_without_write_access() {
    for mode in JOURNAL_MODES {
        let (file, writer) = File::new(mode);
        let reader = Host::open_with_flags(file.path(), OpenFlags::SQLITE_OPEN_READ_ONLY);
        reader.execute("BEGIN");
        reader.rows("SELECT powersync_init()");
        reader.execute("COMMIT");
        // Recognised, and compared where nothing says who has applied it.
        for change in ["SELECT 1", "DELETE FROM ps_schema"] {
            writer.rows(change);
            let version = reader.value("PRAGMA schema_version");
            reader.execute("BEGIN");
            reader.rows_with("SELECT powersync_replace_schema(?)", [schema(&["name"]).to_string()]);
            reader.execute("COMMIT");
            assert_eq!(reader.value("PRAGMA schema_version"), version, "{mode}, after {change}");
        }
    }
}

#[test]
fn local_writes_of_other_connections_hold_back_downloads() {
    for mode in JOURNAL_MODES {
        let (file, syncing) = File::new(mode);
        let writing = file.open();
        let mut service = service();
        sync(&syncing, &service);
        writing.execute("INSERT INTO lists(id, name) VALUES ('l3', 'local')");
        let after = service.last_op_id;
        service.put("a", "lists", "l1", &json!({"name": "changed"}));
        syncing.line(&service.checkpoint_diff(&["a"], &[]));
        syncing.line(&service.data("a", after));
        let held_back = syncing.line(&service.complete()).to_string();
        assert!(held_back.contains("CheckpointDelayedDueToLocalData"), "{held_back}");
        // The upload of another connection acknowledges it.
        service.put("a", "lists", "l3", &json!({"name": "local"}));
        service.write_checkpoint = Some(1);
        writing.execute("DELETE FROM ps_crud");
        writing.control("target_checkpoint_request_id", 1);
        syncing.line(&service.checkpoint_diff(&["a"], &[]));
        syncing.line(&service.data("a", service.last_op_id - 1));
        assert!(syncing.line(&service.complete()).to_string().contains("DidCompleteSync"));
        assert_eq!(names(&writing), json!([["l1", "changed"], ["l2", "two"], ["l3", "local"]]), "{mode}");
    }
}

/// A change of downloaded data that bypasses a running iteration, and its name.
type Change = (&'static str, fn(&Host));

#[test]
fn an_iteration_ends_when_another_connection_changes_downloads() {
    let changes: [Change; 3] = [
        ("a clear", |host| {
            host.transaction("SELECT powersync_clear(0)", []);
        }),
        ("a resync", |host| {
            host.transaction("SELECT powersync_trigger_resync(0)", []);
        }),
        ("a migration", |host| {
            host.transaction("SELECT powersync_test_migration(14)", []);
            host.initialize();
        }),
    ];
    for (what, change) in changes {
        let (file, syncing) = File::new("WAL");
        let other = file.open();
        let mut service = service();
        sync(&syncing, &service);
        change(&other);
        service.put("a", "lists", "l9", &json!({"name": "nine"}));
        let result = syncing.line(&service.checkpoint_diff(&["a"], &[])).to_string();
        assert!(result.contains("CloseSyncStream"), "after {what}: {result}");
        other.control("stop", ());
        sync(&syncing, &service);
        // A migration down takes the views with it.
        syncing.replace_schema(&schema(&["name"]));
        assert_eq!(names(&syncing), json!([["l1", "one"], ["l2", "two"], ["l9", "nine"]]), "after {what}");
    }
}

#[test]
fn a_schema_replaced_by_another_connection_is_noticed() {
    let (file, first) = File::new("WAL");
    let second = file.open();
    sync(&first, &service());
    second.replace_schema(&schema(&["name", "color"]));
    first.execute("INSERT INTO lists(id, name, color) VALUES ('l3', 'three', 'red')");
    assert_eq!(first.value("SELECT color FROM lists WHERE id = 'l3'"), "red");
    // The first connection's own schema again: it must not believe that nothing changed.
    first.replace_schema(&schema(&["name"]));
    assert!(first.try_rows("SELECT color FROM lists", []).is_err());
    second.replace_schema(&schema(&["name", "color"]));
    assert_eq!(second.value("SELECT color FROM lists WHERE id = 'l3'"), "red");
}

#[test]
fn a_busy_database_can_be_tried_again() {
    for mode in JOURNAL_MODES {
        let (file, syncing) = File::new(mode);
        let other = file.open();
        syncing.execute("PRAGMA busy_timeout = 0");
        syncing.control("start", ());
        for line in service().lines(0) {
            other.execute("BEGIN IMMEDIATE");
            let busy = syncing.try_control("line_text", line.to_string()).unwrap_err();
            assert_eq!(busy.code & 0xff, 5, "{busy}");
            other.execute("COMMIT");
            syncing.line(&line);
        }
        assert_eq!(names(&syncing), json!([["l1", "one"], ["l2", "two"]]), "{mode}");
    }
}

#[test]
fn connections_close_at_any_time() {
    let (file, host) = File::new("WAL");
    host.try_close().unwrap();
    let started = file.open();
    started.control("start", ());
    started.line(&service().checkpoint());
    started.try_close().unwrap();
    let failed = file.open();
    failed.control_error("line_text", "{");
    failed.error("SELECT powersync_offline_sync_status(1)");
    failed.value("SELECT powersync_offline_sync_status()");
    failed.try_close().unwrap();
    let written = file.open();
    written.execute("INSERT INTO lists(id, name) VALUES ('1', 'x'); UPDATE lists SET name = 'y'; DELETE FROM lists");
    assert!(written.try_execute("INSERT INTO lists(id, name) VALUES (NULL, 'x')").is_err());
    written.try_close().unwrap();
}

//! Calls on a file whose internal tables are not in our newest format say what to do
//! (docs/reference/errors.md#messages).

use rowtide_testkit::{Host, HostError};
use serde_json::json;

use crate::migrations::stored_format::{NEWEST, PUBLISHED, in_format, migrate};

#[track_caller]
fn assert_refused(result: Result<impl std::fmt::Debug, HostError>, found: &str) {
    let error = result.unwrap_err();
    assert_eq!(error.code, 21, "{error}");
    let needed = format!(
        "and format {NEWEST} is needed: call powersync_init() or powersync_replace_schema() in a transaction first."
    );
    assert!(error.message.contains(&format!("invalid state: {found}, {needed}")), "{error}");
}

#[test]
fn what_needs_the_newest_format_asks_for_it() {
    for format in (1..=PUBLISHED).chain([1001, 1002]) {
        let host = in_format(PUBLISHED);
        migrate(&host, format);
        let before = host.table("SELECT * FROM ps_crud");
        let found = format!("The internal tables are in format {format}");
        assert_refused(host.try_control("start", ()), &found);
        for call in [
            "SELECT powersync_clear(0)",
            "SELECT powersync_clear(2)",
            "SELECT powersync_trigger_resync(1)",
            "SELECT powersync_adopt()",
        ] {
            assert_refused(host.try_transaction(call, []), &found);
        }
        assert_refused(host.try_rows("SELECT powersync_export('never-written.db')", []), &found);
        assert_eq!(host.table("SELECT * FROM ps_crud"), before);
        host.initialize();
        host.control("start", ());
    }
}

#[test]
fn a_database_without_internal_tables_asks_for_them() {
    let host = Host::open_in_memory();
    let found = "There are no internal tables";
    assert_refused(host.try_control("start", ()), found);
    assert_refused(host.try_control("subscriptions", json!({"subscribe": {"stream": {"name": "a"}}})), found);
    for call in [
        "SELECT powersync_clear(0)",
        "SELECT powersync_client_id()",
        "SELECT powersync_offline_sync_status()",
        "SELECT powersync_last_synced_at()",
        "INSERT INTO powersync_crud(op, id, type, data) VALUES ('PUT', '1', 'lists', '{}')",
        "INSERT INTO powersync_crud_(data) VALUES ('{}')",
    ] {
        assert_refused(host.try_transaction(call, []), found);
    }
    assert_eq!(host.control("stop", ()), json!([]));
}

#[test]
fn an_iteration_notices_that_another_connection_took_the_file_back() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("test.db");
    let host = Host::open(&file);
    host.initialize();
    host.control("start", ());
    migrate(&Host::open(&file), PUBLISHED);
    let line = r#"{"token_expires_in":60}"#;
    assert_refused(host.try_control("line_text", line), "The internal tables are in format 14");
    host.initialize();
    // The iteration of before cannot go on.
    let closed = host.control("line_text", line);
    assert!(closed.to_string().contains("CloseSyncStream"), "{closed}");
}

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

/// Calls that look at the upload queue, and at single rows.
const QUEUE: [&str; 8] = [
    "SELECT powersync_crud_next(1)",
    "SELECT powersync_crud_complete(1)",
    "SELECT powersync_crud_results('[]', '{}')",
    "SELECT powersync_crud_reject(1, NULL, NULL)",
    "SELECT powersync_crud_retry(1)",
    "SELECT powersync_crud_discard(1)",
    "SELECT powersync_upsert('lists', '{}')",
    "SELECT powersync_explain('lists', '1')",
];

/// Formats from 5 on have what a local write needs.
#[test]
fn writes_through_the_views_of_a_file_that_was_not_migrated_succeed_or_ask_for_it() {
    let host = Host::open_in_memory();
    host.replace_schema(&json!({"tables": [{"name": "lists", "columns": [{"name": "name", "type": "text"}]}]}));
    for format in 1..=PUBLISHED {
        migrate(&host, format);
        // As that of a published library.
        host.execute(
            "CREATE TRIGGER IF NOT EXISTS theirs INSTEAD OF INSERT ON lists BEGIN
             INSERT INTO powersync_crud(op, id, type, data) VALUES ('PUT', NEW.id, 'lists', '{}'); END",
        );
        let written = host.try_execute("INSERT INTO lists(id) VALUES ('1')");
        if format < 5 {
            assert_refused(written, &format!("The internal tables are in format {format}"));
        } else {
            written.unwrap();
        }
    }
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
        ]
        .into_iter()
        .chain(QUEUE)
        {
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
        "SELECT powersync_adopt()",
        "SELECT powersync_trigger_resync(0)",
    ]
    .into_iter()
    .chain(QUEUE)
    {
        assert_refused(host.try_transaction(call, []), found);
    }
    assert_refused(host.try_rows("SELECT powersync_export('never-written.db')", []), found);
    assert_refused(host.try_control("target_checkpoint_request_id", ()), found);
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

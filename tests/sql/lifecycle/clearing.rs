//! `powersync_clear`, `powersync_trigger_resync` and `powersync_last_synced_at`, and what is not written again.

use rowtide_testkit::Host;
use rowtide_testkit::service::Service;
use serde_json::{Value, json};

fn schema() -> Value {
    let columns = json!([{"name": "name", "type": "text"}]);
    json!({"tables": [
        {"name": "lists", "columns": columns}, {"name": "drafts", "columns": columns, "local_only": true},
    ]})
}

fn service() -> Service {
    let mut service = Service::new();
    service.put("a", "lists", "l1", &json!({"name": "one"}));
    service.put("a", "lists", "l2", &json!({"name": "two"}));
    service.put("a", "unknown", "x", &json!({"name": "of no table"}));
    service
}

/// A client that synced, stopped, and then wrote locally.
fn used() -> (Host, Service) {
    let (host, service) = (Host::open_in_memory(), service());
    host.replace_schema(&schema());
    host.control("start", ());
    for line in service.lines(0) {
        host.line(&line);
    }
    host.control("stop", ());
    host.execute(
        "INSERT INTO lists(id, name) VALUES ('local', 'x'); INSERT INTO drafts(id, name) VALUES ('d', 'kept?');
         INSERT INTO ps_kv(key, value) VALUES ('powersync_js_migrated_subkeys', '1'), ('other', '1')",
    );
    let subscription = json!({"subscribe": {"stream": {"name": "s"}}}).to_string();
    host.control("subscriptions", subscription);
    (host, service)
}

fn counts(host: &Host) -> Value {
    host.table(
        "SELECT (SELECT count(*) FROM lists), (SELECT count(*) FROM ps_untyped), (SELECT count(*) FROM ps_crud),
                (SELECT count(*) FROM ps_updated_rows), (SELECT count(*) FROM ps_stream_subscriptions),
                (SELECT count(*) FROM ps_sync_state), (SELECT count(*) FROM drafts)",
    )
}

#[test]
fn a_hard_clear_forgets_all_but_the_client_and_local_tables() {
    let (host, service) = used();
    let client = host.value("SELECT powersync_client_id()");
    host.transaction("SELECT powersync_clear(0)", []);
    assert_eq!(counts(&host), json!([[0, 0, 0, 0, 0, 0, 1]]));
    assert_eq!(
        host.table("SELECT (SELECT count(*) FROM ps_buckets), (SELECT count(*) FROM ps_oplog)"),
        json!([[0, 0]])
    );
    assert_eq!(host.table("SELECT key, value FROM ps_kv"), json!([["client_id", client]]));
    assert_eq!(host.value("SELECT powersync_last_synced_at()"), Value::Null);
    host.transaction("SELECT powersync_clear(1)", []);
    assert_eq!(host.value("SELECT count(*) FROM drafts"), 0);
    host.control("start", ());
    for line in service.lines(0) {
        host.line(&line);
    }
    assert_eq!(host.table("SELECT id FROM lists ORDER BY id"), json!([["l1"], ["l2"]]));
}

#[test]
fn a_soft_clear_keeps_downloads_for_the_next_sign_in() {
    let (host, service) = used();
    host.transaction("SELECT powersync_clear(3)", []);
    assert_eq!(counts(&host), json!([[0, 0, 0, 0, 0, 0, 0]]));
    assert_eq!(host.table("SELECT name, last_applied_op FROM ps_buckets"), json!([["a", 0]]));
    let keys = host.table("SELECT key FROM ps_kv ORDER BY key");
    assert_eq!(keys, json!([["client_id"], ["powersync_js_migrated_subkeys"]]));
    // Nothing is sent again, and everything shows again.
    let start = host.control("start", ()).to_string();
    assert!(start.contains(&format!("\"after\":\"{}\"", service.last_op_id)), "{start}");
    host.line(&service.checkpoint());
    host.line(&service.complete());
    assert_eq!(host.table("SELECT id FROM lists ORDER BY id"), json!([["l1"], ["l2"]]));
    assert_eq!(host.table("SELECT type, id FROM ps_untyped"), json!([["unknown", "x"]]));
    assert_eq!(host.table("SELECT id FROM ps_crud"), json!([]), "clearing and publishing are no local writes");
}

#[test]
fn soft_clears_and_resyncs_wait_for_the_end_of_an_iteration() {
    let (host, _) = used();
    host.control("start", ());
    for sql in ["SELECT powersync_clear(2)", "SELECT powersync_trigger_resync(0)"] {
        let error = host.try_transaction(sql, []).unwrap_err();
        assert_eq!(error.code, 3091, "{error}");
        assert!(error.message.contains("Cannot clear or trigger resync while a sync iteration is active."), "{error}");
    }
    assert_eq!(host.error("SELECT powersync_clear(0)").code, 21, "outside of a transaction");
    host.transaction("SELECT powersync_clear(0)", []);
}

#[test]
fn a_resync_publishes_everything_again() {
    let (host, service) = used();
    host.execute("DELETE FROM ps_crud; DELETE FROM ps_kv WHERE key LIKE '%request_id'; DELETE FROM ps_data__lists");
    host.transaction("SELECT powersync_trigger_resync(0)", []);
    assert_ne!(host.value("SELECT powersync_last_synced_at()"), Value::Null);
    host.transaction("SELECT powersync_trigger_resync(1)", []);
    assert_eq!(host.value("SELECT powersync_last_synced_at()"), Value::Null);
    host.control("start", ());
    host.line(&service.checkpoint());
    host.line(&service.complete());
    assert_eq!(host.table("SELECT id FROM lists ORDER BY id"), json!([["l1"], ["l2"]]));
    let time = host.value("SELECT powersync_last_synced_at() GLOB '????-??-?? ??:??:??'");
    assert_eq!(time, 1);
}

#[test]
fn equal_rows_are_not_written_again() {
    let host = Host::open_in_memory();
    host.replace_schema(&schema());
    let mut service = service();
    host.control("start", ());
    for line in service.lines(0) {
        host.line(&line);
    }
    host.value("SELECT powersync_update_hooks('install')");
    // A new definition: the same rows come from another bucket.
    let after = service.last_op_id;
    service.buckets.remove("a");
    service.put("b", "lists", "l1", &json!({"name": "one"}));
    service.put("b", "lists", "l2", &json!({"name": "two"}));
    service.put("b", "unknown", "x", &json!({"name": "of no table"}));
    host.line(&service.checkpoint_diff(&["b"], &["a"]));
    host.line(&service.data("b", after));
    assert!(host.line(&service.complete()).to_string().contains("DidCompleteSync"));
    let written: Value =
        serde_json::from_str(host.value("SELECT powersync_update_hooks('get')").as_str().unwrap()).unwrap();
    let written = written.as_array().unwrap();
    assert!(written.contains(&json!("ps_operations")), "{written:?}");
    assert!(!written.contains(&json!("ps_data__lists")) && !written.contains(&json!("ps_untyped")), "{written:?}");
    assert_eq!(host.table("SELECT id, name FROM lists ORDER BY id"), json!([["l1", "one"], ["l2", "two"]]));
}

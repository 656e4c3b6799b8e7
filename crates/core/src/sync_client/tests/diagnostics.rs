//! Instructions for developer tools.

use serde_json::json;

use super::host::{Host, checkpoint, complete, data, diff, keep_alive};
use crate::sync_client::StartOptions;

#[test]
fn buckets_and_columns_are_reported_after_the_status() {
    let mut host = Host::started_with(StartOptions { diagnostics: true, ..StartOptions::default() });
    let begun = host.line(&checkpoint(9, None, &[("b", 1, 3, 4), ("a", 1, 1, 1)]));
    assert_eq!(begun.kinds(), ["UpdateSyncStatus", "HandleDiagnostics"]);
    let progress = |priority, at_last, since_last, target_count| json!({"priority": priority, "at_last": at_last, "since_last": since_last, "target_count": target_count});
    assert_eq!(
        begun.get("HandleDiagnostics"),
        &json!({"BucketStateChange": {"incremental": false, "changes": [
            {"name": "a", "progress": progress(1, 0, 0, 1)},
            {"name": "b", "progress": progress(3, 0, 0, 4)},
        ]}})
    );
    let received = host.line(&data("b", &[1, 2]));
    assert_eq!(received.kinds(), ["UpdateSyncStatus", "HandleDiagnostics", "HandleDiagnostics"]);
    assert_eq!(
        received.0[1].1,
        json!({"BucketStateChange": {"incremental": true, "changes": [{"name": "b", "progress": progress(3, 0, 2, 4)}]}})
    );
    let schema_change = json!({"SchemaChange": {"table": "t", "column": "n", "value_type": "Integer"}});
    assert_eq!(received.0[2].1, schema_change);
    assert_eq!(host.line(&data("stray", &[1])).kinds(), [""; 0]);
    assert_eq!(host.line(&keep_alive(100)).kinds(), [""; 0]);
}

#[test]
fn a_changed_checkpoint_reports_all_buckets_with_what_they_had() {
    let mut host = Host::started_with(StartOptions { diagnostics: true, ..StartOptions::default() });
    host.lines([checkpoint(9, None, &[("a", 1, 3, 1)]), data("a", &[1]), complete(9)]);
    let changed = host.line(&diff(10, None, &[("b", 1, 3, 1)], &[]));
    let changes = &changed.get("HandleDiagnostics")["BucketStateChange"]["changes"];
    assert_eq!(changes[0]["progress"]["at_last"], 1);
    assert_eq!(changes[0]["progress"]["target_count"], 1);
    assert_eq!(changes[1]["name"], "b");
}

#[test]
fn nothing_is_reported_unless_asked_for() {
    let mut host = Host::started();
    assert_eq!(host.line(&checkpoint(9, None, &[("a", 1, 3, 4)])).kinds(), ["UpdateSyncStatus"]);
    assert_eq!(host.line(&data("a", &[1])).kinds(), ["UpdateSyncStatus"]);
}

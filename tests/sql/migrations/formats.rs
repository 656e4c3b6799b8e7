//! The journey between formats: every published format comes up with all it holds, goes down to every other, and comes
//! up again (docs/reference/tables.md#formats-and-migrations).

use rowtide_testkit::Host;
use rowtide_testkit::invariants::assert_consistent;
use serde_json::json;

use crate::migrations::stored_format::{
    NEWEST, OWN, PUBLISHED, assert_kept, content, in_format, migrate, newest_migration, rows, schema,
};

#[test]
fn a_new_database_gets_all_migrations() {
    let host = Host::open_in_memory();
    let result = host.transaction("SELECT powersync_init()", []);
    assert_eq!(json!(result), json!([[""]]));
    let expected: Vec<_> = (1..=PUBLISHED).chain(OWN).map(|id| json!([id])).collect();
    assert_eq!(host.table("SELECT id FROM ps_migration ORDER BY id"), json!(expected));
    assert_eq!(host.table("SELECT id, current_tx, next_tx FROM ps_tx"), json!([[1, null, 1]]));
    assert_eq!(host.table("SELECT id, last_op FROM ps_checkpoint"), json!([[1, 0]]));
    let client = host.value("SELECT value FROM ps_kv WHERE key = 'client_id'");
    assert_eq!(client, host.value("SELECT powersync_client_id()"));
    assert_consistent(&host);
}

#[test]
fn every_format_has_the_published_schema() {
    let host = Host::open_in_memory();
    for format in 1..=PUBLISHED {
        migrate(&host, format);
        assert_eq!(schema(&host), schema(&in_format(format)), "format {format}, going up");
    }
    migrate(&host, NEWEST);
    for format in (1..=PUBLISHED).rev() {
        migrate(&host, format);
        assert_eq!(schema(&host), schema(&in_format(format)), "format {format}, going down");
        migrate(&host, NEWEST);
    }
}

#[test]
fn migrations_store_what_published_versions_store() {
    let host = Host::open_in_memory();
    migrate(&host, PUBLISHED);
    let stored =
        "SELECT id, (SELECT json_group_array(value ->> 'sql') FROM json_each(down_migrations)) FROM ps_migration";
    assert_eq!(host.table(stored), in_format(PUBLISHED).table(stored));
}

#[test]
fn every_format_comes_up_with_its_content() {
    for format in 1..=PUBLISHED {
        let host = in_format(format);
        let before = content(&host);
        host.initialize();
        assert_kept(&before, &content(&host), &format!("from format {format}"));
        assert_consistent(&host);
        let gate = "SELECT value FROM ps_kv WHERE key = 'target_checkpoint_request_id'";
        assert_eq!(host.value(gate), i64::MAX, "the gate, from format {format}");
        assert_eq!(host.value("SELECT count(*) FROM ps_buckets WHERE name = '$local'"), 0, "from format {format}");
    }
}

#[test]
fn going_down_restores_the_very_rows_of_the_format() {
    for format in 5..=PUBLISHED {
        let host = in_format(format);
        let before = rows(&host);
        host.initialize();
        migrate(&host, format);
        assert_eq!(rows(&host), before, "format {format}");
    }
}

#[test]
fn going_down_to_formats_with_superseded_operations_keeps_the_others() {
    for format in 1..5 {
        let host = in_format(format);
        let before = content(&host);
        host.initialize();
        migrate(&host, format);
        let mut after = content(&host);
        if format < 4 {
            // These formats have no place for the checksums of operations that are no longer held.
            after.insert("checksums".into(), before["checksums"].clone());
        }
        assert_kept(&before, &after, &format!("format {format}"));
        let local = host.table("SELECT pending_delete, target_op FROM ps_buckets WHERE name = '$local'");
        assert_eq!(local, json!([[1, i64::MAX]]), "format {format}");
    }
}

#[test]
fn coming_up_again_loses_nothing_that_the_lower_format_can_hold() {
    for format in (1..=PUBLISHED).rev() {
        let host = in_format(PUBLISHED);
        host.initialize();
        let before = content(&host);
        migrate(&host, format);
        let held = content(&host);
        host.initialize();
        let mut after = content(&host);
        assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
        let sum_is_lost = format < 4;
        after.retain(|name, _| held.contains_key(name) && !(sum_is_lost && name == "checksums"));
        assert_kept(&after, &before, &format!("by way of format {format}"));
        assert_consistent(&host);
    }
}

#[test]
fn a_current_database_is_left_alone() {
    let host = Host::open_in_memory();
    host.initialize();
    let changes = host.connection().total_changes();
    let version = host.value("PRAGMA schema_version");
    host.initialize();
    assert_eq!(host.connection().total_changes(), changes);
    assert_eq!(host.value("PRAGMA schema_version"), version);
    host.execute("PRAGMA query_only = ON");
    host.execute("BEGIN; SELECT powersync_init(); COMMIT");
}

#[test]
fn the_databases_own_version_number_stays_the_apps() {
    let host = in_format(7);
    host.execute("PRAGMA user_version = 77");
    host.initialize();
    assert_eq!(host.value("PRAGMA user_version"), 77);
}

#[test]
fn migrating_needs_a_transaction() {
    let host = Host::open_in_memory();
    for sql in ["SELECT powersync_init()", "SELECT powersync_test_migration(14)"] {
        let error = host.error(sql);
        assert_eq!(error.code, 21, "{sql}");
        assert!(error.message.contains("This function may only be called in transactions."), "{error}");
    }
    assert_eq!(host.value("SELECT count(*) FROM sqlite_schema"), 0);
}

#[test]
fn only_known_formats_can_be_asked_for() {
    let host = Host::open_in_memory();
    for version in ["0", "-1", "15", "1000", "1005", "9223372036854775807", "NULL", "'14'", "14.0", "x'0e'"] {
        let call = format!("SELECT powersync_test_migration({version})");
        let error = host.try_transaction(&call, []).unwrap_err();
        assert_eq!(error.code, 3091, "{version}");
        assert!(error.message.starts_with("powersync_test_migration: invalid argument: "), "{error}");
    }
}

#[test]
fn a_failed_step_is_named_and_leaves_the_file_as_it_was() {
    let host = in_format(3);
    host.execute("CREATE TABLE ps_operations(app)");
    let before = (rows(&host), schema(&host));
    let error = host.try_transaction("SELECT powersync_init()", []).unwrap_err();
    assert_eq!(error.code, 1);
    assert!(error.message.contains("table ps_operations already exists"), "{error}");
    assert!(error.message.ends_with("(context: Migration to format 1001 failed)"), "{error}");
    assert_eq!((rows(&host), schema(&host)), before);
    assert_eq!(newest_migration(&host), 3);
    host.execute("DROP TABLE ps_operations");
    host.initialize();
}

#[test]
fn objects_that_refer_to_missing_ones_do_not_keep_a_file_from_opening() {
    for format in [1, 4, 5, 7, 12, 13, 14] {
        let host = in_format(format);
        host.execute("CREATE VIEW broken AS SELECT * FROM no_such_table");
        host.initialize();
        migrate(&host, PUBLISHED);
        host.initialize();
    }
}

#[test]
fn triggers_of_our_old_views_are_dropped_and_all_others_stay() {
    let host = in_format(4);
    host.execute(
        "CREATE VIEW lists AS SELECT id FROM ps_data__lists -- powersync-auto-generated
         ;
         CREATE VIEW mine AS SELECT id FROM ps_data__lists;
         CREATE TRIGGER ps_view_insert_lists INSTEAD OF INSERT ON lists BEGIN SELECT 1; END;
         CREATE TRIGGER \"odd \"\" name\" INSTEAD OF DELETE ON lists BEGIN SELECT 1; END;
         CREATE TRIGGER ps_view_insert_mine INSTEAD OF INSERT ON mine BEGIN SELECT 1; END;
         CREATE TRIGGER foreign_trigger AFTER INSERT ON ps_data__lists BEGIN SELECT 1; END;",
    );
    migrate(&host, 5);
    let left = host.table("SELECT type, name FROM sqlite_schema WHERE type IN ('view', 'trigger') ORDER BY 2");
    assert_eq!(
        left,
        json!([
            ["trigger", "foreign_trigger"],
            ["view", "lists"],
            ["view", "mine"],
            ["trigger", "odd \" name"],
            ["trigger", "ps_view_insert_mine"]
        ])
    );
}

#[test]
fn rows_left_behind_are_looked_at_again() {
    let host = in_format(5);
    host.execute(
        "INSERT INTO ps_data__lists VALUES ('ghost', '{}');
         CREATE TABLE \"ps_data__odd \"\"name\"(id TEXT PRIMARY KEY NOT NULL, data TEXT);
         INSERT INTO \"ps_data__odd \"\"name\" VALUES ('x', '{}');
         CREATE TABLE ps_data__of_the_app(name);
         INSERT INTO ps_data__of_the_app VALUES ('not ours');",
    );
    let before = host.rows("SELECT row_type, row_id FROM ps_updated_rows");
    migrate(&host, 6);
    let mut expected = before.clone();
    expected.extend([vec![json!("lists"), json!("ghost")], vec![json!("odd \"name"), json!("x")]]);
    expected.sort_by_key(|row| json!(row).to_string());
    assert_eq!(host.rows("SELECT row_type, row_id FROM ps_updated_rows ORDER BY 1, 2"), expected);
}

#[test]
fn times_that_do_not_fit_or_are_no_dates_do_not_keep_a_file_from_opening() {
    let host = in_format(12);
    host.execute(
        "INSERT INTO ps_sync_state VALUES (1, 'yesterday'), (2, '2024-02-29 12:00:00');
         INSERT INTO ps_stream_subscriptions(stream_name, ttl, expires_at) VALUES ('far', 1, 9223372036854775807)",
    );
    migrate(&host, 13);
    let times = host.table("SELECT priority, last_synced_at FROM ps_sync_state WHERE priority < 3");
    assert_eq!(times, json!([[2, 1_709_208_000_000_000_i64]]));
    let expiry = host.value("SELECT expires_at FROM ps_stream_subscriptions WHERE stream_name = 'far'");
    assert_eq!(expiry, 9_223_372_036_854_000_000_i64);
}

#[test]
fn the_gate_is_that_of_the_newest_stay_on_the_lower_format() {
    let host = in_format(13);
    host.execute(
        "UPDATE ps_buckets SET last_applied_op = 3, last_op = 5, target_op = 7 WHERE name = '$local';
         INSERT OR REPLACE INTO ps_kv VALUES ('last_seen_checkpoint_request_id', 99);",
    );
    let keys = "SELECT key, value FROM ps_kv WHERE key LIKE '%checkpoint_request_id' ORDER BY key";
    host.initialize();
    assert_eq!(
        host.table(keys),
        json!([
            ["last_applied_checkpoint_request_id", 3],
            ["last_seen_checkpoint_request_id", 5],
            ["target_checkpoint_request_id", 7]
        ])
    );
    migrate(&host, 13);
    host.execute("UPDATE ps_buckets SET last_applied_op = 0, last_op = 0, target_op = 8 WHERE name = '$local'");
    host.initialize();
    assert_eq!(host.table(keys), json!([["target_checkpoint_request_id", 8]]));
    host.execute("DELETE FROM ps_kv WHERE key <> 'client_id'");
    migrate(&host, 13);
    assert_eq!(host.value("SELECT count(*) FROM ps_buckets WHERE name = '$local'"), 0);
}

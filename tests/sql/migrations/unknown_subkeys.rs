//! Operations whose key was lost: an old UPDATE of the JavaScript SDK set healthy keys to NULL or '' in format 14
//! (docs/reference/protocol.md#operations, docs/reference/tables.md#format-1002).

use rowtide_testkit::Host;
use rowtide_testkit::invariants::assert_consistent;
use serde_json::{Value, json};

use crate::migrations::own_format::{Stored, published};
use crate::migrations::stored_format::{FIRST_OWN, NEWEST, PUBLISHED, migrate};

const UNREADABLE: [Option<&str>; 5] = [None, Some(""), Some("t/b/k"), Some("t"), Some("t/a")];

/// An operation of row `a` of type `t`.
fn row_a<'s>(bucket: i64, op_id: i64, key: Option<&'s str>, data: &'s str) -> Stored<'s> {
    (bucket, op_id, Some("t"), Some("a"), key, data, op_id)
}

/// A published database in format 14 whose row `a` shows the newest of `operations`.
fn showing(operations: &[Stored<'_>]) -> Host {
    let host = published(&[(1, 1000), (2, 1000)], operations);
    host.execute(
        "INSERT INTO ps_untyped(type, id, data) SELECT row_type, row_id, data FROM ps_oplog ORDER BY op_id DESC LIMIT 1",
    );
    host
}

fn put(op_id: i64, subkey: Option<&str>, data: &str) -> Value {
    json!({"op_id": op_id.to_string(), "op": "PUT", "object_type": "t", "object_id": "a", "subkey": subkey, "data": data,
        "checksum": op_id})
}

fn remove(op_id: i64, subkey: Option<&str>) -> Value {
    json!({"op_id": op_id.to_string(), "op": "REMOVE", "object_type": "t", "object_id": "a", "subkey": subkey,
        "checksum": op_id})
}

/// Downloads an operation of bucket 1 and publishes it.
fn sync(host: &Host, operation: &Value) {
    host.control("start", ());
    let buckets = |host: &Host| {
        let rows = host.rows("SELECT name, (add_checksum + op_checksum) & 0xffffffff FROM ps_buckets ORDER BY name");
        rows.iter().map(|row| json!({"bucket": row[0], "checksum": row[1]})).collect::<Vec<_>>()
    };
    host.line(&json!({"checkpoint": {"last_op_id": operation["op_id"], "buckets": buckets(host)}}));
    host.line(&json!({"data": {"bucket": "bucket 1", "data": [operation]}}));
    host.line(&json!({"checkpoint": {"last_op_id": operation["op_id"], "buckets": buckets(host)}}));
    let told = host.line(&json!({"checkpoint_complete": {"last_op_id": operation["op_id"]}})).to_string();
    assert!(told.contains("DidCompleteSync"), "{told}");
    host.control("stop", ());
    assert_consistent(host);
}

/// What row `a` shows, null without it.
fn shown(host: &Host) -> Value {
    host.value("SELECT data FROM ps_untyped WHERE type = 't' AND id = 'a'")
}

fn stored(host: &Host) -> Value {
    host.table("SELECT op_id, subkey FROM ps_operations WHERE row_id = 'a' ORDER BY op_id")
}

#[test]
fn the_next_operation_of_the_row_takes_the_place_of_one_with_a_lost_key() {
    for key in UNREADABLE {
        for subkey in [Some("k"), None] {
            let host = showing(&[row_a(1, 1, key, r#"{"n":"old"}"#)]);
            migrate(&host, NEWEST);
            sync(&host, &put(1001, subkey, r#"{"n":"new"}"#));
            assert_eq!(shown(&host), r#"{"n":"new"}"#, "{key:?}");
            assert_eq!(stored(&host), json!([[1001, subkey]]), "{key:?}");
            sync(&host, &remove(1002, subkey));
            assert_eq!((shown(&host), stored(&host)), (Value::Null, json!([])), "{key:?}");
        }
        let host = showing(&[row_a(1, 1, key, r#"{"n":"old"}"#)]);
        migrate(&host, NEWEST);
        sync(&host, &remove(1001, Some("k")));
        assert_eq!((shown(&host), stored(&host)), (Value::Null, json!([])), "{key:?}");
    }
}

/// The published extension has stored the next operation in addition to the one whose key was lost.
#[test]
fn an_operation_that_was_not_superseded_does_not_come_back() {
    for key in UNREADABLE {
        let host = showing(&[row_a(1, 1, key, r#"{"n":"old"}"#), row_a(1, 5, Some("t/a/k"), r#"{"n":"new"}"#)]);
        migrate(&host, NEWEST);
        sync(&host, &remove(1001, Some("k")));
        assert_eq!((shown(&host), stored(&host)), (Value::Null, json!([])), "{key:?}");
    }
}

#[test]
fn operations_that_are_not_published_yet_are_treated_alike() {
    let host = published(&[(1, 0)], &[row_a(1, 1, None, r#"{"n":"old"}"#)]);
    migrate(&host, NEWEST);
    sync(&host, &put(1001, Some("k"), r#"{"n":"new"}"#));
    assert_eq!(stored(&host), json!([[1001, "k"]]));
    sync(&host, &remove(1002, Some("k")));
    assert_eq!((shown(&host), stored(&host)), (Value::Null, json!([])));
}

#[test]
fn readable_keys_and_other_buckets_stay_apart() {
    let host = showing(&[
        row_a(1, 1, Some("t/a/null"), r#"{"n":"without"}"#),
        row_a(1, 2, Some("t/a/other"), r#"{"n":"other"}"#),
        row_a(2, 3, None, r#"{"n":"lost"}"#),
    ]);
    migrate(&host, NEWEST);
    sync(&host, &put(1001, Some("k"), r#"{"n":"new"}"#));
    assert_eq!(stored(&host), json!([[1, null], [2, "other"], [3, null], [1001, "k"]]));
    sync(&host, &remove(1002, Some("k")));
    assert_eq!(shown(&host), r#"{"n":"lost"}"#);
    assert_eq!(stored(&host), json!([[1, null], [2, "other"], [3, null]]));
}

#[test]
fn nothing_is_superseded_that_came_after_or_without_an_operation() {
    let operations = [row_a(1, 1, Some("t/a/k"), r#"{"n":"older"}"#), row_a(1, 5, None, r#"{"n":"lost"}"#)];
    let host = showing(&operations);
    migrate(&host, NEWEST);
    // Everything is looked at again.
    host.transaction("SELECT powersync_trigger_resync(0)", []);
    let other =
        json!({"op_id": "1001", "op": "PUT", "object_type": "t", "object_id": "b", "data": "{}", "checksum": 1});
    sync(&host, &other);
    assert_eq!((shown(&host), stored(&host)), (json!(r#"{"n":"lost"}"#), json!([[1, "k"], [5, null]])));
}

/// Format 1001 has no way to say that a subkey is not known. What is known there is that the JavaScript SDK was at
/// work.
#[test]
fn files_of_format_1001_in_which_the_javascript_sdk_was_at_work() {
    for is_javascript in [true, false] {
        let host = showing(&[row_a(1, 1, None, r#"{"n":"old"}"#)]);
        if is_javascript {
            host.execute("INSERT INTO ps_kv(key, value) VALUES ('powersync_js_migrated_subkeys', '1')");
        }
        migrate(&host, FIRST_OWN);
        assert_eq!(host.table("SELECT op_id, removed FROM ps_operations"), json!([[1, 0]]));
        assert_eq!(host.table("SELECT op_id, key FROM ps_oplog"), json!([[1, "t/a/null"]]));
        migrate(&host, NEWEST);
        sync(&host, &put(1001, Some("k"), r#"{"n":"new"}"#));
        sync(&host, &remove(1002, Some("k")));
        let expected = if is_javascript { Value::Null } else { json!(r#"{"n":"old"}"#) };
        assert_eq!(shown(&host), expected, "{is_javascript}");
    }
}

#[test]
fn a_journey_to_older_formats_does_not_make_keys_known() {
    for format in [PUBLISHED, FIRST_OWN, 5] {
        let host = showing(&[row_a(1, 1, None, r#"{"n":"old"}"#)]);
        let note = "SELECT count(*) FROM ps_kv WHERE key = 'powersync_unknown_subkeys'";
        migrate(&host, NEWEST);
        migrate(&host, format);
        assert_eq!(host.table("SELECT op_id, key, data FROM ps_oplog"), json!([[1, "t/a/null", r#"{"n":"old"}"#]]));
        assert_eq!(host.value(note), 1);
        migrate(&host, NEWEST);
        assert_eq!(host.value(note), 0);
        sync(&host, &put(1001, Some("k"), r#"{"n":"new"}"#));
        sync(&host, &remove(1002, Some("k")));
        assert_eq!(shown(&host), Value::Null, "{format}");
        // Nothing is noted where every key is known.
        migrate(&host, format);
        assert_eq!(host.value(note), 0);
    }
}

#[test]
fn a_key_that_is_set_is_known_again() {
    let host = showing(&[row_a(1, 1, None, r#"{"n":"old"}"#)]);
    migrate(&host, NEWEST);
    assert_eq!(host.table("SELECT op_id, key, data FROM ps_oplog"), json!([[1, "t/a/null", r#"{"n":"old"}"#]]));
    host.execute("UPDATE ps_oplog SET key = powersync_remove_duplicate_key_encoding(key)");
    assert_eq!(host.table("SELECT subkey, removed FROM ps_operations"), json!([[null, 2]]));
    host.execute("UPDATE ps_oplog SET key = 't/a/mine'");
    assert_eq!(host.table("SELECT subkey, removed FROM ps_operations"), json!([["mine", 0]]));
    sync(&host, &put(1001, Some("k"), r#"{"n":"new"}"#));
    sync(&host, &remove(1002, Some("k")));
    assert_eq!(shown(&host), r#"{"n":"old"}"#);
}

//! The view `ps_oplog` of our format, and the key repair that the JavaScript SDK runs on it
//! (docs/reference/tables.md#ps_oplog).

use rowtide_testkit::Host;
use rowtide_testkit::invariants::assert_consistent;
use serde_json::json;

use crate::migrations::own_format::{published, with_pending_operations};
use crate::migrations::stored_format::{NEWEST, PUBLISHED, migrate, rows};

#[test]
fn the_view_shows_current_operations_only() {
    let host = with_pending_operations();
    let columns = host.table("SELECT name FROM pragma_table_info('ps_oplog') LIMIT 7");
    assert_eq!(columns, json!([["bucket"], ["op_id"], ["row_type"], ["row_id"], ["key"], ["data"], ["hash"]]));
    let expected = json!([
        [3, "t/kept/null", r#"{"n":"settled"}"#],
        [105, "t/replaced/null", r#"{"n":"newest"}"#],
        [107, "t/removed/other key", r#"{"n":"stays"}"#],
        [110, "t/returned/null", r#"{"n":"second"}"#]
    ]);
    assert_eq!(host.table("SELECT op_id, key, data FROM ps_oplog ORDER BY op_id"), expected);
    assert_eq!(host.table("SELECT op_id, key, data FROM ps_oplog WHERE bucket = 1 ORDER BY op_id"), expected);
    assert_eq!(host.table("SELECT op_id, key, data FROM ps_oplog WHERE bucket = 2"), json!([]));
    assert_eq!(host.value("SELECT count(*) FROM ps_oplog"), 4);
    assert_eq!(host.table("SELECT data FROM ps_oplog WHERE row_id = 'replaced'"), json!([[r#"{"n":"newest"}"#]]));
    host.execute("DELETE FROM ps_buckets");
    assert_eq!(host.value("SELECT count(*) FROM ps_oplog"), 0, "operations of a deleted bucket");
}

#[test]
fn the_key_repair_of_the_javascript_sdk_works() {
    let update = "UPDATE ps_oplog SET key = powersync_remove_duplicate_key_encoding(key)";
    let host = published(
        &[(1, 10)],
        &[
            (1, 1, Some("lists"), Some("l1"), Some(r#"lists/l1/"row1""#), "{}", 1),
            (1, 2, Some("li/\"sts"), Some("l\"2"), Some("li/\"sts/l\"2/\"row \\\"2\\\"\""), "{}", 2),
            (1, 3, Some("lists"), Some("l3"), Some("lists/l3/row3"), "{}", 4),
            (1, 4, Some("lists"), Some("l4"), Some("lists/l4/null"), "{}", 8),
            (1, 20, Some("lists"), Some("l5"), Some(r#"lists/l5/"null""#), "{}", 16),
            (1, 21, Some("lists"), Some("l6"), Some(r#"lists/l6/"nul\u0000""#), "{}", 32),
        ],
    );
    migrate(&host, NEWEST);
    host.execute("BEGIN");
    host.execute(update);
    host.execute("COMMIT");
    let repaired = json!([[1, "row1"], [2, "row \"2\""], [3, "row3"], [4, null], [20, null], [21, "nul\0"]]);
    assert_eq!(host.table("SELECT op_id, subkey FROM ps_operations"), repaired);
    let before = rows(&host);
    host.execute(update);
    assert_eq!(rows(&host), before, "healthy keys");
    assert_consistent(&host);
}

#[test]
fn a_key_can_only_be_changed_to_one_of_the_same_row() {
    let host = published(&[(1, 10)], &[(1, 1, Some("t"), Some("a"), Some("t/a/k"), "{}", 1)]);
    migrate(&host, NEWEST);
    let before = rows(&host);
    for key in ["NULL", "''", "'t/b/k'", "'t/ak'", "'t/a'", "1", "x'ff'"] {
        host.execute(&format!("UPDATE ps_oplog SET key = {key}"));
        assert_eq!(rows(&host), before, "{key}");
    }
    host.execute("UPDATE ps_oplog SET key = 't/a/other'");
    assert_eq!(host.value("SELECT key FROM ps_oplog"), "t/a/other");
}

/// A hundred thousand operations with keys to repair, half of them pending: work that grew with their square would
/// not end.
#[test]
fn the_view_and_the_repair_scale() {
    let host = Host::open_in_memory();
    migrate(&host, PUBLISHED);
    host.execute(
        "INSERT INTO ps_buckets(id, name, last_applied_op, last_op) VALUES (1, 'large', 50000, 100000);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
         INSERT INTO ps_oplog SELECT 1, i, 't', 'row' || i, 't/row' || i || '/\"k\"', '{}', i FROM n;",
    );
    migrate(&host, NEWEST);
    assert_eq!(host.value("SELECT count(*) FROM ps_oplog WHERE key LIKE '%\"'"), 100_000);
    host.execute("UPDATE ps_oplog SET key = powersync_remove_duplicate_key_encoding(key)");
    assert_eq!(host.value("SELECT count(*) FROM ps_oplog WHERE key LIKE '%/k'"), 100_000);
    migrate(&host, PUBLISHED);
    assert_eq!(host.value("SELECT count(*) FROM ps_oplog"), 100_000);
}

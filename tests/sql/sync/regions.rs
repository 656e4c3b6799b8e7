//! Stored operations after a large download: they go to a new region, and are found in all of them
//! (docs/reference/tables.md#ps_operations).

use rowtide_testkit::invariants::{assert_consistent, dump};
use rowtide_testkit::session::{BUCKET, Session};
use serde_json::{Value, json};

fn schema() -> Value {
    json!({"tables": [{"name": "t", "columns": [{"name": "a", "type": "text"}]}]})
}

fn regions(session: &Session) -> Value {
    session.host.table("SELECT id >> 56 AS region, count(*) FROM ps_operations GROUP BY region ORDER BY region")
}

/// A session whose rows 0 to 9 are in the first region, 5 to 9 with newer content, and rows 10 to 13 in the second.
fn two_regions() -> Session {
    let mut session = Session::with_schema(&schema());
    for row in 0..10 {
        session.put("t", &row.to_string(), r#"{"a":"first"}"#);
    }
    session.host.execute("UPDATE ps_checkpoint SET region_size = 1 << 40");
    session.sync();
    for row in 5..15 {
        session.put("t", &row.to_string(), r#"{"a":"second"}"#);
    }
    session.sync();
    session.remove("t", "14");
    session.sync();
    assert_eq!(regions(&session), json!([[0, 10], [1, 4]]));
    session
}

fn assert_shown(session: &Session) {
    let shown = session.host.table("SELECT a, count(*) FROM t GROUP BY a");
    assert_eq!(shown, json!([["first", 5], ["second", 9]]));
    assert_eq!(session.host.value("SELECT count(*) FROM ps_oplog"), 14);
    assert_consistent(&session.host);
}

#[test]
fn a_large_download_ends_its_region() {
    let mut session = Session::with_schema(&schema());
    for row in 0..(1 << 14) - 1 {
        session.put("t", &row.to_string(), "{}");
    }
    session.sync();
    assert_eq!(session.host.table("SELECT region, region_size FROM ps_checkpoint"), json!([[0, 16383]]));
    session.put("t", "more", "{}");
    session.sync();
    assert_eq!(session.host.table("SELECT region, region_size FROM ps_checkpoint"), json!([[1, 0]]));
    session.put("t", "later", "{}");
    session.sync();
    assert_eq!(regions(&session), json!([[0, 16384], [1, 1]]));
    assert_consistent(&session.host);
}

#[test]
fn rows_are_replaced_and_removed_across_regions() {
    assert_shown(&two_regions());
}

#[test]
fn many_operations_take_the_place_of_older_ones_only_if_their_data_are_in_rows() {
    for (row_type, expected) in [("t", json!([[0, 150], [1, 100]])), ("unknown", json!([[0, 100], [1, 150]]))] {
        let mut session = Session::with_schema(&schema());
        for (rows, content) in [(0..150, "first"), (100..250, "second")] {
            for row in rows {
                session.put(row_type, &row.to_string(), &json!({"a": content}).to_string());
            }
            session.host.execute("UPDATE ps_checkpoint SET region_size = 1 << 40 WHERE region = 0");
            session.sync();
        }
        assert_eq!(regions(&session), expected, "{row_type}");
        let shown =
            "SELECT data ->> '$.a', count(*) FROM (SELECT data FROM ps_data__t UNION ALL SELECT data FROM ps_untyped)
            GROUP BY 1";
        assert_eq!(session.host.table(shown), json!([["first", 100], ["second", 150]]), "{row_type}");
        assert_consistent(&session.host);
    }
}

#[test]
fn a_removed_bucket_leaves_nothing_in_any_region() {
    let mut session = two_regions();
    session.service.buckets.remove(BUCKET);
    session.service.put_text("other", "t", "1", None, r#"{"a":"other"}"#);
    session.sync();
    assert_eq!(session.host.table("SELECT * FROM t"), json!([["1", "other"]]));
    assert_eq!(regions(&session), json!([[1, 1]]));
    assert_eq!(session.host.value("SELECT count(*) FROM ps_row_operations"), 1);
    assert_consistent(&session.host);
}

#[test]
fn a_clear_operation_empties_all_regions() {
    let mut session = two_regions();
    session.put("t", "20", r#"{"a":"third"}"#);
    session.service.clear_start(BUCKET);
    let rows = session.service.rows();
    session.sync();
    assert_eq!(session.host.value("SELECT count(*) FROM t"), rows.len() as i64);
    assert_consistent(&session.host);
}

#[test]
fn a_resync_publishes_the_rows_of_all_regions() {
    let session = two_regions();
    session.host.execute("UPDATE ps_data__t SET data = '{}' WHERE id IN (1, 6)");
    session.host.control("stop", ());
    session.host.transaction("SELECT powersync_trigger_resync(0)", []);
    session.host.control("start", json!({}));
    for line in session.service.lines(i64::MAX) {
        session.host.line(&line);
    }
    assert_shown(&session);
}

#[test]
fn the_way_down_and_up_keeps_all_regions() {
    let mut session = two_regions();
    session.put("t", "16", "{}");
    // Downloaded, not published.
    let lines = session.service.lines(session.service.last_op_id - 1);
    session.host.line(&lines[0]);
    session.host.line(&lines[1]);
    let before = dump(&session.host);
    session.host.transaction("SELECT powersync_test_migration(14)", []);
    assert_eq!(dump(&session.host), before);
    session.host.transaction("SELECT powersync_init()", []);
    assert_eq!(dump(&session.host), before);
    assert_eq!(regions(&session), json!([[0, 15]]), "the file has one region again");
    session.host.replace_schema(&schema());
    session.host.control("start", json!({}));
    for line in session.service.lines(i64::MAX) {
        session.host.line(&line);
    }
    assert_eq!(session.host.value("SELECT count(*) FROM t"), 15);
    assert_consistent(&session.host);
}

#[test]
fn a_region_does_not_end_while_an_operation_waits() {
    let mut session = two_regions();
    let name = "waiting";
    session.service.put_text(name, "t", "30", None, "{}");
    let line = session.service.data(name, 0);
    session.service.buckets.remove(name);
    session.host.line(&line);
    session.host.execute("UPDATE ps_checkpoint SET region_size = 1 << 40");
    let before = session.service.last_op_id;
    session.put("t", "31", "{}");
    session.host.line(&session.service.checkpoint_diff(&[BUCKET], &[]));
    session.host.line(&session.service.data(BUCKET, before));
    assert!(session.host.line(&session.service.complete()).to_string().contains("DidCompleteSync"));
    assert_eq!(session.host.value("SELECT region FROM ps_checkpoint"), 1, "the unknown bucket's operation waits");
    session.put("t", "32", "{}");
    session.sync();
    assert_eq!(session.host.value("SELECT region FROM ps_checkpoint"), 2);
    assert_consistent(&session.host);
}

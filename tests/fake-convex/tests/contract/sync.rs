//! The newer sync API.

use fake_convex::{Convex, Options, Value};
use serde_json::{Value as Json, json};

use crate::{delete, post, put, small};

fn selection() -> Json {
    json!({"": {"_other": "incl"}, "_other": "excl"})
}

fn cursor(convex: &Convex, ts: i64) -> String {
    let (status, body) = post(convex, "/api/data_sync_cursor_from_deltas", &json!({"cursor": ts}));
    assert_eq!(status, 200, "{body}");
    body["cursor"].as_str().unwrap().to_owned()
}

fn page(convex: &Convex, cursor: &str) -> Json {
    let (status, body) = post(convex, "/api/v1/data/sync", &json!({"cursor": cursor, "selection": selection()}));
    assert_eq!(status, 200, "{body}");
    body
}

/// Observed: older deployments do not have it. Assumed: they answer 404.
#[test]
fn older_deployments_do_not_have_it() {
    let convex = Convex::start(Options::default());
    assert_eq!(post(&convex, "/api/v1/data/sync", &json!({})).0, 404);
    assert_eq!(post(&convex, "/api/data_sync_cursor_from_deltas", &json!({"cursor": 1})).0, 404);
}

/// Documented: `status`, `truncates`, `values`, `pagination`, lossless values, and that a cursor of deltas can be converted.
/// Assumed: method, body and answer of the conversion, and how tables are selected.
#[test]
fn changes_follow_a_cursor_of_deltas() {
    let convex = Convex::start(Options { has_sync_api: true, ..small() });
    convex.commit(vec![put("t", "a", &[]), put("t", "b", &[])]);
    let start = cursor(&convex, convex.now());
    let fields = [("n", Value::Int64(-1)), ("x", Value::Float64(f64::NAN)), ("y", Value::Bytes(vec![1]))];
    convex.commit(vec![put("t", "a", &fields)]);
    convex.commit(vec![delete("t", "b"), put("u", "c", &[])]);
    let first = page(&convex, &start);
    assert_eq!((first["values"].as_array().unwrap().len(), first["pagination"]["hasMore"].as_bool()), (2, Some(true)));
    assert_eq!(first["status"]["type"], "stale");
    let value = &first["values"][0];
    assert_eq!((value["table"].as_str(), value["deleted"].as_bool()), (Some("t"), Some(false)));
    assert_eq!(value["value"]["n"], json!({"$integer": "//////////8="}));
    assert!(value["value"]["x"]["$float"].is_string() && value["value"]["y"] == json!({"$bytes": "AQ=="}));
    assert_eq!(first["values"][1]["deleted"], true);
    let second = page(&convex, first["pagination"]["nextCursor"].as_str().unwrap());
    assert_eq!(
        (second["values"][0]["table"].as_str(), second["pagination"]["hasMore"].as_bool()),
        (Some("u"), Some(false))
    );
    assert_eq!(
        (second["status"]["type"].as_str(), second["status"]["snapshotTs"].as_i64()),
        (Some("upToDate"), Some(convex.now()))
    );
    let rest = page(&convex, second["pagination"]["nextCursor"].as_str().unwrap());
    assert!(rest["values"].as_array().unwrap().is_empty());
}

/// Documented: it reports truncated and replaced tables. Assumed: in the page that has their new documents, or the first of
/// several.
#[test]
fn it_says_that_tables_are_gone() {
    let convex = Convex::start(Options { has_sync_api: true, ..Options::default() });
    convex.commit(vec![put("t", "a", &[]), put("u", "a", &[])]);
    let start = cursor(&convex, convex.now());
    convex.drop_table("t");
    convex.import_replace("u", vec![[("_id".to_owned(), Value::from("b"))].into()]);
    let page = page(&convex, &start);
    let truncates: Vec<&str> =
        page["truncates"].as_array().unwrap().iter().map(|of| of["table"].as_str().unwrap()).collect();
    assert_eq!(truncates, ["t", "u"]);
    assert_eq!(page["values"][0]["value"]["_id"], "b");
}

/// Documented: a cursor is valid for three days; then 400 `DataSyncCursorExpired`.
#[test]
fn cursors_expire() {
    let convex = Convex::start(Options { has_sync_api: true, ..Options::default() });
    let start = cursor(&convex, convex.now());
    convex.expire_sync_cursors();
    let (status, body) = post(&convex, "/api/v1/data/sync", &json!({"cursor": start, "selection": selection()}));
    assert_eq!((status, body["code"].as_str().unwrap()), (400, "DataSyncCursorExpired"));
    convex.commit(vec![put("t", "a", &[])]);
    let old = convex.now();
    convex.commit(vec![put("t", "a", &[])]);
    convex.forget_deltas();
    let (status, body) = post(&convex, "/api/data_sync_cursor_from_deltas", &json!({"cursor": old}));
    assert_eq!((status, body["code"].as_str().unwrap()), (400, "InvalidWindowToReadDocuments"));
}

/// Documented: without a cursor, everything comes first.
#[test]
fn without_a_cursor_everything_comes() {
    let convex = Convex::start(Options { has_sync_api: true, ..small() });
    convex.commit(vec![put("t", "a", &[]), put("t", "b", &[]), put("t", "c", &[])]);
    let (_, page) = post(&convex, "/api/v1/data/sync", &json!({"selection": selection()}));
    assert_eq!((page["status"]["type"].as_str(), page["values"].as_array().unwrap().len()), (Some("snapshotting"), 2));
}

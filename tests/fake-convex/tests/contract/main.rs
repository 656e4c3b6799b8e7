//! What the double claims about a Convex deployment, each with its origin. A run against a real deployment can correct it:
//! then the double changes, and with it everything that is tested by it.
//!
//! Origins: *documented* by Convex (HTTP API, streaming export); *observed* as described by those who run deployments and
//! read answers; *assumed*: nobody has said so, and it had to be something.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod functions;
mod sync;

use fake_convex::{Convex, Document, Fault, Options, Route, Value, Write, run_script};
use reqwest::blocking::{Client, Response};
use serde_json::{Value as Json, json};

pub(crate) fn get(convex: &Convex, path: &str) -> (u16, Json) {
    let request = Client::new().get(format!("{}{path}", convex.url()));
    read(request.header("authorization", format!("Convex {}", convex.key())).send().unwrap())
}

pub(crate) fn post(convex: &Convex, path: &str, body: &Json) -> (u16, Json) {
    let request = Client::new().post(format!("{}{path}", convex.url()));
    read(request.header("authorization", format!("Convex {}", convex.key())).json(body).send().unwrap())
}

fn read(response: Response) -> (u16, Json) {
    (response.status().as_u16(), response.json().unwrap())
}

pub(crate) fn put(table: &str, id: &str, fields: &[(&str, Value)]) -> Write {
    let mut document: Document = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    document.insert("_id".into(), Value::from(id));
    Write::Put { table: table.into(), document }
}

pub(crate) fn delete(table: &str, id: &str) -> Write {
    Write::Delete { table: table.into(), id: id.into() }
}

pub(crate) fn small() -> Options {
    Options { snapshot_rows: Some(2), delta_rows: Some(2), sync_rows: Some(2), ..Options::default() }
}

fn ids(page: &Json) -> Vec<&str> {
    page["values"].as_array().unwrap().iter().map(|value| value["_id"].as_str().unwrap()).collect()
}

/// Documented: `Authorization: Convex <deploy key>`. Observed: errors are `{"code", "message"}`. Assumed: 401 for a wrong key.
#[test]
fn a_request_needs_the_deploy_key() {
    let convex = Convex::start(Options::default());
    let response = Client::new().get(format!("{}/api/json_schemas?format=json", convex.url())).send().unwrap();
    let (status, body) = read(response);
    assert_eq!(status, 401);
    assert!(body["code"].is_string() && body["message"].is_string());
    convex.revoke_key(true);
    assert_eq!(get(&convex, "/api/json_schemas?format=json").0, 401);
    // Observed: 403 for plans without streaming export.
    convex.revoke_key(false);
    convex.disable_export(true);
    let (status, body) = get(&convex, "/api/json_schemas?format=json");
    assert_eq!((status, body["code"].as_str().unwrap()), (403, "StreamingExportNotEnabled"));
}

/// Documented: `format=json`. Observed: finite floats have a fraction; integers of 64 bits are decimal texts, bytes are
/// base64, NaN and the infinities are texts.
#[test]
fn clean_json_loses_types() {
    let convex = Convex::start(Options::default());
    let fields = [
        ("whole", Value::Float64(1.0)),
        ("large", Value::Float64(1e300)),
        ("zero", Value::Float64(-0.0)),
        ("nan", Value::Float64(f64::NAN)),
        ("down", Value::Float64(f64::NEG_INFINITY)),
        ("int", Value::Int64(i64::MIN)),
        ("bytes", Value::Bytes(vec![0, 255])),
        ("yes", Value::Boolean(true)),
        ("none", Value::Null),
        ("deep", Value::Array(vec![Value::Int64(1), Value::Object([("f".to_owned(), Value::Float64(2.0))].into())])),
    ];
    convex.commit(vec![put("t", "a", &fields)]);
    let request = Client::new().get(format!("{}/api/list_snapshot?format=json&table_name=t", convex.url()));
    let text = request.header("authorization", format!("Convex {}", convex.key())).send().unwrap().text().unwrap();
    for part in [
        r#""whole":1.0"#,
        r#""large":1e"#,
        r#""zero":-0.0"#,
        r#""nan":"NaN""#,
        r#""down":"-Infinity""#,
        r#""int":"-9223372036854775808""#,
        r#""bytes":"AP8=""#,
        r#""yes":true"#,
        r#""none":null"#,
        r#""deep":["1",{"f":2.0}]"#,
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let (status, body) = get(&convex, "/api/list_snapshot");
    assert_eq!((status, body["code"].as_str().unwrap()), (400, "BadFormat"));
}

/// Documented: tables of the schema are listed even when they are empty. Assumed: a table that is dropped is not listed.
#[test]
fn json_schemas_lists_tables() {
    let convex = Convex::start(Options::default());
    convex.define("defined", &[("name", "string")]);
    convex.commit(vec![put("seen", "a", &[("n", Value::Float64(1.0))])]);
    let (_, body) = get(&convex, "/api/json_schemas?format=json");
    assert!(body["defined"].is_object() && body["seen"]["properties"]["n"].is_object(), "{body}");
    convex.drop_table("seen");
    assert_eq!(get(&convex, "/api/json_schemas?format=json").1.as_object().unwrap().len(), 1);
}

/// Documented: pages of one snapshot by `snapshot`, `cursor` and `hasMore`. Observed: the cursor is the text of an object
/// with tablet and id; nothing written later is in the pages. Assumed: `table_name` works without `snapshot`, too.
#[test]
fn a_snapshot_is_of_one_moment() {
    let convex = Convex::start(small());
    convex.commit(vec![put("t", "a", &[]), put("t", "b", &[]), put("t", "c", &[]), put("u", "z", &[])]);
    let (_, first) = get(&convex, "/api/list_snapshot?format=json&table_name=t");
    assert_eq!((ids(&first), first["hasMore"].as_bool()), (vec!["a", "b"], Some(true)));
    let snapshot = first["snapshot"].as_i64().unwrap();
    assert_eq!(snapshot.to_string().len(), 19);
    convex.commit(vec![put("t", "d", &[]), delete("t", "c")]);
    let cursor = first["cursor"].as_str().unwrap().replace('"', "%22").replace('{', "%7B").replace('}', "%7D");
    let next = format!("/api/list_snapshot?format=json&table_name=t&snapshot={snapshot}&cursor={cursor}");
    let (_, second) = get(&convex, &next);
    assert_eq!((ids(&second), second["hasMore"].as_bool()), (vec!["c"], Some(false)));
    for (path, code) in [
        ("snapshot=1", "SnapshotTooOld"),
        ("snapshot=9000000000000000000", "SnapshotTooNew"),
        ("cursor=x", "InvalidListSnapshotCursor"),
    ] {
        convex.forget_snapshots();
        let (status, body) = get(&convex, &format!("/api/list_snapshot?format=json&{path}"));
        assert_eq!((status, body["code"].as_str().unwrap()), (400, code));
    }
    // Its snapshot is gone in the middle of it.
    assert_eq!(get(&convex, &next).1["code"], "SnapshotTooOld");
}

/// Documented: `_ts`, `_table`, `_deleted`, `cursor`, `hasMore`. Observed: a page reads 128 rows of the log and goes on to the
/// end of the last mutation; rows of other tables count; a document is in a mutation once; the cursor of the last page is
/// the newest timestamp.
#[test]
fn deltas_are_pages_of_whole_mutations() {
    let convex = Convex::start(small());
    let start = convex.now();
    let first = convex.commit(vec![put("t", "a", &[]), put("t", "b", &[]), put("t", "c", &[]), delete("t", "nobody")]);
    let second = convex.commit(vec![put("u", "x", &[]), delete("t", "a"), put("t", "a", &[]), delete("t", "b")]);
    let (_, page) = get(&convex, &format!("/api/document_deltas?format=json&cursor={start}"));
    assert_eq!(
        (ids(&page), page["hasMore"].as_bool(), page["cursor"].as_i64()),
        (vec!["a", "b", "c"], Some(true), Some(first))
    );
    let (_, page) = get(&convex, &format!("/api/document_deltas?format=json&cursor={first}&table_name=none"));
    assert_eq!((ids(&page).len(), page["cursor"].as_i64()), (0, Some(second)));
    let (_, page) = get(&convex, &format!("/api/document_deltas?format=json&cursor={first}"));
    let rows = page["values"].as_array().unwrap();
    let row = |id: &str| rows.iter().find(|row| row["_id"] == id).unwrap();
    assert_eq!(
        (rows.len(), row("a")["_deleted"].as_bool(), row("b")["_deleted"].as_bool()),
        (3, Some(false), Some(true))
    );
    assert_eq!((row("x")["_table"].as_str(), row("x")["_ts"].as_i64()), (Some("u"), Some(second)));
}

/// Observed: 400 `InvalidWindowToReadDocuments` for a cursor that is older than what is kept, `DocumentDeltasCursorRequired`
/// without one. Assumed: the first code for a cursor in the future, too.
#[test]
fn deltas_are_kept_for_a_while() {
    let convex = Convex::start(Options::default());
    let start = convex.now();
    convex.commit(vec![put("t", "a", &[])]);
    convex.forget_deltas();
    let code = |path: &str| {
        let (status, body) = get(&convex, path);
        assert_eq!(status, 400);
        body["code"].as_str().unwrap().to_owned()
    };
    assert_eq!(code(&format!("/api/document_deltas?format=json&cursor={start}")), "InvalidWindowToReadDocuments");
    assert_eq!(code("/api/document_deltas?format=json"), "DocumentDeltasCursorRequired");
    let later = convex.now() + 1;
    assert_eq!(code(&format!("/api/document_deltas?format=json&cursor={later}")), "InvalidWindowToReadDocuments");
}

/// Observed: dropping a table gives no deletions. `import --replace` gives the new documents before it is done, and no
/// deletions of the old ones.
#[test]
fn deltas_do_not_say_that_tables_are_gone() {
    let convex = Convex::start(Options::default());
    convex.commit(vec![put("t", "a", &[]), put("u", "a", &[])]);
    let start = convex.now();
    convex.drop_table("t");
    convex.import_replace("u", vec![[("_id".to_owned(), Value::from("b"))].into()]);
    let (_, page) = get(&convex, &format!("/api/document_deltas?format=json&cursor={start}"));
    assert_eq!(ids(&page), ["b"]);
    assert_eq!(convex.documents("u").keys().collect::<Vec<_>>(), ["b"]);
}

/// The double's own: faults happen once, in order, to the route that they are for.
#[test]
fn faults_happen_once() {
    let convex = Convex::start(Options::default());
    let path = "/api/json_schemas?format=json";
    convex.fail(Route::ListSnapshot, Fault::Cut);
    convex.fail(Route::JsonSchemas, Fault::Status(429, "TooManyRequests", Some(7)));
    let request = Client::new().get(format!("{}{path}", convex.url()));
    let response = request.header("authorization", format!("Convex {}", convex.key())).send().unwrap();
    assert_eq!((response.status().as_u16(), response.headers()["retry-after"].to_str().unwrap()), (429, "7"));
    assert_eq!(get(&convex, path).0, 200);
    let request = Client::new().get(format!("{}/api/list_snapshot?format=json", convex.url()));
    let cut = request.header("authorization", format!("Convex {}", convex.key())).send().and_then(Response::bytes);
    assert!(cut.is_err());
    assert_eq!(convex.requests(Route::JsonSchemas).len(), 2);
}

/// The double's own: what a script can do, and that a mistake in it names its line.
#[test]
fn a_script_drives_it() {
    let convex = Convex::start(Options::default());
    let script = r#"
# Two documents, one of which goes.
{"define": {"t": {"n": "int64"}}}
{"commit": [{"put": "t", "document": {"_id": "a", "n": {"$integer": "AQAAAAAAAAA="}}}, {"put": "t", "document": {"_id": "b"}}]}
{"commit": [{"delete": "t", "id": "b"}]}
{"fail": "json_schemas", "status": 503}
{"set": {"sync_api": true}}
"#;
    run_script(&convex, script).unwrap();
    let documents = convex.documents("t");
    assert_eq!((documents.len(), documents["a"]["n"].clean()), (1, json!("1")));
    assert_eq!(get(&convex, "/api/json_schemas?format=json").0, 503);
    assert_eq!(
        run_script(&convex, "{\"drop\": \"t\"}\n{\"x\": 1}").unwrap_err(),
        "line 2: it says nothing that is known"
    );
    assert!(convex.documents("t").is_empty(), "the first line was run");
}

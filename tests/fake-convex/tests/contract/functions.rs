//! The app's functions. Documented: `POST /api/mutation` with path, args and format, and `status`, `value`, `errorMessage`,
//! `errorData` of the answer. Observed: status 560 if a function throws. Assumed: what messages of missing functions say.

use fake_convex::{Convex, Document, Fault, Options, Route, Value, Write};
use serde_json::{Value as Json, json};

use crate::{get, post};

fn mutation(convex: &Convex, path: &str, args: &Json) -> (u16, Json) {
    post(convex, "/api/mutation", &json!({"path": path, "args": args, "format": "json"}))
}

#[test]
fn a_marker_is_a_mutation() {
    let convex = Convex::start(Options::default());
    let start = convex.now();
    let (status, body) = mutation(&convex, "powersync_checkpoints:createCheckpoint", &json!({}));
    assert_eq!((status, body["status"].as_str().unwrap()), (200, "success"));
    mutation(&convex, "powersync_checkpoints:createCheckpoint", &json!({}));
    assert_eq!(convex.documents("powersync_checkpoints").len(), 1);
    let (_, page) = get(&convex, &format!("/api/document_deltas?format=json&cursor={start}"));
    assert_eq!(page["values"].as_array().unwrap().len(), 2);
    assert!(page["values"][0]["last_updated"].is_f64());
}

#[test]
fn a_function_that_is_not_there_is_an_error_of_the_function() {
    let convex = Convex::start(Options::default());
    convex.remove_functions(true);
    let (status, body) = mutation(&convex, "powersync_checkpoints:createCheckpoint", &json!({}));
    assert_eq!((status, body["status"].as_str().unwrap()), (560, "error"));
    assert!(body["errorMessage"].as_str().unwrap().contains("Could not find"));
}

#[test]
fn an_answer_can_be_lost_after_the_mutation() {
    let convex = Convex::start(Options::default());
    convex.fail(Route::Mutation, Fault::AnswerLost);
    let body = json!({"path": "powersync_checkpoints:createCheckpoint", "args": {}, "format": "json"});
    let request = reqwest::blocking::Client::new().post(format!("{}/api/mutation", convex.url()));
    let request = request.header("authorization", format!("Convex {}", convex.key())).json(&body);
    assert!(request.send().and_then(|response| response.bytes()).is_err());
    assert_eq!(convex.documents("powersync_checkpoints").len(), 1);
}

/// The function of this project, in both languages by the same cases: see `docs/examples/convex`.
#[test]
fn transactions_are_applied_as_the_cases_say() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/examples/convex/cases.json");
    let cases: Json = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let tables: Vec<(String, Vec<(String, String)>)> = cases["schema"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(table, fields)| {
            let fields = fields.as_object().unwrap().iter();
            (table.clone(), fields.map(|(name, kind)| (name.clone(), kind.as_str().unwrap().to_owned())).collect())
        })
        .collect();
    let cases = cases["cases"].as_array().unwrap();
    assert!(cases.len() >= 20);
    for case in cases {
        let convex = Convex::start(Options::default());
        for (table, fields) in &tables {
            let fields: Vec<(&str, &str)> = fields.iter().map(|(name, kind)| (name.as_str(), kind.as_str())).collect();
            convex.define(table, &fields);
        }
        let name = case["name"].as_str().unwrap();
        for (table, documents) in case["before"].as_object().into_iter().flatten() {
            for document in documents.as_array().unwrap() {
                let Value::Object(document) = Value::from_lossless(document).unwrap() else { panic!("{name}") };
                convex.commit(vec![Write::Put { table: table.clone(), document }]);
            }
        }
        for call in case["calls"].as_array().unwrap() {
            let (_, body) = mutation(&convex, "powersync:applyTransaction", &call["args"]);
            let result = match body["status"].as_str() {
                Some("success") => json!({"value": body["value"]}),
                _ if !body["errorData"].is_null() => json!({"error": body["errorData"]}),
                // Convex's own message: only the double's twin can be compared by its text.
                _ => json!({"throws": body["errorMessage"].as_str().unwrap().contains("does not match the schema")}),
            };
            assert_eq!(result, call["gives"], "{name}");
        }
        for (table, expected) in case["after"].as_object().into_iter().flatten() {
            let shown = |document: &Document| {
                let fields = document.iter().filter(|(name, _)| !name.starts_with('_'));
                Json::Object(fields.map(|(name, value)| (name.clone(), value.lossless())).collect())
            };
            let mut documents: Vec<Json> = convex.documents(table).values().map(shown).collect();
            documents.sort_by_key(|document| document["uuid"].to_string());
            assert_eq!(Json::Array(documents), *expected, "{name}: {table}");
        }
    }
}

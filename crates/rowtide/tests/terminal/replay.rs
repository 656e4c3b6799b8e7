//! `rowtide replay`: what it counts, and where a stream is wrong.

use std::path::Path;

use serde_json::{Value, json};

use crate::app::{App, out, run, run_with};
use crate::pty::{Pty, plain};

fn recording() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/download.ndjson");
    path.to_str().unwrap().to_owned()
}

#[test]
fn json_is_for_programs() {
    let result: Value = serde_json::from_str(&out(&["replay", &recording(), "--json"])).unwrap();
    assert_eq!(
        json!([result["lines"], result["operations"], result["checkpoints"]]),
        json!([35, 605, {"published": 1, "delayed": 0}])
    );
    assert_eq!(result["tables"], json!([{"name": "lists", "rows": 5}, {"name": "todos", "rows": 600}]));
    let (seconds, rate) = (result["seconds"].as_f64().unwrap(), result["operations_per_second"].as_f64().unwrap());
    assert!((seconds * rate - 605.0).abs() < 1.0, "{result}");
}

#[test]
fn standard_input_is_read() {
    let ran = run_with(&["replay", "-"], &std::fs::read_to_string(recording()).unwrap());
    assert!(ran.code == Some(0) && ran.out.starts_with("35 lines "), "{ran:?}");
}

#[test]
fn a_person_sees_separators_and_boxes() {
    let (text, code) = Pty::start(80, &["replay", &recording()]).end();
    assert_eq!(code, Some(0));
    let text = plain(&text);
    assert!(text.contains("│ todos ┆  600 │"), "{text}");
    let piped = run(&["replay", &recording()]);
    assert!(piped.out.contains("\ntodos   600\n"), "{piped:?}");
    assert!(!piped.err.contains('\x1b'), "{piped:?}");
}

#[test]
fn errors_say_where_the_line_begins() {
    let app = App::empty();
    let path = app.folder().join("stream.ndjson");
    let fails = |text: &str| {
        std::fs::write(&path, text).unwrap();
        let ran = run(&["replay", path.to_str().unwrap()]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.out.is_empty(), "{ran:?}");
        ran.err
    };
    // Blank lines count, as in an editor.
    let error = fails("{\"token_expires_in\": 60}\n\n\n{\"data\": 1}\n");
    assert!(error.contains("stream.ndjson: line 4 at byte 27: "), "{error}");
    let error = fails("{\"token_expires_in\": 60}\n{\"data\": \n");
    assert!(error.contains("line 2 at byte 25: "), "{error}");
    let error = fails("{\"checkpoint_complete\": {\"last_op_id\": \"1\"}}\n");
    assert!(error.contains("line 1 at byte 0: "), "{error}");
    assert_eq!(run(&["replay", "no-such-file"]).code, Some(2));
    let schema = app.folder().join("schema.json");
    std::fs::write(&schema, "{\"tables\": [{}]}").unwrap();
    let ran = run(&["replay", &recording(), "--schema", schema.to_str().unwrap()]);
    assert!(ran.code == Some(1) && ran.err.contains("Applying the schema: "), "{ran:?}");
}

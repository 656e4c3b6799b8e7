//! The program as a user runs it: what it prints, and that it fails when it should.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::{Command, Output};

fn rowtide(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_rowtide")).args(arguments).output().unwrap()
}

fn succeeds(arguments: &[&str]) -> String {
    let output = rowtide(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn fails(arguments: &[&str]) -> String {
    let output = rowtide(arguments);
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).unwrap()
}

/// The cells of each table row that holds `part`.
fn row(output: &str, part: &str) -> Vec<Vec<String>> {
    let rows = output.lines().filter(|line| line.contains('│') && line.contains(part));
    rows.map(|line| line.split(['│', '┆']).map(|cell| cell.trim().to_owned()).filter(|cell| !cell.is_empty()).collect())
        .collect()
}

#[test]
fn the_demo_shows_download_queue_and_gate() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("demo.db");
    let file = file.to_str().unwrap();
    let output = succeeds(&["demo", "--db", file]);
    assert!(output.contains("605 operations received, 1 checkpoints published, 0 delayed"), "{output}");
    assert!(output.contains("1 operations received, 0 checkpoints published, 1 delayed"), "{output}");
    assert_eq!(row(&output, "closed"), [["closed", "2", "not known yet", "none"]]);
    assert_eq!(row(&output, "open "), [["open", "0", "1", "1"]]);
    let changed = row(&output, "todo-001");
    assert_eq!(changed[0][2], "0", "behind the gate: {output}");
    assert_eq!(changed[1], ["todo-001", "Check the bicycle (done by grace)", "1"]);

    let query = succeeds(&["query", file, "SELECT count(*) AS number FROM todos"]);
    assert_eq!(row(&query, "601"), [["601"]]);
    assert!(fails(&["demo", "--db", file]).contains("exists already"));
}

fn demo_part(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("demo").join(name);
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_replay_counts_what_it_got() {
    let output = succeeds(&["replay", &demo_part("1-download.ndjson")]);
    assert!(output.contains("35 lines"), "{output}");
    assert!(output.contains("605 operations"), "{output}");
    assert_eq!(row(&output, "todos"), [["todos", "600"]]);
}

#[test]
fn a_replay_says_what_is_wrong_and_where() {
    let directory = tempfile::tempdir().unwrap();
    let bad = directory.path().join("bad.ndjson");
    std::fs::write(&bad, "{\"token_expires_in\": 60}\n{\"data\": 1}\n").unwrap();
    let error = fails(&["replay", bad.to_str().unwrap()]);
    assert!(error.contains("bad.ndjson: line 2 "), "{error}");
    assert!(error.contains("Sync protocol error"), "{error}");

    std::fs::write(&bad, [9, 0, 0, 0, 1]).unwrap();
    let error = fails(&["replay", bad.to_str().unwrap()]);
    assert!(error.contains("line 1 at byte 0: the stream ends after 5 of 9 bytes"), "{error}");
}

#[test]
fn a_query_reports_errors() {
    let missing = fails(&["query", "no-such-file.db", "SELECT 1"]);
    assert!(missing.contains("cannot open no-such-file.db"), "{missing}");
    assert!(fails(&["query", ":memory:", "SELEC 1"]).contains("syntax error"));
    let version = succeeds(&["query", ":memory:", "SELECT powersync_rs_version() AS version"]);
    assert!(version.contains(env!("CARGO_PKG_VERSION")), "{version}");
}

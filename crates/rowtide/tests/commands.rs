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

/// The cells of each table row whose first cell is `first`.
fn row(output: &str, first: &str) -> Vec<Vec<String>> {
    let cells =
        |line: &str| line.split("  ").map(str::trim).filter(|cell| !cell.is_empty()).map(str::to_owned).collect();
    let rows = output.lines().map(cells);
    rows.filter(|cells: &Vec<String>| cells.first().is_some_and(|cell| cell == first)).collect()
}

/// A recorded stream: 5 lists and 600 todos.
fn download() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/download.ndjson");
    path.to_str().unwrap().to_owned()
}

#[test]
fn a_replay_counts_what_it_got() {
    let output = succeeds(&["replay", &download()]);
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
    assert!(error.contains("bad.ndjson: line 2 at byte 25: "), "{error}");
    assert!(error.contains("Sync protocol error"), "{error}");

    std::fs::write(&bad, [9, 0, 0, 0, 1]).unwrap();
    let error = fails(&["replay", bad.to_str().unwrap()]);
    assert!(error.contains("line 1 at byte 0: the stream ends after 5 of 9 bytes"), "{error}");
}

//! Runs every scenario of `tests/scenarios/`, once with its lines as JSON and once as BSON.
//!
//! `POWERSYNC_LIBRARY` names another library to run them on; `POWERSYNC_PUBLISHED=1` says that it is the published one,
//! and leaves out the scenarios that say where we differ from it. `POWERSYNC_SCENARIO` selects scenarios by name.

use std::path::Path;

use rowtide_testkit::library::repository;
use rowtide_testkit::scenario::{LineEncoding, run};
use serde_json::Value;

fn run_all(encoding: LineEncoding) {
    let is_published = std::env::var_os("POWERSYNC_PUBLISHED").is_some();
    let selected = std::env::var("POWERSYNC_SCENARIO").unwrap_or_default();
    let mut files: Vec<_> =
        std::fs::read_dir(repository().join("tests/scenarios")).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let mut failures = Vec::new();
    let mut count = 0;
    for file in files.iter().filter(|file| file.to_string_lossy().contains(&selected)) {
        let scenario = read(file);
        if is_published && scenario.get("differs_from_published").is_some() {
            continue;
        }
        let directory = tempfile::tempdir().unwrap();
        if let Err(problem) = run(&scenario, encoding, directory.path()) {
            failures.push(format!("{}: {problem}", file.file_name().unwrap_or_default().display()));
        }
        count += 1;
    }
    assert!(count > 0, "no scenario was run");
    assert!(failures.is_empty(), "{} of {count} scenarios failed:\n{}", failures.len(), failures.join("\n"));
}

fn read(file: &Path) -> Value {
    let text = std::fs::read_to_string(file).unwrap();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

#[test]
fn scenarios_with_json_lines() {
    run_all(LineEncoding::Text);
}

#[test]
fn scenarios_with_bson_lines() {
    run_all(LineEncoding::Binary);
}

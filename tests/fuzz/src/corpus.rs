//! The inputs to start from: committed ones, what the project's scenarios hold, and recorded streams where these are at
//! hand.

use std::path::{Path, PathBuf};

use rowtide_driver::stream::Line;
use rowtide_testkit::{bson, library, recordings, scenario::LineEncoding};
use serde_json::Value;

use crate::script::SCHEMAS;
use crate::{Format, Target};

/// The directory with the committed inputs of a target.
pub fn directory(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target.name)
}

/// The committed inputs of a target, in order of their names.
///
/// # Errors
/// If a file cannot be read.
pub fn committed(target: &Target) -> std::io::Result<Vec<Vec<u8>>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(directory(target))? {
        files.push(entry?.path());
    }
    files.sort();
    files.iter().map(std::fs::read).collect()
}

/// Inputs made of other things that the project has: scenarios, and recordings where these are at hand.
pub fn made(target: &Target) -> Vec<Vec<u8>> {
    let scenarios = scenarios();
    let mut inputs = match (target.name, target.format) {
        ("schema", _) => schemas(&scenarios),
        ("upload_queue", _) => calls(&scenarios),
        ("json_text", _) => lines(&scenarios).iter().flat_map(rows).collect(),
        (_, Format::Json) => {
            let of_scenarios = lines(&scenarios).into_iter().map(|line| line.to_string().into_bytes());
            of_scenarios.chain(recorded(LineEncoding::Text)).collect()
        }
        (_, Format::Bson) => {
            let of_scenarios = lines(&scenarios);
            of_scenarios.iter().map(bson::encode).chain(recorded(LineEncoding::Binary)).collect()
        }
        (_, Format::Script) => scenarios.iter().map(|scenario| script(scenario).into_bytes()).collect(),
    };
    inputs.sort();
    inputs.dedup();
    inputs
}

fn scenarios() -> Vec<Value> {
    let directory = library::repository().join("tests/scenarios");
    let files = std::fs::read_dir(directory).expect("scenarios are part of the repository");
    let mut files: Vec<PathBuf> = files.map(|entry| entry.expect("an entry can be read").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let read = |file: &PathBuf| std::fs::read_to_string(file).expect("a scenario can be read");
    files.iter().map(|file| serde_json::from_str(&read(file)).expect("a scenario is JSON")).collect()
}

/// All lines of scenarios.
fn lines(scenarios: &[Value]) -> Vec<Value> {
    let steps = scenarios.iter().flat_map(|scenario| scenario["steps"].as_array().into_iter().flatten());
    steps.map(|step| step["line"].clone()).filter(Value::is_object).collect()
}

/// All recorded lines of an encoding, where recordings are at hand.
fn recorded(encoding: LineEncoding) -> Vec<Vec<u8>> {
    let is_there = std::env::var_os(recordings::DATA_VARIABLE).is_some();
    let recordings = if is_there { recordings::recordings() } else { Vec::new() };
    let lines = recordings.iter().flat_map(|recording| recording.lines(encoding).unwrap_or_default());
    lines.map(bytes).collect()
}

fn bytes(line: Line) -> Vec<u8> {
    match line {
        Line::Text(text) => text.into_bytes(),
        Line::Binary(document) => document,
    }
}

/// The rows that a line carries, each with the one before it.
fn rows(line: &Value) -> Vec<Vec<u8>> {
    let entries = line["data"]["data"].as_array().map(Vec::as_slice).unwrap_or_default();
    let texts: Vec<&str> = entries.iter().filter_map(|entry| entry["data"].as_str()).collect();
    let text = |pair: &[&str]| pair.join("\n").into_bytes();
    texts.windows(2).map(text).chain(texts.iter().map(|one| text(&[one, "{}"]))).collect()
}

/// The calls of scenarios that give their arguments as parameters.
fn calls(scenarios: &[Value]) -> Vec<Vec<u8>> {
    let steps = |scenario: &Value| -> String {
        let steps = scenario["steps"].as_array().map(Vec::as_slice).unwrap_or_default();
        steps.iter().filter_map(call).collect()
    };
    scenarios.iter().map(steps).filter(|calls| !calls.is_empty()).map(String::into_bytes).collect()
}

fn call(step: &Value) -> Option<String> {
    let name = step["sql"].as_str()?.strip_prefix("SELECT powersync_")?.strip_suffix("(?, ?)")?;
    let arguments: Vec<&str> = step["parameters"].as_array()?.iter().filter_map(Value::as_str).collect();
    Some(format!("{name} {}\n", arguments.join("|").replace('\n', " ")))
}

fn schemas(scenarios: &[Value]) -> Vec<Vec<u8>> {
    let of_scenarios = scenarios.iter().map(|scenario| scenario["schema"].to_string());
    let own = SCHEMAS.iter().map(|schema| schema.replace('\n', " "));
    own.chain(of_scenarios).map(String::into_bytes).collect()
}

/// A scenario as a script, as far as scripts can say it.
fn script(scenario: &Value) -> String {
    let mut script = String::new();
    for step in scenario["steps"].as_array().into_iter().flatten() {
        let line = match (&step["line"], step["control"].as_str(), &step["payload"]) {
            (Value::Object(_), _, _) => format!("line {}", step["line"]),
            (_, Some(operation), Value::Null) => operation.to_owned(),
            (_, Some(operation), Value::String(text)) => format!("{operation} '{text}"),
            (_, Some(operation), payload) => format!("{operation} {payload}"),
            _ => "write 0".to_owned(),
        };
        script.push_str(&line.replace('\n', " "));
        script.push('\n');
    }
    script + "complete\n"
}

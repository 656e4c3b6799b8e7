//! Runs scenarios: sequences of SQL statements, control calls and sync lines with what must come of each, written as
//! data so that other languages can share them. `tests/scenarios/README.md` describes the format.

use std::path::Path;

use serde_json::{Value, json};

use crate::host::{Host, HostError, Payload};
use crate::{bson, expectation};

/// How the lines of a scenario are given to the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineEncoding {
    /// As JSON, with `line_text`.
    Text,
    /// As BSON, with `line_binary`.
    Binary,
}

/// Runs one scenario on a new database file in `directory`.
///
/// # Errors
/// The number of the step (counted from 1) and what was different, or what is wrong with the scenario itself.
pub fn run(scenario: &Value, encoding: LineEncoding, directory: &Path) -> Result<(), String> {
    only_members(scenario, &["about", "reference", "differs_from_published", "schema", "steps"])?;
    let file = directory.join(format!("{encoding:?}.db"));
    let mut runner = Runner { host: Host::open(&file), encoding, schema: scenario.get("schema") };
    runner.prepare();
    let steps = scenario["steps"].as_array().ok_or("a scenario has steps")?;
    for (index, step) in steps.iter().enumerate() {
        if step.get("reopen").is_some() {
            runner.host.try_close().map_err(|error| format!("step {}: closing: {error}", index + 1))?;
            runner.host = Host::open(&file);
            runner.prepare();
            continue;
        }
        runner.step(step).map_err(|problem| format!("step {}: {problem}", index + 1))?;
    }
    Ok(())
}

struct Runner<'s> {
    host: Host,
    encoding: LineEncoding,
    schema: Option<&'s Value>,
}

impl Runner<'_> {
    fn prepare(&self) {
        match self.schema {
            Some(schema) => self.host.replace_schema(schema),
            None => self.host.initialize(),
        }
    }

    fn step(&self, step: &Value) -> Result<(), String> {
        only_members(
            step,
            &[
                "about",
                "sql",
                "parameters",
                "in_transaction",
                "control",
                "payload",
                "line",
                "expect_rows",
                "expect_json",
                "expect_instructions",
                "expect_debug_lines",
                "expect_result",
                "expect_error",
            ],
        )?;
        let outcome = match (step.get("sql"), step.get("control"), step.get("line")) {
            (Some(Value::String(sql)), None, None) => self.sql(sql, step),
            (None, Some(Value::String(operation)), None) => {
                self.host.try_control(operation, payload(&step["payload"])?)
            }
            (None, None, Some(line)) => match self.encoding {
                LineEncoding::Text => self.host.try_control("line_text", line.to_string()),
                LineEncoding::Binary => self.host.try_control("line_binary", bson::encode(line)),
            },
            _ => return Err(format!("a step has one of sql, control and line: {step}")),
        };
        judge(step, outcome)
    }

    fn sql(&self, sql: &str, step: &Value) -> Result<Value, HostError> {
        let parameters = rusqlite::params_from_iter(sql_values(&step["parameters"]));
        let rows = match in_transaction(step) {
            true => self.host.try_transaction(sql, parameters),
            false => self.host.try_rows(sql, parameters),
        };
        rows.map(|rows| json!(rows))
    }
}

/// Whether the statement of a step is run in a transaction.
pub(crate) fn in_transaction(step: &Value) -> bool {
    step["in_transaction"] == true
}

/// The parameters of a statement.
pub(crate) fn sql_values(parameters: &Value) -> Vec<rusqlite::types::Value> {
    let parameters = parameters.as_array().map(Vec::as_slice).unwrap_or_default();
    let values = parameters.iter().map(|value| match value {
        Value::String(text) => text.clone().into(),
        Value::Number(number) if number.is_i64() => number.as_i64().into(),
        Value::Number(number) => number.as_f64().into(),
        Value::Null => rusqlite::types::Value::Null,
        other => rusqlite::types::Value::Text(other.to_string()),
    });
    values.collect()
}

/// Compares the result of a step with what it expects; without expectations it must only succeed.
pub(crate) fn judge(step: &Value, outcome: Result<Value, HostError>) -> Result<(), String> {
    let result = match (outcome, step.get("expect_error")) {
        (Ok(value), None) => value,
        (Ok(value), Some(expected)) => return Err(format!("no error, expected {expected}; result {value}")),
        (Err(error), None) => return Err(format!("failed: {error}")),
        (Err(error), Some(expected)) => {
            let actual = json!({ "code": error.code, "message": error.message });
            return expectation::check(&actual, expected).map_err(|problem| format!("error {actual}: {problem}"));
        }
    };
    if let Some(expected) = step.get("expect_rows").or(step.get("expect_result")) {
        expectation::check(&result, expected)?;
    }
    if let Some(expected) = step.get("expect_json") {
        expectation::check(&only_value(&result)?, expected)?;
    }
    if let Some(expected) = step.get("expect_instructions") {
        let with_debug_lines = step["expect_debug_lines"] == true;
        let instructions: Vec<Value> = match &result {
            Value::Array(list) => {
                list.iter().filter(|item| with_debug_lines || !is_debug_line(item)).cloned().collect()
            }
            other => return Err(format!("no list of instructions: {other}")),
        };
        expectation::check(&instructions.into(), expected)
            .map_err(|problem| format!("{problem}\nall instructions: {result}"))?;
    }
    Ok(())
}

/// The JSON in the one value that a statement gives.
fn only_value(rows: &Value) -> Result<Value, String> {
    match rows.as_array().map(Vec::as_slice) {
        Some([Value::Array(row)]) if row.len() == 1 => match &row[0] {
            Value::String(text) => serde_json::from_str(text).map_err(|error| format!("no JSON ({error}): {text}")),
            other => Err(format!("no JSON text: {other}")),
        },
        _ => Err(format!("not one value: {rows}")),
    }
}

fn is_debug_line(instruction: &Value) -> bool {
    instruction["LogLine"]["severity"] == "DEBUG"
}

/// A control call's payload: text, integers and null as they are, `{"$blob": "hex"}` as a blob, other JSON as its text.
pub(crate) fn payload(value: &Value) -> Result<Payload, String> {
    match value {
        Value::String(text) => Ok(text.as_str().into()),
        Value::Number(number) => number.as_i64().map(Payload::from).ok_or(format!("no integer: {number}")),
        other => match other["$blob"].as_str() {
            Some(digits) => unhex(digits).map(Payload::from).ok_or(format!("not hexadecimal: {digits}")),
            None => Ok(other.into()),
        },
    }
}

pub(crate) fn unhex(digits: &str) -> Option<Vec<u8>> {
    let byte = |index| u8::from_str_radix(digits.get(index..index + 2)?, 16).ok();
    (0..digits.len()).step_by(2).map(byte).collect()
}

/// Refuses misspelt members, which would silently expect nothing.
fn only_members(value: &Value, known: &[&str]) -> Result<(), String> {
    let members = value.as_object().ok_or(format!("not an object: {value}"))?;
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => Err(format!("unknown member {name}")),
        None => Ok(()),
    }
}

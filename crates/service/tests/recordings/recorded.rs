//! Reads recordings: requests, lines, and what was done to the source meanwhile.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::PathBuf;

use serde_json::Value;

/// One recorded session.
pub(super) struct Recording {
    pub(super) user: String,
    pub(super) request: Value,
    /// The lines before the first step.
    first: Vec<Value>,
    pub(super) steps: Vec<Step>,
}

/// One change, and the lines that it caused.
pub(super) struct Step {
    pub(super) what: String,
    /// The body of the answer, if it is a request.
    pub(super) answer: Option<String>,
    pub(super) lines: Vec<Value>,
}

/// A row of a table.
pub(super) struct Row {
    pub(super) table: String,
    pub(super) columns: serde_json::Map<String, Value>,
}

/// A request to another route, and its answer.
pub(super) struct Answer {
    pub(super) name: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) body: Value,
    pub(super) status: u16,
    pub(super) response: Value,
}

pub(super) fn directory() -> PathBuf {
    PathBuf::from(std::env::var_os("POWERSYNC_INTEROP_DATA").unwrap()).join("streams")
}

fn read(path: &str) -> Option<String> {
    let path = directory().join(path);
    if let Ok(text) = std::fs::read_to_string(&path) {
        return Some(text);
    }
    let compressed = std::fs::File::open(format!("{}.gz", path.display())).ok()?;
    let mut text = String::new();
    flate2::read::GzDecoder::new(compressed).read_to_string(&mut text).unwrap();
    Some(text)
}

/// The lines of a text. `NaN`, which a line without `raw_data` can hold, is no JSON.
fn lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(&without_nan(line)).unwrap()).collect()
}

fn without_nan(text: &str) -> String {
    text.replace(":NaN", ":null")
}

impl Recording {
    /// The request alone.
    pub(super) fn read_request(name: &str) -> Self {
        let meta: Value = serde_json::from_str(&read(&format!("{name}/meta.ndjson.json")).unwrap()).unwrap();
        let request = serde_json::from_str(&read(&format!("{name}/request.json")).unwrap()).unwrap();
        let user = meta["token"]["sub"].as_str().unwrap().to_owned();
        Self { user, request, first: Vec::new(), steps: Vec::new() }
    }

    pub(super) fn read(name: &str) -> Self {
        let meta: Value = serde_json::from_str(&read(&format!("{name}/meta.ndjson.json")).unwrap()).unwrap();
        let text = read(&format!("{name}/stream.ndjson")).unwrap();
        let at = |step: &Value, member: &str| usize::try_from(step[member].as_u64().unwrap()).unwrap();
        let recorded = meta["steps"].as_array().cloned().unwrap_or_default();
        let end = recorded.first().map_or(text.len(), |step| at(step, "ndjson_from"));
        let step = |step: &Value| Step {
            what: step["step"].as_str().unwrap().to_owned(),
            answer: step["result"]["body"].as_str().map(str::to_owned),
            lines: lines(&text[at(step, "ndjson_from")..at(step, "ndjson_to")]),
        };
        let steps = recorded.iter().map(step).collect();
        Self { first: lines(&text[..end]), steps, ..Self::read_request(name) }
    }

    pub(super) fn initial(&self) -> &[Value] {
        &self.first
    }

    /// The rows that the client has after the first lines.
    pub(super) fn rows(&self) -> Vec<Row> {
        let mut rows = BTreeMap::new();
        let operations = self.first.iter().filter_map(|line| line["data"]["data"].as_array()).flatten();
        for operation in operations {
            let key = (operation["object_type"].to_string(), operation["object_id"].to_string());
            match operation["op"].as_str().unwrap() {
                "PUT" => {
                    let columns = match &operation["data"] {
                        Value::String(data) => serde_json::from_str(&without_nan(data)).unwrap(),
                        nested => nested.as_object().unwrap().clone(),
                    };
                    rows.insert(key, Row { table: operation["object_type"].as_str().unwrap().into(), columns });
                }
                "REMOVE" => drop(rows.remove(&key)),
                _ => {}
            }
        }
        rows.into_values().collect()
    }
}

/// Requests to the other routes.
pub(super) fn answers() -> Vec<Answer> {
    let text = read("10-http/responses.json").unwrap();
    let answers: Vec<Value> = serde_json::from_str(&text).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let answer = |answer: Value| Answer {
        name: text(&answer["name"]),
        method: text(&answer["method"]),
        path: text(&answer["path"]),
        body: answer["body"].clone(),
        status: u16::try_from(answer["status"].as_u64().unwrap()).unwrap(),
        response: serde_json::from_str(answer["response"].as_str().unwrap()).unwrap(),
    };
    answers.into_iter().map(answer).collect()
}

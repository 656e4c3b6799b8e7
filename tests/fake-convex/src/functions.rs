//! The app's functions that a sync service calls, and how their errors look.

use serde_json::{Value as Json, json};

use crate::apply;
use crate::database::{Database, Write};
use crate::server::{Answer, Schema};
use crate::value::{Document, Value};

/// What the table of markers is called.
const MARKERS: &str = "powersync_checkpoints";

/// Why a function ends without its writes.
pub(crate) enum Failure {
    /// `throw new ConvexError(data)`
    Convex(Json),
    /// Anything else that is thrown.
    Other(String),
}

/// Runs a function. Its writes are committed together if it succeeds.
pub(crate) fn run(database: &mut Database, schema: &Schema, body: &Json, has_functions: bool) -> Answer {
    let path = body["path"].as_str().unwrap_or_default();
    let result = match path {
        _ if !has_functions => Err(missing(path)),
        "powersync_checkpoints:createCheckpoint" => Ok(create_checkpoint(database)),
        "powersync:applyTransaction" => apply::run(database, schema, &body["args"]),
        "powersync:describe" => Ok(json!({"tables": schema})),
        other => Err(missing(other)),
    };
    match result {
        Ok(value) => Answer { status: 200, body: json!({"status": "success", "value": value, "logLines": []}) },
        Err(Failure::Convex(data)) => failed(&format!("Uncaught ConvexError: {data}"), Some(data)),
        Err(Failure::Other(message)) => failed(&format!("Uncaught Error: {message}"), None),
    }
}

fn missing(path: &str) -> Failure {
    let hint = "Did you forget to run `npx convex dev` or `npx convex deploy`?";
    Failure::Other(format!("Could not find function for '{path}'. {hint}"))
}

fn failed(message: &str, data: Option<Json>) -> Answer {
    let message = format!("[Request ID: 1234567890abcdef] Server Error\n{message}");
    let mut body = json!({"status": "error", "errorMessage": message, "logLines": []});
    if let Some(data) = data {
        body["errorData"] = data;
    }
    Answer { status: 560, body }
}

/// Writes the one document of the table of markers.
fn create_checkpoint(database: &mut Database) -> Json {
    #[allow(clippy::cast_precision_loss, reason = "as in Convex")]
    let now = Value::Float64(database.now as f64 / 1e6);
    let mut document = Document::from([("last_updated".to_owned(), now)]);
    let tablet = database.active(MARKERS, database.now);
    let known = tablet.and_then(|tablet| database.at(tablet, database.now).next().map(|(id, ..)| id.clone()));
    document.extend(known.map(|id| ("_id".to_owned(), Value::String(id))));
    database.commit(vec![Write::Put { table: MARKERS.to_owned(), document }]);
    Json::Null
}

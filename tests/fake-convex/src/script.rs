//! Scripts of what happens to a deployment: one JSON object on each line.
//!
//! ```text
//! {"define": {"lists": {"uuid": "string", "name": "string?"}}}
//! {"commit": [{"put": "lists", "document": {"_id": "a", "name": "one"}}, {"delete": "lists", "id": "b"}]}
//! {"drop": "lists"}
//! {"import_replace": "lists", "documents": [{"_id": "c"}]}
//! {"forget": "deltas"}                                     or "snapshots", "sync_cursors"
//! {"fail": "document_deltas", "status": 503, "code": "Overloaded", "retry_after": 1}
//! {"fail": "mutation", "body": "cut"}                      or "stall", "garbage", "lost"
//! {"set": {"sync_api": true, "functions": true, "key": true, "export": true}}
//! ```
//!
//! Values of documents are written as where nothing may be lost: `{"$integer": …}`, `{"$bytes": …}`, `{"$float": …}`.

use serde_json::Value as Json;

use crate::database::Write;
use crate::faults::{Fault, Route};
use crate::server::Convex;
use crate::value::document;

/// Runs all lines of a script; empty ones and those that begin with `#` are left out.
///
/// # Errors
/// A line is wrong: its number and why. The lines before it were run.
pub fn run_script(convex: &Convex, script: &str) -> Result<(), String> {
    let lines = script.lines().enumerate().filter(|(_, line)| !line.trim().is_empty() && !line.starts_with('#'));
    for (number, line) in lines {
        let json: Json = serde_json::from_str(line).map_err(|error| format!("line {}: {error}", number + 1))?;
        run(convex, &json).map_err(|error| format!("line {}: {error}", number + 1))?;
    }
    Ok(())
}

fn run(convex: &Convex, line: &Json) -> Result<(), String> {
    let text = |of: &Json| of.as_str().map(str::to_owned).ok_or("a name is missing");
    if let Some(tables) = line["define"].as_object() {
        for (table, fields) in tables {
            let fields = fields.as_object().ok_or("the fields of a table are an object")?;
            let fields: Vec<(&str, &str)> =
                fields.iter().map(|(name, kind)| (name.as_str(), kind.as_str().unwrap_or("any"))).collect();
            convex.define(table, &fields);
        }
    } else if let Some(writes) = line["commit"].as_array() {
        let write = |write: &Json| {
            Ok(match write["put"].as_str() {
                Some(table) => Write::Put { table: table.to_owned(), document: document(&write["document"])? },
                None => Write::Delete { table: text(&write["delete"])?, id: text(&write["id"])? },
            })
        };
        convex.commit(writes.iter().map(write).collect::<Result<_, String>>()?);
    } else if let Some(table) = line["drop"].as_str() {
        convex.drop_table(table);
    } else if let Some(table) = line["import_replace"].as_str() {
        let documents = line["documents"].as_array().ok_or("`documents` is missing")?;
        convex.import_replace(table, documents.iter().map(document).collect::<Result<_, _>>()?);
    } else if let Some(what) = line["forget"].as_str() {
        match what {
            "deltas" => convex.forget_deltas(),
            "snapshots" => convex.forget_snapshots(),
            "sync_cursors" => convex.expire_sync_cursors(),
            other => return Err(format!("{other} cannot be forgotten")),
        }
    } else if let Some(route) = line["fail"].as_str() {
        convex.fail(route_of(route)?, fault_of(line)?);
    } else if let Some(settings) = line["set"].as_object() {
        for (name, value) in settings {
            let is_on = value.as_bool().ok_or("a setting is true or false")?;
            match name.as_str() {
                "sync_api" => convex.set_sync_api(is_on),
                "functions" => convex.remove_functions(!is_on),
                "key" => convex.revoke_key(!is_on),
                "export" => convex.disable_export(!is_on),
                other => return Err(format!("there is no setting {other}")),
            }
        }
    } else {
        return Err("it says nothing that is known".into());
    }
    Ok(())
}

fn route_of(name: &str) -> Result<Route, String> {
    Ok(match name {
        "json_schemas" => Route::JsonSchemas,
        "list_snapshot" => Route::ListSnapshot,
        "document_deltas" => Route::DocumentDeltas,
        "mutation" => Route::Mutation,
        "data_sync" => Route::DataSync,
        "cursor_from_deltas" => Route::CursorFromDeltas,
        other => return Err(format!("there is no route {other}")),
    })
}

fn fault_of(line: &Json) -> Result<Fault, String> {
    if let Some(status) = line["status"].as_u64() {
        let status = u16::try_from(status).map_err(|_| "no status")?;
        // Lives as long as the double does.
        let code = line["code"].as_str().unwrap_or("Overloaded").to_owned().leak();
        return Ok(Fault::Status(status, code, line["retry_after"].as_u64()));
    }
    Ok(match line["body"].as_str() {
        Some("stall") => Fault::Stall,
        Some("cut") => Fault::Cut,
        Some("garbage") => Fault::Garbage,
        Some("lost") => Fault::AnswerLost,
        _ => return Err("a fault has a `status` or a `body`".into()),
    })
}

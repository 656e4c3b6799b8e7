//! `powersync:applyTransaction`, as `docs/examples/convex/convex/powersync.ts` has it.

use std::collections::BTreeMap;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use crate::database::{Database, Write};
use crate::functions::Failure;
use crate::server::Schema;
use crate::value::{Document, Value};

/// Where results are kept, by which a transaction that comes again is known.
const RESULTS: &str = "powersync_results";

/// The field that has the ids of clients.
const KEY: &str = "uuid";

type Rows = BTreeMap<(String, String), Option<Document>>;

/// The transaction as far as it has run.
struct Run<'a> {
    database: &'a Database,
    schema: &'a Schema,
    /// Rows by table and client's id, as they are now.
    rows: Rows,
    conflicts: Vec<Json>,
}

pub(crate) fn run(database: &mut Database, schema: &Schema, args: &Json) -> Result<Json, Failure> {
    let key = &args["key"];
    let stored_as = json!([key["user"], key["client"], key["queue"], key["transaction"]]).to_string();
    if key.is_object()
        && let Some(stored) = database.get(RESULTS, &stored_as)
    {
        let same =
            matches!(stored.get("hash"), Some(Value::String(hash)) if Some(hash.as_str()) == key["hash"].as_str());
        let conflicts = stored.get("conflicts").map_or(Json::Null, Value::clean);
        return Ok(json!({"status": if same { "repeated" } else { "mismatch" }, "conflicts": conflicts}));
    }
    let mut run = Run { database, schema, rows: Rows::new(), conflicts: Vec::new() };
    for (index, operation) in args["transaction"]["operations"].as_array().into_iter().flatten().enumerate() {
        run.operation(index, operation)?;
    }
    let Run { rows, conflicts, .. } = run;
    let mut writes: Vec<Write> = rows
        .into_iter()
        .flat_map(|((table, id), row)| {
            // A row that was deleted and created again is another document.
            let before = stored(database, &table, &id).map(|(id, _)| id);
            let is_kept = row.as_ref().is_some_and(|row| row.contains_key("_id"));
            let deleted = before.filter(|_| !is_kept).map(|id| Write::Delete { table: table.clone(), id });
            deleted.into_iter().chain(row.map(|document| Write::Put { table, document }))
        })
        .collect();
    if key.is_object() {
        let document = [
            ("_id", Value::String(stored_as)),
            ("hash", Value::from(key["hash"].as_str().unwrap_or_default())),
            ("conflicts", Value::from_lossless(&json!(conflicts)).unwrap()),
        ];
        let document = document.map(|(name, value)| (name.to_owned(), value)).into();
        writes.push(Write::Put { table: RESULTS.to_owned(), document });
    }
    database.commit(writes);
    Ok(json!({"status": "applied", "conflicts": conflicts}))
}

/// The document with the id of a client, and its own id.
fn stored(database: &Database, table: &str, id: &str) -> Option<(String, Arc<Document>)> {
    let tablet = database.active(table, database.now)?;
    let is_it = |document: &Document| matches!(document.get(KEY), Some(Value::String(key)) if key == id);
    let mut all = database.at(tablet, database.now);
    all.find(|(_, _, document)| is_it(document)).map(|(id, _, document)| (id.clone(), Arc::clone(document)))
}

impl Run<'_> {
    fn operation(&mut self, index: usize, operation: &Json) -> Result<(), Failure> {
        let text = |name: &str| operation[name].as_str().unwrap_or_default().to_owned();
        let (table, id) = (text("table"), text("id"));
        let fail = |code: &str, message: String| {
            Failure::Convex(json!({"error_code": code, "message": message, "operation_index": index}))
        };
        let Some(fields) = self.schema.get(&table) else {
            return Err(fail("SCHEMA_MISMATCH", format!("The schema has no table {table}.")));
        };
        let before = self.rows.get(&(table.clone(), id.clone())).cloned();
        let before = before.unwrap_or_else(|| stored(self.database, &table, &id).map(|(_, row)| (*row).clone()));
        let convert = |values: &Json| -> Result<Vec<(String, Option<Value>)>, Failure> {
            let members = values.as_object().into_iter().flatten();
            let one = |(name, value): (&String, &Json)| {
                let Some(kind) = fields.get(name) else {
                    return Err(fail("SCHEMA_MISMATCH", format!("The table {table} has no field {name}.")));
                };
                let value = converted(kind, value);
                let value =
                    value.map_err(|()| fail("INVALID_DATA", format!("The value of {table}.{name} is no {kind}.")))?;
                Ok((name.clone(), value))
            };
            members.map(one).collect()
        };
        let mut values = convert(&operation["values"])?;
        let changed: Vec<String> = match &before {
            _ if operation["on_conflict"] == "last_write" => Vec::new(),
            None if operation["op"] == "PATCH" && operation["previous"].is_object() => vec![String::new()],
            None => Vec::new(),
            Some(row) => {
                let is_other = |(name, seen): &(String, Option<Value>)| match (row.get(name), seen) {
                    (Some(stored), Some(seen)) => !stored.same(seen),
                    (stored, seen) => stored.is_some() != seen.is_some(),
                };
                convert(&operation["previous"])?.into_iter().filter(is_other).map(|(name, _)| name).collect()
            }
        };
        if !changed.is_empty() && operation["on_conflict"] == "reject" {
            let conflicts: Vec<Json> =
                changed.iter().map(|column| json!({"operation_index": index, "column": column})).collect();
            let message = format!("The row of the table {table} was changed meanwhile.");
            return Err(Failure::Convex(json!({
                "error_code": "CONFLICT", "message": message, "operation_index": index, "conflicts": conflicts
            })));
        }
        let dropped = values.iter().filter(|(name, _)| changed.contains(name));
        self.conflicts.extend(dropped.map(|(name, _)| json!({"operation_index": index, "column": name})));
        values.retain(|(name, _)| !changed.contains(name));
        let after = match (operation["op"].as_str().unwrap_or_default(), before) {
            ("DELETE", _) => None,
            ("PATCH", None) => return Ok(()),
            (_, before) => {
                let mut row = before.unwrap_or_else(|| Document::from([(KEY.to_owned(), Value::String(id.clone()))]));
                for (name, value) in values {
                    match value {
                        Some(value) => drop(row.insert(name, value)),
                        None => drop(row.remove(&name)),
                    }
                }
                validate(&table, fields, &row)?;
                Some(row)
            }
        };
        self.rows.insert((table, id), after);
        Ok(())
    }
}

/// What the schema of the table does when a document is written.
fn validate(table: &str, fields: &BTreeMap<String, String>, row: &Document) -> Result<(), Failure> {
    let missing = fields.iter().find(|(name, kind)| !kind.ends_with('?') && !row.contains_key(*name));
    missing.map_or(Ok(()), |(name, _)| {
        Err(Failure::Other(format!(
            "Failed to insert or update a document in table \"{table}\" because it does not match the schema: Object is \
             missing the required field `{name}`."
        )))
    })
}

/// The value of a field for a value of SQLite; none: the document does not have the field.
fn converted(kind: &str, json: &Json) -> Result<Option<Value>, ()> {
    let (kind, is_optional) = kind.strip_suffix('?').map_or((kind, false), |kind| (kind, true));
    let value = match (kind, json) {
        (_, Json::Null) if is_optional => return Ok(None),
        ("any", Json::Null) => Value::Null,
        (_, Json::Null) => return Err(()),
        ("boolean", Json::Bool(boolean)) => Value::Boolean(*boolean),
        ("boolean", Json::Number(number)) => match number.as_f64() {
            Some(0.0) => Value::Boolean(false),
            Some(1.0) => Value::Boolean(true),
            _ => return Err(()),
        },
        ("float64", Json::Number(number)) => Value::Float64(number.as_f64().ok_or(())?),
        ("float64", Json::String(text)) if !text.trim().is_empty() => {
            Value::Float64(text.trim().parse().map_err(|_| ())?)
        }
        ("int64", Json::String(text)) => Value::Int64(text.parse().map_err(|_| ())?),
        ("int64", Json::Number(number)) => {
            let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() < 9.1e15).ok_or(())?;
            #[allow(clippy::cast_possible_truncation, reason = "it is a whole number in the range")]
            Value::Int64(float as i64)
        }
        ("bytes", Json::String(text)) => Value::Bytes(STANDARD.decode(text).map_err(|_| ())?),
        ("string" | "id", Json::String(text)) => Value::String(text.clone()),
        ("array" | "object" | "record", Json::String(text)) => {
            let parsed: Json = serde_json::from_str(text).map_err(|_| ())?;
            match (kind, &parsed) {
                ("array", Json::Array(_)) | ("object" | "record", Json::Object(_)) => {
                    Value::from_lossless(&parsed).map_err(|_| ())?
                }
                _ => return Err(()),
            }
        }
        ("any", json) => Value::from_lossless(json).map_err(|_| ())?,
        _ => return Err(()),
    };
    Ok(Some(value))
}

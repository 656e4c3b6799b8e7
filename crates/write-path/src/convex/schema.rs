//! The tables that clients could write, as the app's project describes them.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hasher};

use convex_connect::{Called, Deployment};
use serde::Deserialize;

use crate::persister::PersisterError;
use crate::schema::{Column, Dialect, Schema, Table};

/// What to do if the functions are missing.
pub(super) const SET_UP: &str = "copy convex/powersync.ts of docs/examples/convex into the app's convex folder, and run \
                                 `npx convex deploy`";

#[derive(Deserialize)]
struct Described {
    /// Fields of each table with the kinds of their values.
    tables: BTreeMap<String, BTreeMap<String, String>>,
}

/// Calls `powersync:describe`.
pub(super) fn read(deployment: &Deployment) -> Result<Schema, PersisterError> {
    let failed = |why: &str| PersisterError(format!("Reading the tables that clients can write: {why}"));
    let called = deployment.query("powersync:describe", &serde_json::json!({}));
    let value = match called.map_err(|failure| failed(&failure.message))? {
        Called::Value(value) => value,
        Called::Missing => return Err(failed(&format!("the app has no function powersync:describe: {SET_UP}"))),
        Called::Thrown(_) => return Err(failed("powersync:describe fails: look at the logs of the deployment")),
    };
    let described: Described = serde_json::from_value(value)
        .map_err(|_| failed(&format!("powersync:describe gives something else than is expected: {SET_UP}")))?;
    Ok(schema_of(&described.tables))
}

fn schema_of(described: &BTreeMap<String, BTreeMap<String, String>>) -> Schema {
    let mut hasher = DefaultHasher::new();
    let mut tables = BTreeMap::new();
    for (name, fields) in described {
        hasher.write(format!("{name}{fields:?}").as_bytes());
        let column = |name: &String| Column { name: name.clone(), is_generated: false, column_type: None };
        let key = Dialect::Convex.key();
        let table = Table {
            schema: SCHEMA.to_owned(),
            name: name.clone(),
            has_row_security: false,
            columns: fields.keys().map(column).collect(),
            unique: if fields.contains_key(key) { vec![key.to_owned()] } else { Vec::new() },
        };
        tables.insert(name.clone(), table);
    }
    let version = i64::from_ne_bytes(hasher.finish().to_ne_bytes());
    Schema { dialect: Dialect::Convex, default_schema: SCHEMA.to_owned(), version, tables }
}

/// As the source calls it.
const SCHEMA: &str = "convex";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_field_is_another_version() {
        let of = |fields: &[(&str, &str)]| {
            let fields = fields.iter().map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned())).collect();
            schema_of(&BTreeMap::from([("todos".to_owned(), fields)]))
        };
        let schema = of(&[("uuid", "string"), ("text", "string")]);
        assert_eq!(schema.version, of(&[("text", "string"), ("uuid", "string")]).version);
        assert_ne!(schema.version, of(&[("text", "string?"), ("uuid", "string")]).version);
        assert_eq!(schema.tables["todos"].unique, ["uuid"]);
        assert!(of(&[("text", "string")]).tables["todos"].unique.is_empty());
    }
}

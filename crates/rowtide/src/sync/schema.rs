//! The schema that a file is synced with.

use std::path::Path;

use anyhow::{Context, Result};
use serde_json::Value;

use super::dev;
use crate::database::{Database, explained};

/// The schema, if the file is to get one, and what is to be said about it.
///
/// `dev` is the URL of a development service.
pub(super) fn find(given: Option<&Path>, file: &Path, dev: Option<&str>) -> Result<(Option<String>, Option<String>)> {
    if let Some(path) = given {
        let schema = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        return Ok((Some(schema), None));
    }
    if has_schema(file)? {
        return Ok((None, None));
    }
    let mut why_not = None;
    if let Some(url) = dev {
        match dev::schema(url) {
            Ok(Some(schema)) => return Ok((Some(schema), None)),
            Ok(None) => {}
            Err(error) => why_not = Some(format!(" ({error})")),
        }
    }
    let remark = format!(
        "{} has no schema{}: what is downloaded goes to the table ps_untyped, and is in no table of its own. Give the schema \
         with --schema FILE; what is there by then moves to its tables",
        file.display(),
        why_not.unwrap_or_default()
    );
    Ok((None, Some(remark)))
}

/// Whether the file has tables for rows. One that does not exist has none.
fn has_schema(file: &Path) -> Result<bool> {
    if !file.exists() {
        return Ok(false);
    }
    let database = Database::read(file)?;
    let tables = database.connection().query_row("SELECT powersync_diagnose() -> '$.tables'", (), |row| row.get(0));
    let tables: Option<String> = tables.map_err(|error| explained(error, file))?;
    let tables: Vec<Value> = serde_json::from_str(tables.as_deref().unwrap_or("[]")).unwrap_or_default();
    Ok(tables.iter().any(|table| table.get("kind").is_some_and(|kind| kind != "untyped")))
}

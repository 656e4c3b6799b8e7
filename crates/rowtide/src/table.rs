//! Prints query results as tables.

use anyhow::Result;
use comfy_table::{ContentArrangement, Table, presets};
use rusqlite::types::ValueRef;
use rusqlite::{Params, Statement};

/// Runs a statement and lays its rows out as a table; None if it has no columns (it is no query).
pub(crate) fn render(statement: &mut Statement<'_>, parameters: impl Params) -> Result<Option<String>> {
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    if names.is_empty() {
        statement.execute(parameters)?;
        return Ok(None);
    }
    let columns = names.len();
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic)
        .set_header(names);
    let mut rows = statement.query(parameters)?;
    while let Some(row) = rows.next()? {
        let cells: rusqlite::Result<Vec<String>> = (0..columns).map(|column| row.get_ref(column).map(cell)).collect();
        table.add_row(cells?);
    }
    Ok(Some(table.to_string()))
}

fn cell(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(integer) => integer.to_string(),
        ValueRef::Real(real) => real.to_string(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        ValueRef::Blob(blob) => format!("x'{}'", blob.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
    }
}

//! The tables that rows are stored in, and how many there are.

use alloc::format;

use super::Report;
use super::problems::Problem;
use super::repair::Fix;
use crate::error::Result;
use crate::schema::{KnownSchemas, data_tables};
use crate::text::{Identifier, identifier};

/// A table in the report.
struct Table<'t> {
    name: &'t str,
    kind: &'t str,
    local_only: bool,
    rows: Option<i64>,
}

/// Adds the member `tables`.
pub(super) fn write(report: &mut Report<'_>, schemas: &KnownSchemas) -> Result<()> {
    report.json.raw(",\"tables\":[");
    if report.is_current {
        if let Err(error) = stored(report) {
            report.tolerate("tables", error)?;
        }
        raw(report, schemas)?;
        if let Err(error) = untyped(report) {
            report.tolerate("ps_untyped", error)?;
        }
    }
    report.json.raw("]");
    Ok(())
}

/// JSON and direct tables.
fn stored(report: &mut Report<'_>) -> Result<()> {
    for table in data_tables(report.database)? {
        let rows = Some(count(report, &table.name)?);
        let kind = if table.is_direct { "direct" } else { "json" };
        add(report, &Table { name: &table.row_type, kind, local_only: table.local_only, rows });
    }
    Ok(())
}

/// Raw tables of the schemas that this connection was given.
fn raw(report: &mut Report<'_>, schemas: &KnownSchemas) -> Result<()> {
    for table in &schemas.raw_tables(report.database)? {
        let stored_in = table.table_name.as_deref().unwrap_or(&table.name);
        let rows = count(report, stored_in).ok();
        if rows.is_none() && table.table_name.is_some() {
            let text = format!(
                "The schema names {} as the table for rows of this type, which cannot be read.",
                Identifier(stored_in)
            );
            report.problems.add(&Problem {
                code: "raw-table-unknown",
                subject: Some(&table.name),
                text: &text,
                remedy: "Create the table before syncing.",
                fix: Fix::Nothing,
            })?;
        }
        add(report, &Table { name: &table.name, kind: "raw", local_only: false, rows });
    }
    Ok(())
}

/// Types without a table.
fn untyped(report: &mut Report<'_>) -> Result<()> {
    let mut statement = report.database.prepare("SELECT type, count(*) FROM main.ps_untyped GROUP BY type")?;
    let mut rows = statement.query(&[])?;
    while let Some(row) = rows.next()? {
        let rows = Some(row.integer(1));
        add(report, &Table { name: row.text(0)?, kind: "untyped", local_only: false, rows });
    }
    Ok(())
}

fn count(report: &Report<'_>, table: &str) -> Result<i64> {
    report.database.count(&identifier(table))
}

fn add(report: &mut Report<'_>, table: &Table<'_>) {
    let json = &mut report.json;
    json.comma();
    json.string("{\"name\":", table.name);
    json.string(",\"kind\":", table.kind);
    json.bool(",\"local_only\":", table.local_only);
    json.optional_integer(",\"rows\":", table.rows);
    json.raw("}");
}

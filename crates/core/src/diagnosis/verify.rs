//! Checks of everything that is stored: `powersync_diagnose('verify')`
//! (docs/reference/functions.md#verification).
//!
//! Rows are streamed, so that memory does not depend on their number.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use rowtide_json::writer::Json;

use super::Report;
use super::problems::Problem;
use super::repair::Fix;
use crate::collections::Names;
use crate::error::Result;
use crate::packed_sql::{self, PackedSql};
use crate::schema::{KnownSchemas, RowComparison, data_tables};
use crate::text::{self, Identifier, identifier};

/// The query that compares the rows of a table with what was published, see `sql/diagnosis/rows.sql`.
fn rows_of(sql: &PackedSql, table: &Table<'_>) -> String {
    let is_untyped = table.kind == Kind::Untyped;
    let of_type = if is_untyped { "shown.type = ?1 AND " } else { "" };
    let differs = if is_untyped || table.kind == Kind::Json { "shown.data IS NOT published.data OR " } else { "" };
    // Rows that were inserted locally stay in an insert-only direct table.
    let is_kept = match table.kind {
        Kind::Direct => {
            "EXISTS (SELECT 1 FROM main.sqlite_schema WHERE tbl_name = ?1 AND type = 'trigger' \
                AND sql LIKE '%Unexpected update on insert-only table%') OR "
        }
        _ => "",
    };
    let is_entry = if table.holds_operations { sql.text(packed_sql::IS_NO_ROW_IN_PLACE) } else { "TRUE" };
    let name = identifier(table.name);
    let values =
        [("differs", differs), ("of_type", of_type), ("is_kept", is_kept), ("is_entry", is_entry), ("table", &name)];
    // The application may have other rows in its own tables.
    let others = (table.kind != Kind::Raw).then_some(packed_sql::OTHER_ROWS);
    let in_place = table.holds_operations.then_some(packed_sql::ROWS_IN_PLACE);
    let mut query = String::new();
    for place in [Some(packed_sql::ROWS), others, in_place].into_iter().flatten() {
        query.push_str(&sql.filled(place, &values));
        query.push('\n');
    }
    query
}

/// Where the rows of a type are.
struct Table<'t> {
    row_type: &'t str,
    kind: Kind,
    name: &'t str,
    /// Whether the data of operations may be in its rows.
    holds_operations: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Json,
    Direct,
    Raw,
    Untyped,
}

/// How many rows were looked at.
#[derive(Default)]
struct Rows {
    checked: i64,
    skipped: i64,
}

/// Adds the member `verification`.
pub(super) fn write(report: &mut Report<'_>, schemas: &KnownSchemas) -> Result<()> {
    let mut rows = Rows::default();
    let mut operations = 0;
    if report.is_current {
        let found = report.database.integer("SELECT count(*) FROM main.ps_operations", &[]);
        operations = found.or_else(|error| report.tolerate("ps_operations", error).map(|()| None))?.unwrap_or(0);
        let sql = report.sql;
        report.find("ps_buckets", sql.text(packed_sql::DAMAGED_BUCKETS), &[], Fix::Bucket)?;
        let found = find_rows(report, schemas, &mut rows);
        found.or_else(|error| report.tolerate("rows", error))?;
        report.find_queue_entries("TRUE")?;
    }
    let json = &mut report.json;
    for (name, count) in [
        (",\"verification\":{\"checked_operations\":", operations),
        (",\"checked_rows\":", rows.checked),
        (",\"skipped_rows\":", rows.skipped),
    ] {
        json.integer(name, count);
    }
    json.raw(",\"findings\":");
    Ok(())
}

/// Finds orphans, and rows that differ from what was published.
fn find_rows(report: &mut Report<'_>, schemas: &KnownSchemas, counts: &mut Rows) -> Result<()> {
    let database = report.database;
    let raw_tables = schemas.raw_tables(database)?;
    let tables = data_tables(database)?;
    let (mut known, mut checked) = (Names::default(), Vec::new());
    for raw in &raw_tables {
        let name = raw.table_name.as_deref().unwrap_or_default();
        // A table that is missing is another problem, and one without ids cannot be checked.
        if known.insert(&raw.name) && database.prepare(&format!("SELECT id FROM main.{}", Identifier(name))).is_ok() {
            checked.push(Table { row_type: &raw.name, kind: Kind::Raw, name, holds_operations: false });
        }
    }
    let mut types = Json::default();
    types.raw("[");
    for table in &tables {
        if !table.local_only && known.insert(&table.row_type) {
            let kind = if table.is_direct { Kind::Direct } else { Kind::Json };
            let holds_operations = table.holds_operations;
            checked.push(Table { row_type: &table.row_type, kind, name: &table.name, holds_operations });
            types.comma();
            types.string("", &table.row_type);
        }
    }
    types.raw("]");
    find_orphans(report, &types.finish()?)?;
    for table in &checked {
        check(report, table, false, counts)?;
    }
    // Without the schema it is not known which types have raw tables.
    let may_be_raw = !schemas.has_any(database)?;
    let mut statement = database.prepare(report.sql.text(packed_sql::UNTYPED))?;
    let mut rows = statement.query(&[])?;
    while let Some(row) = rows.next()? {
        let row_type = row.text(0)?;
        if !known.contains(row_type) {
            let table = Table { row_type, kind: Kind::Untyped, name: "ps_untyped", holds_operations: false };
            check(report, &table, may_be_raw, counts)?;
        }
    }
    Ok(())
}

fn find_orphans(report: &mut Report<'_>, types: &str) -> Result<()> {
    for kind in report.sql.statements(packed_sql::ORPHANS) {
        let mut parts = kind.split('|');
        let mut next = || parts.next().unwrap_or_default().trim();
        let (table, condition, what) = (next(), next(), next());
        let sql = format!(
            "SELECT 'orphaned-entries', '{table}', count || ' {what}.', \
              'powersync_repair() with this code deletes them.' \
            FROM (SELECT count(*) AS count FROM main.{table} WHERE {condition}) WHERE count > 0"
        );
        report.find(table, &sql, &[types.into()], Fix::Entries { table, condition, parameter: types.into() })?;
    }
    Ok(())
}

/// Compares the rows of a table with what was published.
fn check(report: &mut Report<'_>, table: &Table<'_>, may_be_elsewhere: bool, counts: &mut Rows) -> Result<()> {
    let database = report.database;
    let mut comparison =
        if table.kind == Kind::Direct { Some(RowComparison::new(database, table.name)?) } else { None };
    let mut statement = database.prepare(&rows_of(report.sql, table))?;
    let mut rows = statement.query(&[table.row_type.into(), i64::from(may_be_elsewhere).into()])?;
    while let Some(row) = rows.next()? {
        if row.integer(1) != 0 {
            counts.skipped = counts.skipped.saturating_add(1);
            continue;
        }
        counts.checked = counts.checked.saturating_add(1);
        let id = row.text(0)?;
        let differs = row.integer(2) != 0
            || match &mut comparison {
                Some(comparison) => !comparison.is_same(id, row.text(3)?)?,
                None => false,
            };
        if differs {
            let subject = text::format(format_args!("{}/{id}", table.row_type))?;
            report.problems.add(&Problem {
                code: "row-differs",
                subject: Some(&subject),
                text: "The row is not what was downloaded, and no local write explains that: something else has changed the table.",
                remedy: "powersync_repair() with this code publishes the row again. powersync_explain() shows both.",
                fix: Fix::Row(table.row_type, id),
            })?;
        }
    }
    Ok(())
}

//! Checks of everything that is stored: `powersync_diagnose('verify')`
//! (docs/reference/functions.md#verification).
//!
//! Rows are streamed, so that memory does not depend on their number.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use const_format::formatcp;
use rowtide_json::writer::Json;

use super::problems::Problem;
use super::repair::Fix;
use super::{Report, queue};
use crate::collections::Names;
use crate::error::Result;
use crate::in_place::IS_IN_PLACE;
use crate::schema::{KnownSchemas, RowComparison, data_tables};
use crate::text::{self, Identifier, identifier};

const REMEDY: &str = "powersync_repair() with this code ";

/// Buckets whose stored operations are damaged. What is pending counts in `add_checksum`, together with operations that
/// are no longer held, so that only the next checkpoint can check it.
const BUCKETS: &str = formatcp!(
    "WITH RECURSIVE regions(region) AS (SELECT 0 UNION ALL SELECT region + 1 FROM regions \
    WHERE region < min((SELECT max(region) FROM main.ps_checkpoint), 127)), \
  held AS (SELECT name, op_checksum & 4294967295 AS stored, \
      coalesce(sum(iif(operation.id & 17179869183 <= settled AND removed <> 1, hash & 4294967295, 0)), 0) & 4294967295 AS actual, \
      sum(operation.id & 17179869183 <= settled AND (entry.operation IS NULL) = (operation.data IS NOT NULL OR removed = 1)) AS lost, \
      sum(removed <> 1 AND iif(data IS NULL, powersync_operation_data(operation.row_type, operation.row_id, operation.id) IS NULL, \
        NOT iif(json_valid(data), json_type(data) = 'object', 0))) AS unreadable \
    FROM main.ps_buckets AS bucket CROSS JOIN regions LEFT JOIN main.ps_operations AS operation \
        ON operation.id BETWEEN ((region << 56) | (bucket.id << 34)) + 1 AND ((region << 56) | (bucket.id << 34)) + 17179869183 \
      LEFT JOIN main.ps_row_operations AS entry \
        ON entry.row_type = operation.row_type AND entry.row_id = operation.row_id AND entry.operation = operation.id \
    WHERE bucket.id BETWEEN 1 AND 4194303 AND settled BETWEEN 0 AND 17179869183 GROUP BY bucket.id) \
  SELECT code, name, iif(code = 'checksum-mismatch', 'The sum of the stored operations is ' || actual || ', and ' || stored \
        || ' is expected.', lost + unreadable || ' stored operations are damaged.'), \
      '{REMEDY}deletes the bucket, so that it is downloaded again. Its rows stay until then.' \
    FROM held CROSS JOIN (SELECT 'checksum-mismatch' AS code UNION ALL SELECT 'operations-invalid') \
    WHERE iif(code = 'checksum-mismatch', stored <> actual, lost + unreadable > 0)"
);

/// Rows of internal tables that mean nothing: the table, the condition, and what they are, one line for each. ?1: types
/// that have a table.
const ORPHANS: &str = "ps_buckets;id NOT BETWEEN 1 AND 4194303 OR settled NOT BETWEEN 0 AND 17179869183 \
    OR pending_delete <> 0;rows are no valid buckets\n\
ps_operations;((id >> 34) & 4194303) NOT IN (SELECT id FROM main.ps_buckets) OR (id >> 56) \
    NOT BETWEEN 0 AND coalesce((SELECT max(region) FROM main.ps_checkpoint), 0);operations are of no bucket\n\
ps_row_operations;NOT EXISTS (SELECT 1 FROM main.ps_operations AS held \
    JOIN main.ps_buckets AS bucket ON bucket.id = (held.id >> 34) & 4194303 \
    WHERE held.id = operation AND held.row_type = ps_row_operations.row_type \
      AND held.row_id = ps_row_operations.row_id AND held.id & 17179869183 <= settled)\
    ;entries are of no published operation\n\
ps_updated_rows;row_type IS NULL OR row_id IS NULL;marks are of no row\n\
ps_untyped;type IN (SELECT value FROM json_each(?1));rows are of types that have a table\n\
ps_sync_state;priority NOT BETWEEN 0 AND 3 AND priority <> 2147483647;rows are of no priority\n\
ps_stream_subscriptions;NOT json_valid(local_params);subscriptions have parameters that are no JSON\n\
ps_diagnostics;kind NOT IN ('attempt', 'checksum', 'stream', 'operation', 'untyped') OR NOT coalesce(json_valid(detail), kind = 'untyped')\
    ;rows are of no known kind";

/// Rows of type ?1 that are published, with those of its table: id, whether local writes or a later publish explain a
/// difference, whether there is one, and the newest version. ?2: whether rows that are missing may be elsewhere.
const ROWS: &str = "WITH explained(id) AS (SELECT row_id FROM main.ps_updated_rows WHERE row_type = ?1 AND row_id IS NOT NULL \
    UNION SELECT entry ->> '$.id' FROM (SELECT iif(json_valid(data), data, '{}') AS entry FROM main.ps_crud) \
      WHERE entry ->> '$.type' = ?1 AND entry ->> '$.id' IS NOT NULL), \
  published AS (SELECT entry.row_id, data, max(op_id) AS op_id, sum(last_applied_op = 0) AS is_unpublished \
    FROM main.ps_row_operations AS entry CROSS JOIN main.ps_operations AS held ON held.id = entry.operation \
        AND held.row_type = entry.row_type AND held.row_id = entry.row_id CROSS JOIN main.ps_buckets AS bucket ON bucket.id = (held.id >> 34) & 4194303 \
    WHERE entry.row_type = ?1 AND removed <> 1 GROUP BY entry.row_id) \
  SELECT published.row_id, published.is_unpublished OR published.row_id IN (SELECT id FROM explained) OR ?2 AND shown.id IS NULL, ";

/// The query [`ROWS`] for a table.
fn rows_of(table: &Table<'_>) -> String {
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
    let name = identifier(table.name);
    const JOIN: &str = "shown.id IS NULL, published.data FROM published LEFT JOIN main.";
    const OTHERS: &str = "shown.id IN (SELECT id FROM explained), TRUE, NULL FROM main.";
    const WITHOUT_ENTRY: &str =
        "NOT EXISTS (SELECT 1 FROM main.ps_row_operations WHERE row_type = ?1 AND row_id = shown.id)";
    // A version in place is the newest one.
    let is_in_place = if table.holds_operations { [" WHERE ", NOT_IN_PLACE] } else { [""; 2] };
    let without_entry =
        if table.holds_operations { [WITHOUT_ENTRY, " AND ", NOT_IN_PLACE] } else { [WITHOUT_ENTRY, "", ""] };
    let in_place = if table.holds_operations { [IN_PLACE, &name, IN_PLACE_END] } else { [""; 3] };
    let compared = [ROWS, differs, JOIN, &name, " AS shown ON ", of_type, "shown.id = published.row_id"];
    let others = [" UNION ALL SELECT shown.id, ", is_kept, OTHERS, &name, " AS shown WHERE ", of_type];
    // The application may have other rows in its own tables.
    let others = if table.kind == Kind::Raw { String::new() } else { others.concat() + &without_entry.concat() };
    compared.concat() + &is_in_place.concat() + &others + &in_place.concat()
}

/// The row `shown` does not have the data of an operation in place.
const NOT_IN_PLACE: &str =
    formatcp!("NOT EXISTS (SELECT 1 FROM main.ps_operations AS held WHERE {IS_IN_PLACE} AND held.row_type = ?1)");

/// Rows with the data of an operation in place, from a table.
const IN_PLACE: &str = " UNION ALL SELECT shown.id, shown.id IN (SELECT id FROM explained), \
    FALSE, NULL FROM main.";
const IN_PLACE_END: &str =
    formatcp!(" AS shown CROSS JOIN main.ps_operations AS held ON {IS_IN_PLACE} AND held.row_type = ?1");

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
        report.find("ps_buckets", BUCKETS, &[], Fix::Bucket)?;
        let found = find_rows(report, schemas, &mut rows);
        found.or_else(|error| report.tolerate("rows", error))?;
        report.find("ps_crud", &queue::entries("TRUE"), &[], Fix::Nothing)?;
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
    const UNTYPED: &str = "WITH RECURSIVE types(type) AS (SELECT min(row_type) FROM main.ps_row_operations \
        UNION ALL SELECT (SELECT min(row_type) FROM main.ps_row_operations WHERE row_type > types.type) \
        FROM types WHERE types.type IS NOT NULL) \
      SELECT type FROM types WHERE type IS NOT NULL UNION SELECT type FROM main.ps_untyped";
    // Without the schema it is not known which types have raw tables.
    let may_be_raw = !schemas.has_any(database)?;
    let mut statement = database.prepare(UNTYPED)?;
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
    for line in ORPHANS.split('\n') {
        let mut parts = line.split(';');
        let mut next = || parts.next().unwrap_or_default();
        let (table, condition, what) = (next(), next(), next());
        let sql = format!(
            "SELECT 'orphaned-entries', '{table}', count || ' {what}.', '{REMEDY}deletes them.' \
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
    let mut statement = database.prepare(&rows_of(table))?;
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

//! Row data that SQLite cannot read, taken over from a published version: it is treated as on download
//! (docs/reference/tables.md#format-1002), in what is stored and in what is shown.
//!
//! Each operation that becomes an empty row is noted in `ps_kv`, for the next iteration to report.

use alloc::format;
use alloc::string::String;

use rowtide_json::writer::Json;
use rowtide_json::{RowData, UNREADABLE_ROW, publishable};
use sqlite_nostd::Row;

use crate::collections::ByName;
use crate::connection::Database;
use crate::error::Result;
use crate::schema::data_tables;
use crate::sync_client::storage::UnpublishableOperation;
use crate::text::identifier;

/// Operations that are noted one by one.
const MOST_NOTES: usize = 100;

/// Makes the data of all operations readable.
///
/// # Errors
/// Errors of SQLite.
pub(super) fn make_readable(database: &Database<'_>) -> Result<()> {
    const SELECT: &str =
        "SELECT id, op_id, row_type, row_id, data FROM main.ps_operations WHERE data IS NOT NULL ORDER BY id";
    // What triggers see is what was downloaded, no local write.
    let _replacing = database.state().enter_sync_operation();
    let mut notes = Notes::default();
    let mut json_tables: Option<ByName<String>> = None;
    let mut statement = database.prepare(SELECT)?;
    let mut rows = statement.query(&[])?;
    while let Some(row) = rows.next()? {
        let Some(readable) = readable(database, &row, &mut notes)? else { continue };
        let json_tables = match &mut json_tables {
            Some(found) => found,
            none => none.insert(synced_json_tables(database)?),
        };
        let table = json_tables.find(row.text(2)?).and_then(|position| json_tables.get(position));
        replace(database, &row, table.map(String::as_str), &readable)?;
    }
    notes.store(database)
}

/// What has to take the place of an operation's data, if anything.
fn readable(database: &Database<'_>, row: &Row<'_>, notes: &mut Notes) -> Result<Option<String>> {
    let reason = match core::str::from_utf8(row.blob(4)?) {
        Ok(data) => match publishable(data)? {
            RowData::AsIs(_) => return Ok(None),
            RowData::Rewritten(data) => return Ok(Some(data)),
            RowData::Unreadable(reason) => reason,
        },
        Err(_) => "text that is not UTF-8",
    };
    notes.add(database, row, reason)?;
    Ok(Some(String::from(UNREADABLE_ROW)))
}

/// JSON tables by the type of their rows.
fn synced_json_tables(database: &Database<'_>) -> Result<ByName<String>> {
    let mut tables = ByName::default();
    for table in data_tables(database)?.iter().filter(|table| !table.local_only && !table.is_direct) {
        if tables.find(&table.row_type).is_none() {
            tables.insert(&table.row_type, identifier(&table.name))?;
        }
    }
    Ok(tables)
}

/// Writes `data` to the operation of `row`, and to the row in each table that shows the old data. Raw and direct tables
/// are for the next full publish.
fn replace(database: &Database<'_>, row: &Row<'_>, table: Option<&str>, data: &str) -> Result<()> {
    const OPERATION: &str = "UPDATE main.ps_operations SET data = ?2 WHERE id = ?1";
    const MARK: &str = "INSERT OR IGNORE INTO main.ps_updated_rows(row_type, row_id) VALUES (?1, ?2)";
    const UNTYPED: &str = "UPDATE main.ps_untyped SET data = ?3 WHERE type = ?1 AND id = ?2 AND CAST(data AS BLOB) = (\
        SELECT CAST(data AS BLOB) FROM main.ps_operations WHERE id = ?4)";
    let (operation, row_type, row_id) = (row.integer(0), row.text(2)?, row.text(3)?);
    match table {
        Some(table) => {
            let shown = format!(
                "UPDATE main.{table} SET data = ?2 WHERE id = ?1 AND CAST(data AS BLOB) = (\
                SELECT CAST(data AS BLOB) FROM main.ps_operations WHERE id = ?3)"
            );
            database.cached_text(&shown)?.execute(&[row_id.into(), data.into(), operation.into()])?;
        }
        None => database.execute(UNTYPED, &[row_type.into(), row_id.into(), data.into(), operation.into()])?,
    }
    database.execute(OPERATION, &[operation.into(), data.into()])?;
    database.execute(MARK, &[row_type.into(), row_id.into()])
}

/// What there is to report, as a JSON array of texts.
#[derive(Default)]
struct Notes {
    json: Json,
    count: usize,
}

impl Notes {
    fn add(&mut self, database: &Database<'_>, row: &Row<'_>, reason: &'static str) -> Result<()> {
        self.count = self.count.saturating_add(1);
        if self.count > MOST_NOTES {
            return Ok(());
        }
        let operation = UnpublishableOperation {
            op_id: row.integer(1),
            row_type: row.optional_text(2)?.map(String::from),
            row_id: row.optional_text(3)?.map(String::from),
            reason,
        };
        let mut bucket = database.cached("SELECT name FROM main.ps_buckets WHERE id = (?1 >> 34) & 4194303")?;
        let mut buckets = bucket.query(&[row.integer(0).into()])?;
        let name = buckets.next()?.map(|bucket| bucket.text(0).map(String::from)).transpose()?;
        self.push(&operation.describe(name.as_deref().unwrap_or_default())?);
        Ok(())
    }

    fn push(&mut self, text: &str) {
        let separator = if self.json.written().is_empty() { "[" } else { "," };
        self.json.string(separator, text);
    }

    fn store(mut self, database: &Database<'_>) -> Result<()> {
        const STORE: &str = "INSERT OR REPLACE INTO main.ps_kv(key, value) VALUES ('powersync_unreadable_rows', ?1)";
        let more = self.count.saturating_sub(MOST_NOTES);
        if more > 0 {
            self.push(&format!("{more} more operations cannot be published as they are"));
        }
        if self.count == 0 {
            return Ok(());
        }
        self.json.raw("]");
        database.execute(STORE, &[self.json.finish()?.as_str().into()])
    }
}

//! Why a row looks as it does (docs/reference/functions.md#powersync_explain).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use rowtide_json::writer::Json;
use sqlite_nostd::{Row, ValueType};

use crate::connection::Database;
use crate::error::Result;
use crate::packed_sql::{self, PackedSql};
use crate::schema::{KnownSchemas, data_tables};
use crate::text::{self, identifier};

/// 0 for a row that was written locally, 1 if only something of it was downloaded.
const MARK: &str = "SELECT min(downloaded) FROM main.ps_updated_rows WHERE row_type = ?1 AND row_id = ?2";

/// Where rows of the type are.
struct Place {
    kind: &'static str,
    table: Option<String>,
    local_only: bool,
    /// Whether the data of operations may be in its rows.
    holds_operations: bool,
}

/// Why a row looks as it does: a row of the table in `sql/diagnosis/explanation.sql`, which says it in words.
#[derive(Clone, Copy)]
enum State {
    NoType,
    Absent,
    AsDownloaded,
    LocalOnly,
    Queued,
    Unacknowledged,
    BehindGate,
    BeforeCheckpoint,
    Differs,
}

/// The explanation of a row, as JSON.
///
/// # Errors
/// Errors of SQLite, for instance without internal tables in the newest format; out of memory.
pub(crate) fn explain(database: &Database<'_>, schemas: &KnownSchemas, row_type: &str, id: &str) -> Result<String> {
    let mut snapshot = database.prepare("SELECT 1 FROM main.sqlite_schema")?;
    let mut rows = snapshot.query(&[])?;
    rows.next()?;
    let sql = PackedSql::unpack()?;
    let row = RowName { database, sql: &sql, row_type, id };
    let place = place(database, schemas, row_type)?;
    let shown = row.shown(place.as_ref())?;
    let in_place = match &place {
        Some(Place { table: Some(table), holds_operations: true, .. }) => {
            sql.filled(packed_sql::ROW_VERSION_IN_PLACE, &[("table", &identifier(table))])
        }
        _ => String::new(),
    };
    let versions = sql.filled(packed_sql::ROW_VERSIONS, &[("in_place", &in_place)]);
    let local = row.json(sql.text(packed_sql::ROW_WRITES))?;
    let state = row.state(place.as_ref(), shown.as_deref(), &versions, local != "[]")?;
    let versions = row.json(&(versions + sql.text(packed_sql::ROW_VERSIONS_JSON)))?;
    let rejected = row.json(sql.text(packed_sql::ROW_REJECTIONS))?;
    let (table, kind) = match &place {
        Some(Place { kind, table, .. }) => (Some(table.as_deref().unwrap_or(row_type)), Some(*kind)),
        None => (None, None),
    };
    let mut statement = database.prepare(sql.text(packed_sql::EXPLANATION))?;
    let parameters = [
        row_type.into(),
        id.into(),
        table.into(),
        kind.into(),
        shown.as_deref().into(),
        versions.as_str().into(),
        local.as_str().into(),
        rejected.as_str().into(),
        (state as i64).into(),
    ];
    let mut rows = statement.query(&parameters)?;
    text::copy(rows.next()?.map_or(Ok(""), |row| row.text(0))?)
}

/// The row that is explained.
struct RowName<'r> {
    database: &'r Database<'r>,
    sql: &'r PackedSql,
    row_type: &'r str,
    id: &'r str,
}

impl RowName<'_> {
    /// The JSON that `sql` gives for the row.
    fn json(&self, sql: &str) -> Result<String> {
        let mut statement = self.database.prepare(sql)?;
        let mut rows = statement.query(&[self.row_type.into(), self.id.into()])?;
        match rows.next()? {
            Some(row) => text::copy(row.text(0)?),
            None => Ok(String::new()),
        }
    }

    /// The row as it is in its table, as a JSON object without its id.
    fn shown(&self, place: Option<&Place>) -> Result<Option<String>> {
        let (sql, is_json) = match place {
            None => ("SELECT data FROM main.ps_untyped WHERE type = ?2 AND id = ?1".into(), true),
            Some(Place { table: None, .. }) => return Ok(None),
            Some(Place { kind, table: Some(table), .. }) => {
                let (columns, is_json) = if *kind == "json" { ("data", true) } else { ("*", false) };
                (format!("SELECT {columns} FROM main.{} WHERE id = ?1", identifier(table)), is_json)
            }
        };
        let mut statement = self.database.prepare(&sql)?;
        let mut names = Vec::new();
        for index in 0..statement.column_count() {
            names.push(String::from(statement.column_name(index).unwrap_or_default()));
        }
        let parameters = [self.id.into(), self.row_type.into()];
        let parameters = parameters.get(..statement.parameter_count()).unwrap_or_default();
        let mut rows = statement.query(parameters)?;
        let Some(row) = rows.next()? else { return Ok(None) };
        if is_json {
            text::copy(row.optional_text(0)?.unwrap_or("{}")).map(Some)
        } else {
            object(&row, &names).map(Some)
        }
    }

    fn state(&self, place: Option<&Place>, shown: Option<&str>, versions: &str, is_queued: bool) -> Result<State> {
        let Some(place) = place else { return Ok(State::NoType) };
        if is_queued {
            return Ok(State::Queued);
        }
        if place.local_only {
            return Ok(if shown.is_some() { State::LocalOnly } else { State::Absent });
        }
        let mut statement = self.database.prepare(self.sql.text(packed_sql::GATE_IS_OPEN))?;
        let is_open = statement.query(&[])?.next()?.is_none_or(|row| row.integer(0) != 0);
        let parameters = [self.row_type.into(), self.id.into()];
        let mark = self.database.integer(MARK, &parameters)?;
        if !is_open && mark == Some(0) {
            return Ok(State::Unacknowledged);
        }
        let mut statement =
            self.database.prepare(&format!("{versions}{}", self.sql.text(packed_sql::NEWEST_VERSION)))?;
        let mut rows = statement.query(&parameters)?;
        let Some(row) = rows.next()? else { return Ok(State::Absent) };
        let (is_stored, data, has_newer) =
            (row.integer(0) != 0, row.optional_text(1)?, row.integer(2) != 0 || mark == Some(1));
        // What other tables hold is compared by its existence alone.
        let is_same = match place {
            Place { table: None, .. } => true,
            Place { kind: "json", .. } => is_stored == shown.is_some() && shown.is_none_or(|shown| data == Some(shown)),
            _ => is_stored == shown.is_some(),
        };
        Ok(match (is_same, has_newer, is_stored) {
            (_, true, _) if is_open => State::BeforeCheckpoint,
            (_, true, _) => State::BehindGate,
            (false, ..) => State::Differs,
            (true, false, true) => State::AsDownloaded,
            (true, false, false) => State::Absent,
        })
    }
}

/// Where rows of the type are; None if the schema does not have it.
fn place(database: &Database<'_>, schemas: &KnownSchemas, row_type: &str) -> Result<Option<Place>> {
    for schema in schemas.newest_first(database)?.iter().flatten() {
        for raw in &schema.raw_tables {
            if raw.name == row_type {
                return Ok(Some(Place {
                    kind: "raw",
                    table: raw.table_name.clone(),
                    local_only: false,
                    holds_operations: false,
                }));
            }
        }
    }
    for table in data_tables(database)? {
        if table.row_type == row_type {
            let kind = if table.is_direct { "direct" } else { "json" };
            let (local_only, holds_operations) = (table.local_only, table.holds_operations);
            return Ok(Some(Place { kind, table: Some(table.name), local_only, holds_operations }));
        }
    }
    Ok(None)
}

/// The columns of a row as a JSON object, without `id`. A blob is null.
fn object(row: &Row<'_>, names: &[String]) -> Result<String> {
    let mut json = Json::default();
    json.raw("{");
    for (index, name) in names.iter().enumerate().filter(|(_, name)| *name != "id") {
        json.comma();
        json.string("", name);
        json.raw(":");
        match row.column_type(index) {
            ValueType::Integer => json.integer("", row.integer(index)),
            ValueType::Real => json.real(row.real(index)),
            ValueType::Text => json.string("", row.text(index)?),
            ValueType::Null | ValueType::Blob => json.raw("null"),
        }
    }
    json.raw("}");
    Ok(json.finish()?)
}

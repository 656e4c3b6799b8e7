//! Writing published rows to where their type lives.

use alloc::borrow::Cow;
use alloc::string::String;

use rowtide_json::UNREADABLE_ROW;
use rowtide_json::{RowData, publishable};
use sqlite_nostd::{ResultCode, log};

use super::held_rows::HeldRows;
use super::row_location::RowLocation;
use crate::bucket_storage::{StoreMemory, warnings};
use crate::collections::ByName;
use crate::connection::{CachedStatement, Database};
use crate::error::Result;
use crate::schema::{KnownSchemas, RowWriter};
use crate::text;

/// Types whose statements are kept at hand, which bounds the memory for them. Rows come sorted by type in the main.
const KEPT: usize = 250;

/// Writes and removes the rows of one type that has a table.
enum RowSink<'c> {
    /// In a raw or direct table.
    Rows(RowWriter<'c>),
    /// In a `ps_data__` table.
    Json { put: CachedStatement<'c>, delete: CachedStatement<'c> },
}

/// The stored `data` of a row, or what to show in place of something that is no JSON object: a view over it would fail
/// as a whole.
///
/// It was read when it came, and is not read again for each row. Only what is no object at first sight is.
fn readable<'d>(row_type: &str, row_id: &str, data: &'d str) -> Result<Cow<'d, str>> {
    if data.starts_with('{') && data.ends_with('}') {
        return Ok(Cow::Borrowed(data));
    }
    Ok(match publishable(data)? {
        RowData::AsIs(data) => Cow::Borrowed(data),
        RowData::Rewritten(data) => Cow::Owned(data),
        RowData::Unreadable(reason) => {
            let what = format_args!("ps_operations: the data of {row_type} {row_id} cannot be read: {reason}");
            log(ResultCode::CORRUPT, &text::format(what)?);
            Cow::Borrowed(UNREADABLE_ROW)
        }
    })
}

/// The type met last.
enum Current {
    /// The position of its sink.
    At(usize),
    /// It has no table, its rows go to `ps_untyped`. None means no type.
    Untyped(Option<String>),
}

/// The sinks of the types met during one publish.
pub(crate) struct RowSinks<'a, 'c> {
    database: &'a Database<'c>,
    memory: &'a StoreMemory,
    by_type: ByName<RowSink<'c>>,
    current: Current,
    /// Whether the current type was noted to have no table.
    is_noted: bool,
    /// The rows that are left out; None if all are written.
    held: Option<HeldRows>,
}

impl<'a, 'c> RowSinks<'a, 'c> {
    /// No sinks yet: each type is looked up when its first row comes.
    pub(crate) fn new(database: &'a Database<'c>, memory: &'a StoreMemory, schemas: &KnownSchemas) -> Result<Self> {
        memory.locations.refresh(database, schemas)?;
        let (by_type, current) = (ByName::default(), Current::Untyped(None));
        Ok(Self { database, memory, by_type, current, is_noted: false, held: None })
    }

    /// Leaves these rows out from now on.
    pub(super) fn hold_back(&mut self, held: HeldRows) {
        self.held = Some(held);
    }

    /// The rows that are left out; None if all are written.
    pub(super) fn held(&self) -> Option<&HeldRows> {
        self.held.as_ref()
    }

    fn holds_back(&mut self, row_type: &str, row_id: &str) -> Result<bool> {
        match &mut self.held {
            Some(held) => held.hold_back(self.database, row_type, row_id),
            None => Ok(false),
        }
    }

    /// Makes `data` the content of a row. A row that already has it is not written, unless only the application's own
    /// statement could find out.
    pub(crate) fn put(&mut self, row_type: &str, row_id: &str, data: &str) -> Result<()> {
        const UNTYPED: &str = "INSERT INTO main.ps_untyped(type, id, data) VALUES (?1, ?2, ?3) \
            ON CONFLICT(type, id) DO UPDATE SET data = excluded.data WHERE data IS NOT excluded.data";
        if self.holds_back(row_type, row_id)? {
            return Ok(());
        }
        let database = self.database;
        let data = &*readable(row_type, row_id, data)?;
        let written = match self.sink(row_type)? {
            Some(RowSink::Rows(writer)) => writer.put(database, row_id, data),
            Some(RowSink::Json { put, .. }) => put.execute(&[row_id.into(), data.into()]),
            None => {
                if !self.is_noted {
                    warnings::note_untyped(database, row_type)?;
                    self.is_noted = true;
                }
                database.execute(UNTYPED, &[row_type.into(), row_id.into(), data.into()])
            }
        };
        written.map_err(|error| self.memory.failed_row.note(row_type, row_id, error))
    }

    /// Removes a row, if it exists.
    pub(crate) fn delete(&mut self, row_type: &str, row_id: &str) -> Result<()> {
        const UNTYPED: &str = "DELETE FROM main.ps_untyped WHERE type = ?1 AND id = ?2";
        if self.holds_back(row_type, row_id)? {
            return Ok(());
        }
        let database = self.database;
        let removed = match self.sink(row_type)? {
            Some(RowSink::Rows(writer)) => writer.delete(database, row_id),
            Some(RowSink::Json { delete, .. }) => delete.execute(&[row_id.into()]),
            None => database.execute(UNTYPED, &[row_type.into(), row_id.into()]),
        };
        removed.map_err(|error| self.memory.failed_row.note(row_type, row_id, error))
    }

    /// The sink of a type, None if it has no table.
    fn sink(&mut self, row_type: &str) -> Result<Option<&mut RowSink<'c>>> {
        let is_current = match &self.current {
            Current::At(position) => self.by_type.name(*position) == Some(row_type),
            Current::Untyped(name) => name.as_deref() == Some(row_type),
        };
        if !is_current {
            self.is_noted = false;
            self.current = match self.position(row_type)? {
                Some(position) => Current::At(position),
                None => Current::Untyped(Some(text::copy(row_type)?)),
            };
        }
        Ok(match self.current {
            Current::At(position) => self.by_type.get_mut(position),
            Current::Untyped(_) => None,
        })
    }

    fn position(&mut self, row_type: &str) -> Result<Option<usize>> {
        if let Some(position) = self.by_type.find(row_type) {
            return Ok(Some(position));
        }
        let sink = match self.memory.locations.find(self.database, row_type)? {
            RowLocation::Rows(table) => RowSink::Rows(RowWriter::new(table)),
            RowLocation::Json { put, delete } => {
                RowSink::Json { put: self.database.cached_text(&put)?, delete: self.database.cached_text(&delete)? }
            }
            RowLocation::Untyped => return Ok(None),
        };
        if self.by_type.len() >= KEPT {
            self.current = Current::Untyped(None);
            self.by_type.clear();
        }
        self.by_type.insert(row_type, sink).map(Some)
    }
}

//! Writing published rows to where their type lives.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use rowtide_json::UNREADABLE_ROW;
use rowtide_json::{RowData, publishable};
use sqlite_nostd::{ResultCode, log};

use super::held_rows::HeldRows;
use super::row_location::{JsonTable, RowLocation};
use crate::bucket_storage::{StoreMemory, warnings};
use crate::collections::{ByName, sort_by};
use crate::connection::{CachedStatement, Database};
use crate::error::Result;
use crate::in_place;
use crate::schema::{KnownSchemas, RowWriter, keep_rest};
use crate::text;

/// Types whose statements are kept at hand, which bounds the memory for them. Rows come sorted by type in the main.
const KEPT: usize = 250;

/// From this many rows on, it matters how they are deleted.
pub(super) const MANY_ROWS: usize = 1000;

/// Writes and removes the rows of one type that has a table.
enum RowSink<'c> {
    /// In a raw or direct table.
    Rows(RowWriter<'c>),
    /// In a `ps_data__` table.
    Json { put: CachedStatement<'c>, delete: CachedStatement<'c>, in_place: Option<InPlaceSink<'c>> },
}

/// Statements for a table in which operations may be in place.
struct InPlaceSink<'c> {
    accepts_more: bool,
    find: CachedStatement<'c>,
    insert: CachedStatement<'c>,
    set_aside: CachedStatement<'c>,
    delete_at: CachedStatement<'c>,
    id_at: CachedStatement<'c>,
}

/// Where a row of a type is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum RowPlace {
    /// No operation can be in place in its table.
    #[default]
    Elsewhere,
    /// Nowhere.
    Absent,
    /// It has this rowid, in a table in which operations may be in place.
    At(i64),
}

/// The stored `data` of a row, or what to show in place of something that is no JSON object: a view over it would fail
/// as a whole.
///
/// It was read when it came, and is not read again for each row. Only what is no object at first sight is.
fn readable<'d>(row_type: &str, row_id: &str, data: &'d str) -> Result<Cow<'d, str>> {
    if is_object(data) {
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

/// Whether data are an object at first sight.
fn is_object(data: &str) -> bool {
    data.starts_with('{') && data.ends_with('}')
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

    /// Whether operations may be in place in the table for a type.
    pub(super) fn may_hold_operations(&mut self, row_type: &str) -> Result<bool> {
        Ok(matches!(self.sink(row_type)?, Some(RowSink::Json { in_place: Some(_), .. })))
    }

    /// Whether more operations may come to be in place in the table for a type.
    fn accepts_operations(&mut self, row_type: &str) -> Result<bool> {
        let sink = self.sink(row_type)?;
        Ok(matches!(sink, Some(RowSink::Json { in_place: Some(InPlaceSink { accepts_more: true, .. }), .. })))
    }

    /// Where a row is.
    pub(super) fn place(&mut self, row_type: &str, row_id: &str) -> Result<RowPlace> {
        let Some(RowSink::Json { in_place: Some(InPlaceSink { find, .. }), .. }) = self.sink(row_type)? else {
            return Ok(RowPlace::Elsewhere);
        };
        let mut rows = find.query(&[row_id.into()])?;
        Ok(rows.next()?.map_or(RowPlace::Absent, |row| RowPlace::At(row.integer(0))))
    }

    /// As [`Self::put`], for a row that is at `place`. True if the data are those of `operation` in place then.
    pub(super) fn put_in_place(
        &mut self,
        row_type: &str,
        row_id: &str,
        data: &str,
        operation: i64,
        place: RowPlace,
    ) -> Result<bool> {
        if place != RowPlace::Absent {
            let is_written = !self.holds_back(row_type, row_id)?;
            self.put(row_type, row_id, data)?;
            return Ok(is_written
                && place == RowPlace::At(operation)
                && is_object(data)
                && self.accepts_operations(row_type)?);
        }
        if self.holds_back(row_type, row_id)? {
            return Ok(false);
        }
        let (memory, connection) = (self.memory, self.database.connection());
        if !is_object(data) {
            self.put(row_type, row_id, data)?;
            return Ok(false);
        }
        let Some(RowSink::Json { in_place: Some(InPlaceSink { insert, accepts_more, .. }), .. }) =
            self.sink(row_type)?
        else {
            debug_assert!(false, "a row is absent from a table that operations are not in place in");
            return Ok(false);
        };
        let inserted = insert.execute(&[row_id.into(), data.into(), operation.into()]);
        inserted.map_err(|error| memory.failed_row.note(row_type, row_id, error))?;
        Ok(*accepts_more && connection.last_insert_rowid() == operation)
    }

    /// The operation whose data are in the row.
    pub(crate) fn operation_in_place(&mut self, row_type: &str, row_id: &str) -> Result<Option<i64>> {
        let RowPlace::At(rowid) = self.place(row_type, row_id)? else { return Ok(None) };
        Ok(in_place::is_in_place(self.database, row_type, row_id, rowid)?.then_some(rowid))
    }

    /// Removes the rows of a type with these rowids, in their order: that of the table's pages, of which there are more
    /// than of its key. If nearly all rows go, the others are copied instead.
    pub(super) fn delete_at(&mut self, row_type: &str, rowids: &mut Vec<i64>) -> Result<()> {
        let (memory, database) = (self.memory, self.database);
        let Some(RowSink::Json { in_place: Some(InPlaceSink { delete_at, id_at, .. }), .. }) = self.sink(row_type)?
        else {
            debug_assert!(rowids.is_empty(), "rows have rowids in a table that operations are not in place in");
            return Ok(());
        };
        sort_by(rowids, Ord::cmp);
        if rowids.len() >= MANY_ROWS && keep_rest(database, row_type, rowids)? {
            rowids.clear();
        }
        for rowid in rowids.drain(..) {
            if let Err(error) = delete_at.execute(&[rowid.into()]) {
                let mut rows = id_at.query(&[rowid.into()])?;
                let Some(row) = rows.next()? else { return Err(error) };
                return Err(memory.failed_row.note(row_type, row.text(0)?, error));
            }
        }
        Ok(())
    }

    /// Copies the data of an operation in place to the operation.
    pub(super) fn set_aside(&mut self, row_type: &str, row_id: &str, operation: i64) -> Result<()> {
        let database = self.database;
        if let Some(RowSink::Json { in_place: Some(InPlaceSink { set_aside, .. }), .. }) = self.sink(row_type)? {
            set_aside.execute(&[operation.into()])?;
            in_place::enter(database, row_type, row_id, operation)?;
        }
        Ok(())
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
            RowLocation::Json(table) => self.json(&table)?,
            RowLocation::Untyped => return Ok(None),
        };
        if self.by_type.len() >= KEPT {
            self.current = Current::Untyped(None);
            self.by_type.clear();
        }
        self.by_type.insert(row_type, sink).map(Some)
    }

    fn json(&self, table: &JsonTable) -> Result<RowSink<'c>> {
        let database = self.database;
        let in_place = match &table.in_place {
            Some(sql) => Some(InPlaceSink {
                accepts_more: sql.accepts_more,
                find: database.cached_text(&sql.find)?,
                insert: database.cached_text(&sql.insert)?,
                set_aside: database.cached_text(&sql.set_aside)?,
                delete_at: database.cached_text(&sql.delete_at)?,
                id_at: database.cached_text(&sql.id_at)?,
            }),
            None => None,
        };
        Ok(RowSink::Json {
            put: database.cached_text(&table.put)?,
            delete: database.cached_text(&table.delete)?,
            in_place,
        })
    }
}

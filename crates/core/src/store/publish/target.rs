//! Writing published rows to where their type lives.

use alloc::borrow::Cow;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use sqlite_nostd::{ResultCode, log};

use super::destination::{Destination, Destinations};
use crate::connection::{CachedStatement, Database};
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::UNREADABLE_ROW;
use crate::protocol::{RowData, publishable};
use crate::schema::{KnownSchemas, RowWriter};
use crate::text;

/// Writes and removes the rows of one type.
enum Target<'c> {
    /// In a raw or direct table.
    Rows(RowWriter<'c>),
    /// In a `ps_data__` table.
    Json { put: CachedStatement<'c>, delete: CachedStatement<'c> },
    /// In `ps_untyped`.
    Untyped,
}

/// The stored `data` of a row, or what to show in place of something that is no JSON object: a view over it would fail as
/// a whole.
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
            let message = format!("ps_operations: the data of {row_type} {row_id} cannot be read: {reason}");
            log(ResultCode::CORRUPT, &message);
            Cow::Borrowed(UNREADABLE_ROW)
        }
    })
}

/// The targets of all types met during one publish.
pub struct Targets<'a, 'c> {
    database: &'a Database<'c>,
    destinations: &'a Destinations,
    schemas: &'a KnownSchemas,
    by_type: Vec<(String, Target<'c>)>,
    current: usize,
}

impl<'a, 'c> Targets<'a, 'c> {
    /// No targets yet: each type is looked up when its first row comes.
    pub fn new(database: &'a Database<'c>, destinations: &'a Destinations, schemas: &'a KnownSchemas) -> Result<Self> {
        destinations.refresh(database, schemas)?;
        Ok(Self { database, destinations, schemas, by_type: Vec::new(), current: 0 })
    }

    /// Makes `data` the content of a row. A row that already has it is not written, unless only the application's own
    /// statement could tell.
    pub fn put(&mut self, row_type: &str, row_id: &str, data: &str) -> Result<()> {
        const UNTYPED: &str = "INSERT INTO main.ps_untyped(type, id, data) VALUES (?1, ?2, ?3) \
            ON CONFLICT(type, id) DO UPDATE SET data = excluded.data WHERE data IS NOT excluded.data";
        let database = self.database;
        let data = &*readable(row_type, row_id, data)?;
        match self.target(row_type)? {
            Target::Rows(writer) => writer.put(database, row_id, data),
            Target::Json { put, .. } => put.execute(&[row_id.into(), data.into()]),
            Target::Untyped => database.execute(UNTYPED, &[row_type.into(), row_id.into(), data.into()]),
        }
    }

    /// Removes a row, if it is there.
    pub fn delete(&mut self, row_type: &str, row_id: &str) -> Result<()> {
        const UNTYPED: &str = "DELETE FROM main.ps_untyped WHERE type = ?1 AND id = ?2";
        let database = self.database;
        match self.target(row_type)? {
            Target::Rows(writer) => writer.delete(database, row_id),
            Target::Json { delete, .. } => delete.execute(&[row_id.into()]),
            Target::Untyped => database.execute(UNTYPED, &[row_type.into(), row_id.into()]),
        }
    }

    fn target(&mut self, row_type: &str) -> Result<&mut Target<'c>> {
        // Rows mostly come sorted by type.
        let is_current = self.by_type.get(self.current).is_some_and(|(name, _)| name == row_type);
        if !is_current {
            self.current = match self.by_type.iter().position(|(name, _)| name == row_type) {
                Some(index) => index,
                None => {
                    let target = self.find(row_type)?;
                    let row_type = text::copy(row_type)?;
                    self.by_type.try_reserve(1)?;
                    self.by_type.push((row_type, target));
                    self.by_type.len().saturating_sub(1)
                }
            };
        }
        match self.by_type.get_mut(self.current) {
            Some((_, target)) => Ok(target),
            None => Err(Error::new(ErrorKind::Internal, "the target of a row type was lost")),
        }
    }

    fn find(&self, row_type: &str) -> Result<Target<'c>> {
        Ok(match self.destinations.find(self.database, self.schemas, row_type)? {
            Destination::Rows(table) => Target::Rows(RowWriter::new(table)),
            Destination::Json { put, delete } => {
                Target::Json { put: self.database.cached_text(&put)?, delete: self.database.cached_text(&delete)? }
            }
            Destination::Untyped => Target::Untyped,
        })
    }
}

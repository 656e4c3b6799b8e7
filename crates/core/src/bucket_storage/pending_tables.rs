//! Tables in which the data of pending operations wait: of a type each, until a publish makes such a table the app's
//! (docs/reference/tables.md#pending-data).
//!
//! Data are stored there when a large download of a bucket begins. So the first download is written once.

use alloc::format;
use alloc::string::String;

use rowtide_protocol::{Operation, OplogEntry};

use crate::bucket_storage::StoreMemory;
use crate::bucket_storage::publish::{PendingTable, RowLocation};
use crate::connection::{CachedStatement, Database};
use crate::error::Result;
use crate::in_place::{pending_table, pending_types};
use crate::migrations::note_way_down;
use crate::schema::{DOWNLOADED_TABLE_COLUMNS, KnownSchemas, TableChange, data_table_name};
use crate::text::{Identifier, overwrite};

/// A line with fewer PUTs of a type is no sign of a large download.
const MANY: usize = 100;

/// The same for a type of which there are no rows yet.
const MANY_OF_NEW_TYPE: usize = 10;

/// So many types of a line are looked at.
const MOST_TYPES: usize = 10;

/// The table in which the data of the type met last wait.
pub(super) struct Waiting<'a, 'c> {
    database: &'a Database<'c>,
    memory: &'a StoreMemory,
    schemas: &'a KnownSchemas,
    entries: &'a [OplogEntry<'a>],
    /// Whether nothing of the bucket was published.
    is_new_bucket: bool,
    /// How many types there were for which a table may have been made.
    types: usize,
    row_type: Option<String>,
    statements: Option<Statements<'c>>,
}

struct Statements<'c> {
    insert: CachedStatement<'c>,
    update: CachedStatement<'c>,
    delete: CachedStatement<'c>,
}

impl<'a, 'c> Waiting<'a, 'c> {
    /// For a line with these operations, of a bucket of which nothing was published if `is_new_bucket`.
    pub(super) fn new(
        database: &'a Database<'c>,
        memory: &'a StoreMemory,
        schemas: &'a KnownSchemas,
        entries: &'a [OplogEntry<'a>],
        is_new_bucket: bool,
    ) -> Result<Self> {
        memory.locations.refresh(database, schemas)?;
        Ok(Self { database, memory, schemas, entries, is_new_bucket, types: 0, row_type: None, statements: None })
    }

    /// Whether so many rows of a type are coming that a table may be made.
    fn are_many(&mut self, row_type: &str) -> Result<bool> {
        if !self.is_new_bucket || self.entries.len() < MANY_OF_NEW_TYPE || self.types >= MOST_TYPES {
            return Ok(false);
        }
        self.types = self.types.saturating_add(1);
        let is_meant = |entry: &&OplogEntry<'_>| entry.row_type == Some(row_type) && entry.operation == Operation::Put;
        let count = self.entries.iter().filter(is_meant).take(MANY).count();
        Ok(count == MANY || count >= MANY_OF_NEW_TYPE && is_empty(self.database, row_type)?)
    }

    /// Stores the data of an operation, which is not stored yet. False if it has to have them itself.
    pub(super) fn insert(&mut self, operation: i64, row_type: &str, row_id: &str, data: &str) -> Result<bool> {
        self.meet(row_type)?;
        let Some(Statements { insert, .. }) = &mut self.statements else { return Ok(false) };
        insert.execute(&[operation.into(), row_id.into(), data.into()])?;
        Ok(true)
    }

    /// Replaces the data of an operation, if they are here.
    pub(super) fn update(&mut self, operation: i64, row_type: &str, data: &str) -> Result<()> {
        self.meet(row_type)?;
        match &mut self.statements {
            Some(Statements { update, .. }) => update.execute(&[operation.into(), data.into()]),
            None => Ok(()),
        }
    }

    /// Deletes the data of an operation, if they are here.
    pub(super) fn delete(&mut self, operation: i64, row_type: &str) -> Result<()> {
        self.meet(row_type)?;
        match &mut self.statements {
            Some(Statements { delete, .. }) => delete.execute(&[operation.into()]),
            None => Ok(()),
        }
    }

    /// Finds the table for a type, or makes it if many rows are coming.
    fn meet(&mut self, row_type: &str) -> Result<()> {
        if self.row_type.as_deref() == Some(row_type) {
            return Ok(());
        }
        self.statements = None;
        if let RowLocation::Json(table) = self.memory.locations.find(self.database, row_type)?
            && let Some(in_place) = &table.in_place
        {
            let made;
            let pending = match &in_place.pending {
                Some(pending) => Some(pending),
                None if in_place.accepts_more && self.are_many(row_type)? => {
                    made = self.make(row_type)?;
                    Some(&made)
                }
                None => None,
            };
            if let Some(pending) = pending {
                self.statements = Some(Statements {
                    insert: self.database.cached_text(&pending.insert)?,
                    update: self.database.cached_text(&pending.update)?,
                    delete: self.database.cached_text(&pending.delete)?,
                });
            }
        }
        overwrite(self.row_type.get_or_insert_default(), row_type)
    }

    fn make(&self, row_type: &str) -> Result<PendingTable> {
        let name = pending_table(row_type)?;
        let change = TableChange::begin(self.database)?;
        let create = format!("CREATE TABLE main.{}{DOWNLOADED_TABLE_COLUMNS}", Identifier(&name));
        self.database.execute_batch(&create)?;
        note_way_down(self.database)?;
        change.finish(self.database)?;
        self.memory.locations.refresh(self.database, self.schemas)?;
        PendingTable::new(row_type)
    }
}

/// Whether the app's table for a type has no rows.
fn is_empty(database: &Database<'_>, row_type: &str) -> Result<bool> {
    let sql = format!("SELECT 1 FROM main.{} LIMIT 1", Identifier(&data_table_name(row_type)));
    Ok(database.made_integer(&sql, &[])?.is_none())
}

/// Deletes the data of pending operations whose ids are from `first` to `last`.
pub(super) fn delete_range(database: &Database<'_>, first: i64, last: i64) -> Result<()> {
    // What is settled may be in place.
    const WAITS: &str = "SELECT 1 FROM main.ps_operations \
        WHERE id BETWEEN ?1 + coalesce((SELECT settled FROM main.ps_buckets WHERE id = (?1 >> 34) & 4194303), 0) AND ?2 \
        AND data IS NULL AND removed <> 1 LIMIT 1";
    if database.integer(WAITS, &[first.into(), last.into()])?.is_none() {
        return Ok(());
    }
    for row_type in pending_types(database)? {
        let table = pending_table(&row_type)?;
        let sql = format!("DELETE FROM main.{} WHERE rowid BETWEEN ?1 AND ?2", Identifier(&table));
        database.prepare(&sql)?.execute(&[first.into(), last.into()])?;
    }
    Ok(())
}

/// Deletes the data of all pending operations.
pub(super) fn delete_all(database: &Database<'_>) -> Result<()> {
    for row_type in pending_types(database)? {
        let table = pending_table(&row_type)?;
        database.execute_batch(&format!("DELETE FROM main.{}", Identifier(&table)))?;
    }
    Ok(())
}

//! Where the rows of a type are published: the type's JSON table, or `ps_untyped` while the schema has no such table.

use alloc::string::String;
use alloc::vec::Vec;

use sqlite_nostd::ResultCode;

use crate::connection::{CachedStatement, Database};
use crate::error::{Error, ErrorKind, Result};
use crate::text;

/// Writes and removes the rows of one type.
enum Target<'c> {
    /// A `ps_data__` table.
    Json { put: CachedStatement<'c>, delete: CachedStatement<'c> },
    /// `ps_untyped`.
    Untyped,
}

/// The targets of all types met during one publish.
pub struct Targets<'a, 'c> {
    database: &'a Database<'c>,
    by_type: Vec<(String, Target<'c>)>,
    current: usize,
}

impl<'a, 'c> Targets<'a, 'c> {
    /// No targets yet: each type is looked up when its first row comes.
    pub fn new(database: &'a Database<'c>) -> Self {
        Self { database, by_type: Vec::new(), current: 0 }
    }

    /// Makes `data` the content of a row. A row that already has it is not written.
    pub fn put(&mut self, row_type: &str, row_id: &str, data: &str) -> Result<()> {
        // An equal row is left alone, so that update hooks and watched queries stay quiet.
        const UNTYPED: &str = "INSERT INTO main.ps_untyped(type, id, data) VALUES (?1, ?2, ?3) \
            ON CONFLICT(type, id) DO UPDATE SET data = excluded.data WHERE data IS NOT excluded.data";
        let database = self.database;
        match self.target(row_type)? {
            Target::Json { put, .. } => put.execute(&[row_id.into(), data.into()]),
            Target::Untyped => database.execute(UNTYPED, &[row_type.into(), row_id.into(), data.into()]),
        }
    }

    /// Removes a row, if it is there.
    pub fn delete(&mut self, row_type: &str, row_id: &str) -> Result<()> {
        const UNTYPED: &str = "DELETE FROM main.ps_untyped WHERE type = ?1 AND id = ?2";
        let database = self.database;
        match self.target(row_type)? {
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
                    self.by_type.push((String::from(row_type), find(self.database, row_type)?));
                    self.by_type.len().saturating_sub(1)
                }
            };
        }
        match self.by_type.get_mut(self.current) {
            Some((_, target)) => Ok(target),
            None => Err(Error::new(ErrorKind::Internal, "the target of a row type was lost")),
        }
    }
}

/// Looks up where rows of a type live.
fn find<'c>(database: &Database<'c>, row_type: &str) -> Result<Target<'c>> {
    let table = text::identifier(&alloc::format!("ps_data__{row_type}"));
    let put = alloc::format!(
        "INSERT INTO main.{table}(id, data) VALUES (?1, ?2) \
        ON CONFLICT(id) DO UPDATE SET data = excluded.data WHERE data IS NOT excluded.data"
    );
    // Preparing tells whether the table exists; it is cheaper than a look into sqlite_schema, and cached.
    match database.cached_text(&put) {
        Ok(put) => {
            let delete = database.cached_text(&alloc::format!("DELETE FROM main.{table} WHERE id = ?1"))?;
            Ok(Target::Json { put, delete })
        }
        Err(error) if *error.kind() == ErrorKind::Sqlite(ResultCode::ERROR) && !table_exists(database, row_type)? => {
            Ok(Target::Untyped)
        }
        Err(error) => Err(error),
    }
}

fn table_exists(database: &Database<'_>, row_type: &str) -> Result<bool> {
    const SQL: &str =
        "SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = 'ps_data__' || ?1 COLLATE NOCASE";
    Ok(database.integer(SQL, &[row_type.into()])?.is_some())
}

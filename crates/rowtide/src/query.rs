//! `rowtide query`: SQL on a database file with the extension loaded.

use std::path::PathBuf;

use anyhow::Result;
use rusqlite::Batch;
use rusqlite::fallible_iterator::FallibleIterator;

use crate::session::Session;
use crate::table;

/// Runs SQL on a database file with the extension loaded, and prints the rows as a table.
#[derive(clap::Args)]
pub(crate) struct Query {
    /// The database file, or `:memory:` for an empty database
    file: PathBuf,
    /// One or more SQL statements, separated by semicolons
    sql: String,
}

impl Query {
    pub(crate) fn run(&self) -> Result<()> {
        let session = if self.file.as_os_str() == ":memory:" {
            Session::open(None)?
        } else {
            Session::open_existing(&self.file)?
        };
        let connection = session.connection();
        let mut batch = Batch::new(connection, &self.sql);
        while let Some(mut statement) = batch.next()? {
            match table::render(&mut statement, [])? {
                Some(table) => println!("{table}"),
                None => println!("ok, {} rows changed in all", connection.total_changes()),
            }
        }
        Ok(())
    }
}

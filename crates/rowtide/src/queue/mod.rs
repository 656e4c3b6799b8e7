//! `rowtide queue`: the upload queue of an app's database, and the transactions that its backend has refused.

mod change;
mod export;
mod list;
mod show;
mod transaction;

use std::path::PathBuf;

use anyhow::{Result, bail};
use rusqlite::ErrorCode;

use crate::database::{Database, explained};
use crate::exit::Outcome;

/// Shows and changes the upload queue of a database file, and the transactions that the app's backend has refused.
#[derive(clap::Subcommand)]
pub(crate) enum Queue {
    List(list::List),
    Show(show::Show),
    Retry(change::Retry),
    Discard(change::Discard),
    Reject(change::Reject),
    Export(export::Export),
}

impl Queue {
    pub(crate) fn run(&self) -> Result<Outcome> {
        match self {
            Self::List(command) => command.run(),
            Self::Show(command) => command.run(),
            Self::Retry(command) => command.run(),
            Self::Discard(command) => command.run(),
            Self::Reject(command) => command.run(),
            Self::Export(command) => command.run(),
        }
    }
}

/// A file of which the queue is read.
#[derive(clap::Args)]
struct Source {
    /// The database file
    file: PathBuf,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// Opens a file whose queue can be read. In other formats that is a copy.
fn read(file: &std::path::Path) -> Result<Database> {
    let database = Database::look(file)?;
    match transaction::next(&database, 1) {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ApiMisuse) => {}
        _ => return Ok(database),
    }
    let has_tables = "SELECT count(*) FROM sqlite_schema WHERE name = 'ps_crud'";
    let has_tables: i64 =
        database.connection().query_row(has_tables, [], |row| row.get(0)).map_err(|error| explained(error, file))?;
    if has_tables == 0 {
        bail!("{} has no upload queue: no app has used this database with PowerSync.", file.display());
    }
    database.in_this_format()
}

/// The oldest transaction of the queue as a sentence.
pub(crate) fn oldest(database: &Database) -> Result<String> {
    let (transactions, _) = transaction::waiting(database, 1)?;
    Ok(match transactions.first() {
        Some(transaction) => format!("transaction {}: {}", transaction.id, transaction.phrase()),
        None => "none".to_owned(),
    })
}

//! `rowtide queue retry`, `discard` and `reject`, which change the file.

use std::io::{self, IsTerminal};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rusqlite::Connection;

use super::transaction::{self, Transaction};
use crate::confirm;
use crate::database::Database;
use crate::exit::{Outcome, usage};

/// What all changes need.
#[derive(clap::Args)]
struct Change {
    /// The database file
    file: PathBuf,
    /// Does not ask
    #[arg(long, short)]
    yes: bool,
}

/// Puts rejected transactions back at the end of the queue.
///
/// Their rows are written to the tables again.
#[derive(clap::Args)]
pub(crate) struct Retry {
    #[command(flatten)]
    change: Change,
    #[command(flatten)]
    rejected: Rejected,
}

/// Forgets rejected transactions.
///
/// What they wrote is lost. `rowtide queue export` saves it first.
#[derive(clap::Args)]
pub(crate) struct Discard {
    #[command(flatten)]
    change: Change,
    #[command(flatten)]
    rejected: Rejected,
}

/// Which rejected transactions.
#[derive(clap::Args)]
struct Rejected {
    /// The transactions, as `rowtide queue list` names them
    #[arg(required_unless_present = "all", allow_negative_numbers = true)]
    transactions: Vec<i64>,
    /// All rejected transactions
    #[arg(long, conflicts_with = "transactions")]
    all: bool,
}

/// Takes transactions out of the queue, so that those behind them can be uploaded.
///
/// They are kept as rejected ones. Their rows show what the service has after the next full checkpoint.
#[derive(clap::Args)]
pub(crate) struct Reject {
    #[command(flatten)]
    change: Change,
    /// The transactions, as `rowtide queue list` names them
    #[arg(required = true, allow_negative_numbers = true)]
    transactions: Vec<i64>,
    /// The error code that is kept with them
    #[arg(long, default_value = "rejected-by-hand")]
    code: String,
    /// The message that is kept with them
    #[arg(long, default_value = "taken out of the queue with rowtide")]
    message: String,
}

impl Retry {
    pub(crate) fn run(&self) -> Result<Outcome> {
        let ids = self.rejected.ids(&self.change.file)?;
        self.change.run("Put back at the end of the queue", &ids, |connection, id| {
            let new: String = connection.query_row("SELECT powersync_crud_retry(?)", [id], |row| row.get(0))?;
            Ok(format!("Transaction {id} is back in the queue, as transaction {new}."))
        })
    }
}

impl Discard {
    pub(crate) fn run(&self) -> Result<Outcome> {
        let ids = self.rejected.ids(&self.change.file)?;
        self.change.run("Forget", &ids, |connection, id| {
            connection.query_row("SELECT powersync_crud_discard(?)", [id], |_| Ok(()))?;
            Ok(format!("Transaction {id} was forgotten."))
        })
    }
}

impl Reject {
    pub(crate) fn run(&self) -> Result<Outcome> {
        self.change.run("Take out of the queue", &self.transactions, |connection, id| {
            let arguments = (id, &self.code, &self.message);
            connection.query_row("SELECT powersync_crud_reject(?, ?, ?)", arguments, |_| Ok(()))?;
            Ok(format!("Transaction {id} was rejected."))
        })
    }
}

impl Rejected {
    fn ids(&self, file: &Path) -> Result<Vec<i64>> {
        if !self.all {
            return Ok(self.transactions.clone());
        }
        let all = transaction::rejected(&super::read(file)?, None)?;
        all.iter().map(|each| each.id.parse().context("Reading the id of a rejected transaction")).collect()
    }
}

impl Change {
    /// Asks, and changes all transactions or none.
    fn run(
        &self,
        what: &str,
        ids: &[i64],
        change: impl Fn(&Connection, i64) -> rusqlite::Result<String>,
    ) -> Result<Outcome> {
        if ids.is_empty() {
            println!("There are no rejected transactions.");
            return Ok(Outcome::Fine);
        }
        let database = Database::write(&self.file)?;
        if !self.yes && !confirmed(&database, what, ids)? {
            println!("Nothing was changed.");
            return Ok(Outcome::Problem);
        }
        let done: Vec<String> =
            database.in_transaction(|connection| ids.iter().map(|id| change(connection, *id)).collect())?;
        for line in done {
            println!("{line}");
        }
        Ok(Outcome::Fine)
    }
}

/// Asks on the terminal.
fn confirmed(database: &Database, what: &str, ids: &[i64]) -> Result<bool> {
    if !io::stdin().is_terminal() {
        return Err(usage("There is no terminal to ask on: add --yes."));
    }
    for id in ids {
        // One that cannot be read can still be taken out.
        let found = transaction::find(database, *id).ok().flatten();
        let writes = found.as_ref().map_or_else(|| "it cannot be read".to_owned(), Transaction::phrase);
        eprintln!("{id}: {writes}");
    }
    confirm::ask(&format!("{what}?"))?.context("no answer")
}

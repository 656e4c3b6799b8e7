//! `rowtide shell`: SQL on a database file with the extension loaded, in the manner of `sqlite3`.

mod catalog;
mod commands;
mod dump;
mod editor;
mod format;
mod session;
mod splitter;
mod values;

use std::io::{self, IsTerminal};
use std::path::PathBuf;

use anyhow::Result;

use crate::database::Database;
use crate::exit::Outcome;
use format::{Format, Mode};
use session::Session;

/// Runs SQL on a database file with the extension loaded: what is typed, or what comes on standard input.
///
/// The file is only read, unless --write is given. On a terminal, .help lists the commands. On standard input, the first
/// error ends the program.
#[derive(clap::Args)]
pub(crate) struct Shell {
    /// The database file, or `:memory:` for an empty database
    file: PathBuf,
    /// One or more SQL statements, separated by semicolons, or a command like `.tables`
    sql: Option<String>,
    /// Lets SQL change the file
    #[arg(long)]
    write: bool,
    /// How rows are printed [default: box on a terminal, else column]
    #[arg(long, value_name = "MODE", conflicts_with_all = ["json", "csv"])]
    mode: Option<Mode>,
    /// The same as --mode json
    #[arg(long, conflicts_with = "csv")]
    json: bool,
    /// The same as --mode csv
    #[arg(long)]
    csv: bool,
}

impl Shell {
    pub(crate) fn run(&self) -> Result<Outcome> {
        let database = match self.file.to_str() {
            Some(":memory:") => Database::in_memory()?,
            _ if self.write => Database::write(&self.file)?,
            _ => Database::read(&self.file)?,
        };
        if let Some(why) = database.copied_because() {
            eprintln!("{why}");
        }
        let mode = match (self.json, self.csv) {
            (true, _) => Some(Mode::Json),
            (_, true) => Some(Mode::Csv),
            _ => self.mode,
        };
        let mut session = Session::new(database, Format::new(mode));
        let is_fine = match &self.sql {
            Some(sql) => session.run_text(sql)?,
            None if io::stdin().is_terminal() => {
                editor::run(&mut session)?;
                true
            }
            None => session.run_input(io::stdin().lock())?,
        };
        session.close();
        Ok(if is_fine { Outcome::Fine } else { Outcome::Problem })
    }
}

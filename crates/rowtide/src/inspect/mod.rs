//! `rowtide inspect`: the state of an app's database on one page, and what is wrong with it.

mod headline;
mod page;
mod report;
mod tables;

use std::path::{Path, PathBuf};

use anyhow::Result;
use rusqlite::{Connection, ErrorCode};
use serde_json::Value;

use crate::database::{Database, explained, is_damage};
use crate::exit::{Outcome, usage};
use crate::output::{Terminal, working};
use page::Page;
use report::Report;

/// What to repair, if no code is given.
const ALL: &str = "all";

/// Says why an app's database does not get data, or does not send any.
///
/// Shows one page about a database file: whether it has synced, what holds downloads back, what waits for its upload, and
/// each problem with its remedy. The file is not changed, unless --repair is given, and no connection to a service is needed.
#[derive(clap::Args)]
#[command(
    after_help = "Exit codes: 0 nothing is wrong, 1 something is wrong or the file cannot be read, 2 wrong usage."
)]
pub(crate) struct Inspect {
    /// The database file
    #[arg(required_unless_present = "repair")]
    file: Option<PathBuf>,
    /// Also compares everything that is stored: checksums, rows, the queue
    #[arg(long)]
    verify: bool,
    /// Repairs what the library can repair, or only problems with this code. Never touches local writes
    #[arg(long, value_name = "CODE", num_args = 0..=1, default_missing_value = ALL)]
    repair: Option<String>,
    /// Repairs only the problem with this subject, for instance a bucket
    #[arg(long, requires = "repair")]
    subject: Option<String>,
    /// Lists all buckets, subscriptions and tables
    #[arg(long)]
    all: bool,
    /// Prints what powersync_diagnose() returns; with --repair, what powersync_repair() returns
    #[arg(long)]
    json: bool,
}

impl Inspect {
    pub(crate) fn run(&self) -> Result<Outcome> {
        let (path, repair) = match (&self.file, &self.repair) {
            (Some(file), repair) => (file.as_path(), repair.as_deref()),
            // What follows --repair can be a code or the file.
            (None, repair) => (Path::new(repair.as_deref().unwrap_or_default()), Some(ALL)),
        };
        if let Some(code) = repair {
            let left = self.repair(path, code)?;
            if self.json {
                return Ok(if left == 0 { Outcome::Fine } else { Outcome::Problem });
            }
            println!();
        }
        let file = Database::look(path)?;
        let report = match self.diagnose(&file) {
            Ok(report) => report,
            Err(error) => return Err(self.failed(error, &file)),
        };
        // Formats of other versions are not read by this one. A copy can be.
        if report.has_other_format() {
            match file.in_this_format() {
                Ok(copy) => {
                    let diagnosed = self.diagnose(&copy).map_err(|error| explained(error, path))?;
                    return self.show(&copy, &diagnosed.of_copy(&report));
                }
                Err(error) => eprintln!("{error:#}"),
            }
        }
        self.show(&file, &report)
    }

    fn diagnose(&self, file: &Database) -> rusqlite::Result<Report> {
        let connection = file.connection();
        let sql = if self.verify { "SELECT powersync_diagnose('verify')" } else { "SELECT powersync_diagnose()" };
        let what = if self.verify { "Comparing all that is stored" } else { "Reading the file" };
        let text: String = working(what, || connection.query_row(sql, [], |row| row.get(0)))?;
        match file.journal_mode() {
            None => Ok(Report::new(text)),
            Some(mode) => {
                let set = "SELECT json_set(?, '$.versions.journal_mode', ?)";
                connection.query_row(set, (text, mode), |row| row.get(0)).map(Report::new)
            }
        }
    }

    fn show(&self, file: &Database, report: &Report) -> Result<Outcome> {
        if self.json {
            println!("{}", pretty(file.connection(), report.text())?);
        } else {
            print!("{}", Page::new(file, report, self.all).write());
        }
        Ok(if report.is_fine() { Outcome::Fine } else { Outcome::Problem })
    }

    /// The file is so damaged that there is no report.
    fn failed(&self, error: rusqlite::Error, file: &Database) -> anyhow::Error {
        let is_damage = is_damage(&error);
        let whole = explained(error, file.path());
        if !is_damage {
            return whole;
        }
        // Whatever this finds first says more than the error of the query.
        let check = "SELECT group_concat(quick_check, '; ') FROM (SELECT * FROM pragma_quick_check(3))";
        match file.connection().query_row(check, [], |row| row.get::<_, String>(0)) {
            Ok(found) => whole.context(format!("{}: {}", file.path().display(), crate::output::visible(&found, false))),
            Err(_) => whole,
        }
    }

    /// Repairs, says what was repaired, and returns how much is left.
    fn repair(&self, path: &Path, code: &str) -> Result<usize> {
        let file = Database::write(path)?;
        let text: String = working("Repairing", || {
            file.in_transaction(|connection| match &self.subject {
                Some(subject) => {
                    connection.query_row("SELECT powersync_repair(?, ?)", (code, subject), |row| row.get(0))
                }
                None => connection.query_row("SELECT powersync_repair(?)", [code], |row| row.get(0)),
            })
        })
        .map_err(|error| {
            match error.downcast_ref::<rusqlite::Error>().and_then(rusqlite::Error::sqlite_error_code) {
                // The library does not know the code.
                Some(ErrorCode::ConstraintViolation) => usage(format!("{error:#}")),
                _ => error,
            }
        })?;
        if self.json {
            println!("{}", pretty(file.connection(), &text)?);
        }
        let result: Value = serde_json::from_str(&text)?;
        let of = |name: &str| result.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
        let (repaired, left) = (of("repaired"), of("left"));
        if !self.json {
            print!("{}", page::repaired(&repaired, &left));
        }
        Ok(left.len())
    }
}

/// Laid out for a person, if one reads it.
fn pretty(connection: &Connection, json: &str) -> Result<String> {
    if !Terminal::stdout().is_read_by_a_person() {
        return Ok(json.to_owned());
    }
    Ok(connection.query_row("SELECT json_pretty(?)", [json], |row| row.get(0))?)
}

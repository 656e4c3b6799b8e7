//! Runs statements and commands, and says what is wrong with them.

use std::fs::File;
use std::io::{self, BufRead, BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use rusqlite::{Connection, Error, ErrorCode};

use super::commands::{self, Next};
use super::format::Format;
use super::splitter::{Splitter, Statement};
use crate::database::Database;
use crate::output::{Terminal, visible};

/// How deep `.read` may be nested; a file that reads itself would never end.
const DEEPEST: usize = 20;

/// A shell on one database.
pub(super) struct Session {
    database: Database,
    pub(super) format: Format,
    pub(super) output: Output,
    pub(super) settings: Settings,
    depth: usize,
}

/// What `.show` lists beside the format.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    /// Ends at the first error, where nobody types.
    pub(super) bail: bool,
    pub(super) echo: bool,
    pub(super) timer: bool,
    pub(super) changes: bool,
}

/// Where results go.
pub(super) enum Output {
    Stdout,
    File {
        name: String,
        file: BufWriter<File>,
        /// For one statement.
        once: bool,
    },
}

/// How reading from a file or standard input has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// All was read; whether without an error.
    Read { is_fine: bool },
    /// By `.quit`.
    Quit,
}

impl Session {
    pub(super) fn new(database: Database, format: Format) -> Self {
        let settings = Settings { bail: true, echo: false, timer: false, changes: false };
        Self { database, format, output: Output::Stdout, settings, depth: 0 }
    }

    pub(super) fn connection(&self) -> &Connection {
        self.database.connection()
    }

    pub(super) fn path(&self) -> &Path {
        self.database.path()
    }

    /// Runs an argument of the command line; whether without an error.
    pub(super) fn run_text(&mut self, text: &str) -> Result<bool> {
        let end = self.run_lines(text.as_bytes(), None)?;
        Ok(end != End::Read { is_fine: false })
    }

    /// Runs standard input; whether without an error.
    pub(super) fn run_input(&mut self, input: impl BufRead) -> Result<bool> {
        let end = self.run_lines(input, Some("standard input"))?;
        Ok(end != End::Read { is_fine: false })
    }

    /// Runs a file, for `.read`.
    pub(super) fn run_file(&mut self, path: &str) -> Result<End> {
        if self.depth >= DEEPEST {
            bail!(".read: files are nested deeper than {DEEPEST}");
        }
        let file = File::open(path).with_context(|| format!(".read: opening {path}"))?;
        self.depth += 1;
        let end = self.run_lines(io::BufReader::new(file), Some(path));
        self.depth -= 1;
        end
    }

    /// Runs all lines. `place` is what their numbers belong to.
    fn run_lines(&mut self, mut input: impl BufRead, place: Option<&str>) -> Result<End> {
        let mut splitter = Splitter::default();
        let (mut number, mut is_fine) = (0, true);
        let mut bytes = Vec::new();
        loop {
            bytes.clear();
            if input.read_until(b'\n', &mut bytes).with_context(|| format!("Reading {}", place.unwrap_or("the SQL")))?
                == 0
            {
                break;
            }
            number += 1;
            let Ok(line) = std::str::from_utf8(&bytes) else {
                bail!("{}line {number} is not UTF-8", place.map(|place| format!("{place}: ")).unwrap_or_default());
            };
            let line = line.trim_end_matches(['\n', '\r']);
            if splitter.is_between() && line.starts_with('.') {
                // Counts.
                splitter.push("");
                match self.command(line) {
                    Ok(Next::Continue) => {}
                    Ok(Next::Quit) => return Ok(End::Quit),
                    Err(error) => {
                        report(&error.context_line(place, number));
                        is_fine = false;
                        if self.settings.bail {
                            return Ok(End::Read { is_fine });
                        }
                    }
                }
                continue;
            }
            splitter.push(line);
            while let Some(statement) = splitter.next() {
                is_fine &= self.statement(&statement, place);
                if !is_fine && self.settings.bail {
                    return Ok(End::Read { is_fine });
                }
            }
        }
        if let Some(statement) = splitter.rest() {
            is_fine &= self.statement(&statement, place);
        }
        Ok(End::Read { is_fine })
    }

    /// Runs a statement and reports its error; whether there was none.
    fn statement(&mut self, statement: &Statement, place: Option<&str>) -> bool {
        match self.execute(&statement.sql) {
            Ok(()) => true,
            Err(error) => {
                report(&described(&error, statement, place));
                false
            }
        }
    }

    /// The same for what somebody types, who sees where the statement is.
    pub(super) fn typed(&mut self, statement: &Statement) {
        self.statement(statement, None);
    }

    pub(super) fn command(&mut self, line: &str) -> Result<Next> {
        if self.settings.echo {
            self.print(&format!("{line}\n"))?;
        }
        let next = commands::run(self, line)?;
        self.output.flush()?;
        Ok(next)
    }

    fn execute(&mut self, sql: &str) -> Result<()> {
        let started = Instant::now();
        if self.settings.echo {
            self.print(&format!("{sql}\n"))?;
        }
        // The output needs the rest of the session while a statement borrows the connection.
        let Self { database, format, output, settings, .. } = self;
        let connection = database.connection();
        let mut statement = connection.prepare(sql)?;
        if statement.column_count() == 0 {
            statement.raw_execute()?;
            if settings.changes {
                let (changes, total) = (connection.changes(), connection.total_changes());
                output.write(|out| Ok(writeln!(out, "changes: {changes}   total_changes: {total}")?))?;
            }
        } else {
            let fits = matches!(output, Output::Stdout) && Terminal::stdout().is_read_by_a_person();
            output.write(|out| format.print(&mut statement, fits, out))?;
        }
        drop(statement);
        if settings.timer {
            let seconds = started.elapsed().as_secs_f64();
            output.write(|out| Ok(writeln!(out, "Run time: {seconds:.3} s")?))?;
        }
        output.statement_has_ended();
        Ok(())
    }

    /// Prints data where results go, harmless for a terminal.
    pub(super) fn print_data(&mut self, write: impl FnOnce(&Connection, &mut dyn Write) -> Result<()>) -> Result<()> {
        let connection = self.database.connection();
        let is_seen = matches!(self.output, Output::Stdout) && Terminal::stdout().is_read_by_a_person();
        self.output.write(|out| {
            if is_seen {
                let mut harmless = Harmless { out, line: Vec::new() };
                write(connection, &mut harmless)?;
                return Ok(harmless.flush()?);
            }
            write(connection, out)
        })
    }

    /// Prints where results go.
    pub(super) fn print(&mut self, text: &str) -> Result<()> {
        self.output.write(|out| Ok(out.write_all(text.as_bytes())?))
    }

    /// An open transaction is rolled back.
    pub(super) fn close(mut self) {
        if let Err(error) = self.output.flush() {
            report(&format!("{error:#}"));
        }
        if !self.connection().is_autocommit() {
            eprintln!("The transaction was still open. It was rolled back.");
        }
    }
}

impl Output {
    pub(super) fn write(&mut self, write: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
        match self {
            Self::Stdout => {
                let mut out = BufWriter::new(io::stdout().lock());
                // Rows that came before an error are shown too.
                let result = write(&mut out);
                out.flush()?;
                result
            }
            Self::File { file, .. } => write(file),
        }
    }

    pub(super) fn flush(&mut self) -> Result<()> {
        match self {
            Self::Stdout => Ok(()),
            Self::File { file, name, .. } => file.flush().with_context(|| format!("Writing {name}")),
        }
    }

    fn statement_has_ended(&mut self) {
        if matches!(self, Self::File { once: true, .. }) {
            if let Err(error) = self.flush() {
                report(&format!("{error:#}"));
            }
            *self = Self::Stdout;
        }
    }
}

/// Shows control characters, so that data cannot control the terminal.
struct Harmless<'a> {
    out: &'a mut dyn Write,
    /// The beginning of a line.
    line: Vec<u8>,
}

impl Write for Harmless<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.line.extend_from_slice(bytes);
        if bytes.contains(&b'\n') {
            self.flush()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let text = visible(&String::from_utf8_lossy(&self.line), true);
        self.line.clear();
        self.out.write_all(text.as_bytes())
    }
}

trait AtLine {
    fn context_line(&self, place: Option<&str>, line: usize) -> String;
}

impl AtLine for anyhow::Error {
    fn context_line(&self, place: Option<&str>, line: usize) -> String {
        match place {
            Some(place) => format!("{place}: line {line}: {self:#}"),
            None => format!("{self:#}"),
        }
    }
}

pub(super) fn report(message: &str) {
    eprintln!("error: {message}");
}

/// An error of a statement: its place, what is wrong, and the line with a mark where SQLite gives a place in it.
fn described(error: &anyhow::Error, statement: &Statement, place: Option<&str>) -> String {
    let (message, offset) = match error.downcast_ref::<Error>() {
        Some(Error::SqlInputError { msg, offset, .. }) => (msg.clone(), usize::try_from(*offset).ok()),
        Some(error) => (with_hint(error), None),
        None => (format!("{error:#}"), None),
    };
    let before = offset.and_then(|offset| statement.sql.get(..offset)).unwrap_or_default();
    let line = statement.line + before.matches('\n').count();
    let mut described = match place {
        Some(place) => format!("{place}: line {line}: {message}"),
        None => message,
    };
    if let Some(offset) = offset {
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let text = statement.sql.get(start..).and_then(|rest| rest.lines().next()).unwrap_or_default();
        // Long lines are cut where the mark is in view.
        let indent = statement.sql.get(start..offset).unwrap_or_default().chars().count();
        let skipped = indent.saturating_sub(50);
        let shown: String = text.chars().skip(skipped).take(75).collect();
        described += &format!("\n  {}\n  {}^", visible(&shown, false), " ".repeat(indent - skipped));
    }
    described
}

fn with_hint(error: &Error) -> String {
    match error.sqlite_error_code() {
        Some(ErrorCode::ReadOnly) => {
            format!("{error}. The file is only read: start the shell with --write to change it.")
        }
        Some(ErrorCode::OperationInterrupted) => "interrupted".to_owned(),
        Some(ErrorCode::DatabaseBusy) => format!("{error}: another process has not ended its transaction for 2 s."),
        _ => error.to_string(),
    }
}

//! How rows are printed: the modes of `.mode`.

use std::io::Write;

use rusqlite::types::ValueRef;
use rusqlite::{Row, Statement};

use super::values::{csv, csv_text, json, json_text, literal};
use crate::output::{Border, Grid, Terminal, cell, visible};

/// A form of output.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(super) enum Mode {
    /// Lines drawn around cells; fits the terminal
    Box,
    /// The same in ASCII
    Table,
    /// Columns without lines
    Column,
    /// A table in Markdown
    Markdown,
    /// Values with a separator between
    List,
    /// The same with tabs
    Tabs,
    /// Comma-separated values
    Csv,
    /// An array of objects
    Json,
    /// One value a line
    Line,
    /// INSERT statements
    Insert,
    /// Values as SQL has them
    Quote,
}

/// How rows are printed.
#[derive(Clone, Debug)]
pub(super) struct Format {
    pub(super) mode: Mode,
    /// Whether there are names of columns; None: where that is usual.
    pub(super) headers: Option<bool>,
    /// What NULL looks like, where the mode does not say so.
    pub(super) null: Option<String>,
    pub(super) separator: String,
    /// The table of INSERT statements.
    pub(super) table: String,
}

impl Format {
    /// With a mode, or what suits standard output.
    pub(super) fn new(mode: Option<Mode>) -> Self {
        let mode = mode.unwrap_or(if Terminal::stdout().width().is_some() { Mode::Box } else { Mode::Column });
        Self { mode, headers: None, null: None, separator: "|".to_owned(), table: "\"table\"".to_owned() }
    }

    /// Prints all rows of a query. `fits` says whether what is drawn has to fit the terminal, which is read by a person then.
    pub(super) fn print(&self, statement: &mut Statement<'_>, fits: bool, out: &mut dyn Write) -> anyhow::Result<()> {
        let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
        match self.mode {
            Mode::Box => self.grid(statement, &names, Border::Box, fits, out),
            Mode::Table => self.grid(statement, &names, Border::Ascii, fits, out),
            Mode::Column => self.grid(statement, &names, Border::None, fits, out),
            Mode::Markdown => self.grid(statement, &names, Border::Markdown, fits, out),
            Mode::Json => print_json(statement, &names, fits, out),
            Mode::Line => self.lines(statement, &names, fits, out),
            _ => self.streamed(statement, &names, fits, out),
        }
    }

    fn has_headers(&self) -> bool {
        self.headers.unwrap_or(!matches!(self.mode, Mode::List | Mode::Tabs | Mode::Quote | Mode::Insert))
    }

    fn shown(&self, value: ValueRef<'_>, fits: bool) -> String {
        let is_list = matches!(self.mode, Mode::List | Mode::Tabs);
        harmless(cell(value, self.null.as_deref().unwrap_or(if is_list { "" } else { "NULL" })), fits)
    }

    /// All rows are needed to know how wide columns are.
    fn grid(
        &self,
        statement: &mut Statement<'_>,
        names: &[String],
        border: Border,
        fits: bool,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        let mut grid = Grid::with_border(&names.iter().map(String::as_str).collect::<Vec<_>>(), border);
        if !self.has_headers() {
            grid = grid.without_header();
        }
        if !fits {
            grid = grid.of_any_width();
        }
        let null = self.null.as_deref().unwrap_or("NULL");
        let mut rows = statement.query([])?;
        let mut is_empty = true;
        while let Some(row) = rows.next()? {
            is_empty = false;
            grid.row(cells(row, names.len(), |value| cell(value, null))?);
        }
        if !is_empty {
            write!(out, "{grid}")?;
        }
        Ok(())
    }

    /// Modes that print a row as it comes.
    fn streamed(
        &self,
        statement: &mut Statement<'_>,
        names: &[String],
        fits: bool,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        let separator = match self.mode {
            Mode::Csv | Mode::Quote | Mode::Insert => ",",
            Mode::Tabs => "\t",
            _ => self.separator.as_str(),
        };
        let mut rows = statement.query([])?;
        let mut needs_header = self.has_headers();
        while let Some(row) = rows.next()? {
            if std::mem::take(&mut needs_header) && self.mode != Mode::Insert {
                writeln!(out, "{}", self.header(names).join(separator))?;
            }
            let cells = cells(row, names.len(), |value| match self.mode {
                Mode::Csv => harmless(csv(value), fits),
                Mode::Quote | Mode::Insert => harmless(literal(value), fits),
                _ => self.shown(value, fits),
            })?;
            let line = cells.join(separator);
            match self.mode {
                Mode::Insert => writeln!(out, "INSERT INTO {} VALUES({line});", self.table)?,
                _ => writeln!(out, "{line}")?,
            }
        }
        // Readers of CSV need to know the columns, also of no rows.
        if needs_header && self.mode == Mode::Csv {
            writeln!(out, "{}", self.header(names).join(separator))?;
        }
        Ok(())
    }

    fn header(&self, names: &[String]) -> Vec<String> {
        let name = |name: &String| match self.mode {
            Mode::Csv => csv_text(name),
            Mode::Quote => literal(ValueRef::Text(name.as_bytes())),
            _ => name.clone(),
        };
        names.iter().map(name).collect()
    }

    fn lines(
        &self,
        statement: &mut Statement<'_>,
        names: &[String],
        fits: bool,
        out: &mut dyn Write,
    ) -> anyhow::Result<()> {
        let width = names.iter().map(|name| name.chars().count()).max().unwrap_or_default().max(5);
        let mut rows = statement.query([])?;
        let mut is_first = true;
        while let Some(row) = rows.next()? {
            if !std::mem::take(&mut is_first) {
                writeln!(out)?;
            }
            for (name, value) in names.iter().zip(cells(row, names.len(), |value| self.shown(value, fits))?) {
                writeln!(out, "{name:>width$} = {value}")?;
            }
        }
        Ok(())
    }
}

/// What a person reads cannot control the terminal.
fn harmless(text: String, fits: bool) -> String {
    if fits { visible(&text, true) } else { text }
}

fn cells(row: &Row<'_>, number: usize, text: impl Fn(ValueRef<'_>) -> String) -> rusqlite::Result<Vec<String>> {
    (0..number).map(|column| row.get_ref(column).map(&text)).collect()
}

fn print_json(statement: &mut Statement<'_>, names: &[String], fits: bool, out: &mut dyn Write) -> anyhow::Result<()> {
    let names: Vec<String> = names.iter().map(|name| json_text(name)).collect();
    let mut rows = statement.query([])?;
    let mut before = "[";
    while let Some(row) = rows.next()? {
        let members = cells(row, names.len(), |value| harmless(json(value), fits))?;
        let members: Vec<String> = names.iter().zip(members).map(|(name, value)| format!("{name}:{value}")).collect();
        write!(out, "{before}{{{}}}", members.join(","))?;
        before = ",\n";
    }
    if before == "[" {
        write!(out, "[")?;
    }
    writeln!(out, "]")?;
    Ok(())
}

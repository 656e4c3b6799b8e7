//! Tables: boxes that fit the terminal, else plain columns.

use std::fmt;

use comfy_table::{Attribute, Cell, CellAlignment, ContentArrangement, Row, Table, TableStyle, presets};
use textwrap::Options;
use unicode_width::UnicodeWidthStr;

use super::terminal::{Style, Terminal};
use super::text::visible;

/// A column this wide can be read, if its words are wrapped.
const READABLE: usize = 8;

/// How many lines of a value are shown in a table that has to fit.
const LINES: usize = 10;

/// The lines between cells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Border {
    /// Drawn.
    Box,
    /// Made of `+`, `-` and `|`.
    Ascii,
    /// Markdown.
    Markdown,
    /// None: columns are two blanks apart.
    None,
}

/// A table.
pub(crate) struct Grid {
    header: Vec<String>,
    rows: Vec<Vec<String>>,
    border: Border,
    /// What it has to fit.
    width: Option<u16>,
    style: Style,
    has_header: bool,
}

impl Grid {
    /// As standard output needs it.
    pub(crate) fn new(header: &[&str]) -> Self {
        let terminal = Terminal::stdout();
        let border = if terminal.width().is_some() { Border::Box } else { Border::None };
        Self::with_border(header, border)
    }

    /// With these lines; boxes fit the terminal.
    pub(crate) fn with_border(header: &[&str], border: Border) -> Self {
        let terminal = Terminal::stdout();
        let (width, style) = match border {
            Border::Box | Border::Ascii => (terminal.width(), terminal.style()),
            Border::Markdown | Border::None => (None, Style::Plain),
        };
        let header = header.iter().map(|&name| name.to_owned()).collect();
        Self { header, rows: Vec::new(), border, width, style, has_header: true }
    }

    /// Does not have to fit anything: the output is not the terminal's.
    pub(crate) fn of_any_width(mut self) -> Self {
        (self.width, self.style) = (None, Style::Plain);
        self
    }

    /// Fits a terminal on which each line is indented by so much.
    pub(crate) fn indented(mut self, indent: usize) -> Self {
        let indent = u16::try_from(indent).unwrap_or_default();
        self.width = self.width.map(|width| width.saturating_sub(indent));
        self
    }

    /// Without names of columns.
    pub(crate) fn without_header(mut self) -> Self {
        self.has_header = false;
        self
    }

    /// Adds a row.
    pub(crate) fn row<I: Into<String>>(&mut self, cells: impl IntoIterator<Item = I>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// How wide each column is, if nothing is wrapped.
    fn widths(&self) -> Vec<usize> {
        let mut widths: Vec<usize> = self.header.iter().map(|name| name.width()).collect();
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.lines().map(UnicodeWidthStr::width).max().unwrap_or_default());
            }
        }
        widths
    }

    /// Whether columns can be read when they have shrunk as far as it takes.
    fn is_readable_in(&self, width: u16) -> bool {
        let narrowest: usize = self.widths().iter().map(|width| (*width).min(READABLE) + 3).sum();
        narrowest < usize::from(width)
    }

    fn table(&self) -> Table {
        let mut table = Table::new();
        table.load_style(self.lines_between()).force_no_tty();
        if self.style == Style::Coloured {
            table.enforce_styling();
        }
        match self.width {
            Some(width) => table.set_width(width).set_content_arrangement(ContentArrangement::Dynamic),
            None => table.set_content_arrangement(ContentArrangement::Disabled),
        };
        if self.has_header {
            table.set_header(self.header.iter().map(|name| self.header_cell(name)).collect::<Vec<_>>());
        }
        table.set_truncation_indicator("…");
        for cells in &self.rows {
            let keeps_lines = matches!(self.border, Border::Box | Border::Ascii);
            let mut row = Row::from(cells.iter().map(|cell| visible(cell, keeps_lines)));
            if self.width.is_some() {
                row.max_height(LINES);
            }
            table.add_row(row);
        }
        for index in self.numbers() {
            if let Some(column) = table.column_mut(index) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table
    }

    fn header_cell(&self, name: &str) -> Cell {
        let cell = Cell::new_owned(visible(name, false));
        if self.style == Style::Coloured { cell.add_attribute(Attribute::Bold) } else { cell }
    }

    fn lines_between(&self) -> TableStyle {
        match self.border {
            Border::Box => presets::UTF8_FULL_CONDENSED,
            Border::Ascii => presets::ASCII_FULL_CONDENSED,
            Border::Markdown => presets::ASCII_MARKDOWN,
            Border::None => presets::NOTHING,
        }
    }

    /// Columns in which there are only numbers.
    fn numbers(&self) -> impl Iterator<Item = usize> + '_ {
        let is_number = |cell: &String| {
            let digits = cell.strip_prefix('-').unwrap_or(cell);
            digits.starts_with(|first: char| first.is_ascii_digit())
                && digits.chars().all(|char| char.is_ascii_digit() || matches!(char, ',' | '.'))
        };
        (0..self.header.len()).filter(move |&column| {
            let mut cells = self.rows.iter().filter_map(move |row| row.get(column)).peekable();
            cells.peek().is_some() && cells.all(is_number)
        })
    }

    /// Each row as a list of its values, for a terminal that is too narrow for the columns.
    fn write_records(&self, width: u16, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<String> = self.header.iter().map(|name| visible(name, false)).collect();
        let longest = names.iter().map(|name| name.width()).max().unwrap_or_default().min(usize::from(width) / 2);
        for (index, row) in self.rows.iter().enumerate() {
            if index > 0 {
                writeln!(formatter)?;
            }
            for (name, cell) in names.iter().zip(row) {
                let indent = " ".repeat(longest + 2);
                let first = " ".repeat(longest.saturating_sub(name.width()));
                let options = Options::new(usize::from(width)).initial_indent(&indent).subsequent_indent(&indent);
                let cell = textwrap::fill(&visible(cell, true), options);
                let cell = cell.get(indent.len()..).unwrap_or_default();
                writeln!(formatter, "{}{first}  {cell}", self.style.bold(name))?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Grid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(width) = self.width
            && !self.is_readable_in(width)
        {
            return self.write_records(width, formatter);
        }
        for line in self.table().lines() {
            let line = line.trim_end();
            // Columns without boxes have a blank on both sides.
            let line = if self.border == Border::None { line.strip_prefix(' ').unwrap_or(line) } else { line };
            writeln!(formatter, "{line}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(border: Border, width: Option<u16>, header: &[&str], rows: &[&[&str]]) -> String {
        let mut grid = Grid::with_border(header, border);
        (grid.width, grid.style) = (width, Style::Plain);
        rows.iter().for_each(|row| grid.row(row.iter().copied()));
        grid.to_string()
    }

    #[test]
    fn columns_are_plain_and_keep_their_lines() {
        let text = grid(Border::None, None, &["name", "rows"], &[&["a\nb", "7"], &["世界", "1,234"]]);
        assert_eq!(text, "name   rows\na\\nb      7\n世界  1,234\n");
    }

    #[test]
    fn boxes_fit_and_count_wide_characters() {
        let long = "世界 ".repeat(30);
        let text = grid(Border::Box, Some(40), &["name", "text"], &[&["one", &long], &["two", "short"]]);
        assert!(text.lines().all(|line| line.width() <= 40), "{text}");
        assert!(text.lines().all(|line| line.width() == text.lines().next().unwrap().width()), "{text}");
    }

    #[test]
    fn long_values_end_with_an_ellipsis() {
        let text = grid(Border::Box, Some(40), &["a", "b"], &[&["1", &"word ".repeat(500)]]);
        assert!(text.lines().count() < 20 && text.contains('…'), "{text}");
    }

    #[test]
    fn too_many_columns_become_lists() {
        let header = ["first", "second", "third", "fourth", "fifth"];
        let row = ["some longer text that is wrapped to more lines", "b b b b b b b b", "3", "4", "a fifth text"];
        let text = grid(Border::Box, Some(40), &header, &[&row, &row]);
        assert!(
            text.starts_with("first   some longer text that is wrapped\n        to more lines\nsecond  b"),
            "{text}"
        );
        assert!(text.contains("a fifth text\n\nfirst   some"), "{text}");
    }
}

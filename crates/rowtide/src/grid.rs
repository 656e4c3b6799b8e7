//! Tables for people: with boxes on a terminal that is wide enough, else plain columns.

use std::fmt;
use std::io::{self, IsTerminal};

use comfy_table::{ContentArrangement, Table, presets};

/// A terminal that says to be narrower is taken for none.
const NARROWEST: u16 = 40;

/// A table.
pub(crate) struct Grid(Table);

impl Grid {
    pub(crate) fn new(header: &[&str]) -> Self {
        let mut table = Table::new();
        table.set_header(header);
        let is_wide = table.width().is_some_and(|width| width >= NARROWEST);
        if io::stdout().is_terminal() && is_wide {
            table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
        } else {
            table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
        }
        Self(table)
    }

    pub(crate) fn row<I: Into<String>>(&mut self, cells: impl IntoIterator<Item = I>) {
        let cells: Vec<String> = cells.into_iter().map(Into::into).collect();
        self.0.add_row(cells);
    }
}

impl fmt::Display for Grid {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.0.lines() {
            // Columns without boxes have a blank on both sides.
            let line = line.trim_end();
            writeln!(formatter, "{}", line.strip_prefix(' ').unwrap_or(line))?;
        }
        Ok(())
    }
}

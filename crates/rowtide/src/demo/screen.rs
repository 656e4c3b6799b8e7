//! What the demo prints: headings, sentences that fit the terminal, one list seen by several devices, and progress.

use std::cell::{Cell, OnceCell};
use std::io::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use rowtide_client::Status;

use super::devices::Todo;
use crate::output::{Grid, Terminal, paragraph};

/// Standard output.
pub(super) struct Screen {
    terminal: Terminal,
    /// Time to read; none where nobody does.
    pause: Duration,
    /// The last thing shown was a table, which is followed by an empty line.
    is_after_table: Cell<bool>,
}

/// How far everything below headings is indented.
const INDENT: &str = "   ";

impl Screen {
    pub(super) fn new(fast: bool) -> Self {
        let terminal = Terminal::stdout();
        let is_watched = !fast && terminal.is_read_by_a_person();
        let pause = if is_watched { Duration::from_millis(2_500) } else { Duration::ZERO };
        Self { terminal, pause, is_after_table: Cell::new(false) }
    }

    pub(super) fn heading(&self, text: &str) {
        self.is_after_table.set(false);
        put(&format!("\n{}\n\n", self.terminal.style().bold(text)));
    }

    /// A paragraph.
    pub(super) fn say(&self, text: &str) {
        self.line(&paragraph(INDENT, INDENT, text));
    }

    /// The happy end.
    pub(super) fn good(&self, text: &str) {
        self.line(&self.terminal.style().good(&paragraph(INDENT, INDENT, text)));
    }

    fn line(&self, text: &str) {
        if self.is_after_table.take() {
            put("\n");
        }
        put(&format!("{text}\n"));
    }

    /// A table.
    pub(super) fn table<const COLUMNS: usize>(&self, header: &[&str; COLUMNS], rows: &[[String; COLUMNS]]) {
        let mut grid = self.grid(header);
        rows.iter().for_each(|row| grid.row(row.iter().cloned()));
        self.show(&grid);
    }

    /// A list as each device has it.
    pub(super) fn side_by_side(&self, title: &str, devices: &[(&str, Vec<Todo>)]) {
        let mut names: Vec<&str> = Vec::new();
        for (name, _) in devices.iter().flat_map(|(_, todos)| todos) {
            if !names.contains(&name.as_str()) {
                names.push(name);
            }
        }
        let header: Vec<&str> = std::iter::once(title).chain(devices.iter().map(|(device, _)| *device)).collect();
        let mut grid = self.grid(&header);
        for name in names {
            let state = |todos: &[Todo]| match todos.iter().find(|(todo, _)| todo == name) {
                None => "-",
                Some((_, true)) => "done",
                Some((_, false)) => "open",
            };
            grid.row(std::iter::once(name).chain(devices.iter().map(|(_, todos)| state(todos))));
        }
        self.show(&grid);
    }

    fn grid(&self, header: &[&str]) -> Grid {
        Grid::new(header).indented(self.indent_of_tables().len())
    }

    /// Narrow terminals have no room for it.
    fn indent_of_tables(&self) -> &'static str {
        if self.terminal.width().is_some_and(|width| width < 60) { "" } else { INDENT }
    }

    fn show(&self, grid: &Grid) {
        put("\n");
        for line in grid.to_string().lines() {
            put(&format!("{}{line}\n", self.indent_of_tables()));
        }
        self.is_after_table.set(true);
    }

    /// Follows a download.
    pub(super) fn progress(&self, name: &'static str) -> Progress {
        Progress { name, can_change: self.terminal.width_of_changing_lines().is_some(), bar: OnceCell::new() }
    }

    /// Time to read what is there.
    pub(super) fn pause(&self) {
        std::thread::sleep(self.pause);
    }
}

/// Prints. A reader that has seen enough ends the demo; the signal for that would also end it when a stream is closed.
pub(super) fn put(text: &str) {
    let mut output = std::io::stdout().lock();
    if output.write_all(text.as_bytes()).and_then(|()| output.flush()).is_err() {
        std::process::exit(0);
    }
}

/// A bar on the terminal, while something is downloaded.
pub(super) struct Progress {
    name: &'static str,
    can_change: bool,
    /// From when it is known how much there is to download.
    bar: OnceCell<ProgressBar>,
}

impl Progress {
    pub(super) fn show(&self, status: &Status) {
        if let Some(download) = &status.downloading
            && self.can_change
        {
            let bar = self.bar.get_or_init(|| self.bar(download.total));
            bar.set_length(download.total);
            bar.set_position(download.downloaded);
        }
    }

    fn bar(&self, total: u64) -> ProgressBar {
        let bar = ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stdout());
        let style = ProgressStyle::with_template("   {msg:<7} {bar:12} {pos}/{len} rows");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.with_message(self.name)
    }

    pub(super) fn finish(&self) {
        if let Some(bar) = self.bar.get() {
            bar.finish_and_clear();
        }
    }
}

//! The figures of two services, side by side.

use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};

use super::Cost;
use crate::figures::{number, shown};

/// All figures, in the order in which they were measured.
pub(super) struct Comparison {
    sides: [&'static str; 2],
    /// The goals are for the service that all others are compared with.
    has_goals: bool,
    rows: Vec<[String; 5]>,
}

impl Comparison {
    /// Of our service and another one.
    pub(super) fn of_services() -> Self {
        Self { sides: ["ours", "theirs"], has_goals: true, rows: Vec::new() }
    }

    /// Of our service on two kinds of storage.
    pub(super) fn of_storages() -> Self {
        Self { sides: ["SQLite", "PostgreSQL"], has_goals: false, rows: Vec::new() }
    }

    /// Rates by the clock, and CPU time for each, of work on so many things.
    pub(super) fn rates(&mut self, what: &str, unit: &str, count: usize, costs: [Cost; 2], goal: &str) {
        let rates = costs.map(|cost| number(count) / cost.time.as_secs_f64().max(1e-9));
        self.add(format!("{what}, {unit}/s"), rates.map(Some), |[ours, theirs]| ours / theirs, goal);
        let cpu = costs.map(|cost| cost.cpu.map(|cpu| cpu.as_secs_f64() * 1e6 / number(count.max(1))));
        self.add(format!("{what}, CPU µs for each"), cpu, |[ours, theirs]| theirs / ours, goal);
    }

    /// Times that are better when they are short.
    pub(super) fn times(&mut self, what: &str, times: [Duration; 2], goal: &str) {
        let times = times.map(|time| Some(time.as_secs_f64() * 1e3));
        self.add(format!("{what}, ms"), times, |[ours, theirs]| theirs / ours, goal);
    }

    /// Sizes of all that is stored for so many rows.
    pub(super) fn sizes(&mut self, what: &str, bytes: [usize; 2], rows: usize) {
        let each = bytes.map(|bytes| Some(number(bytes) / number(rows.max(1))));
        self.add(what.to_owned(), each, |[ours, theirs]| theirs / ours, "");
    }

    fn add(&mut self, what: String, values: [Option<f64>; 2], better: fn([f64; 2]) -> f64, goal: &str) {
        let text = |value: Option<f64>| value.map_or_else(|| "?".to_owned(), shown);
        let [ours, theirs] = values;
        let ratio = ours.zip(theirs).map(|(ours, theirs)| better([ours, theirs]));
        eprintln!("{what}: {} against {}", text(ours), text(theirs));
        self.rows.push([
            what,
            text(ours),
            text(theirs),
            text(ratio),
            if self.has_goals { goal } else { "" }.to_owned(),
        ]);
    }

    /// A table in Markdown. A ratio above 1 says that the first service is better.
    pub(super) fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        let columns = if self.has_goals { 5 } else { 4 };
        table.set_header(["what", self.sides[0], self.sides[1], "ratio", "goal"].into_iter().take(columns));
        for row in &self.rows {
            table.add_row(row.iter().take(columns));
        }
        for column in 1..=3 {
            if let Some(column) = table.column_mut(column) {
                column.set_cell_alignment(CellAlignment::Right);
            }
        }
        table.trim_fmt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn above_one_is_better() {
        let second =
            |cpu: Option<u64>, time| Cost { time: Duration::from_secs(time), cpu: cpu.map(Duration::from_secs) };
        let mut comparison = Comparison::of_services();
        comparison.rates("rows", "rows", 100, [second(Some(1), 1), second(Some(8), 4)], "");
        comparison.times("wait", [Duration::from_millis(10), Duration::from_millis(20)], "");
        comparison.rates("unknown", "rows", 100, [second(Some(1), 1), second(None, 4)], "");
        let ratios: Vec<&str> = comparison.rows.iter().map(|row| row[3].as_str()).collect();
        assert_eq!(ratios, ["4.00", "8.00", "2.00", "4.00", "?"]);
    }
}

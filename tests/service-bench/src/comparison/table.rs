//! The figures of two services, side by side.

use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};

use super::Cost;
use crate::figures::{number, shown};

/// All figures, in the order in which they were measured.
#[derive(Default)]
pub(super) struct Comparison(Vec<[String; 5]>);

impl Comparison {
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

    fn add(&mut self, what: String, values: [Option<f64>; 2], better: fn([f64; 2]) -> f64, goal: &str) {
        let text = |value: Option<f64>| value.map_or_else(|| "?".to_owned(), shown);
        let [ours, theirs] = values;
        let ratio = ours.zip(theirs).map(|(ours, theirs)| better([ours, theirs]));
        eprintln!("{what}: {} against {}", text(ours), text(theirs));
        self.0.push([what, text(ours), text(theirs), text(ratio), goal.to_owned()]);
    }

    /// A table in Markdown. A ratio above 1 says that ours is better.
    pub(super) fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        table.set_header(["what", "ours", "theirs", "ratio", "goal"]);
        for row in &self.0 {
            table.add_row(row);
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
        let mut comparison = Comparison::default();
        comparison.rates("rows", "rows", 100, [second(Some(1), 1), second(Some(8), 4)], "");
        comparison.times("wait", [Duration::from_millis(10), Duration::from_millis(20)], "");
        comparison.rates("unknown", "rows", 100, [second(Some(1), 1), second(None, 4)], "");
        let ratios: Vec<&str> = comparison.0.iter().map(|row| row[3].as_str()).collect();
        assert_eq!(ratios, ["4.00", "8.00", "2.00", "4.00", "?"]);
    }
}

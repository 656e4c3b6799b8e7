//! What was measured, and the table of it.

use std::time::Duration;

use comfy_table::{CellAlignment, Table, presets};

/// All figures, in the order in which they were measured first.
#[derive(Default)]
pub(crate) struct Figures(Vec<Figure>);

struct Figure {
    what: &'static str,
    value: f64,
    unit: &'static str,
    goal: &'static str,
}

/// Which of several measurements counts: whatever disturbs makes a rate smaller and everything else larger.
fn better(unit: &str, one: f64, other: f64) -> f64 {
    if unit.contains('/') { one.max(other) } else { one.min(other) }
}

impl Figures {
    /// Adds a figure; of several with the same name the best one stays. The goal is for people.
    pub(crate) fn add(&mut self, what: &'static str, value: f64, unit: &'static str, goal: &'static str) {
        eprintln!("{what}: {} {unit}", shown(value));
        match self.0.iter_mut().find(|figure| figure.what == what) {
            Some(figure) => figure.value = better(unit, figure.value, value),
            None => self.0.push(Figure { what, value, unit, goal }),
        }
    }

    /// A table in Markdown.
    pub(crate) fn table(&self) -> String {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        table.set_header(["what", "figure", "unit", "goal"]);
        for figure in &self.0 {
            table.add_row([figure.what, &shown(figure.value), figure.unit, figure.goal]);
        }
        if let Some(column) = table.column_mut(1) {
            column.set_cell_alignment(CellAlignment::Right);
        }
        table.trim_fmt()
    }
}

/// Three digits, and all of them before the point.
pub(crate) fn shown(value: f64) -> String {
    match value {
        value if value == 0.0 || value >= 100.0 => format!("{value:.0}"),
        value if value >= 10.0 => format!("{value:.1}"),
        value => format!("{value:.2}"),
    }
}

/// As a number for a figure; none is so large that digits would be lost.
#[allow(clippy::cast_precision_loss, reason = "see above")]
pub(crate) fn number(count: usize) -> f64 {
    count as f64
}

/// How many a second.
pub(crate) fn rate(count: usize, time: Duration) -> f64 {
    number(count) / time.as_secs_f64().max(1e-9)
}

/// Microseconds for each.
pub(crate) fn micros(time: Duration, count: usize) -> f64 {
    time.as_secs_f64() * 1e6 / number(count.max(1))
}

/// How many times longer one took than the other.
pub(crate) fn ratio(time: Duration, other: Duration) -> f64 {
    time.as_secs_f64() / other.as_secs_f64().max(1e-9)
}

/// The time that this share of all is not longer than.
pub(crate) fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    let last = times.len().saturating_sub(1);
    times.get(last * percent / 100).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_of_all_rounds_stays() {
        let mut figures = Figures::default();
        for value in [2.0, 3.0, 1.0] {
            figures.add("rows", value, "rows/s", "");
            figures.add("time", value, "µs", "");
        }
        let values: Vec<f64> = figures.0.iter().map(|figure| figure.value).collect();
        assert_eq!(values, [3.0, 1.0]);
    }

    #[test]
    fn percentiles_are_of_sorted_times() {
        let mut times: Vec<Duration> = (1..=101).rev().map(Duration::from_millis).collect();
        assert_eq!(percentile(&mut times, 50), Duration::from_millis(51));
        assert_eq!(percentile(&mut times, 99), Duration::from_millis(100));
        assert_eq!(percentile(&mut [], 50), Duration::ZERO);
    }
}

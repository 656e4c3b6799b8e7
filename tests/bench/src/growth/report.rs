//! Tables of how costs grow.

use comfy_table::{CellAlignment, Table, presets};

use super::{Measured, exponent, operations};

/// The units in which costs are measured, with what a table shows of each.
const UNITS: [(&str, &str); 3] = [("seconds", "CPU µs"), ("steps", "steps"), ("pages", "pages")];

impl Measured {
    /// The costs of an operation in a unit, in the order of the numbers.
    fn values(&self, operation: &str, unit: &str) -> Vec<f64> {
        self.costs.iter().filter_map(|costs| costs.get(operation)?.get(unit)?.as_f64()).collect()
    }

    fn exponent(&self, operation: &str, unit: &str) -> String {
        let exponent = exponent::fit(&self.numbers, &self.values(operation, unit));
        // Adding zero makes a zero of a negative one.
        exponent.map_or_else(|| "-".to_owned(), |exponent| format!("{:.2}", (exponent * 100.0).round() / 100.0 + 0.0))
    }

    /// The exponent that is as it should be.
    fn limit(&self, operation: &str) -> &'static str {
        if self.study.proportional.contains(&operation) { "≤ 1" } else { "0" }
    }
}

/// All costs of one study, in a table.
pub(super) fn details(measured: &Measured) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    let mut header = vec![measured.study.name.to_owned(), "unit".to_owned()];
    header.extend(measured.numbers.iter().map(usize::to_string));
    header.extend(["exponent", "should be"].map(str::to_owned));
    table.set_header(header);
    for operation in operations::NAMES {
        for (unit, label) in UNITS {
            let shown = |value: f64| if unit == "seconds" { format!("{:.1}", value * 1e6) } else { value.to_string() };
            let mut cells = vec![(*operation).to_owned(), label.to_owned()];
            cells.extend(measured.values(operation, unit).into_iter().map(shown));
            cells.extend([measured.exponent(operation, unit), measured.limit(operation).to_owned()]);
            table.add_row(cells);
        }
    }
    table.column_iter_mut().skip(2).for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    table.to_string()
}

/// The exponents of all studies in one table, as Markdown.
pub(super) fn exponents(all: &[Measured]) -> String {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    let range = |measured: &Measured| {
        let (first, last) = (measured.numbers.first(), measured.numbers.last());
        let [first, last] = [first, last].map(|number| number.map_or_else(String::new, usize::to_string));
        format!("{} {first} to {last}", measured.study.name)
    };
    table.set_header(std::iter::once("operation".to_owned()).chain(all.iter().map(range)));
    for operation in operations::NAMES {
        let cell = |measured: &Measured| {
            let [time, steps] = ["seconds", "steps"].map(|unit| measured.exponent(operation, unit));
            match measured.limit(operation) {
                "0" => format!("{time}, {steps}"),
                limit => format!("{time}, {steps} ({limit})"),
            }
        };
        table.add_row(std::iter::once((*operation).to_owned()).chain(all.iter().map(cell)));
    }
    format!(
        "Exponents of CPU time and of steps. Where a bound is given the operation may grow; all others should be 0.\n\n{table}\n"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::growth::STUDIES;

    #[test]
    fn exponents_and_their_bounds_are_shown() {
        let study = STUDIES.iter().find(|study| study.name == "buckets").unwrap();
        let cost = |seconds: f64, steps: u64| json!({ "seconds": seconds, "steps": steps, "pages": 0 });
        let costs = [1, 10, 100].map(|factor| {
            json!({ "start": cost(1e-3 * f64::from(factor), u64::try_from(factor).unwrap()), "diff": cost(1e-5, 49) })
        });
        let measured = Measured { study, numbers: vec![10, 100, 1000], costs: costs.to_vec() };
        let text = exponents(std::slice::from_ref(&measured));
        assert!(text.contains("buckets 10 to 1000"), "{text}");
        assert!(text.lines().any(|line| line.contains("start") && line.contains("1.00, 1.00 (≤ 1)")), "{text}");
        assert!(text.lines().any(|line| line.contains("diff") && line.contains("0.00, 0.00")), "{text}");
        let text = details(&measured);
        assert!(text.lines().any(|line| line.contains("CPU µs") && line.contains("100000.0")), "{text}");
    }

    #[test]
    fn bounds_are_of_operations_that_there_are() {
        for study in STUDIES {
            for operation in study.proportional {
                assert!(operations::NAMES.contains(operation), "{}: {operation}", study.name);
            }
        }
    }
}

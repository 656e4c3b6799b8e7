//! A plan as text, for tests, dry runs and the explanation of a stream.

use std::fmt::Write;

use super::hash::{each_column, row_text};
use super::{Plan, Querier, RequestRef, RowProgram, StepSource, Stream};
use crate::expr::{Expr, canonical};

/// A request expression as text: `sub`, `subscription.x`, `auth.x`, `connection.x`, `$1` for a slot.
pub(crate) fn request_text(expr: &Expr<RequestRef>) -> String {
    canonical(expr, &|leaf| match leaf {
        RequestRef::Auth => "auth".to_owned(),
        RequestRef::Subscription => "subscription".to_owned(),
        RequestRef::Connection => "connection".to_owned(),
        RequestRef::Slot(number) => format!("${number}"),
    })
}

fn list(texts: impl IntoIterator<Item = String>) -> String {
    texts.into_iter().collect::<Vec<_>>().join(", ")
}

fn rows(program: &RowProgram) -> String {
    let mut text = program.table.table.clone();
    for (number, arg) in program.each.iter().enumerate() {
        write(&mut text, format_args!(" each{number}({})", row_text(arg)));
    }
    if !program.filters.is_empty() {
        write(&mut text, format_args!(" where {}", list(program.filters.iter().map(row_text))));
    }
    write(&mut text, format_args!(" by ({})", list(program.key.iter().map(row_text))));
    text
}

fn write(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(arguments);
    debug_assert!(written.is_ok(), "a String takes everything");
}

impl Plan {
    /// A stream as text, one line for each querier, step and evaluator.
    pub fn describe(&self, stream: &Stream) -> String {
        let mut text = String::new();
        for querier in &stream.queriers {
            self.describe_querier(querier, &mut text);
        }
        text
    }

    /// The table, conditions and key of an evaluator, as text; empty if there is none of this number.
    pub fn describe_evaluator(&self, number: usize) -> String {
        self.evaluators.get(number).map(|evaluator| rows(&evaluator.program)).unwrap_or_default()
    }

    /// The table, conditions and key of a parameter index, as text; empty if there is none of this number.
    pub fn describe_index(&self, number: usize) -> String {
        self.indexes.get(number).map(|index| rows(&index.program)).unwrap_or_default()
    }

    fn describe_querier(&self, querier: &Querier, text: &mut String) {
        self.describe_way(querier, text);
        let Some(definition) = self.definitions.get(querier.definition) else { return };
        write(text, format_args!("{} ({}):\n", definition.name, list(querier.key.iter().map(request_text))));
        for evaluator in definition.evaluators.iter().filter_map(|number| self.evaluators.get(*number)) {
            write(text, format_args!("  {}", rows(&evaluator.program)));
            if let Some(name) = &evaluator.output_table {
                write(text, format_args!(" as {name}"));
            }
            text.push('\n');
        }
    }

    /// How a request finds the keys of buckets, whatever is in them.
    pub(super) fn way(&self, querier: &Querier) -> String {
        let mut text = String::new();
        self.describe_way(querier, &mut text);
        write(&mut text, format_args!("by ({})", list(querier.key.iter().map(request_text))));
        if let Some(priority) = querier.priority {
            write(&mut text, format_args!(" at {priority}"));
        }
        text
    }

    fn describe_way(&self, querier: &Querier, text: &mut String) {
        if !querier.filters.is_empty() {
            write(text, format_args!("if {}\n", list(querier.filters.iter().map(request_text))));
        }
        for step in &querier.steps {
            let slots = list(step.outputs.iter().map(|slot| format!("${slot}")));
            match &step.source {
                StepSource::Each { arg, columns } => {
                    let columns = list(columns.iter().map(|column| each_column(*column).to_owned()));
                    write(text, format_args!("each {} -> {columns} as {slots}", request_text(arg)));
                }
                StepSource::Lookup { index, key } => {
                    let Some(index) = self.indexes.get(*index) else { continue };
                    let outputs = list(index.outputs.iter().map(row_text));
                    write(
                        text,
                        format_args!("lookup {} = ({})", rows(&index.program), list(key.iter().map(request_text))),
                    );
                    if outputs.is_empty() {
                        text.push_str(" exists");
                    } else {
                        write(text, format_args!(" -> {outputs} as {slots}"));
                    }
                }
            }
            if !step.filters.is_empty() {
                write(text, format_args!(" if {}", list(step.filters.iter().map(request_text))));
            }
            text.push('\n');
        }
    }
}

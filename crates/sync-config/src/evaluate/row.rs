//! Rows of a table to entries of buckets and parameter indexes. Names are resolved once per table, not per row.

use std::cell::Cell;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use crate::expr::{EvalError, Expr, Frame, Slot, each_rows, is_true};
use crate::value::{Value, key_text, write_json};

/// Larger rows are not synced.
const MAX_ROW: usize = 15 * 1024 * 1024;

/// Columns of each attached function in a row: key, value, type.
pub(crate) const EACH_COLUMNS: usize = 3;

/// A table of the source.
#[derive(Clone, Copy, Debug)]
pub struct TableName<'a> {
    /// Named connection, if there are several.
    pub connection: Option<&'a str>,
    /// Schema.
    pub schema: &'a str,
    /// Table.
    pub table: &'a str,
}

/// The values of a row, in their order.
#[derive(Clone, Copy, Debug)]
pub struct Layout<'a> {
    /// Names of the columns.
    pub columns: &'a [String],
    /// What a column is that the configuration names and the table has not.
    pub missing: MissingColumn,
}

/// What a column is that the table does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MissingColumn {
    /// NULL: sources without a schema, where a document just has no such member. `*` leaves out members that are NULL: what
    /// a document gives does not depend on members that others have.
    Null,
    /// A mistake: what needs the column gets no rows, because treating it as NULL could widen what is visible.
    Mistake,
}

/// All that a plan does with the rows of one table.
#[derive(Clone, Debug)]
pub struct BoundTable {
    pub(super) columns: usize,
    pub(super) evaluators: Vec<BoundEvaluator>,
    pub(super) indexes: Vec<BoundIndex>,
    /// Evaluators and indexes that get no rows because the table lacks a column.
    pub unbound: Vec<RowProblem>,
}

#[derive(Clone, Debug)]
pub(super) struct BoundProgram {
    pub(super) each: Vec<Expr<Slot>>,
    /// Conditions without functions.
    pub(super) filters: Vec<Expr<Slot>>,
    /// Conditions on a row together with rows of functions.
    pub(super) each_filters: Vec<Expr<Slot>>,
    pub(super) key: Vec<Expr<Slot>>,
}

#[derive(Clone, Debug)]
pub(super) struct BoundEvaluator {
    pub(super) number: usize,
    pub(super) definitions: Vec<BoundDefinition>,
    pub(super) program: BoundProgram,
    pub(super) table: Arc<str>,
    pub(super) outputs: Vec<BoundOutput>,
    /// Which output is the id.
    pub(super) id: Option<usize>,
}

/// A definition that an evaluator is of.
#[derive(Clone, Debug)]
pub(super) struct BoundDefinition {
    pub(super) number: usize,
    /// Its evaluators that come before this one.
    pub(super) before: Vec<usize>,
}

/// A member of a row on the client.
#[derive(Clone, Debug)]
pub(crate) struct BoundOutput {
    /// The name in quotes with a colon.
    pub(crate) label: String,
    pub(crate) expr: Expr<Slot>,
    /// Whether it is left out if it is NULL.
    pub(crate) is_sparse: bool,
}

#[derive(Clone, Debug)]
pub(super) struct BoundIndex {
    pub(super) number: usize,
    pub(super) program: BoundProgram,
    pub(super) outputs: Vec<Expr<Slot>>,
}

/// A row in a bucket.
#[derive(Clone, Debug)]
pub struct BucketEntry {
    /// Number of the plan's definition.
    pub definition: usize,
    /// The evaluator that made it.
    pub evaluator: usize,
    /// The key as a JSON array: with the definition's name, the name of the bucket.
    pub key: Arc<str>,
    /// Table on the client.
    pub table: Arc<str>,
    /// Id on the client.
    pub id: Arc<str>,
    /// The row as a JSON object.
    pub data: Arc<str>,
}

/// A row in a parameter index.
#[derive(Clone, Debug)]
pub struct ParameterEntry {
    /// Number of the plan's index.
    pub index: usize,
    /// The key as a JSON array.
    pub key: String,
    /// The values of the entry.
    pub outputs: Vec<Value>,
}

/// What kept a row out of an evaluator or index. It holds no values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RowProblem {
    /// An expression has no value.
    Evaluator(usize, EvalError),
    /// An expression has no value.
    Index(usize, EvalError),
    /// The id is NULL, empty or a blob.
    NoId(usize),
    /// The row is larger than 15 MiB.
    TooLarge(usize),
    /// Another evaluator of the definition gives another row of the same id; the first one counts.
    Collision(usize),
}

/// Everything that one row gives.
#[derive(Clone, Debug, Default)]
pub struct RowResult {
    /// Entries of buckets; each (definition, key, table, id) once.
    pub buckets: Vec<BucketEntry>,
    /// Entries of parameter indexes; each once.
    pub parameters: Vec<ParameterEntry>,
    /// What went wrong; the rest is valid.
    pub problems: Vec<RowProblem>,
    /// How often a text was to be JSON and was not.
    pub malformed_json: u64,
}

impl BoundTable {
    /// Whether rows of this table give nothing.
    pub fn is_empty(&self) -> bool {
        self.evaluators.is_empty() && self.indexes.is_empty()
    }

    /// Evaluates one row; `row` has the values of the layout's columns.
    pub fn evaluate(&self, row: &[Value]) -> RowResult {
        debug_assert_eq!(row.len(), self.columns, "a value for each column");
        let malformed = Cell::new(0);
        let mut result = RowResult::default();
        for evaluator in &self.evaluators {
            if let Err(problem) = evaluator.evaluate(row, &malformed, &mut result) {
                result.problems.push(problem);
            }
        }
        for index in &self.indexes {
            if let Err(error) = index.evaluate(row, &malformed, &mut result) {
                result.problems.push(RowProblem::Index(index.number, error));
            }
        }
        result.malformed_json = malformed.get();
        result
    }
}

impl BoundProgram {
    /// Calls `emit` for the row, once for each combination of rows of its functions.
    fn run(
        &self,
        row: &[Value],
        malformed: &Cell<u64>,
        emit: &mut dyn FnMut(&Frame<'_>) -> Result<(), EvalError>,
    ) -> Result<(), EvalError> {
        let frame = Frame { row, extra: &[], malformed };
        for filter in &self.filters {
            if !is_true(filter, &frame)? {
                return Ok(());
            }
        }
        let mut extra = Vec::new();
        self.combine(row, malformed, &mut extra, emit)
    }

    fn combine(
        &self,
        row: &[Value],
        malformed: &Cell<u64>,
        extra: &mut Vec<Value>,
        emit: &mut dyn FnMut(&Frame<'_>) -> Result<(), EvalError>,
    ) -> Result<(), EvalError> {
        let frame = Frame { row, extra, malformed };
        let Some(arg) = self.each.get(extra.len() / EACH_COLUMNS) else {
            for filter in &self.each_filters {
                if !is_true(filter, &frame)? {
                    return Ok(());
                }
            }
            return emit(&frame);
        };
        let rows = each_rows(&*arg.eval(&frame)?, &frame);
        let before = extra.len();
        for each in rows {
            extra.extend([each.key, each.value, Value::text(each.kind)]);
            self.combine(row, malformed, extra, emit)?;
            extra.truncate(before);
        }
        Ok(())
    }

    /// The key of the row; none if a part is NULL or a blob.
    fn key(&self, frame: &Frame<'_>) -> Result<Option<String>, EvalError> {
        let mut values = Vec::with_capacity(self.key.len());
        for part in &self.key {
            values.push(part.eval(frame)?);
        }
        Ok(key_text(values.iter().map(|value| value.as_ref()), false))
    }
}

impl BoundEvaluator {
    fn evaluate(&self, row: &[Value], malformed: &Cell<u64>, result: &mut RowResult) -> Result<(), RowProblem> {
        let failed = |error| RowProblem::Evaluator(self.number, error);
        let mut keys: Vec<String> = Vec::new();
        let mut seen = HashSet::new();
        self.program
            .run(row, malformed, &mut |frame| {
                if let Some(key) = self.program.key(frame)?
                    && seen.insert(key.clone())
                {
                    keys.push(key);
                }
                Ok(())
            })
            .map_err(failed)?;
        if keys.is_empty() {
            return Ok(());
        }
        let frame = Frame { row, extra: &[], malformed };
        let (id, data) = self.output(&frame).map_err(failed)?;
        let Some(id) = id else { return Err(RowProblem::NoId(self.number)) };
        if data.len() > MAX_ROW {
            return Err(RowProblem::TooLarge(self.number));
        }
        let (id, data): (Arc<str>, Arc<str>) = (id.into(), data.into());
        // What other evaluators of the same definitions made of the row.
        let is_of_one = |number: usize| self.definitions.iter().any(|definition| definition.number == number);
        let same = |entry: &BucketEntry| is_of_one(entry.definition) && entry.id == id && entry.table == self.table;
        let others: HashMap<(usize, Arc<str>), usize> = (result.buckets.iter().enumerate())
            .filter(|(_, entry)| same(entry))
            .map(|(at, entry)| ((entry.definition, Arc::clone(&entry.key)), at))
            .collect();
        for key in keys {
            let key: Arc<str> = key.into();
            for BoundDefinition { number: definition, before } in &self.definitions {
                let other = others.get(&(*definition, Arc::clone(&key))).and_then(|at| result.buckets.get_mut(*at));
                match other {
                    Some(other) if other.data == data => {}
                    // The first one in the definition counts, whichever is evaluated first.
                    Some(other) if before.contains(&other.evaluator) => {
                        result.problems.push(RowProblem::Collision(self.number));
                    }
                    Some(other) => {
                        result.problems.push(RowProblem::Collision(other.evaluator));
                        (other.evaluator, other.data) = (self.number, Arc::clone(&data));
                    }
                    None => result.buckets.push(BucketEntry {
                        definition: *definition,
                        evaluator: self.number,
                        key: Arc::clone(&key),
                        table: Arc::clone(&self.table),
                        id: Arc::clone(&id),
                        data: Arc::clone(&data),
                    }),
                }
            }
        }
        Ok(())
    }

    /// The id, if it is one, and the row as JSON.
    fn output(&self, frame: &Frame<'_>) -> Result<(Option<String>, String), EvalError> {
        let mut data = String::from("{");
        let mut id = None;
        for (at, output) in self.outputs.iter().enumerate() {
            let value = output.expr.eval(frame)?;
            if self.id == Some(at) {
                id = id_text(&value);
            }
            if matches!(*value, Value::Blob(_)) || (output.is_sparse && value.is_null()) {
                continue;
            }
            if data.len() > 1 {
                data.push(',');
            }
            data.push_str(&output.label);
            write_json(&value, &mut data);
        }
        data.push('}');
        Ok((id, data))
    }
}

/// The id as text; an integral real is an integer here.
pub(crate) fn id_text(value: &Value) -> Option<String> {
    let text = match value {
        Value::Real(real) if real.trunc() == *real && real.abs() < 9e15 => Some(format!("{}", *real as i64)),
        Value::Blob(_) => None,
        other => other.as_text().map(|text| text.into_owned()),
    };
    text.filter(|text| !text.is_empty())
}

impl BoundIndex {
    fn evaluate(&self, row: &[Value], malformed: &Cell<u64>, result: &mut RowResult) -> Result<(), EvalError> {
        let mut seen = HashSet::new();
        let parameters = &mut result.parameters;
        self.program.run(row, malformed, &mut |frame| {
            let Some(key) = self.program.key(frame)? else { return Ok(()) };
            let mut outputs = Vec::with_capacity(self.outputs.len());
            for output in &self.outputs {
                outputs.push(output.eval(frame)?.into_owned());
            }
            // All outputs are compared with something, and NULL equals nothing; blobs are no keys.
            let Some(text) = key_text(&outputs, false) else { return Ok(()) };
            if seen.insert((key.clone(), text)) {
                parameters.push(ParameterEntry { index: self.number, key, outputs });
            }
            Ok(())
        })
    }
}

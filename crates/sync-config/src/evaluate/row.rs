//! Rows of a table to entries of buckets and parameter indexes. Names are resolved once per table, not per row.

use std::cell::Cell;
use std::collections::HashMap;
use std::sync::Arc;

use crate::expr::{EvalError, Expr, Frame, Slot, each_rows, is_true};
use crate::plan::{EachColumn, Output, Plan, RowProgram, RowRef};
use crate::value::{Value, key_text, write_json, write_json_string};

/// Larger rows are not synced.
const MAX_ROW: usize = 15 * 1024 * 1024;

/// Columns of each attached function in a row: key, value, type.
const EACH_COLUMNS: usize = 3;

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
    /// NULL: sources without a schema, where a document just has no such member.
    Null,
    /// A mistake: what needs the column gets no rows, because treating it as NULL could widen what is visible.
    Mistake,
}

/// All that a plan does with the rows of one table.
#[derive(Clone, Debug)]
pub struct BoundTable {
    columns: usize,
    evaluators: Vec<BoundEvaluator>,
    indexes: Vec<BoundIndex>,
    /// Evaluators and indexes that get no rows because the table lacks a column.
    pub unbound: Vec<RowProblem>,
}

#[derive(Clone, Debug)]
struct BoundProgram {
    each: Vec<Expr<Slot>>,
    /// Conditions without functions.
    filters: Vec<Expr<Slot>>,
    /// Conditions on a row together with rows of functions.
    each_filters: Vec<Expr<Slot>>,
    key: Vec<Expr<Slot>>,
}

#[derive(Clone, Debug)]
struct BoundEvaluator {
    number: usize,
    definitions: Vec<usize>,
    program: BoundProgram,
    table: Arc<str>,
    /// The name in quotes with a colon, and the value.
    outputs: Vec<(String, Expr<Slot>)>,
    /// Which output is the id.
    id: Option<usize>,
}

#[derive(Clone, Debug)]
struct BoundIndex {
    number: usize,
    program: BoundProgram,
    outputs: Vec<Expr<Slot>>,
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

impl Plan {
    /// Resolves all names for one table. The result is empty if the plan does not read it.
    pub fn bind(&self, table: &TableName<'_>, layout: &Layout<'_>) -> BoundTable {
        let mut bound =
            BoundTable { columns: layout.columns.len(), evaluators: Vec::new(), indexes: Vec::new(), unbound: Vec::new() };
        let binder = |suffix| Binder {
            table,
            suffix,
            layout,
            columns: layout.columns.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect(),
        };
        let suffix =
            |program: &RowProgram| program.table.suffix(table.connection, table.schema, table.table).map(str::to_owned);
        for (number, evaluator) in self.evaluators.iter().enumerate() {
            let Some(suffix) = suffix(&evaluator.program) else { continue };
            let binder = binder(suffix);
            let definitions = self.definitions.iter().enumerate();
            let definitions: Vec<usize> = definitions
                .filter(|(_, definition)| definition.evaluators.contains(&number))
                .map(|(definition, _)| definition)
                .collect();
            let name = evaluator.output_table.as_deref().unwrap_or(table.table);
            let parts = binder.program(&evaluator.program).and_then(|program| {
                binder.outputs(&evaluator.outputs).map(|outputs| (program, outputs))
            });
            match parts {
                Ok((program, outputs)) => {
                    let id = outputs.iter().position(|(name, _)| name == "\"id\":");
                    let table = name.into();
                    bound.evaluators.push(BoundEvaluator { number, definitions, program, table, outputs, id });
                }
                Err(error) => bound.unbound.push(RowProblem::Evaluator(number, error)),
            }
        }
        for (number, index) in self.indexes.iter().enumerate() {
            let Some(suffix) = suffix(&index.program) else { continue };
            let binder = binder(suffix);
            let parts = binder.program(&index.program).and_then(|program| {
                let outputs = index.outputs.iter().map(|output| binder.expr(output)).collect::<Result<_, _>>()?;
                Ok((program, outputs))
            });
            match parts {
                Ok((program, outputs)) => bound.indexes.push(BoundIndex { number, program, outputs }),
                Err(error) => bound.unbound.push(RowProblem::Index(number, error)),
            }
        }
        bound
    }
}

struct Binder<'a> {
    table: &'a TableName<'a>,
    suffix: String,
    layout: &'a Layout<'a>,
    columns: HashMap<&'a str, usize>,
}

impl Binder<'_> {
    fn expr(&self, expr: &Expr<RowRef>) -> Result<Expr<Slot>, EvalError> {
        expr.replace(&mut |leaf| {
            Ok(match leaf {
                RowRef::Column(name) => match (self.columns.get(name.as_str()), self.layout.missing) {
                    (Some(at), _) => Expr::Ref(Slot(*at)),
                    (None, MissingColumn::Null) => Expr::Literal(Value::Null),
                    (None, MissingColumn::Mistake) => return Err(EvalError("the table lacks a column")),
                },
                RowRef::Each(number, column) => {
                    let offset = match column {
                        EachColumn::Key => 0,
                        EachColumn::Value => 1,
                        EachColumn::Type => 2,
                    };
                    Expr::Ref(Slot(self.layout.columns.len() + number * EACH_COLUMNS + offset))
                }
                RowRef::Schema => Expr::Literal(Value::text(self.table.schema)),
                RowRef::TableName => Expr::Literal(Value::text(self.table.table)),
                RowRef::TableSuffix => Expr::Literal(Value::text(self.suffix.as_str())),
            })
        })
    }

    fn all(&self, exprs: &[Expr<RowRef>]) -> Result<Vec<Expr<Slot>>, EvalError> {
        exprs.iter().map(|expr| self.expr(expr)).collect()
    }

    fn program(&self, program: &RowProgram) -> Result<BoundProgram, EvalError> {
        let columns = self.layout.columns.len();
        let uses_functions = |expr: &Expr<Slot>| {
            let mut uses = false;
            expr.visit_refs(&mut |slot| uses |= slot.0 >= columns);
            uses
        };
        let (each_filters, filters) = self.all(&program.filters)?.into_iter().partition(uses_functions);
        Ok(BoundProgram { each: self.all(&program.each)?, filters, each_filters, key: self.all(&program.key)? })
    }

    /// Columns in order; a later one of the same name takes the place of the earlier.
    fn outputs(&self, outputs: &[Output]) -> Result<Vec<(String, Expr<Slot>)>, EvalError> {
        let mut columns: Vec<(String, Expr<Slot>)> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut put = |name: &str, expr: Expr<Slot>, replace: bool| {
            let mut label = String::new();
            write_json_string(name, &mut label);
            label.push(':');
            match places.get(name).and_then(|at| columns.get_mut(*at)) {
                Some(column) if replace => column.1 = expr,
                Some(_) => {}
                None => {
                    places.insert(name.to_owned(), columns.len());
                    columns.push((label, expr));
                }
            }
        };
        for output in outputs {
            match output {
                Output::Star { legacy } => {
                    for (at, name) in self.layout.columns.iter().enumerate() {
                        if !(*legacy && name.starts_with('_')) {
                            put(name, Expr::Ref(Slot(at)), !legacy);
                        }
                    }
                }
                Output::Column { name, expr } => put(name, self.expr(expr)?, true),
            }
        }
        Ok(columns)
    }
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
        self.program
            .run(row, malformed, &mut |frame| {
                if let Some(key) = self.program.key(frame)?
                    && !keys.contains(&key)
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
        for key in keys {
            let key: Arc<str> = key.into();
            for definition in &self.definitions {
                let same = |entry: &&BucketEntry| {
                    entry.definition == *definition && entry.key == key && entry.id == id && entry.table == self.table
                };
                match result.buckets.iter().find(same) {
                    Some(earlier) if earlier.data == data => {}
                    Some(_) => result.problems.push(RowProblem::Collision(self.number)),
                    None => result.buckets.push(BucketEntry {
                        definition: *definition,
                        evaluator: self.number,
                        key: key.clone(),
                        table: self.table.clone(),
                        id: id.clone(),
                        data: data.clone(),
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
        for (at, (label, expr)) in self.outputs.iter().enumerate() {
            let value = expr.eval(frame)?;
            if self.id == Some(at) {
                id = id_text(&value);
            }
            if matches!(*value, Value::Blob(_)) {
                continue;
            }
            if data.len() > 1 {
                data.push(',');
            }
            data.push_str(label);
            write_json(&value, &mut data);
        }
        data.push('}');
        Ok((id, data))
    }
}

/// The id as text; an integral real is an integer here.
fn id_text(value: &Value) -> Option<String> {
    let text = match value {
        Value::Real(real) if real.trunc() == *real && real.abs() < 9e15 => Some(format!("{}", *real as i64)),
        Value::Blob(_) => None,
        other => other.as_text().map(|text| text.into_owned()),
    };
    text.filter(|text| !text.is_empty())
}

impl BoundIndex {
    fn evaluate(&self, row: &[Value], malformed: &Cell<u64>, result: &mut RowResult) -> Result<(), EvalError> {
        let mut seen: Vec<(String, String)> = Vec::new();
        let parameters = &mut result.parameters;
        self.program.run(row, malformed, &mut |frame| {
            let Some(key) = self.program.key(frame)? else { return Ok(()) };
            let mut outputs = Vec::with_capacity(self.outputs.len());
            for output in &self.outputs {
                outputs.push(output.eval(frame)?.into_owned());
            }
            // All outputs are compared with something, and NULL equals nothing; blobs are no keys.
            let Some(text) = key_text(&outputs, false) else { return Ok(()) };
            if !seen.contains(&(key.clone(), text.clone())) {
                seen.push((key.clone(), text));
                parameters.push(ParameterEntry { index: self.number, key, outputs });
            }
            Ok(())
        })
    }
}

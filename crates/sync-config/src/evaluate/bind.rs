//! Resolves the names of a plan for one table.

use std::collections::HashMap;

use super::row::{
    BoundDefinition, BoundEvaluator, BoundIndex, BoundOutput, BoundProgram, BoundTable, EACH_COLUMNS, Layout,
    MissingColumn, RowProblem, TableName,
};
use crate::expr::{EvalError, Expr, Slot};
use crate::plan::{EachColumn, Output, Plan, RowProgram, RowRef};
use crate::value::{Value, write_json_string};

impl Plan {
    /// Resolves all names for one table. The result is empty if the plan does not read it.
    pub fn bind(&self, table: &TableName<'_>, layout: &Layout<'_>) -> BoundTable {
        let mut bound = BoundTable {
            columns: layout.columns.len(),
            evaluators: Vec::new(),
            indexes: Vec::new(),
            unbound: Vec::new(),
        };
        let binder = |suffix| Binder::new(table, suffix, layout);
        let suffix =
            |program: &RowProgram| program.table.suffix(table.connection, table.schema, table.table).map(str::to_owned);
        for (number, evaluator) in self.evaluators.iter().enumerate() {
            let Some(suffix) = suffix(&evaluator.program) else { continue };
            let binder = binder(suffix);
            let definitions = self.definitions.iter().enumerate();
            let definitions: Vec<BoundDefinition> = definitions
                .filter_map(|(at, definition)| {
                    let place = definition.evaluators.iter().position(|other| *other == number)?;
                    let before = definition.evaluators.iter().copied().take(place).collect();
                    Some(BoundDefinition { number: at, before })
                })
                .collect();
            let name = evaluator.output_table.as_deref().unwrap_or(table.table);
            let parts = binder
                .program(&evaluator.program)
                .and_then(|program| binder.outputs(&evaluator.outputs).map(|outputs| (program, outputs)));
            match parts {
                Ok((program, outputs)) => {
                    let id = outputs.iter().position(|output| output.label == "\"id\":");
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

/// Resolves the names of expressions for one table.
pub(crate) struct Binder<'a> {
    table: &'a TableName<'a>,
    suffix: String,
    layout: &'a Layout<'a>,
    columns: HashMap<&'a str, usize>,
}

impl<'a> Binder<'a> {
    pub(crate) fn new(table: &'a TableName<'a>, suffix: String, layout: &'a Layout<'a>) -> Self {
        let columns = layout.columns.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
        Self { table, suffix, layout, columns }
    }
}

impl Binder<'_> {
    pub(crate) fn expr(&self, expr: &Expr<RowRef>) -> Result<Expr<Slot>, EvalError> {
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
    pub(crate) fn outputs(&self, outputs: &[Output]) -> Result<Vec<BoundOutput>, EvalError> {
        let mut columns: Vec<BoundOutput> = Vec::new();
        let mut places: HashMap<String, usize> = HashMap::new();
        let mut put = |name: &str, expr: Expr<Slot>, is_sparse: bool, replace: bool| {
            let mut label = String::new();
            write_json_string(name, &mut label);
            label.push(':');
            match places.get(name).and_then(|at| columns.get_mut(*at)) {
                Some(column) if replace => (column.expr, column.is_sparse) = (expr, is_sparse),
                Some(_) => {}
                None => {
                    places.insert(name.to_owned(), columns.len());
                    columns.push(BoundOutput { label, expr, is_sparse });
                }
            }
        };
        let is_sparse = self.layout.missing == MissingColumn::Null;
        for (number, output) in outputs.iter().enumerate() {
            let is_given_later = |column: &String| {
                let mut later = outputs.iter().skip(number + 1);
                later.any(|output| matches!(output, Output::Column { name, .. } if name == column))
            };
            match output {
                Output::Star { legacy } => {
                    for (at, name) in self.layout.columns.iter().enumerate() {
                        // So that the place of that one does not depend on members that documents have.
                        let is_replaced = is_sparse && !legacy && is_given_later(name);
                        if !(is_replaced || *legacy && name.starts_with('_')) {
                            put(name, Expr::Ref(Slot(at)), is_sparse, !legacy);
                        }
                    }
                }
                Output::Column { name, expr } => put(name, self.expr(expr)?, false, true),
            }
        }
        Ok(columns)
    }
}

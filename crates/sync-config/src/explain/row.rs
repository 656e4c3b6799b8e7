//! What a program of the plan does with one row of a table: each condition with the values that decide it, and the keys.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::condition::{Condition, NamedValue, Verdict};
use super::sql::row_sql;
use crate::evaluate::{Binder, EACH_COLUMNS, Layout, TableName, id_text};
use crate::expr::{EvalError, Expr, Frame, Slot, each_rows};
use crate::plan::{Plan, RowProgram, RowRef};
use crate::value::{Value, key_text};

/// What a row gives to a row evaluator or a parameter index.
#[derive(Clone, Debug, Default)]
pub struct RowTrace {
    /// Its conditions. All must hold.
    pub conditions: Vec<Condition>,
    /// What the row gives, whether the conditions hold or not; each once.
    pub entries: Vec<EntryTrace>,
    /// The id on the client, of rows for buckets.
    pub id: Option<String>,
}

/// A key that a row gives, and the values that an index keeps with it.
#[derive(Clone, Debug)]
pub struct EntryTrace {
    /// A value for each part.
    pub key: Vec<Value>,
    /// A value for each output of an index.
    pub outputs: Vec<Value>,
}

impl RowTrace {
    /// Whether all conditions hold.
    pub fn holds(&self) -> bool {
        self.conditions.iter().all(Condition::holds)
    }
}

impl EntryTrace {
    /// The key as a JSON array; none if a part of it can be in no key.
    pub fn key_text(&self) -> Option<String> {
        key_text(&self.key, false)
    }
}

/// Follows rows of one table through a program.
#[derive(Clone, Debug)]
pub struct RowTracer {
    columns: usize,
    each: Vec<(String, Expr<Slot>)>,
    conditions: Vec<BoundCondition>,
    key: Vec<Expr<Slot>>,
    outputs: Vec<Expr<Slot>>,
    id: Option<Expr<Slot>>,
}

#[derive(Clone, Debug)]
struct BoundCondition {
    sql: String,
    expr: Expr<Slot>,
    /// Names and places of the values that it uses.
    values: Vec<(String, usize)>,
}

/// Why rows of a table cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoTracer {
    /// The program is for other tables.
    OtherTable,
    /// The table lacks what it needs: a column of one of these names.
    Lacks(Vec<String>),
}

impl Plan {
    /// What follows rows through a row evaluator of the plan.
    ///
    /// # Errors
    /// The evaluator is for other tables, or the table lacks a column.
    pub fn evaluator_tracer(
        &self,
        number: usize,
        table: &TableName<'_>,
        layout: &Layout<'_>,
    ) -> Result<RowTracer, NoTracer> {
        let evaluator = self.evaluators.get(number).ok_or(NoTracer::OtherTable)?;
        let binder = binder(&evaluator.program, table, layout)?;
        let mut tracer = RowTracer::new(&evaluator.program, &[], &binder, layout)?;
        let outputs = binder.outputs(&evaluator.outputs);
        let outputs = outputs.map_err(|_| lacking(&evaluator.program, &[], layout))?;
        tracer.id = outputs.into_iter().find(|output| output.label == "\"id\":").map(|output| output.expr);
        Ok(tracer)
    }

    /// What follows rows through a parameter index of the plan.
    ///
    /// # Errors
    /// As [`Plan::evaluator_tracer`].
    pub fn index_tracer(
        &self,
        number: usize,
        table: &TableName<'_>,
        layout: &Layout<'_>,
    ) -> Result<RowTracer, NoTracer> {
        let index = self.indexes.get(number).ok_or(NoTracer::OtherTable)?;
        let binder = binder(&index.program, table, layout)?;
        RowTracer::new(&index.program, &index.outputs, &binder, layout)
    }

    /// The parts of the key of a row evaluator, as SQL.
    pub fn evaluator_key_sql(&self, number: usize) -> Vec<String> {
        let parts = |program: &RowProgram| program.key.iter().map(|part| row_sql(part, program)).collect();
        self.evaluators.get(number).map(|evaluator| parts(&evaluator.program)).unwrap_or_default()
    }
}

fn binder<'a>(program: &RowProgram, table: &'a TableName<'a>, layout: &'a Layout<'a>) -> Result<Binder<'a>, NoTracer> {
    let suffix = program.table.suffix(table.connection, table.schema, table.table).ok_or(NoTracer::OtherTable)?;
    Ok(Binder::new(table, suffix.to_owned(), layout))
}

/// The columns that a program uses and a table does not have.
fn lacking(program: &RowProgram, outputs: &[Expr<RowRef>], layout: &Layout<'_>) -> NoTracer {
    let mut names = Vec::new();
    for expr in program.each.iter().chain(&program.filters).chain(&program.key).chain(outputs) {
        expr.visit_refs(&mut |leaf| {
            if let RowRef::Column(name) = leaf
                && !layout.columns.contains(name)
                && !names.contains(name)
            {
                names.push(name.clone());
            }
        });
    }
    NoTracer::Lacks(names)
}

impl RowTracer {
    fn new(
        program: &RowProgram,
        outputs: &[Expr<RowRef>],
        binder: &Binder<'_>,
        layout: &Layout<'_>,
    ) -> Result<Self, NoTracer> {
        let bound = |expr: &Expr<RowRef>| binder.expr(expr).map_err(|_| lacking(program, outputs, layout));
        let all = |exprs: &[Expr<RowRef>]| exprs.iter().map(bound).collect::<Result<Vec<_>, _>>();
        let place = |name: &String| layout.columns.iter().position(|column| column == name);
        let condition = |expr: &Expr<RowRef>| {
            let mut values = BTreeMap::new();
            expr.visit_refs(&mut |leaf| {
                if let RowRef::Column(name) = leaf
                    && let Some(at) = place(name)
                {
                    values.insert(name.clone(), at);
                }
            });
            Ok(BoundCondition { sql: row_sql(expr, program), expr: bound(expr)?, values: values.into_iter().collect() })
        };
        let each = program.each.iter().map(|argument| {
            let sql = format!("json_each({}) has an element", row_sql(argument, program));
            Ok((sql, bound(argument)?))
        });
        Ok(Self {
            columns: layout.columns.len(),
            each: each.collect::<Result<_, NoTracer>>()?,
            conditions: program.filters.iter().map(condition).collect::<Result<_, NoTracer>>()?,
            key: all(&program.key)?,
            outputs: all(outputs)?,
            id: None,
        })
    }

    /// Follows a row, which has the values of the layout's columns.
    pub fn trace(&self, row: &[Value]) -> RowTrace {
        let malformed = Cell::new(0);
        let frame = Frame { row, extra: &[], malformed: &malformed };
        let mut trace = RowTrace::default();
        let is_for_each = |condition: &&BoundCondition| uses_from(&condition.expr, self.columns);
        let (on_each, on_row): (Vec<_>, Vec<_>) = self.conditions.iter().partition(is_for_each);
        trace.conditions = on_row.iter().map(|condition| condition.evaluate(&frame)).collect();
        let mut rows = Vec::new();
        self.combine(row, &malformed, &mut Vec::new(), &mut rows);
        if rows.is_empty() {
            let none = |sql: &String| Condition { sql: sql.clone(), values: Vec::new(), verdict: Verdict::Fails };
            trace.conditions.extend(self.each.iter().map(|(sql, _)| none(sql)));
        }
        let passes = |extra: &Vec<Value>| {
            let frame = Frame { row, extra, malformed: &malformed };
            on_each.iter().all(|condition| condition.evaluate(&frame).holds())
        };
        let passing: Vec<&Vec<Value>> = rows.iter().filter(|extra| passes(extra)).collect();
        if passing.is_empty() && !rows.is_empty() {
            // Of several elements none fits, so no single value decides.
            let fails = |condition: &&BoundCondition| Condition {
                sql: condition.sql.clone(),
                values: Vec::new(),
                verdict: Verdict::Fails,
            };
            trace.conditions.extend(on_each.iter().map(fails));
        }
        trace.entries = self.entries(row, &passing, &malformed);
        trace.id = self.id.as_ref().and_then(|id| id.eval(&frame).ok()).and_then(|id| id_text(&id));
        trace
    }

    fn entries(&self, row: &[Value], passing: &[&Vec<Value>], malformed: &Cell<u64>) -> Vec<EntryTrace> {
        let mut seen = std::collections::HashSet::new();
        let mut entries = Vec::new();
        for extra in passing {
            let frame = Frame { row, extra, malformed };
            let values = |exprs: &[Expr<Slot>]| -> Result<Vec<Value>, EvalError> {
                exprs.iter().map(|expr| expr.eval(&frame).map(|value| value.into_owned())).collect()
            };
            if let (Ok(key), Ok(outputs)) = (values(&self.key), values(&self.outputs))
                && seen.insert(format!("{key:?} {outputs:?}"))
            {
                entries.push(EntryTrace { key, outputs });
            }
        }
        entries
    }

    /// All combinations of rows of the attached functions.
    fn combine(&self, row: &[Value], malformed: &Cell<u64>, extra: &mut Vec<Value>, rows: &mut Vec<Vec<Value>>) {
        let Some((_, argument)) = self.each.get(extra.len() / EACH_COLUMNS) else {
            rows.push(extra.clone());
            return;
        };
        let frame = Frame { row, extra, malformed };
        let Ok(argument) = argument.eval(&frame) else { return };
        let elements = each_rows(&argument, &frame);
        drop(argument);
        let before = extra.len();
        for element in elements {
            extra.extend([element.key, element.value, Value::text(element.kind)]);
            self.combine(row, malformed, extra, rows);
            extra.truncate(before);
        }
    }
}

fn uses_from(expr: &Expr<Slot>, first: usize) -> bool {
    let mut uses = false;
    expr.visit_refs(&mut |slot| uses |= slot.0 >= first);
    uses
}

impl BoundCondition {
    fn evaluate(&self, frame: &Frame<'_>) -> Condition {
        let value = |at: &usize| frame.row.get(*at).cloned().unwrap_or(Value::Null);
        let named = |(name, at): &(String, usize)| NamedValue::column(name.clone(), value(at));
        Condition {
            sql: self.sql.clone(),
            values: self.values.iter().map(named).collect(),
            verdict: Verdict::of(self.expr.eval(frame)),
        }
    }
}

//! The rows of the join that a querier is: values by slot.

use std::collections::{BTreeSet, HashSet};

use crate::expr::{Expr, Slot};
use crate::plan::{Querier, RequestRef, StepSource};
use crate::value::{Value, write_json};

/// Values of the request before the slots: claims, subscription, connection.
pub(crate) const CONTEXT: usize = 3;

/// Rows of values that belong together; all have the same slots.
pub(crate) struct Rows {
    /// The slot of each value.
    pub(super) slots: Vec<usize>,
    pub(super) rows: Vec<Vec<Value>>,
}

impl Rows {
    /// One row without any slot: where every join begins.
    pub(crate) fn start() -> Self {
        Self { slots: Vec::new(), rows: vec![Vec::new()] }
    }

    /// Keeps the slots that are needed, and each row once.
    pub(crate) fn project(&mut self, needed: &BTreeSet<usize>) {
        let kept: Vec<bool> = self.slots.iter().map(|slot| needed.contains(slot)).collect();
        let keep = |values: &mut Vec<Value>| {
            let mut kept = kept.iter();
            values.retain(|_| kept.next().copied().unwrap_or(false));
        };
        let mut seen = HashSet::new();
        self.rows.retain_mut(|row| {
            keep(row);
            seen.insert(exact_text(row))
        });
        self.slots.retain(|slot| needed.contains(slot));
    }
}

/// A text that is equal for the same values only: conditions may tell 1 from 1.0.
fn exact_text(row: &[Value]) -> String {
    let mut text = String::new();
    for value in row {
        if !write_json(value, &mut text) {
            text.push_str(&format!("{value:?}"));
        }
        text.push(',');
    }
    text
}

/// The expression with positions for slots.
pub(crate) fn bind(expr: &Expr<RequestRef>, slots: &[usize]) -> Expr<Slot> {
    let bound: Result<Expr<Slot>, std::convert::Infallible> = expr.replace(&mut |leaf| {
        Ok(match leaf {
            RequestRef::Auth => Expr::Ref(Slot(0)),
            RequestRef::Subscription => Expr::Ref(Slot(1)),
            RequestRef::Connection => Expr::Ref(Slot(2)),
            RequestRef::Slot(slot) => match slots.iter().position(|other| other == slot) {
                Some(at) => Expr::Ref(Slot(CONTEXT + at)),
                None => {
                    debug_assert!(false, "a slot is filled before it is used");
                    Expr::Literal(Value::Null)
                }
            },
        })
    });
    match bound {
        Ok(bound) => bound,
        Err(never) => match never {},
    }
}

/// All of them with positions for slots.
pub(crate) fn bind_all(exprs: &[Expr<RequestRef>], slots: &[usize]) -> Vec<Expr<Slot>> {
    exprs.iter().map(|expr| bind(expr, slots)).collect()
}

/// The slots that steps after `number`, or the key, use.
pub(crate) fn needed_after(querier: &Querier, number: usize) -> BTreeSet<usize> {
    let mut needed = BTreeSet::new();
    let mut note = |expr: &Expr<RequestRef>| {
        expr.visit_refs(&mut |leaf| {
            if let RequestRef::Slot(slot) = leaf {
                needed.insert(*slot);
            }
        });
    };
    querier.key.iter().for_each(&mut note);
    for step in querier.steps.iter().skip(number + 1) {
        step.filters.iter().for_each(&mut note);
        match &step.source {
            StepSource::Each { arg, .. } => note(arg),
            StepSource::Lookup { key, .. } => key.iter().for_each(&mut note),
        }
    }
    needed
}

//! The rows of the join that a querier is: values by slot.

use std::collections::{BTreeMap, BTreeSet};

use crate::expr::{Expr, Slot};
use crate::plan::{Querier, RequestRef, StepSource};
use crate::value::{Value, key_text};

/// Values of slots that belong together.
pub type Binding = BTreeMap<usize, Value>;

pub fn layout(context: usize, binding: &Binding) -> (BTreeMap<usize, usize>, Vec<Value>) {
    let slots = binding.keys().enumerate().map(|(at, slot)| (*slot, context + at)).collect();
    (slots, binding.values().cloned().collect())
}

pub fn bind(expr: &Expr<RequestRef>, slots: &BTreeMap<usize, usize>) -> Expr<Slot> {
    let bound: Result<Expr<Slot>, std::convert::Infallible> = expr.replace(&mut |leaf| {
        Ok(match leaf {
            RequestRef::Auth => Expr::Ref(Slot(0)),
            RequestRef::Subscription => Expr::Ref(Slot(1)),
            RequestRef::Connection => Expr::Ref(Slot(2)),
            RequestRef::Slot(slot) => match slots.get(slot) {
                Some(at) => Expr::Ref(Slot(*at)),
                None => Expr::Literal(Value::Null),
            },
        })
    });
    match bound {
        Ok(bound) => bound,
        Err(never) => match never {},
    }
}

/// The slots that steps after `number`, or the key, use.
pub fn needed_after(querier: &Querier, number: usize) -> BTreeSet<usize> {
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

/// Each binding once, with only the slots that are needed.
pub fn distinct(bindings: Vec<Binding>, needed: &BTreeSet<usize>) -> Vec<Binding> {
    let mut seen = BTreeSet::new();
    let mut distinct = Vec::new();
    for mut binding in bindings {
        binding.retain(|slot, _| needed.contains(slot));
        let text: String = binding
            .iter()
            .map(|(slot, value)| match key_text([value], true) {
                Some(text) => format!("{slot}{text}"),
                None => format!("{slot}{value:?}"),
            })
            .collect();
        if seen.insert(text) {
            distinct.push(binding);
        }
    }
    distinct
}

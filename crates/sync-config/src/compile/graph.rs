//! The conditions of one branch, sorted by what they need: filters of one source, of the request, and matches.

use std::cell::Cell;
use std::collections::BTreeMap;

use super::condition::Conjunction;
use super::order::canonical_order;
use super::scope::Built;
use super::terms::{Owner, Ref, SourceId, SourceKind, Sources, text};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::expr::{Expr, Frame, Operator, Slot, is_true};

/// One side of `l = r`.
#[derive(Clone, Debug)]
pub(crate) struct Side {
    pub(super) owner: Owner,
    pub(super) expr: Expr<Ref>,
    /// Canonical text, which identifies the expression.
    pub(super) text: String,
}

/// One branch, in canonical order.
#[derive(Debug)]
pub(crate) struct Graph<'a> {
    pub(super) sources: &'a Sources,
    /// The table whose rows are synced; none for a query that only gives parameters.
    pub(super) primary: Option<SourceId>,
    /// All tables.
    pub(super) tables: Vec<SourceId>,
    /// `json_each` over request data; each comes after those that its argument needs.
    pub(super) functions: Vec<SourceId>,
    /// `json_each` over columns of a table, by table; each comes after those that its argument needs.
    pub(super) attached: BTreeMap<SourceId, Vec<SourceId>>,
    /// Conditions of one table or function.
    pub(super) filters: BTreeMap<SourceId, Vec<Expr<Ref>>>,
    pub(super) request_filters: Vec<Expr<Ref>>,
    pub(super) matches: Vec<(Side, Side)>,
}

/// Sorts the conditions. None if one of them is never true.
pub(crate) fn build<'a>(
    sources: &'a Sources,
    base: &[SourceId],
    branch: &Conjunction,
    primary: Option<SourceId>,
) -> Built<Option<Graph<'a>>> {
    let ids: Vec<SourceId> = base.iter().chain(&branch.sources).copied().collect();
    let exprs: Vec<&Expr<Ref>> = branch.atoms.iter().map(|(expr, _)| expr).collect();
    let order = canonical_order(sources, &ids, &exprs, primary);
    let rank = |id: SourceId| format!("s{:03}", order.iter().position(|other| *other == id).unwrap_or(order.len()));
    let mut atoms: Vec<(String, &Expr<Ref>, Span)> =
        branch.atoms.iter().map(|(expr, span)| (text(expr, &rank), expr, *span)).collect();
    atoms.sort_by(|a, b| a.0.cmp(&b.0));
    atoms.dedup_by(|a, b| a.0 == b.0);

    let mut graph = Graph {
        sources,
        primary,
        tables: Vec::new(),
        functions: Vec::new(),
        attached: BTreeMap::new(),
        filters: BTreeMap::new(),
        request_filters: Vec::new(),
        matches: Vec::new(),
    };
    for id in by_need(sources, &order) {
        match (sources.is_table(id), sources.owner(id)) {
            (true, _) => graph.tables.push(id),
            (false, Owner::Source(owner)) if owner != id => graph.attached.entry(owner).or_default().push(id),
            (false, _) => graph.functions.push(id),
        }
    }
    for (_, expr, span) in atoms {
        if !graph.classify(expr, span, &rank)? {
            return Ok(None);
        }
    }
    Ok(Some(graph))
}

/// Functions after those that their arguments need; apart from that the order stays.
fn by_need(sources: &Sources, order: &[SourceId]) -> Vec<SourceId> {
    let mut done: Vec<SourceId> = Vec::with_capacity(order.len());
    let mut rest = order.to_vec();
    while !rest.is_empty() {
        let ready = rest.iter().position(|id| match sources.get(*id).map(|source| &source.kind) {
            Some(SourceKind::Each { arg, .. }) => {
                super::terms::touched(arg).iter().all(|need| done.contains(need) || !rest.contains(need))
            }
            _ => true,
        });
        // Arguments only name earlier sources, so one is always ready.
        debug_assert!(ready.is_some(), "functions need each other");
        done.push(rest.remove(ready.unwrap_or(0)));
    }
    done
}

impl Graph<'_> {
    /// Files one condition. False if it is never true.
    fn classify(&mut self, expr: &Expr<Ref>, span: Span, name: &dyn Fn(SourceId) -> String) -> Built<bool> {
        let owners: Vec<Owner> = self.sources.owners(expr).into_iter().collect();
        match owners.as_slice() {
            [] => return constant(expr, span),
            [Owner::Request] => self.request_filters.push(expr.clone()),
            [Owner::Source(id)] => self.filters.entry(*id).or_default().push(expr.clone()),
            _ => {
                let sides = self.sides(expr, name);
                let Some(sides) = sides else { return Err(self.mixed(&owners, span)) };
                self.matches.push(sides);
            }
        }
        Ok(true)
    }

    fn sides(&self, expr: &Expr<Ref>, name: &dyn Fn(SourceId) -> String) -> Option<(Side, Side)> {
        let Expr::Binary(Operator::Eq, left, right) = expr else { return None };
        let side = |expr: &Expr<Ref>| {
            let owners = self.sources.owners(expr);
            let owner = *owners.first().filter(|_| owners.len() == 1)?;
            Some(Side { owner, expr: expr.clone(), text: text(expr, name) })
        };
        Some((side(left)?, side(right)?))
    }

    fn mixed(&self, owners: &[Owner], span: Span) -> Diagnostic {
        let message = if owners.contains(&Owner::Request) {
            "This expression already references row data, so it can't also reference connection parameters unless the \
             two are compared with an equals operator"
                .to_owned()
        } else {
            let first = owners.iter().find_map(|owner| match owner {
                Owner::Source(id) => Some(self.sources.name(*id)),
                Owner::Request => None,
            });
            format!(
                "This expression already references '{}', so it can't also reference data from this row unless the two \
                 are compared with an equals operator",
                first.unwrap_or_default()
            )
        };
        Diagnostic::new(Code::MixedSources, span, message)
    }
}

/// Whether a condition without any leaf is true.
fn constant(expr: &Expr<Ref>, span: Span) -> Built<bool> {
    let bound: Result<Expr<Slot>, ()> = expr.replace(&mut |_| Err(()));
    let malformed = Cell::new(0);
    let frame = Frame { row: &[], extra: &[], malformed: &malformed };
    match bound.map(|expr| is_true(&expr, &frame)) {
        Ok(Ok(value)) => Ok(value),
        Ok(Err(error)) => Err(Diagnostic::new(Code::BadValue, span, format!("This condition has no value: {error}"))),
        Err(()) => {
            debug_assert!(false, "a constant has no leaves");
            Ok(false)
        }
    }
}

//! Equalities between sources: edges between tables, classes of equal expressions, and expressions over one row.

use std::collections::BTreeMap;

use super::graph::Side;
use super::terms::{Owner, Ref, SourceId};
use crate::expr::Expr;
use crate::plan::RowRef;

/// A step of resolving; the error is what is not supported.
pub(crate) type Step<T> = Result<T, &'static str>;

/// An equality between two tables that are both looked up.
pub(crate) struct Edge {
    pub(super) ends: [Side; 2],
}

/// An expression over the rows of one table and the functions attached to them.
pub(crate) fn row_expression(expr: &Expr<Ref>, id: SourceId, attached: &[SourceId]) -> Step<Expr<RowRef>> {
    expr.replace(&mut |leaf| match leaf {
        Ref::Row(other, row) if *other == id => Ok(Expr::Ref(row.clone())),
        Ref::Each(function, column) => match attached.iter().position(|other| other == function) {
            Some(number) => Ok(Expr::Ref(RowRef::Each(number, *column))),
            None => Err("this reference to a function is not supported"),
        },
        _ => Err("a value of the row was expected"),
    })
}

impl Edge {
    fn owner(&self, end: usize) -> Option<SourceId> {
        match self.ends.get(end)?.owner {
            Owner::Source(id) => Some(id),
            Owner::Request => None,
        }
    }

    pub(super) fn joins(&self, a: SourceId, b: SourceId) -> bool {
        self.other(a) == Some(b)
    }

    pub(super) fn other(&self, id: SourceId) -> Option<SourceId> {
        match (self.owner(0), self.owner(1)) {
            (Some(a), Some(b)) if a == id => Some(b),
            (Some(a), Some(b)) if b == id => Some(a),
            _ => None,
        }
    }

    /// Own and other side, seen from a table.
    pub(super) fn oriented(&self, id: SourceId) -> impl Iterator<Item = (&Side, &Side)> {
        let [left, right] = &self.ends;
        let own = Owner::Source(id);
        let pairs = [(left, right), (right, left)];
        pairs.into_iter().filter(move |(a, b)| a.owner == own && b.owner != own)
    }
}

/// Groups the sides of matches that are equal to each other.
pub(crate) fn classes(matches: &[(Side, Side)]) -> Vec<Vec<&Side>> {
    let sides: Vec<&Side> = matches.iter().flat_map(|(left, right)| [left, right]).collect();
    let mut class: Vec<usize> = (0..sides.len()).collect();
    let mut merge = |a: usize, b: usize| {
        let (Some(from), Some(to)) = (class.get(a).copied(), class.get(b).copied()) else { return };
        class.iter_mut().filter(|member| **member == from).for_each(|member| *member = to);
    };
    let mut first: BTreeMap<&str, usize> = BTreeMap::new();
    for (number, side) in sides.iter().enumerate() {
        // The two sides of a match follow each other.
        merge(number, number / 2 * 2);
        let earlier = *first.entry(&side.text).or_insert(number);
        merge(number, earlier);
    }
    let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (number, class) in class.iter().enumerate() {
        groups.entry(*class).or_default().push(number);
    }
    // In the order of the matches.
    let mut groups: Vec<Vec<usize>> = groups.into_values().collect();
    groups.sort();
    groups.iter().map(|group| group.iter().filter_map(|number| sides.get(*number).copied()).collect()).collect()
}

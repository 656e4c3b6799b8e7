//! The terms of compilation: sources, references to them, and whose row an expression needs.

use std::collections::BTreeSet;

use crate::expr::{Affinity, CastType, Expr, Operator, canonical};
use crate::plan::{EachColumn, RequestRef, RowRef, TablePattern};

/// Number of a source within one query.
pub(crate) type SourceId = usize;

/// A leaf of an expression while compiling.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Ref {
    /// Of the row of a table: a column or its metadata.
    Row(SourceId, RowRef),
    /// Of a row of `json_each`.
    Each(SourceId, EachColumn),
    /// Of the request.
    Request(RequestRef),
    /// A parameter of a legacy bucket definition.
    Bucket(String),
}

/// An item of FROM after inlining.
#[derive(Clone, Debug)]
pub(crate) struct Source {
    pub(super) kind: SourceKind,
    /// Its name for messages.
    pub(super) name: String,
}

/// The kinds of sources.
#[derive(Clone, Debug)]
pub(crate) enum SourceKind {
    /// A table; the alias, if there is one, is the name that clients see.
    Table { pattern: TablePattern, alias: Option<String> },
    /// `json_each` of an expression over earlier sources.
    Each { arg: Expr<Ref>, owner: Owner },
}

/// Whose row an expression needs. `json_each` over a column belongs to the row; over request data it owns itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Owner {
    Request,
    Source(SourceId),
}

/// All sources of a query.
#[derive(Clone, Debug, Default)]
pub(crate) struct Sources {
    pub(super) all: Vec<Source>,
}

impl Sources {
    pub(super) fn get(&self, id: SourceId) -> Option<&Source> {
        self.all.get(id)
    }

    pub(super) fn owner(&self, id: SourceId) -> Owner {
        match self.get(id).map(|source| &source.kind) {
            Some(SourceKind::Each { owner, .. }) => *owner,
            _ => Owner::Source(id),
        }
    }

    pub(super) fn name(&self, id: SourceId) -> &str {
        self.get(id).map_or("", |source| &source.name)
    }

    pub(super) fn is_table(&self, id: SourceId) -> bool {
        matches!(self.get(id).map(|source| &source.kind), Some(SourceKind::Table { .. }))
    }

    /// The owners of all leaves.
    pub(super) fn owners(&self, expr: &Expr<Ref>) -> BTreeSet<Owner> {
        let mut owners = BTreeSet::new();
        expr.visit_refs(&mut |leaf| {
            owners.insert(match leaf {
                Ref::Row(id, _) | Ref::Each(id, _) => self.owner(*id),
                Ref::Request(_) | Ref::Bucket(_) => Owner::Request,
            });
        });
        owners
    }
}

/// The sources that leaves name, functions included.
pub(crate) fn touched(expr: &Expr<Ref>) -> BTreeSet<SourceId> {
    let mut touched = BTreeSet::new();
    expr.visit_refs(&mut |leaf| {
        if let Ref::Row(id, _) | Ref::Each(id, _) = leaf {
            touched.insert(*id);
        }
    });
    touched
}

/// Canonical text with sources named by `name`.
pub(crate) fn text(expr: &Expr<Ref>, name: &dyn Fn(SourceId) -> String) -> String {
    canonical(expr, &|leaf| match leaf {
        Ref::Row(id, row) => format!("{}.{row:?}", name(*id)),
        Ref::Each(id, column) => format!("{}.{column:?}", name(*id)),
        Ref::Request(request) => format!("{request:?}"),
        Ref::Bucket(parameter) => format!("bucket.{parameter:?}"),
    })
}

/// What SQLite derives from the form of an operand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum OperandAffinity {
    None,
    Blob,
    Text,
    Numeric,
}

fn affinity(expr: &Expr<Ref>) -> OperandAffinity {
    match expr {
        Expr::Cast(CastType::Text, _) => OperandAffinity::Text,
        Expr::Cast(CastType::Blob, _) => OperandAffinity::Blob,
        Expr::Cast(..) => OperandAffinity::Numeric,
        Expr::Ref(Ref::Row(_, RowRef::Column(_)) | Ref::Each(..)) => OperandAffinity::Blob,
        _ => OperandAffinity::None,
    }
}

/// A comparison with the conversions that SQLite makes, spelled out.
pub(crate) fn compare(operator: Operator, left: Expr<Ref>, right: Expr<Ref>) -> Expr<Ref> {
    let (left, right) = converted(left, right);
    Expr::binary(operator, left, right)
}

/// Both sides of a comparison after conversion.
pub(crate) fn converted(left: Expr<Ref>, right: Expr<Ref>) -> (Expr<Ref>, Expr<Ref>) {
    let (a, b) = (affinity(&left), affinity(&right));
    let numeric = a == OperandAffinity::Numeric || b == OperandAffinity::Numeric;
    let text = |x, y| x == OperandAffinity::Text && y == OperandAffinity::None;
    let wrap = |to: Affinity, expr: Expr<Ref>| Expr::Convert(to, Box::new(expr));
    if numeric {
        let side = |own, expr| if own == OperandAffinity::Numeric { expr } else { wrap(Affinity::Numeric, expr) };
        return (side(a, left), side(b, right));
    }
    if text(a, b) {
        return (left, wrap(Affinity::Text, right));
    }
    if text(b, a) {
        return (wrap(Affinity::Text, left), right);
    }
    (left, right)
}

/// The conversion that the left side of IN asks of a list.
pub(crate) fn list_item(left: &Expr<Ref>, item: Expr<Ref>) -> Expr<Ref> {
    match affinity(left) {
        OperandAffinity::Numeric => Expr::Convert(Affinity::Numeric, Box::new(item)),
        OperandAffinity::Text => Expr::Convert(Affinity::Text, Box::new(item)),
        _ => item,
    }
}

/// Whether IN converts the elements of a JSON array to numbers.
pub(crate) fn numeric_array(left: &Expr<Ref>) -> bool {
    affinity(left) == OperandAffinity::Numeric
}

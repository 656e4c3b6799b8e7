//! Conditions with subqueries: a tree of AND and OR over atoms, and its form as an OR of ANDs.

use super::lower::not_supported;
use super::scope::{Builder, Built, Scope};
use super::terms::{Ref, SourceId, compare, list_item};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::expr::{Expr, Operator};
use crate::plan::EachColumn;
use crate::sql::ast::{self, ExprKind, InRight};

/// Branches that one query may have.
const MAX_BRANCHES: usize = 100;

/// A condition; NOT is inside of atoms.
#[derive(Clone, Debug)]
pub(crate) enum Cond {
    Atom(Expr<Ref>, Span),
    All(Vec<Cond>),
    Any(Vec<Cond>),
    /// Holds if there are rows of these sources with which the condition holds.
    With(Vec<SourceId>, Box<Cond>),
}

/// One AND of the normal form.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conjunction {
    pub(super) atoms: Vec<(Expr<Ref>, Span)>,
    /// Sources that only this branch has.
    pub(super) sources: Vec<SourceId>,
}

impl Cond {
    /// The OR of ANDs.
    pub(super) fn branches(&self, span: Span) -> Built<Vec<Conjunction>> {
        let too_many = || {
            let message = format!("The conditions have more than {MAX_BRANCHES} OR branches");
            Diagnostic::new(Code::TooManyBranches, span, message)
        };
        Ok(match self {
            Cond::Atom(expr, span) => {
                vec![Conjunction { atoms: vec![(expr.clone(), *span)], sources: Vec::new() }]
            }
            Cond::All(parts) => {
                let mut all = vec![Conjunction::default()];
                for part in parts {
                    let branches = part.branches(span)?;
                    if all.len() * branches.len() > MAX_BRANCHES {
                        return Err(too_many());
                    }
                    all = all.iter().flat_map(|left| branches.iter().map(|right| left.and(right))).collect();
                }
                all
            }
            Cond::Any(parts) => {
                let mut any = Vec::new();
                for part in parts {
                    any.extend(part.branches(span)?);
                    if any.len() > MAX_BRANCHES {
                        return Err(too_many());
                    }
                }
                any
            }
            Cond::With(sources, cond) => {
                let mut branches = cond.branches(span)?;
                for branch in &mut branches {
                    branch.sources.extend(sources);
                }
                branches
            }
        })
    }
}

impl Conjunction {
    fn and(&self, other: &Conjunction) -> Conjunction {
        let mut both = self.clone();
        both.atoms.extend(other.atoms.iter().cloned());
        both.sources.extend(&other.sources);
        both
    }
}

impl Builder<'_> {
    /// Compiles a condition, or its negation.
    pub(super) fn condition(&mut self, expr: &ast::Expr, scope: &Scope<'_>, negated: bool) -> Built<Cond> {
        match &expr.kind {
            ExprKind::Not(operand) => return self.condition(operand, scope, !negated),
            ExprKind::Binary(operator @ (ast::Operator::And | ast::Operator::Or), left, right) => {
                let all = (*operator == ast::Operator::And) != negated;
                if !all && let Some(atom) = self.single(expr, scope, negated)? {
                    return Ok(atom);
                }
                let parts = vec![self.condition(left, scope, negated)?, self.condition(right, scope, negated)?];
                return Ok(if all { Cond::All(parts) } else { Cond::Any(parts) });
            }
            ExprKind::In { expr: left, right, negated: not } => {
                return self.membership(left, right, expr, scope, negated != *not);
            }
            ExprKind::Exists(query) => {
                if negated {
                    return Err(negated_subquery(expr.span, "NOT EXISTS"));
                }
                return self.exists(query, scope);
            }
            _ => {}
        }
        let atom = self.lower(expr, scope)?;
        if let ExprKind::Between { low, high, negated: not, .. } = &expr.kind
            && self.sources.owners(&atom).len() > 1
            && negated == *not
        {
            // Each half may be a filter of its own.
            let inner = if *not { not_operand(atom) } else { atom };
            if let Expr::And(halves) = inner {
                let spans = [low.span, high.span];
                return Ok(Cond::All(
                    halves.into_iter().zip(spans).map(|(half, span)| Cond::Atom(half, span)).collect(),
                ));
            }
            return Err(not_supported(expr.span, "This BETWEEN is not supported"));
        }
        Ok(Cond::Atom(if negated { Expr::Not(Box::new(atom)) } else { atom }, expr.span))
    }

    /// The whole expression as one atom if it needs one source at most and has no subquery.
    fn single(&mut self, expr: &ast::Expr, scope: &Scope<'_>, negated: bool) -> Built<Option<Cond>> {
        if self.has_query(expr) {
            return Ok(None);
        }
        let findings = self.findings.len();
        let lowered = self.lower(expr, scope)?;
        if self.sources.owners(&lowered).len() > 1 {
            self.findings.truncate(findings);
            return Ok(None);
        }
        Ok(Some(Cond::Atom(if negated { Expr::Not(Box::new(lowered)) } else { lowered }, expr.span)))
    }

    /// Whether a subquery, or IN with a common table expression, is part of the condition.
    fn has_query(&self, expr: &ast::Expr) -> bool {
        match &expr.kind {
            ExprKind::Exists(_) | ExprKind::Subquery(_) => true,
            ExprKind::In { right: InRight::Query(_), .. } => true,
            ExprKind::In { right: InRight::Expr(right), .. } => self.cte_name(right).is_some(),
            ExprKind::Not(operand) => self.has_query(operand),
            ExprKind::Binary(_, left, right) => self.has_query(left) || self.has_query(right),
            _ => false,
        }
    }

    fn cte_name<'e>(&self, expr: &'e ast::Expr) -> Option<&'e ast::Name> {
        match &expr.kind {
            ExprKind::Column { table: None, column } if self.context.ctes.contains_key(column.text.as_str()) => {
                Some(column)
            }
            _ => None,
        }
    }

    fn exists(&mut self, query: &ast::Query, scope: &Scope<'_>) -> Built<Cond> {
        let body = self.body(query, Some(scope))?;
        Ok(Cond::With(body.sources, Box::new(body.cond)))
    }

    fn membership(
        &mut self,
        left: &ast::Expr,
        right: &InRight,
        whole: &ast::Expr,
        scope: &Scope<'_>,
        negated: bool,
    ) -> Built<Cond> {
        let cte = match right {
            InRight::Expr(right) => self.cte_name(right),
            _ => None,
        };
        if matches!(right, InRight::Query(_)) || cte.is_some() {
            if negated {
                return Err(negated_subquery(whole.span, "NOT IN (SELECT …)"));
            }
            return self.in_query(left, right, whole.span, scope);
        }
        let atom = |expr: Expr<Ref>| Cond::Atom(if negated { Expr::Not(Box::new(expr)) } else { expr }, whole.span);
        if matches!(left.kind, ExprKind::List(_)) {
            return Err(not_supported(left.span, "Row values are only supported before IN (SELECT …)"));
        }
        let value = self.lower(left, scope)?;
        match right {
            InRight::Expr(array) => {
                let array = self.lower(array, scope)?;
                let numeric = super::terms::numeric_array(&value);
                let whole_expr = Expr::InArray(Box::new(value.clone()), Box::new(array.clone()), numeric);
                if negated || self.sources.owners(&whole_expr).len() <= 1 {
                    return Ok(atom(whole_expr));
                }
                let id = self.add_each(array, "json_each", whole.span)?;
                let element = Expr::Ref(Ref::Each(id, EachColumn::Value));
                let equal = Cond::Atom(compare(Operator::Eq, value, element), whole.span);
                Ok(Cond::With(vec![id], Box::new(equal)))
            }
            InRight::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for item in items {
                    let item = self.lower(item, scope)?;
                    list.push(list_item(&value, item));
                }
                let whole_expr = Expr::In(Box::new(value.clone()), list.clone());
                if negated || self.sources.owners(&whole_expr).len() <= 1 {
                    return Ok(atom(whole_expr));
                }
                let equal = |item| Cond::Atom(Expr::binary(Operator::Eq, value.clone(), item), whole.span);
                Ok(Cond::Any(list.into_iter().map(equal).collect()))
            }
            InRight::Query(_) => Err(not_supported(whole.span, "This IN is not supported")),
        }
    }

    fn in_query(&mut self, left: &ast::Expr, right: &InRight, span: Span, scope: &Scope<'_>) -> Built<Cond> {
        let lefts: Vec<&ast::Expr> = match &left.kind {
            ExprKind::List(items) => items.iter().collect(),
            _ => vec![left],
        };
        let (mut sources, mut conditions) = (Vec::new(), Vec::new());
        let columns = match right {
            InRight::Query(query) => self.derived(query, &[], Some(scope), &mut sources, &mut conditions)?,
            InRight::Expr(right) => {
                let Some((name, cte)) = self
                    .cte_name(right)
                    .and_then(|name| Some((name.clone(), *self.context.ctes.get(name.text.as_str())?)))
                else {
                    return Err(not_supported(span, "This IN is not supported"));
                };
                self.cte(cte, &name, &mut sources, &mut conditions)?
            }
            InRight::List(_) => return Err(not_supported(span, "This IN is not supported")),
        };
        if columns.len() != lefts.len() {
            let message = format!("The right side of IN has {} columns, the left side {}", columns.len(), lefts.len());
            return Err(Diagnostic::new(Code::WrongColumnCount, span, message));
        }
        for (left, (_, column)) in lefts.into_iter().zip(columns) {
            let left = self.lower(left, scope)?;
            conditions.push(Cond::Atom(compare(Operator::Eq, left, column), span));
        }
        Ok(Cond::With(sources, Box::new(Cond::All(conditions))))
    }
}

fn not_operand(expr: Expr<Ref>) -> Expr<Ref> {
    match expr {
        Expr::Not(operand) => *operand,
        other => other,
    }
}

fn negated_subquery(span: Span, what: &str) -> Diagnostic {
    Diagnostic::new(Code::NegatedSubquery, span, format!("{what} is not supported"))
}

//! Which groupings PostgreSQL or SQLite would read differently.

use super::ast::{Expr, ExprKind, Operator};

/// Operators that behave alike for this question.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Group {
    Equality,
    Is,
    Comparison,
    Membership,
    Bits,
    Concat,
    Add,
    Mul,
    Arrow,
    Cast,
    Other,
}

fn group(expr: &Expr) -> Group {
    match &expr.kind {
        _ if expr.parens => Group::Other,
        ExprKind::Binary(operator, ..) => match operator {
            Operator::Eq | Operator::Ne => Group::Equality,
            Operator::Lt | Operator::Le | Operator::Gt | Operator::Ge => Group::Comparison,
            Operator::Is | Operator::IsNot => Group::Is,
            Operator::BitAnd | Operator::BitOr | Operator::ShiftLeft | Operator::ShiftRight => Group::Bits,
            Operator::Concat => Group::Concat,
            Operator::Add | Operator::Sub => Group::Add,
            Operator::Mul | Operator::Div | Operator::Rem => Group::Mul,
            Operator::Arrow | Operator::LongArrow => Group::Arrow,
            Operator::And | Operator::Or => Group::Other,
        },
        ExprKind::IsBool { .. } => Group::Is,
        ExprKind::Between { .. } | ExprKind::In { .. } | ExprKind::Like { .. } => Group::Membership,
        ExprKind::Cast(..) => Group::Cast,
        _ => Group::Other,
    }
}

/// Whether an operand of `parent` would belong to another operator in PostgreSQL or in SQLite.
pub(crate) fn ambiguous(parent: &Expr, operand: &Expr) -> bool {
    matches!(
        (group(parent), group(operand)),
        (Group::Equality, Group::Is | Group::Membership)
            | (Group::Comparison, Group::Membership)
            | (Group::Bits, Group::Concat)
            | (Group::Concat, Group::Add | Group::Mul | Group::Arrow)
            | (Group::Add, Group::Concat | Group::Arrow)
            | (Group::Mul, Group::Arrow)
            | (Group::Cast, Group::Arrow)
    )
}

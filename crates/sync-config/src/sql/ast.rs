//! The syntax tree; every place is a range of the YAML file.

use crate::diagnostic::Span;
use crate::value::Value;

/// An identifier, folded to lower case unless it was quoted.
#[derive(Clone, Debug)]
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) quoted: bool,
    pub(crate) span: Span,
}

/// A SELECT statement.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub(crate) items: Vec<SelectItem>,
    pub(crate) from: Vec<FromItem>,
    pub(crate) filter: Option<Expr>,
    pub(crate) span: Span,
}

/// An item of the select list.
#[derive(Clone, Debug)]
pub(crate) enum SelectItem {
    /// `*` or `table.*`
    Star { table: Option<Name>, span: Span },
    /// An expression with its source text, which names the column when there is no alias.
    Expr { expr: Expr, alias: Option<Name>, text: String },
}

/// An item of FROM with the condition that joins it to those before.
#[derive(Clone, Debug)]
pub(crate) struct FromItem {
    pub(crate) source: FromSource,
    pub(crate) alias: Option<Name>,
    pub(crate) columns: Vec<Name>,
    pub(crate) on: Option<Expr>,
    pub(crate) using: Vec<Name>,
    pub(crate) span: Span,
}

/// What an item of FROM names.
#[derive(Clone, Debug)]
pub(crate) enum FromSource {
    /// `[schema .] table`, or a common table expression.
    Table(Vec<Name>),
    Query(Box<Query>),
    /// `json_each(expr)`
    Each(Box<Expr>),
}

/// An expression.
#[derive(Clone, Debug)]
pub(crate) struct Expr {
    pub(crate) kind: ExprKind,
    pub(crate) span: Span,
    /// Whether it is in parentheses.
    pub(crate) parens: bool,
}

/// Operators with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    And,
    Or,
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Is,
    IsNot,
    Add,
    Sub,
    Mul,
    Div,
    Rem,
    BitAnd,
    BitOr,
    ShiftLeft,
    ShiftRight,
    Concat,
    Arrow,
    LongArrow,
}

/// The kinds of expressions.
#[derive(Clone, Debug)]
pub(crate) enum ExprKind {
    Literal(Value),
    /// `[table .] column`
    Column {
        table: Option<Name>,
        column: Name,
    },
    /// `[schema .] name (args)`
    Call {
        schema: Option<Name>,
        name: Name,
        args: Vec<Expr>,
    },
    Not(Box<Expr>),
    Neg(Box<Expr>),
    Plus(Box<Expr>),
    Binary(Operator, Box<Expr>, Box<Expr>),
    /// `IS [NOT] TRUE`, `IS [NOT] FALSE`
    IsBool {
        expr: Box<Expr>,
        value: bool,
        negated: bool,
    },
    Between {
        expr: Box<Expr>,
        low: Box<Expr>,
        high: Box<Expr>,
        negated: bool,
    },
    In {
        expr: Box<Expr>,
        right: InRight,
        negated: bool,
    },
    Like {
        expr: Box<Expr>,
        pattern: Box<Expr>,
        glob: bool,
        negated: bool,
    },
    Case {
        operand: Option<Box<Expr>>,
        arms: Vec<(Expr, Expr)>,
        otherwise: Option<Box<Expr>>,
    },
    Cast(Box<Expr>, Name),
    /// `ARRAY[…]`, `ROW(…)`, or several expressions in parentheses.
    List(Vec<Expr>),
    Exists(Box<Query>),
    Subquery(Box<Query>),
}

/// The right side of IN.
#[derive(Clone, Debug)]
pub(crate) enum InRight {
    Query(Box<Query>),
    List(Vec<Expr>),
    /// A JSON array, or the name of a common table expression.
    Expr(Box<Expr>),
}

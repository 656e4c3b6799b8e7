//! The syntax tree; every place is a range of the YAML file.

use crate::diagnostic::Span;
use crate::value::Value;

/// An identifier, folded to lower case unless it was quoted.
#[derive(Clone, Debug)]
pub struct Name {
    /// Without quotes.
    pub text: String,
    /// Whether it was quoted.
    pub quoted: bool,
    /// Where it is.
    pub span: Span,
}

/// A SELECT statement.
#[derive(Clone, Debug)]
pub struct Query {
    /// The select list.
    pub items: Vec<SelectItem>,
    /// FROM
    pub from: Vec<FromItem>,
    /// WHERE
    pub filter: Option<Expr>,
    /// Where it is.
    pub span: Span,
}

/// An item of the select list.
#[derive(Clone, Debug)]
pub enum SelectItem {
    /// `*` or `table.*`
    Star {
        /// The table before the dot.
        table: Option<Name>,
        /// Where it is.
        span: Span,
    },
    /// An expression with its source text, which names the column when there is no alias.
    Expr {
        /// The expression.
        expr: Expr,
        /// The name after AS.
        alias: Option<Name>,
        /// Its source text.
        text: String,
    },
}

/// An item of FROM with the condition that joins it to those before.
#[derive(Clone, Debug)]
pub struct FromItem {
    /// What it names.
    pub source: FromSource,
    /// Its alias.
    pub alias: Option<Name>,
    /// Names of columns after the alias.
    pub columns: Vec<Name>,
    /// The condition after ON.
    pub on: Option<Expr>,
    /// The columns after USING.
    pub using: Vec<Name>,
    /// Where it is.
    pub span: Span,
}

/// What an item of FROM names.
#[derive(Clone, Debug)]
pub enum FromSource {
    /// `[schema .] table`, or a common table expression.
    Table(Vec<Name>),
    /// A subquery.
    Query(Box<Query>),
    /// `json_each(expr)`
    Each(Box<Expr>),
}

/// An expression.
#[derive(Clone, Debug)]
pub struct Expr {
    /// What it is.
    pub kind: ExprKind,
    /// Where it is.
    pub span: Span,
    /// Whether it is in parentheses.
    pub parens: bool,
}

/// Operators with two operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of SQL")]
pub enum Operator {
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
#[allow(missing_docs, reason = "the names are those of SQL")]
pub enum ExprKind {
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
#[allow(missing_docs, reason = "the names are those of SQL")]
pub enum InRight {
    Query(Box<Query>),
    List(Vec<Expr>),
    /// A JSON array, or the name of a common table expression.
    Expr(Box<Expr>),
}

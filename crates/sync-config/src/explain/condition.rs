//! A condition, the values that decide it, and whether it holds.

use std::borrow::Cow;
use std::cell::Cell;

use super::sql::{member_parts, request_sql};
use crate::evaluate::{CONTEXT, bind_request};
use crate::expr::{EvalError, Expr, Frame};
use crate::plan::RequestRef;
use crate::value::Value;

/// A condition on a row or a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Condition {
    /// As SQL.
    pub sql: String,
    /// The columns, claims and parameters that it uses.
    pub values: Vec<NamedValue>,
    /// Whether it holds.
    pub verdict: Verdict,
}

/// A value with its name, which is a column or an expression.
#[derive(Clone, Debug)]
pub struct NamedValue {
    /// The column or expression.
    pub name: String,
    /// Its value.
    pub value: Value,
    /// Where it is from.
    pub origin: Origin,
}

/// Where a value is from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A column of the row.
    Column,
    /// The token: the claim of this name.
    Claim(String),
    /// The subscription: its parameter of this name.
    Subscription(String),
    /// The connection: its parameter of this name.
    Connection(String),
}

impl NamedValue {
    /// The value of a column.
    pub fn column(name: impl Into<String>, value: Value) -> Self {
        Self { name: name.into(), value, origin: Origin::Column }
    }
}

impl PartialEq for NamedValue {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name && self.value.order(&other.value).is_eq()
    }
}

/// Whether a condition holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Holds,
    /// It does not.
    Fails,
    /// It is NULL, which counts as failing.
    Unknown,
    /// It has no value.
    Error(EvalError),
}

impl Verdict {
    pub(super) fn of(value: Result<Cow<'_, Value>, EvalError>) -> Self {
        match value.map(|value| value.truthy()) {
            Ok(Some(true)) => Self::Holds,
            Ok(Some(false)) => Self::Fails,
            Ok(None) => Self::Unknown,
            Err(error) => Self::Error(error),
        }
    }
}

impl Condition {
    /// Whether it holds.
    pub fn holds(&self) -> bool {
        self.verdict == Verdict::Holds
    }
}

/// Conditions on the request alone.
pub(crate) fn request_conditions(filters: &[Expr<RequestRef>], context: &[Value; CONTEXT]) -> Vec<Condition> {
    let condition = |filter: &Expr<RequestRef>| Condition {
        sql: request_sql(filter, &|_| String::new()),
        values: members(filter, context),
        verdict: Verdict::of(evaluate(filter, context).map(Cow::Owned)),
    };
    filters.iter().map(condition).collect()
}

/// The claims and parameters that an expression uses.
pub(super) fn members(expr: &Expr<RequestRef>, context: &[Value; CONTEXT]) -> Vec<NamedValue> {
    if let Some((part, name)) = member_parts(expr) {
        let origin = match part {
            RequestRef::Auth => Origin::Claim(name.to_owned()),
            RequestRef::Subscription => Origin::Subscription(name.to_owned()),
            RequestRef::Connection | RequestRef::Slot(_) => Origin::Connection(name.to_owned()),
        };
        let value = evaluate(expr, context).unwrap_or(Value::Null);
        return vec![NamedValue { name: request_sql(expr, &|_| String::new()), value, origin }];
    }
    let mut found = Vec::new();
    expr.for_each_operand(&mut |operand| found.extend(members(operand, context)));
    found
}

/// The value of an expression over the request alone.
pub(super) fn evaluate(expr: &Expr<RequestRef>, context: &[Value; CONTEXT]) -> Result<Value, EvalError> {
    let malformed = Cell::new(0);
    let bound = bind_request(expr, &[]);
    let frame = Frame { row: context, extra: &[], malformed: &malformed };
    bound.eval(&frame).map(Cow::into_owned)
}

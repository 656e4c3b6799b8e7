//! Evaluates expressions whose leaves are positions in a row.

use std::borrow::Cow;
use std::cell::Cell;
use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::{Affinity, CastType, Expr, Operator, json_functions, text_functions};
use crate::value::json::{self, Json};
use crate::value::{Numeric, Value, real_to_integer, well_formed};

/// A position: first the values of the row, then those of the functions that are joined with it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot(pub usize);

/// What the leaves mean during one evaluation.
#[derive(Clone, Copy, Debug)]
pub struct Frame<'a> {
    /// The values of the row.
    pub row: &'a [Value],
    /// The values after those of the row.
    pub extra: &'a [Value],
    /// Counts texts that were to be JSON and are not; they are NULL.
    pub malformed: &'a Cell<u64>,
}

static NULL: Value = Value::Null;

impl<'a> Frame<'a> {
    fn get(&self, slot: Slot) -> &'a Value {
        match slot.0.checked_sub(self.row.len()) {
            None => self.row.get(slot.0).unwrap_or(&NULL),
            Some(rest) => self.extra.get(rest).unwrap_or(&NULL),
        }
    }

    /// Parses a value as JSON; counts it if it is none.
    pub(super) fn json<'t>(&self, text: &'t str) -> Option<Json<'t>> {
        let json = json::parse(text);
        if json.is_none() {
            self.malformed.set(self.malformed.get() + 1);
        }
        json
    }
}

/// Why a row or request cannot be evaluated. It never holds values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvalError(pub &'static str);

impl std::fmt::Display for EvalError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.0)
    }
}

impl std::error::Error for EvalError {}

type Evaluated<'a> = Result<Cow<'a, Value>, EvalError>;

fn owned<'a>(value: Value) -> Evaluated<'a> {
    Ok(Cow::Owned(value))
}

/// Whether a condition holds.
///
/// # Errors
/// If it cannot be evaluated.
pub(crate) fn is_true(expr: &Expr<Slot>, frame: &Frame<'_>) -> Result<bool, EvalError> {
    Ok(expr.eval(frame)?.truthy() == Some(true))
}

impl Expr<Slot> {
    /// The value of the expression.
    ///
    /// # Errors
    /// Where SQLite raises an error too, for instance a path that is none.
    pub fn eval<'a>(&'a self, frame: &Frame<'a>) -> Evaluated<'a> {
        match self {
            Expr::Literal(value) => Ok(Cow::Borrowed(value)),
            Expr::Ref(slot) => Ok(Cow::Borrowed(frame.get(*slot))),
            Expr::Not(operand) => owned(Value::truth(operand.eval(frame)?.truthy().map(|value| !value))),
            Expr::Neg(operand) => owned(negate(&*operand.eval(frame)?)),
            Expr::And(operands) => junction(operands, frame, false),
            Expr::Or(operands) => junction(operands, frame, true),
            Expr::Binary(operator, left, right) => {
                let (left, right) = (left.eval(frame)?, right.eval(frame)?);
                owned(binary(*operator, &left, &right, frame)?)
            }
            Expr::IsBool { expr, value, negated } => {
                let is = expr.eval(frame)?.truthy() == Some(*value);
                owned(Value::boolean(is != *negated))
            }
            Expr::Case { operand, arms, otherwise } => {
                let operand = operand.as_ref().map(|operand| operand.eval(frame)).transpose()?;
                for (when, then) in arms {
                    let value = when.eval(frame)?;
                    let chosen = match &operand {
                        Some(operand) => operand.compare(&value) == Some(Ordering::Equal),
                        None => value.truthy() == Some(true),
                    };
                    if chosen {
                        return then.eval(frame);
                    }
                }
                otherwise.as_ref().map_or(owned(Value::Null), |otherwise| otherwise.eval(frame))
            }
            Expr::Cast(ty, operand) => Ok(cast(*ty, operand.eval(frame)?)),
            Expr::Convert(affinity, operand) => Ok(convert(*affinity, operand.eval(frame)?)),
            Expr::In(expr, list) => {
                let wanted = expr.eval(frame)?;
                let mut result = if list.is_empty() { Some(false) } else { wanted.compare(&wanted).map(|_| false) };
                for item in list {
                    match wanted.compare(&*item.eval(frame)?) {
                        Some(Ordering::Equal) => return owned(Value::boolean(true)),
                        Some(_) => {}
                        None => result = None,
                    }
                }
                owned(Value::truth(result))
            }
            Expr::InArray(expr, array, numeric) => {
                let (wanted, array) = (expr.eval(frame)?, array.eval(frame)?);
                owned(in_array(&wanted, &array, *numeric, frame))
            }
            Expr::Call(function, args) => text_functions::call(*function, args, frame),
        }
    }
}

fn junction<'a>(operands: &'a [Expr<Slot>], frame: &Frame<'a>, or: bool) -> Evaluated<'a> {
    let mut result = Some(!or);
    for operand in operands {
        match operand.eval(frame)?.truthy() {
            Some(value) if value == or => return owned(Value::boolean(or)),
            Some(_) => {}
            None => result = None,
        }
    }
    owned(Value::truth(result))
}

fn in_array(wanted: &Value, array: &Value, numeric: bool, frame: &Frame<'_>) -> Value {
    let rows = match array {
        Value::Null => Vec::new(),
        // Unknown, not false: otherwise NOT IN would hold for rows whose array cannot be read.
        other => match elements(other, frame) {
            Some(rows) => rows,
            None => return Value::Null,
        },
    };
    let mut result = Some(false);
    for row in rows {
        let value = if numeric { convert(Affinity::Numeric, Cow::Owned(row.value)).into_owned() } else { row.value };
        match wanted.compare(&value) {
            Some(Ordering::Equal) => return Value::boolean(true),
            Some(_) => {}
            None => result = None,
        }
    }
    Value::truth(result)
}

/// A row of `json_each`.
#[derive(Clone, Debug)]
pub(crate) struct EachRow {
    /// Index or member name.
    pub key: Value,
    /// The element.
    pub value: Value,
    /// What `json_type` calls it.
    pub kind: &'static str,
}

/// The rows of `json_each(value)`: none for NULL, for text that is no JSON, and for scalars.
pub(crate) fn each_rows(value: &Value, frame: &Frame<'_>) -> Vec<EachRow> {
    elements(value, frame).unwrap_or_default()
}

/// The elements of an array or object; none for anything else.
fn elements(value: &Value, frame: &Frame<'_>) -> Option<Vec<EachRow>> {
    let text = value.as_text()?;
    let row = |key, json: &Json<'_>| EachRow { key, value: json.to_value(), kind: json.type_name() };
    match frame.json(&text)? {
        Json::Array(items) => {
            Some(items.iter().enumerate().map(|(index, item)| row(Value::Integer(index as i64), item)).collect())
        }
        Json::Object(members) => {
            Some(members.iter().map(|(key, item)| row(Value::text(json::unescape(key)), item)).collect())
        }
        _ => None,
    }
}

fn negate(value: &Value) -> Value {
    match value.numeric() {
        None => Value::Null,
        Some(Numeric::Integer(value)) => match value.checked_neg() {
            Some(negated) => Value::Integer(negated),
            None => Value::Real(-(value as f64)),
        },
        Some(Numeric::Real(value)) => Value::real(-value),
    }
}

fn binary(operator: Operator, left: &Value, right: &Value, frame: &Frame<'_>) -> Result<Value, EvalError> {
    let compared = |test: fn(Ordering) -> bool| Value::truth(left.compare(right).map(test));
    Ok(match operator {
        Operator::Eq => compared(Ordering::is_eq),
        Operator::Ne => compared(Ordering::is_ne),
        Operator::Lt => compared(Ordering::is_lt),
        Operator::Le => compared(Ordering::is_le),
        Operator::Gt => compared(Ordering::is_gt),
        Operator::Ge => compared(Ordering::is_ge),
        Operator::Is => Value::boolean(left.order(right).is_eq()),
        Operator::IsNot => Value::boolean(left.order(right).is_ne()),
        Operator::Add | Operator::Sub | Operator::Mul | Operator::Div | Operator::Rem => {
            arithmetic(operator, left, right)
        }
        Operator::BitAnd | Operator::BitOr | Operator::ShiftLeft | Operator::ShiftRight => bits(operator, left, right),
        Operator::Concat => match (left.as_text(), right.as_text()) {
            (Some(left), Some(right)) => Value::Text(format!("{left}{right}")),
            _ => Value::Null,
        },
        Operator::Arrow | Operator::LongArrow => {
            json_functions::arrow(left, right, operator == Operator::LongArrow, frame)?
        }
        Operator::Like | Operator::Glob => match (left.as_text(), right.as_text()) {
            (Some(text), Some(pattern)) if operator == Operator::Like => {
                Value::boolean(text_functions::like(&pattern, &text))
            }
            (Some(text), Some(pattern)) => Value::boolean(text_functions::glob(&pattern, &text)),
            _ => Value::Null,
        },
    })
}

fn arithmetic(operator: Operator, left: &Value, right: &Value) -> Value {
    let (Some(a), Some(b)) = (left.numeric(), right.numeric()) else { return Value::Null };
    if operator == Operator::Rem {
        return remainder(left, right, a, b);
    }
    if let (Numeric::Integer(a), Numeric::Integer(b)) = (a, b) {
        let exact = match operator {
            Operator::Add => a.checked_add(b),
            Operator::Sub => a.checked_sub(b),
            Operator::Mul => a.checked_mul(b),
            _ if b == 0 => return Value::Null,
            _ => a.checked_div(b),
        };
        if let Some(exact) = exact {
            return Value::Integer(exact);
        }
    }
    let (a, b) = (a.as_real(), b.as_real());
    match operator {
        Operator::Add => Value::real(a + b),
        Operator::Sub => Value::real(a - b),
        Operator::Mul => Value::real(a * b),
        _ if b == 0.0 => Value::Null,
        _ => Value::real(a / b),
    }
}

fn remainder(left: &Value, right: &Value, a: Numeric, b: Numeric) -> Value {
    let (Some(x), Some(y)) = (left.integer(), right.integer()) else { return Value::Null };
    if y == 0 {
        return Value::Null;
    }
    let rest = x.checked_rem(y).unwrap_or(0);
    match (a, b) {
        (Numeric::Integer(_), Numeric::Integer(_)) => Value::Integer(rest),
        _ => Value::real(rest as f64),
    }
}

fn bits(operator: Operator, left: &Value, right: &Value) -> Value {
    let (Some(a), Some(b)) = (left.integer(), right.integer()) else { return Value::Null };
    Value::Integer(match operator {
        Operator::BitAnd => a & b,
        Operator::BitOr => a | b,
        _ => {
            let to_left = (operator == Operator::ShiftLeft) == (b >= 0);
            let count = u32::try_from(b.unsigned_abs()).unwrap_or(u32::MAX);
            match (to_left, count) {
                (true, 0..=63) => a << count,
                (true, _) => 0,
                (false, 0..=63) => a >> count,
                (false, _) => a >> 63,
            }
        }
    })
}

fn cast(ty: CastType, value: Cow<'_, Value>) -> Cow<'_, Value> {
    if value.is_null() {
        return value;
    }
    match ty {
        CastType::Text => match value.as_ref() {
            Value::Text(_) => value,
            other => Cow::Owned(other.as_text().map_or(Value::Null, |text| Value::Text(text.into_owned()))),
        },
        CastType::Integer => Cow::Owned(value.integer().map_or(Value::Null, Value::Integer)),
        CastType::Real => Cow::Owned(value.numeric().map_or(Value::Null, |number| Value::real(number.as_real()))),
        CastType::Numeric => match value.as_ref() {
            Value::Integer(_) | Value::Real(_) => value,
            other => Cow::Owned(match other.numeric() {
                Some(Numeric::Integer(integer)) => Value::Integer(integer),
                Some(Numeric::Real(real)) => integral(real).map_or(Value::real(real), Value::Integer),
                None => Value::Null,
            }),
        },
        CastType::Blob => match value.as_ref() {
            Value::Blob(_) => value,
            other => Cow::Owned(other.as_text().map_or(Value::Null, |text| Value::Blob(text.as_bytes().to_vec()))),
        },
    }
}

/// The integer that a real is exactly, within the range that SQLite converts.
fn integral(real: f64) -> Option<i64> {
    let integer = real_to_integer(real);
    let safe = (-0x8_0000_0000_0000..0x8_0000_0000_0000).contains(&integer);
    (safe && integer as f64 == real).then_some(integer)
}

fn convert(affinity: Affinity, value: Cow<'_, Value>) -> Cow<'_, Value> {
    match (affinity, value.as_ref()) {
        (Affinity::Numeric, Value::Text(text)) => match well_formed(text) {
            Some(Numeric::Integer(integer)) => Cow::Owned(Value::Integer(integer)),
            Some(Numeric::Real(real)) => Cow::Owned(Value::real(real)),
            None => value,
        },
        (Affinity::Text, Value::Integer(_) | Value::Real(_)) => {
            Cow::Owned(value.as_text().map_or(Value::Null, |text| Value::Text(text.into_owned())))
        }
        _ => value,
    }
}

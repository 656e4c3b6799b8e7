//! Compiled expressions: names are resolved, conversions are explicit. The type of leaves says at which step they are.

mod canonical;
mod datetime;
mod eval;
mod function;
mod json_functions;
mod text_functions;

use serde::{Deserialize, Serialize};

pub(crate) use canonical::canonical;
pub use eval::EvalError;
pub(crate) use eval::{EachRow, Frame, Slot, each_rows, is_true};
pub use function::Function;

use crate::value::Value;

/// Operators with two operands. AND and OR have any number and are not among them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are those of SQL")]
pub enum Operator {
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
    /// `->`
    Arrow,
    /// `->>`
    LongArrow,
    Like,
    Glob,
}

/// Types of CAST.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "the names are those of SQL")]
pub enum CastType {
    Text,
    Numeric,
    Integer,
    Real,
    Blob,
}

/// The conversion of an operand that SQLite derives from a CAST on the other side of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Affinity {
    /// Texts that are numbers become numbers.
    Numeric,
    /// Numbers become texts.
    Text,
}

/// An expression over leaves of type `R`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Expr<R> {
    /// A constant.
    Literal(Value),
    /// A value that the context gives.
    Ref(R),
    /// NOT
    Not(Box<Expr<R>>),
    /// Unary minus.
    Neg(Box<Expr<R>>),
    /// All of them.
    And(Vec<Expr<R>>),
    /// One of them.
    Or(Vec<Expr<R>>),
    /// An operator.
    Binary(Operator, Box<Expr<R>>, Box<Expr<R>>),
    /// `IS [NOT] TRUE` (`FALSE`)
    IsBool {
        /// What is tested.
        expr: Box<Expr<R>>,
        /// TRUE or FALSE.
        value: bool,
        /// With NOT.
        negated: bool,
    },
    /// CASE
    Case {
        /// What WHEN compares with.
        operand: Option<Box<Expr<R>>>,
        /// WHEN and THEN.
        arms: Vec<(Expr<R>, Expr<R>)>,
        /// ELSE
        otherwise: Option<Box<Expr<R>>>,
    },
    /// CAST
    Cast(CastType, Box<Expr<R>>),
    /// A conversion that a comparison needs.
    Convert(Affinity, Box<Expr<R>>),
    /// `expr IN (list)`
    In(Box<Expr<R>>, Vec<Expr<R>>),
    /// `expr IN (SELECT value FROM json_each(array))`; with conversion of texts to numbers on both sides if set.
    InArray(Box<Expr<R>>, Box<Expr<R>>, bool),
    /// A function.
    Call(Function, Vec<Expr<R>>),
}

impl<R> Expr<R> {
    /// An operator with its operands.
    pub fn binary(operator: Operator, left: Expr<R>, right: Expr<R>) -> Self {
        Expr::Binary(operator, Box::new(left), Box::new(right))
    }

    /// Calls `visit` for each leaf that the context gives.
    pub fn visit_refs<'e>(&'e self, visit: &mut dyn FnMut(&'e R)) {
        match self {
            Expr::Literal(_) => {}
            Expr::Ref(leaf) => visit(leaf),
            other => other.for_each_operand(&mut |operand| operand.visit_refs(visit)),
        }
    }

    /// Calls `visit` for each direct operand.
    pub fn for_each_operand<'e>(&'e self, visit: &mut dyn FnMut(&'e Expr<R>)) {
        match self {
            Expr::Literal(_) | Expr::Ref(_) => {}
            Expr::Not(operand) | Expr::Neg(operand) | Expr::Cast(_, operand) | Expr::Convert(_, operand) => {
                visit(operand);
            }
            Expr::IsBool { expr, .. } => visit(expr),
            Expr::And(operands) | Expr::Or(operands) | Expr::Call(_, operands) => operands.iter().for_each(visit),
            Expr::Binary(_, left, right) | Expr::InArray(left, right, _) => {
                visit(left);
                visit(right);
            }
            Expr::Case { operand, arms, otherwise } => {
                operand.iter().for_each(|operand| visit(operand));
                for (when, then) in arms {
                    visit(when);
                    visit(then);
                }
                otherwise.iter().for_each(|otherwise| visit(otherwise));
            }
            Expr::In(expr, list) => {
                visit(expr);
                list.iter().for_each(visit);
            }
        }
    }

    /// The same expression with each leaf replaced by an expression.
    ///
    /// # Errors
    /// The first error of `replace`.
    pub fn replace<S, E>(&self, replace: &mut dyn FnMut(&R) -> Result<Expr<S>, E>) -> Result<Expr<S>, E> {
        let all = |list: &[Expr<R>], replace: &mut dyn FnMut(&R) -> Result<Expr<S>, E>| {
            list.iter().map(|expr| expr.replace(replace)).collect::<Result<Vec<_>, E>>()
        };
        Ok(match self {
            Expr::Literal(value) => Expr::Literal(value.clone()),
            Expr::Ref(leaf) => replace(leaf)?,
            Expr::Not(operand) => Expr::Not(Box::new(operand.replace(replace)?)),
            Expr::Neg(operand) => Expr::Neg(Box::new(operand.replace(replace)?)),
            Expr::And(operands) => Expr::And(all(operands, replace)?),
            Expr::Or(operands) => Expr::Or(all(operands, replace)?),
            Expr::Binary(operator, left, right) => {
                Expr::binary(*operator, left.replace(replace)?, right.replace(replace)?)
            }
            Expr::IsBool { expr, value, negated } => {
                Expr::IsBool { expr: Box::new(expr.replace(replace)?), value: *value, negated: *negated }
            }
            Expr::Case { operand, arms, otherwise } => {
                let boxed = |expr: &Option<Box<Expr<R>>>, replace: &mut dyn FnMut(&R) -> Result<Expr<S>, E>| {
                    expr.as_ref().map(|expr| expr.replace(replace).map(Box::new)).transpose()
                };
                let operand = boxed(operand, replace)?;
                let otherwise = boxed(otherwise, replace)?;
                let mut replaced = Vec::with_capacity(arms.len());
                for (when, then) in arms {
                    replaced.push((when.replace(replace)?, then.replace(replace)?));
                }
                Expr::Case { operand, arms: replaced, otherwise }
            }
            Expr::Cast(ty, operand) => Expr::Cast(*ty, Box::new(operand.replace(replace)?)),
            Expr::Convert(affinity, operand) => Expr::Convert(*affinity, Box::new(operand.replace(replace)?)),
            Expr::In(expr, list) => Expr::In(Box::new(expr.replace(replace)?), all(list, replace)?),
            Expr::InArray(expr, array, numeric) => {
                Expr::InArray(Box::new(expr.replace(replace)?), Box::new(array.replace(replace)?), *numeric)
            }
            Expr::Call(function, args) => Expr::Call(*function, all(args, replace)?),
        })
    }
}

pub(crate) use datetime::FORMAT_LETTERS;
pub(crate) use text_functions::printf_supported;

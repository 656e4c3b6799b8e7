//! The canonical text of an expression: equal for expressions that differ only in the order of operands that commute.
//! It identifies expressions while compiling and is what content hashes are made of, so it must not change lightly.

use std::fmt::Write;

use super::{Expr, Operator};
use crate::value::Value;

/// The text, with leaves written by `leaf`.
pub(crate) fn canonical<R>(expr: &Expr<R>, leaf: &dyn Fn(&R) -> String) -> String {
    let text = |expr: &Expr<R>| canonical(expr, leaf);
    let list = |operands: &[Expr<R>]| operands.iter().map(text).collect::<Vec<_>>();
    let sorted = |operands: &[Expr<R>]| {
        let mut texts = list(operands);
        texts.sort();
        texts.dedup();
        texts.join(" ")
    };
    match expr {
        Expr::Literal(value) => literal(value),
        Expr::Ref(reference) => leaf(reference),
        Expr::Not(operand) => format!("(not {})", text(operand)),
        Expr::Neg(operand) => format!("(neg {})", text(operand)),
        Expr::And(_) => format!("(and {})", joined(expr, leaf)),
        Expr::Or(_) => format!("(or {})", joined(expr, leaf)),
        Expr::Binary(operator, left, right) => {
            let (mut left, mut right) = (text(left), text(right));
            let operator = match operator {
                Operator::Gt => {
                    std::mem::swap(&mut left, &mut right);
                    Operator::Lt
                }
                Operator::Ge => {
                    std::mem::swap(&mut left, &mut right);
                    Operator::Le
                }
                other => *other,
            };
            let commutes = matches!(operator, Operator::Eq | Operator::Ne | Operator::Is | Operator::IsNot);
            if commutes && left > right {
                std::mem::swap(&mut left, &mut right);
            }
            format!("({} {left} {right})", symbol(operator))
        }
        Expr::IsBool { expr, value, negated } => {
            format!("(is{} {value} {})", if *negated { "-not" } else { "" }, text(expr))
        }
        Expr::Case { operand, arms, otherwise } => {
            let mut out = String::from("(case");
            if let Some(operand) = operand {
                push(&mut out, format_args!(" of {}", text(operand)));
            }
            for (when, then) in arms {
                push(&mut out, format_args!(" when {} {}", text(when), text(then)));
            }
            if let Some(otherwise) = otherwise {
                push(&mut out, format_args!(" else {}", text(otherwise)));
            }
            out.push(')');
            out
        }
        Expr::Cast(ty, operand) => format!("(cast {} {})", format!("{ty:?}").to_lowercase(), text(operand)),
        Expr::Convert(affinity, operand) => {
            format!("(convert {} {})", format!("{affinity:?}").to_lowercase(), text(operand))
        }
        Expr::In(expr, operands) => format!("(in {} [{}])", text(expr), sorted(operands)),
        Expr::InArray(expr, array, numeric) => {
            format!("(in-array{} {} {})", if *numeric { "-numeric" } else { "" }, text(expr), text(array))
        }
        Expr::Call(function, args) => {
            let args = list(args);
            format!("({}{}{})", function.name(), if args.is_empty() { "" } else { " " }, args.join(" "))
        }
    }
}

/// The operands of AND or OR, those of nested ones of the same kind included, each once.
fn joined<R>(expr: &Expr<R>, leaf: &dyn Fn(&R) -> String) -> String {
    fn collect<R>(expr: &Expr<R>, or: bool, leaf: &dyn Fn(&R) -> String, texts: &mut Vec<String>) {
        match expr {
            Expr::And(operands) if !or => operands.iter().for_each(|operand| collect(operand, or, leaf, texts)),
            Expr::Or(operands) if or => operands.iter().for_each(|operand| collect(operand, or, leaf, texts)),
            other => texts.push(canonical(other, leaf)),
        }
    }
    let mut texts = Vec::new();
    collect(expr, matches!(expr, Expr::Or(_)), leaf, &mut texts);
    texts.sort();
    texts.dedup();
    texts.join(" ")
}

fn push(out: &mut String, arguments: std::fmt::Arguments<'_>) {
    let written = out.write_fmt(arguments);
    debug_assert!(written.is_ok(), "a String takes everything");
}

fn literal(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Integer(value) => value.to_string(),
        Value::Real(value) => crate::value::format_real(*value),
        Value::Text(text) => format!("'{}'", text.replace('\'', "''")),
        Value::Blob(bytes) => {
            let mut out = String::from("x'");
            bytes.iter().for_each(|byte| push(&mut out, format_args!("{byte:02x}")));
            out.push('\'');
            out
        }
    }
}

fn symbol(operator: Operator) -> &'static str {
    match operator {
        Operator::Eq => "=",
        Operator::Ne => "!=",
        Operator::Lt => "<",
        Operator::Le => "<=",
        Operator::Gt => ">",
        Operator::Ge => ">=",
        Operator::Is => "is",
        Operator::IsNot => "is-not",
        Operator::Add => "+",
        Operator::Sub => "-",
        Operator::Mul => "*",
        Operator::Div => "/",
        Operator::Rem => "%",
        Operator::BitAnd => "&",
        Operator::BitOr => "|",
        Operator::ShiftLeft => "<<",
        Operator::ShiftRight => ">>",
        Operator::Concat => "||",
        Operator::Arrow => "->",
        Operator::LongArrow => "->>",
        Operator::Like => "like",
        Operator::Glob => "glob",
    }
}

//! Types of columns: of names of types, of values, and of expressions.

use sync_config::{CastType, Expr, Function, Operator, RowRef, Value};

use super::{ColumnType, TypedTable};
use crate::row::SourceValue;

/// The type for what a source calls a type; none for blobs. Dates and anything unknown are text.
pub(super) fn of_name(name: &str) -> Option<ColumnType> {
    let name = name.to_ascii_uppercase();
    let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    if has(&["CHAR", "CLOB", "TEXT"]) {
        Some(ColumnType::Text)
    } else if has(&["BLOB", "BYTEA"]) {
        None
    } else if has(&["INTERVAL"]) {
        Some(ColumnType::Text)
    } else if has(&["INT", "BOOL"]) {
        Some(ColumnType::Integer)
    } else if has(&["REAL", "FLOA", "DOUB", "NUMERIC", "DECIMAL"]) {
        Some(ColumnType::Real)
    } else {
        Some(ColumnType::Text)
    }
}

/// The type for a type of PostgreSQL, by the values that the source gives: only these are no texts.
pub(super) fn of_postgres(name: &str) -> Option<ColumnType> {
    match name {
        "smallint" | "integer" | "bigint" | "oid" | "boolean" => Some(ColumnType::Integer),
        "real" | "double precision" => Some(ColumnType::Real),
        "bytea" => None,
        _ => Some(ColumnType::Text),
    }
}

/// The type of the values of a column; text if there are none.
pub(super) fn of_values(rows: &[Vec<SourceValue>], at: usize) -> Option<ColumnType> {
    let mut found = None;
    for value in rows.iter().filter_map(|row| row.get(at)) {
        let one = match value {
            SourceValue::Value(Value::Null) | SourceValue::Missing => continue,
            SourceValue::Value(Value::Integer(_)) => ColumnType::Integer,
            SourceValue::Value(Value::Real(_)) => ColumnType::Real,
            SourceValue::Value(Value::Blob(_)) => return None,
            _ => ColumnType::Text,
        };
        found = Some(found.map_or(one, |before| both(before, one)));
    }
    Some(found.unwrap_or(ColumnType::Text))
}

/// A type for values of two types.
pub(super) fn both(left: ColumnType, right: ColumnType) -> ColumnType {
    match (left, right) {
        _ if left == right => left,
        (ColumnType::Text, _) | (_, ColumnType::Text) => ColumnType::Text,
        _ => ColumnType::Real,
    }
}

/// The type of an expression over a row; none for blobs.
pub(super) fn of_expr(expr: &Expr<RowRef>, table: Option<&TypedTable>) -> Option<ColumnType> {
    let of = |expr: &Expr<RowRef>| of_expr(expr, table);
    Some(match expr {
        Expr::Literal(Value::Integer(_)) => ColumnType::Integer,
        Expr::Literal(Value::Real(_)) => ColumnType::Real,
        Expr::Literal(Value::Blob(_)) | Expr::Cast(CastType::Blob, _) | Expr::Call(Function::UuidBlob, _) => {
            return None;
        }
        Expr::Ref(RowRef::Column(name)) => {
            let Some(table) = table else { return Some(ColumnType::Text) };
            let at = table.table.columns.iter().position(|column| column.name == *name);
            return at.and_then(|at| table.types.get(at).copied()).unwrap_or(Some(ColumnType::Text));
        }
        Expr::Cast(CastType::Integer, _) => ColumnType::Integer,
        Expr::Cast(CastType::Real | CastType::Numeric, _) => ColumnType::Real,
        Expr::Not(_) | Expr::And(_) | Expr::Or(_) | Expr::IsBool { .. } | Expr::In(..) | Expr::InArray(..) => {
            ColumnType::Integer
        }
        Expr::Neg(inner) | Expr::Convert(_, inner) => return of(inner),
        Expr::Binary(operator, left, right) => of_operator(*operator, of(left), of(right)),
        Expr::Case { arms, otherwise, .. } => {
            let results = arms.iter().map(|(_, then)| then).chain(otherwise.as_deref());
            united(results.filter_map(of))
        }
        Expr::Call(Function::Coalesce, arguments) => united(arguments.iter().filter_map(of)),
        Expr::Call(Function::Nullif | Function::Abs, arguments) => {
            return arguments.first().map_or(Some(ColumnType::Text), of);
        }
        Expr::Call(function, _) => of_function(*function),
        Expr::Literal(_) | Expr::Ref(_) | Expr::Cast(CastType::Text, _) => ColumnType::Text,
    })
}

fn united(mut types: impl Iterator<Item = ColumnType>) -> ColumnType {
    let first = types.next().unwrap_or(ColumnType::Text);
    types.fold(first, both)
}

fn of_operator(operator: Operator, left: Option<ColumnType>, right: Option<ColumnType>) -> ColumnType {
    match operator {
        Operator::Concat | Operator::Arrow | Operator::LongArrow => ColumnType::Text,
        Operator::Add | Operator::Sub | Operator::Mul | Operator::Div => {
            let is_integer = left == Some(ColumnType::Integer) && right == Some(ColumnType::Integer);
            if is_integer { ColumnType::Integer } else { ColumnType::Real }
        }
        _ => ColumnType::Integer,
    }
}

fn of_function(function: Function) -> ColumnType {
    match function {
        Function::Instr | Function::JsonArrayLength | Function::JsonValid | Function::Length | Function::Unixepoch => {
            ColumnType::Integer
        }
        Function::Round => ColumnType::Real,
        _ => ColumnType::Text,
    }
}

//! Expressions as SQL that people read: not canonical, and not meant to be compiled again.

use crate::expr::{Affinity, CastType, Expr, Function, Operator};
use crate::plan::{EachColumn, RequestRef, RowProgram, RowRef};
use crate::value::{Value, format_real};

/// A row expression, with the argument of `json_each` for its columns.
pub(crate) fn row_sql(expr: &Expr<RowRef>, program: &RowProgram) -> String {
    sql(expr, &|leaf| match leaf {
        RowRef::Column(name) => name.clone(),
        RowRef::Each(number, column) => {
            let argument = program.each.get(*number).map(|argument| row_sql(argument, program));
            format!("json_each({}).{}", argument.unwrap_or_default(), each_name(*column))
        }
        RowRef::Schema => "schema()".to_owned(),
        RowRef::TableName => "table_name()".to_owned(),
        RowRef::TableSuffix => "table_suffix()".to_owned(),
    })
}

/// A request expression, with a text for each slot.
pub(crate) fn request_sql(expr: &Expr<RequestRef>, slot: &dyn Fn(usize) -> String) -> String {
    if let Some(text) = member(expr) {
        return text;
    }
    sql(expr, &|leaf| match leaf {
        RequestRef::Auth => "auth.parameters()".to_owned(),
        RequestRef::Subscription => "subscription.parameters()".to_owned(),
        RequestRef::Connection => "connection.parameters()".to_owned(),
        RequestRef::Slot(number) => slot(*number),
    })
}

/// `auth.user_id()`, `subscription.parameter('x')` and the like.
fn member(expr: &Expr<RequestRef>) -> Option<String> {
    let (part, name) = member_parts(expr)?;
    Some(match (part, name) {
        (RequestRef::Auth, "sub") => "auth.user_id()".to_owned(),
        (RequestRef::Auth, name) => format!("auth.parameter({})", quoted(name)),
        (RequestRef::Subscription, name) => format!("subscription.parameter({})", quoted(name)),
        (RequestRef::Connection | RequestRef::Slot(_), name) => format!("connection.parameter({})", quoted(name)),
    })
}

/// The part of the request and the name of the member that an expression is.
pub(crate) fn member_parts(expr: &Expr<RequestRef>) -> Option<(RequestRef, &str)> {
    match expr {
        Expr::Binary(Operator::LongArrow, left, right) => match (&**left, &**right) {
            (Expr::Ref(part), Expr::Literal(Value::Text(name))) if !matches!(part, RequestRef::Slot(_)) => {
                Some((*part, name))
            }
            _ => None,
        },
        _ => None,
    }
}

fn each_name(column: EachColumn) -> &'static str {
    match column {
        EachColumn::Key => "key",
        EachColumn::Value => "value",
        EachColumn::Type => "type",
    }
}

/// A value as a literal.
pub fn value_sql(value: &Value) -> String {
    match value {
        Value::Null => "NULL".to_owned(),
        Value::Integer(integer) => integer.to_string(),
        Value::Real(real) => format_real(*real),
        Value::Text(text) => quoted(text),
        Value::Blob(bytes) => format!("a blob of {} bytes", bytes.len()),
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// The text of an expression whose leaves are written by `leaf`.
fn sql<R: Leaf>(expr: &Expr<R>, leaf: &dyn Fn(&R) -> String) -> String {
    let text = |expr: &Expr<R>| R::known(expr).unwrap_or_else(|| sql(expr, leaf));
    // Operands that are operations themselves are in parentheses.
    let operand = |expr: &Expr<R>| {
        let is_simple = matches!(expr, Expr::Literal(_) | Expr::Ref(_) | Expr::Call(..) | Expr::Cast(..))
            || matches!(expr, Expr::Convert(_, inner) if matches!(**inner, Expr::Literal(_) | Expr::Ref(_)))
            || R::known(expr).is_some();
        if is_simple { text(expr) } else { format!("({})", text(expr)) }
    };
    let list = |exprs: &[Expr<R>]| exprs.iter().map(text).collect::<Vec<_>>().join(", ");
    let joined = |exprs: &[Expr<R>], word: &str| exprs.iter().map(operand).collect::<Vec<_>>().join(word);
    match expr {
        Expr::Literal(value) => value_sql(value),
        Expr::Ref(reference) => leaf(reference),
        Expr::Not(inner) => format!("NOT {}", operand(inner)),
        Expr::Neg(inner) => format!("-{}", operand(inner)),
        Expr::And(operands) => joined(operands, " AND "),
        Expr::Or(operands) => joined(operands, " OR "),
        Expr::Binary(operator, left, right) => {
            format!("{} {} {}", operand(left), symbol(*operator), operand(right))
        }
        Expr::IsBool { expr, value, negated } => {
            let not = if *negated { "NOT " } else { "" };
            format!("{} IS {not}{}", operand(expr), if *value { "TRUE" } else { "FALSE" })
        }
        Expr::Case { operand: of, arms, otherwise } => {
            let mut out = "CASE".to_owned();
            out.extend(of.iter().map(|of| format!(" {}", text(of))));
            out.extend(arms.iter().map(|(when, then)| format!(" WHEN {} THEN {}", text(when), text(then))));
            out.extend(otherwise.iter().map(|otherwise| format!(" ELSE {}", text(otherwise))));
            out + " END"
        }
        Expr::Cast(ty, inner) => format!("CAST({} AS {})", text(inner), cast_name(*ty)),
        Expr::Convert(Affinity::Numeric | Affinity::Text, inner) => text(inner),
        Expr::In(inner, items) => format!("{} IN ({})", operand(inner), list(items)),
        Expr::InArray(inner, array, _) => format!("{} IN {}", operand(inner), operand(array)),
        Expr::Call(function, arguments) => call(*function, &list(arguments)),
    }
}

/// Leaves of which some expressions have a shorter name.
trait Leaf: Sized {
    fn known(expr: &Expr<Self>) -> Option<String>;
}

impl Leaf for RowRef {
    fn known(_: &Expr<Self>) -> Option<String> {
        None
    }
}

impl Leaf for RequestRef {
    fn known(expr: &Expr<Self>) -> Option<String> {
        member(expr)
    }
}

fn call(function: Function, arguments: &str) -> String {
    format!("{}({arguments})", function.name())
}

fn cast_name(ty: CastType) -> &'static str {
    match ty {
        CastType::Text => "text",
        CastType::Numeric => "numeric",
        CastType::Integer => "integer",
        CastType::Real => "real",
        CastType::Blob => "blob",
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
        Operator::Is => "IS",
        Operator::IsNot => "IS NOT",
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
        Operator::Like => "LIKE",
        Operator::Glob => "GLOB",
    }
}

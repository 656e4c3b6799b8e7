//! Types of expressions, for databases that compare only values of the same type. The language of rules has values like
//! SQLite: a value that a rule names, or that a token has, therefore takes the type of what it is compared with.

use sync_config::{Diagnostic, Span, Value};

use super::claim::ClaimForm;
use super::expression::{Translated, refused};
use super::{Expression, Part};
use crate::schema::{ColumnType, TypeKind};

/// Joins SQL and expressions.
macro_rules! sql {
    ($($part:expr),* $(,)?) => {{
        let mut joined = $crate::rules::Expression::default();
        $($crate::rules::types::Append::append_to($part, &mut joined);)*
        joined
    }};
}
pub(super) use sql;

/// What [`sql!`] takes.
pub(super) trait Append {
    fn append_to(self, out: &mut Expression);
}

impl Append for &str {
    fn append_to(self, out: &mut Expression) {
        out.sql(self);
    }
}

impl Append for &String {
    fn append_to(self, out: &mut Expression) {
        out.sql(self);
    }
}

impl Append for Expression {
    fn append_to(self, out: &mut Expression) {
        out.append(self);
    }
}

/// An expression and its type.
#[derive(Clone, Debug)]
pub(super) enum Typed {
    /// In a database whose values have their own types.
    Untyped(Expression),
    /// NULL
    Null,
    /// A value that is bound, and takes the type of what it meets.
    Given(Part),
    /// A text that takes the type of what it meets, for instance a member of JSON.
    Loose(Expression),
    /// A value of a type of the database.
    Native(Expression, ColumnType),
}

/// A type without its expression.
#[derive(Clone, Debug)]
pub(super) enum Ty {
    Untyped,
    Loose,
    Native(ColumnType),
}

impl Ty {
    pub(super) fn with(self, sql: Expression) -> Typed {
        match self {
            Self::Untyped => Typed::Untyped(sql),
            Self::Loose => Typed::Loose(sql),
            Self::Native(ty) => Typed::Native(sql, ty),
        }
    }
}

pub(super) fn boolean() -> ColumnType {
    ColumnType::known("bool", TypeKind::Boolean)
}

pub(super) fn text() -> ColumnType {
    ColumnType::known("text", TypeKind::Text)
}

pub(super) fn integer() -> ColumnType {
    ColumnType::known("int8", TypeKind::Integer)
}

pub(super) fn small() -> ColumnType {
    ColumnType::known("int4", TypeKind::Integer)
}

pub(super) fn numeric() -> ColumnType {
    ColumnType::known("numeric", TypeKind::Number)
}

pub(super) fn jsonb() -> ColumnType {
    ColumnType::known("jsonb", TypeKind::Jsonb)
}

pub(super) fn cast(sql: Expression, target: &ColumnType) -> Expression {
    sql!["CAST(", sql, " AS ", &target.name, ")"]
}

fn bound(part: Part) -> Expression {
    Expression { parts: vec![part] }
}

/// The type of a number of the rules.
fn number_type(value: &Value) -> Option<ColumnType> {
    match value {
        Value::Integer(value) if i32::try_from(*value).is_ok() => Some(small()),
        Value::Integer(_) => Some(integer()),
        Value::Real(_) => Some(numeric()),
        _ => None,
    }
}

impl Typed {
    /// The number that it is in the rules.
    fn literal_number(&self) -> Option<ColumnType> {
        match self {
            Self::Given(Part::Value(value)) => number_type(value),
            _ => None,
        }
    }

    /// As a value of a type.
    pub(super) fn into_type(self, target: &ColumnType) -> Expression {
        match self {
            Self::Untyped(sql) => sql,
            Self::Null => cast(Expression::of("NULL"), target),
            Self::Given(part) => cast(bound(part), target),
            Self::Loose(sql) => cast(sql, target),
            Self::Native(sql, ty) if ty.name == target.name => sql,
            Self::Native(sql, ty) if ty.kind == TypeKind::Boolean && target.kind != TypeKind::Boolean => {
                cast(cast(sql, &small()), target)
            }
            Self::Native(sql, _) => cast(sql, target),
        }
    }

    /// As the database would have it without anything to compare it with.
    pub(super) fn settled(self) -> (Expression, Ty) {
        let number = self.literal_number();
        match (self, number) {
            (Self::Untyped(sql), _) => (sql, Ty::Untyped),
            (Self::Loose(sql), _) => (sql, Ty::Loose),
            (Self::Native(sql, ty), _) => (sql, Ty::Native(ty)),
            (given, Some(number)) => (given.into_type(&number), Ty::Native(number)),
            (given, None) => (given.into_type(&text()), Ty::Loose),
        }
    }

    /// As a text.
    pub(super) fn into_text(self) -> Expression {
        match self {
            Self::Native(sql, ty) if ty.kind == TypeKind::Text => sql,
            Self::Loose(sql) => sql,
            other => other.into_type(&text()),
        }
    }

    /// As a condition.
    pub(super) fn into_condition(self, span: Span) -> Translated<Expression> {
        let no_condition = || refused(span, "This is no condition: compare it with something");
        Ok(match self {
            Self::Untyped(sql) => sql,
            Self::Null => Expression::of("CAST(NULL AS bool)"),
            Self::Given(Part::Value(value)) => Expression::of(match value.truthy() {
                Some(true) => "TRUE",
                Some(false) => "FALSE",
                None => "CAST(NULL AS bool)",
            }),
            Self::Given(Part::Claim(claim)) => cast(bound(Part::Claim(claim.in_form(ClaimForm::Truth))), &boolean()),
            Self::Given(_) => return Err(no_condition()),
            // A text is true if the number that it begins with is not 0.
            Self::Loose(sql) => sql![
                "(SELECT CASE WHEN t ~ '^\\s*[+-]?[0-9]*\\.?[0-9]' THEN CAST(substring(t FROM '^\\s*([+-]?[0-9]*\\.?[0-9]+)') \
                 AS numeric) <> 0 WHEN t IS NOT NULL THEN FALSE END FROM (SELECT ",
                sql,
                ") AS s(t))"
            ],
            Self::Native(sql, ty) => match ty.kind {
                TypeKind::Boolean => sql,
                TypeKind::Integer | TypeKind::Number => sql!["(", sql, " <> 0)"],
                _ => return Err(no_condition()),
            },
        })
    }

    /// As a number, or as a time, with which PostgreSQL calculates, too.
    pub(super) fn into_number(self) -> (Expression, Ty) {
        match self {
            Self::Untyped(sql) => (sql, Ty::Untyped),
            Self::Native(sql, ty) if matches!(ty.kind, TypeKind::Integer | TypeKind::Number | TypeKind::Time) => {
                (sql, Ty::Native(ty))
            }
            Self::Native(sql, ty) if ty.kind == TypeKind::Boolean => (cast(sql, &small()), Ty::Native(small())),
            given => {
                let target = given.literal_number().unwrap_or_else(numeric);
                (given.into_type(&target), Ty::Native(target))
            }
        }
    }

    /// As an integer.
    pub(super) fn into_integer(self) -> Expression {
        match self {
            Self::Untyped(sql) => sql,
            Self::Native(sql, ty) if ty.kind == TypeKind::Integer => sql,
            given if given.literal_number().is_some_and(|ty| ty.kind == TypeKind::Integer) => given.into_number().0,
            other => cast(other.into_number().0, &integer()),
        }
    }

    /// As bytes.
    pub(super) fn into_bytes(self) -> Expression {
        match self {
            Self::Native(sql, ty) if ty.kind == TypeKind::Bytes => sql,
            other => sql!["convert_to(", other.into_text(), ", 'UTF8')"],
        }
    }

    /// As JSON that can be looked into.
    pub(super) fn into_json(self) -> Expression {
        match self {
            Self::Native(sql, ty) if ty.kind == TypeKind::Jsonb => sql,
            Self::Native(sql, ty) if matches!(ty.kind, TypeKind::Array(_) | TypeKind::Composite) => {
                sql!["to_jsonb(", sql, ")"]
            }
            other => cast(other.into_text(), &jsonb()),
        }
    }
}

/// Expressions of one type, and that type. With `is_order` they are to be compared by size, otherwise for equality.
pub(super) fn unified(items: Vec<Typed>, is_order: bool) -> (Vec<Expression>, Ty) {
    if items.iter().any(|item| matches!(item, Typed::Untyped(_))) {
        return (items.into_iter().map(|item| item.settled().0).collect(), Ty::Untyped);
    }
    let natives: Vec<&ColumnType> = items.iter().filter_map(native).collect();
    let target = match natives.split_first() {
        Some((first, rest)) => common(first, rest, &items),
        None => of_given(&items, is_order),
    };
    // Numbers of several types can be compared as they are, and so can texts, which lets the database use indexes.
    let is_kept = |ty: &ColumnType| {
        is_number(&target) && is_number(ty) || ty.kind == TypeKind::Text && target.kind == TypeKind::Text
    };
    let into = |item: Typed| match item {
        Typed::Native(sql, ty) if is_kept(&ty) => sql,
        Typed::Given(Part::Value(value @ Value::Real(_))) if is_number(&target) => {
            Typed::Given(Part::Value(value)).into_type(&numeric())
        }
        other => other.into_type(&target),
    };
    (items.into_iter().map(into).collect(), Ty::Native(target.clone()))
}

fn native(item: &Typed) -> Option<&ColumnType> {
    match item {
        Typed::Native(_, ty) => Some(ty),
        _ => None,
    }
}

fn is_number(ty: &ColumnType) -> bool {
    matches!(ty.kind, TypeKind::Integer | TypeKind::Number)
}

/// The type in which columns are compared with each other and with values.
fn common(first: &ColumnType, rest: &[&ColumnType], items: &[Typed]) -> ColumnType {
    let kinds = |matches: fn(&TypeKind) -> bool| std::iter::once(&first).chain(rest).all(|ty| matches(&ty.kind));
    if rest.iter().all(|ty| ty.name == first.name) || kinds(|kind| *kind == TypeKind::Time) {
        return match first.kind {
            // It has no equality.
            TypeKind::Json => jsonb(),
            _ => first.clone(),
        };
    }
    if kinds(|kind| matches!(kind, TypeKind::Boolean | TypeKind::Integer | TypeKind::Number)) {
        let largest = items.iter().filter_map(native).find(|ty| ty.kind == TypeKind::Number);
        return largest.cloned().unwrap_or_else(integer);
    }
    if kinds(|kind| matches!(kind, TypeKind::Json | TypeKind::Jsonb)) { jsonb() } else { text() }
}

/// The type in which values are compared that all are bound.
fn of_given(items: &[Typed], is_order: bool) -> ColumnType {
    let numbers: Vec<Option<ColumnType>> =
        items.iter().filter(|item| !matches!(item, Typed::Null)).map(Typed::literal_number).collect();
    if !numbers.is_empty() && numbers.iter().all(Option::is_some) {
        let mut numbers = numbers.into_iter().flatten();
        return numbers.find(|ty| ty.kind == TypeKind::Number).unwrap_or_else(integer);
    }
    if is_order && numbers.iter().any(Option::is_some) { numeric() } else { text() }
}

/// What a function has that the database lacks.
pub(super) fn no_function(span: Span, name: &str) -> Diagnostic {
    refused(span, format!("The database has no function {name}"))
}

//! JSON in rules: members, elements, and membership in arrays, in the SQL of PostgreSQL.

use sync_config::syntax::{Expr, ExprKind};

use super::claim::{Claim, ClaimForm, Step, steps};
use super::expression::{Translated, Translator, refused};
use super::types::{Ty, Typed, cast, jsonb, sql, text, unified};
use super::{Expression, Part};
use crate::schema::{ColumnType, TypeKind};

/// The value of a JSON value `v` as the language has it: booleans are 1 and 0.
const VALUE: &str =
    "CASE jsonb_typeof(v) WHEN 'boolean' THEN CAST(CAST(CAST(v AS bool) AS int4) AS text) ELSE v #>> '{}' END";

impl Translator<'_> {
    /// `left -> path`, or `left ->> path` if it is `scalar`.
    pub(super) fn member(&mut self, left: &Expr, path: &Expr, scalar: bool) -> Translated<Typed> {
        let left_span = left.span;
        let left = self.expr(left)?;
        let path = match &path.kind {
            ExprKind::Literal(value) => {
                let steps = steps(value).ok_or_else(|| refused(path.span, "This is no path into JSON"))?;
                match left {
                    Typed::Given(Part::Claims) => return Ok(Typed::Given(Part::Claim(Claim::new(steps)))),
                    Typed::Given(Part::Claim(claim)) => return Ok(Typed::Given(Part::Claim(claim.inside(steps)))),
                    Typed::Given(_) => return Err(refused(left_span, "A value of the rules has no members")),
                    _ => array_of(&steps),
                }
            }
            _ => sql!["ARRAY[", self.expr(path)?.into_text(), "]"],
        };
        let found = sql!["(", left.into_json(), " #> ", path, ")"];
        Ok(if scalar { scalar_of(found) } else { Typed::Native(found, jsonb()) })
    }

    /// `left IN array`, in which the array is a column or a claim.
    pub(super) fn in_array(&mut self, left: Typed, array: &Expr, negated: bool) -> Translated<Expression> {
        let span = array.span;
        let (compare, quantifier) = if negated { (" <> ", "ALL") } else { (" = ", "ANY") };
        let (element, array) = match self.expr(array)? {
            Typed::Given(Part::Claim(claim)) => {
                let element = match &left {
                    Typed::Native(_, ty) => ty.clone(),
                    _ => text(),
                };
                let part = Expression { parts: vec![Part::Claim(claim.in_form(ClaimForm::Array))] };
                (element.clone(), sql!["CAST(", part, " AS ", &element.name, "[])"])
            }
            Typed::Native(sql, ColumnType { kind: TypeKind::Array(element), .. }) => (ColumnType::clone(&element), sql),
            Typed::Given(_) | Typed::Null => return Err(refused(span, "This is no array")),
            other => {
                let items = sql!["(SELECT ", VALUE, " FROM (SELECT ", other.into_json(), ") AS \"json\"(j), "];
                let items = sql![items, elements("j"), " AS e(v))"];
                let word = if negated { " NOT IN " } else { " IN " };
                return Ok(sql!["(", left.into_text(), word, items, ")"]);
            }
        };
        Ok(sql!["(", left.into_type(&element), compare, quantifier, "(", array, "))"])
    }

    /// `json_each(argument)` as an item of FROM, with the columns `key`, `value` and `type`.
    pub(super) fn each(&mut self, argument: &Expr) -> Translated<(Expression, Vec<(String, Ty)>)> {
        let json = self.expr(argument)?.into_json();
        let columns = ["key", "value", "type"].map(|name| (name.to_owned(), Ty::Loose)).to_vec();
        let from = sql![
            "LATERAL (SELECT k AS \"key\", ",
            VALUE,
            " AS \"value\", jsonb_typeof(v) AS \"type\" FROM (SELECT ",
            json,
            ") AS \"json\"(j), LATERAL (SELECT CAST(n - 1 AS text), v FROM ",
            elements("j"),
            " WITH ORDINALITY AS a(v, n) UNION ALL SELECT k, v FROM jsonb_each(CASE jsonb_typeof(j) WHEN 'object' THEN j END) \
             AS o(k, v)) AS e(k, v))"
        ];
        Ok((from, columns))
    }

    /// `json_array_length(array)`
    pub(super) fn array_length(&mut self, array: &Expr) -> Translated<Expression> {
        let json = self.expr(array)?.into_json();
        Ok(sql![
            "(SELECT CASE jsonb_typeof(j) WHEN 'array' THEN jsonb_array_length(j) ELSE 0 END FROM (SELECT ",
            json,
            ") AS \"json\"(j))"
        ])
    }
}

/// The elements of a JSON array; of anything else there are none.
fn elements(json: &str) -> Expression {
    Expression::of(&format!("jsonb_array_elements(CASE jsonb_typeof({json}) WHEN 'array' THEN {json} END)"))
}

/// A JSON value as a value that can be compared.
pub(super) fn scalar_of(json: Expression) -> Typed {
    Typed::Loose(sql!["(SELECT ", VALUE, " FROM (SELECT ", json, ") AS \"json\"(v))"])
}

/// A path as an array of texts.
fn array_of(steps: &[Step]) -> Expression {
    let mut array = Expression::of("ARRAY[");
    for (index, step) in steps.iter().enumerate() {
        if index > 0 {
            array.sql(", ");
        }
        let part = Part::Value(sync_config::Value::Text(step.text()));
        array.append(cast(Expression { parts: vec![part] }, &text()));
    }
    array.sql("]::text[]");
    array
}

/// Two expressions of one type.
pub(super) fn pair(left: Typed, right: Typed, is_order: bool) -> (Expression, Expression) {
    let mut items = unified(vec![left, right], is_order).0.into_iter();
    (items.next().unwrap_or_default(), items.next().unwrap_or_default())
}

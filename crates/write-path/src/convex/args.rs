//! Operations as the function takes them.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json, json};
use sync_config::Value;

use crate::persister::Work;
use crate::plan::Planned;
use crate::result::{Failure, code};
use crate::rules::{Expression, OnConflict, Part, TableRule};

/// The largest integer up to which all are exact in JavaScript.
const EXACT: u64 = 1 << 53;

/// Why Convex cannot follow a rule.
pub(super) fn refusal(rule: &TableRule) -> Option<String> {
    if rule.check.is_some() {
        let message =
            "Convex evaluates no `check`: leave it out, and decide in `authorize` of the app's convex/powersync.ts";
        return Some(message.to_owned());
    }
    let computed = rule.set.iter().find(|set| constant(&set.value).is_none());
    computed.map(|set| {
        let column = &set.column;
        format!("the value of `set` for {column} is computed: with Convex it is auth.user_id(), auth.parameter('…') or a constant")
    })
}

/// What a value of `set` is, without a database.
enum Constant<'a> {
    Null,
    Part(&'a Part),
}

fn constant(expression: &Expression) -> Option<Constant<'_>> {
    match expression.parts.as_slice() {
        [Part::Sql(sql)] if sql == "NULL" => Some(Constant::Null),
        [Part::Sql(_)] => None,
        [part] => Some(Constant::Part(part)),
        _ => None,
    }
}

/// The operations of a transaction.
pub(super) fn operations(plan: &[Planned<'_>], work: &Work<'_>) -> Result<Vec<Json>, Box<Failure>> {
    plan.iter().enumerate().map(|(index, operation)| one(index, operation, work)).collect()
}

fn one(index: usize, operation: &Planned<'_>, work: &Work<'_>) -> Result<Json, Box<Failure>> {
    let rule = operation.rule;
    let mut values: Map<String, Json> =
        operation.values.iter().map(|(column, value)| ((*column).to_owned(), json_of(value))).collect();
    for set in rule.set_with(operation.kind) {
        let value = match constant(&set.value) {
            Some(Constant::Null) => Value::Null,
            Some(Constant::Part(Part::UserId)) => Value::text(work.user),
            Some(Constant::Part(Part::Claims)) => Value::text(work.claims),
            Some(Constant::Part(Part::Claim(claim))) => claim.value(work.claims),
            Some(Constant::Part(Part::Value(value))) => value.clone(),
            // Such rules are not loaded.
            Some(Constant::Part(Part::Sql(_))) | None => {
                let message = format!("The value of {} cannot be computed.", set.column);
                return Err(Box::new(Failure::new(code::UNCLASSIFIED_ERROR, message, Some(index))));
            }
        };
        values.insert(set.column.clone(), json_of(&value));
    }
    let on_conflict = match rule.on_conflict {
        OnConflict::Column => "column",
        OnConflict::Reject => "reject",
        OnConflict::LastWrite | OnConflict::Function => "last_write",
    };
    let mut json = json!({
        "op": operation.kind.name(), "table": rule.table, "id": operation.id, "values": values,
        "on_conflict": on_conflict,
    });
    if operation.is_compared() {
        let previous: Map<String, Json> =
            operation.previous.iter().map(|(column, value)| ((*column).to_owned(), json_of(value))).collect();
        if let Some(members) = json.as_object_mut() {
            members.insert("previous".to_owned(), Json::Object(previous));
        }
    }
    Ok(json)
}

/// A value as JSON. What JavaScript's numbers cannot be is a text, which the function reads as the field's type.
fn json_of(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Integer(integer) if integer.unsigned_abs() <= EXACT => json!(integer),
        Value::Integer(integer) => json!(integer.to_string()),
        Value::Real(real) if real.is_finite() => json!(real),
        Value::Real(real) => json!(if *real > 0.0 { "Infinity" } else { "-Infinity" }),
        Value::Text(text) => json!(text),
        Value::Blob(bytes) => json!(STANDARD.encode(bytes)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_that_javascript_does_not_have_are_texts() {
        for (value, expected) in [
            (Value::Integer(1 << 53), "9007199254740992"),
            (Value::Integer((1 << 53) + 1), "\"9007199254740993\""),
            (Value::Integer(i64::MIN), "\"-9223372036854775808\""),
            (Value::Real(1.0), "1.0"),
            (Value::Real(f64::NEG_INFINITY), "\"-Infinity\""),
            (Value::Blob(vec![0, 255]), "\"AP8=\""),
            (Value::Null, "null"),
        ] {
            assert_eq!(json_of(&value).to_string(), expected);
        }
    }
}

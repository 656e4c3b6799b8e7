//! A JSON object as a row: its members in order, with values of SQLite.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;
use sync_config::Value;

/// Members in order; of two with one name the last counts.
#[derive(Debug)]
pub(crate) struct Object(pub(crate) Vec<(String, Value)>);

impl Object {
    pub(crate) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(member, _)| member == name).map(|(_, value)| value)
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;
        impl<'de> Visitor<'de> for Members {
            type Value = Object;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Object, A::Error> {
                let mut members: Vec<(String, Value)> = Vec::new();
                while let Some((name, raw)) = map.next_entry::<String, &RawValue>()? {
                    let value = value(raw.get()).map_err(A::Error::custom)?;
                    match members.iter_mut().find(|(member, _)| *member == name) {
                        Some((_, earlier)) => *earlier = value,
                        None => members.push((name, value)),
                    }
                }
                Ok(Object(members))
            }
        }
        deserializer.deserialize_map(Members)
    }
}

/// The value of a text that is JSON: integers of 64 bits and other numbers apart, booleans 1 and 0, arrays and objects as
/// their JSON text without blanks.
pub(crate) fn value(json: &str) -> Result<Value, &'static str> {
    Ok(match json.bytes().next() {
        Some(b'n') => Value::Null,
        Some(b't') => Value::boolean(true),
        Some(b'f') => Value::boolean(false),
        Some(b'"') => Value::Text(serde_json::from_str(json).map_err(|_| "a string with an invalid escape")?),
        Some(b'{' | b'[') => Value::Text(without_blanks(json)),
        _ => match json.parse::<i64>() {
            Ok(integer) => Value::Integer(integer),
            Err(_) => match json.parse::<f64>() {
                Ok(real) if real.is_finite() => Value::Real(real),
                _ => return Err("a number out of range"),
            },
        },
    })
}

/// Members in order, with their JSON.
pub(crate) struct Members<'a>(pub(crate) Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;
        impl<'de> Visitor<'de> for All {
            type Value = Members<'de>;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
                let mut members = Vec::with_capacity(map.size_hint().unwrap_or(0));
                while let Some(member) = map.next_entry::<String, &RawValue>()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(All)
    }
}

/// So that another layout of the file is no change.
pub(crate) fn without_blanks(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for character in json.chars() {
        if in_string {
            in_string = escaped || character != '"';
            escaped = !escaped && character == '\\';
        } else if matches!(character, ' ' | '\t' | '\n' | '\r') {
            continue;
        } else {
            in_string = character == '"';
        }
        text.push(character);
    }
    text
}

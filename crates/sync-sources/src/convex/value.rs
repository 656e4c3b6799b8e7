//! Values of documents as values of SQLite, from the two ways in which Convex writes them as JSON. Both give the same.
//!
//! Numbers are REAL, also without a fraction; integers of 64 bits are TEXT, as are bytes (in base64), NaN and the infinities.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::value::RawValue;
use sync_config::Value;

use crate::json::object::{Members, without_blanks};

/// A value of a document that cannot be read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// How deep objects may be in each other; Convex permits 64.
const MAX_DEPTH: usize = 128;

/// A value as streaming export writes it.
pub(crate) fn clean(json: &RawValue) -> Result<Value, Malformed> {
    let text = json.get();
    Ok(match text.bytes().next() {
        Some(b'n') => Value::Null,
        Some(b't') => Value::boolean(true),
        Some(b'f') => Value::boolean(false),
        Some(b'"') => Value::Text(serde_json::from_str(text).map_err(|_| Malformed)?),
        Some(b'{' | b'[') => Value::Text(without_blanks(text)),
        _ => number(text.parse().map_err(|_| Malformed)?),
    })
}

/// A value as the sync API writes it.
pub(crate) fn lossless(json: &RawValue) -> Result<Value, Malformed> {
    match json.get().bytes().next() {
        Some(b'{') => {
            let members: Members<'_> = serde_json::from_str(json.get()).map_err(|_| Malformed)?;
            match special(&members)? {
                Some(value) => Ok(value),
                None => text_of(json),
            }
        }
        Some(b'[') => text_of(json),
        _ => clean(json),
    }
}

/// A float; those that JSON cannot have are texts, as Convex spells them.
fn number(float: f64) -> Value {
    if float.is_finite() {
        Value::Real(float)
    } else if float.is_nan() {
        Value::text("NaN")
    } else {
        Value::text(if float > 0.0 { "Infinity" } else { "-Infinity" })
    }
}

/// `{"$integer": …}`, `{"$float": …}`, `{"$bytes": …}`; none for an object of the app, whose fields begin with no `$`.
fn special(members: &Members<'_>) -> Result<Option<Value>, Malformed> {
    let [(name, json)] = members.0.as_slice() else { return Ok(None) };
    if !name.starts_with('$') {
        return Ok(None);
    }
    let text: String = serde_json::from_str(json.get()).map_err(|_| Malformed)?;
    let bytes = || STANDARD.decode(&text).map_err(|_| Malformed);
    let eight = || bytes()?.try_into().map_err(|_| Malformed);
    Ok(Some(match name.as_str() {
        "$integer" => Value::Text(i64::from_le_bytes(eight()?).to_string()),
        "$float" => number(f64::from_le_bytes(eight()?)),
        "$bytes" => {
            bytes()?;
            Value::Text(text)
        }
        _ => return Err(Malformed),
    }))
}

fn text_of(json: &RawValue) -> Result<Value, Malformed> {
    let mut out = String::with_capacity(json.get().len());
    write(json, &mut out, MAX_DEPTH)?;
    Ok(Value::Text(out))
}

/// Writes objects and arrays as streaming export does.
fn write(json: &RawValue, out: &mut String, depth: usize) -> Result<(), Malformed> {
    let depth = depth.checked_sub(1).ok_or(Malformed)?;
    match json.get().bytes().next() {
        Some(b'[') => {
            let items: Vec<&RawValue> = serde_json::from_str(json.get()).map_err(|_| Malformed)?;
            out.push('[');
            for (at, item) in items.into_iter().enumerate() {
                if at > 0 {
                    out.push(',');
                }
                write(item, out, depth)?;
            }
            out.push(']');
        }
        Some(b'{') => {
            let members: Members<'_> = serde_json::from_str(json.get()).map_err(|_| Malformed)?;
            match special(&members)? {
                Some(Value::Real(float)) => out.push_str(&format!("{float:?}")),
                Some(value) => write_text(&value.as_text().unwrap_or_default(), out)?,
                None => {
                    out.push('{');
                    for (at, (name, item)) in members.0.iter().enumerate() {
                        if at > 0 {
                            out.push(',');
                        }
                        write_text(name, out)?;
                        out.push(':');
                        write(item, out, depth)?;
                    }
                    out.push('}');
                }
            }
        }
        // Escaped only where it has to be.
        Some(b'"') => write_text(&serde_json::from_str::<String>(json.get()).map_err(|_| Malformed)?, out)?,
        _ => out.push_str(json.get()),
    }
    Ok(())
}

fn write_text(text: &str, out: &mut String) -> Result<(), Malformed> {
    out.push_str(&serde_json::to_string(text).map_err(|_| Malformed)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(json: &str) -> &RawValue {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn clean_json_gives_values_by_their_json_types() {
        for (json, expected) in [
            ("null", "Null"),
            ("true", "Integer(1)"),
            ("false", "Integer(0)"),
            ("1.0", "Real(1.0)"),
            ("1", "Real(1.0)"),
            ("-0.0", "Real(-0.0)"),
            ("9007199254740993", "Real(9007199254740992.0)"),
            ("1e400", r#"Text("Infinity")"#),
            (r#""9223372036854775807""#, r#"Text("9223372036854775807")"#),
            (r#""a\u00e4""#, "Text(\"aä\")"),
            (r#"{"b": [1.0, "x y"]}"#, r#"Text("{\"b\":[1.0,\"x y\"]}")"#),
        ] {
            assert_eq!(format!("{:?}", clean(raw(json)).unwrap()), expected, "{json}");
        }
    }

    #[test]
    fn lossless_json_gives_the_same_as_clean_json() {
        for (json, same) in [
            (r#"{"$integer":"AQAAAAAAAAA="}"#, r#""1""#),
            (r#"{"$integer":"//////////8="}"#, r#""-1""#),
            (r#"{"$bytes":"AP8="}"#, r#""AP8=""#),
            (r#"{"$float":"AAAAAAAA+H8="}"#, r#""NaN""#),
            (r#"{"$float":"AAAAAAAA8P8="}"#, r#""-Infinity""#),
            (r#"{"$float":"AAAAAAAAAIA="}"#, "-0.0"),
            ("1.5", "1.5"),
            (r#""text""#, r#""text""#),
            (
                r#"[{"$integer":"AQAAAAAAAAA="},{"f":{"$float":"AAAAAAAAAIA="},"n":null}]"#,
                r#"["1",{"f":-0.0,"n":null}]"#,
            ),
            (r#"{"a":{"$bytes":"AP8="},"b":"\u00e4\""}"#, r#"{"a":"AP8=","b":"ä\""}"#),
        ] {
            let (left, right) = (lossless(raw(json)).unwrap(), clean(raw(same)).unwrap());
            assert_eq!(format!("{left:?}"), format!("{right:?}"), "{json}");
        }
    }

    #[test]
    fn malformed_values_are_errors() {
        let deep = format!("{}1{}", "[".repeat(200), "]".repeat(200));
        for json in [r#"{"$integer":"AQ=="}"#, r#"{"$integer":1}"#, r#"{"$float":"?"}"#, r#"{"$new":"x"}"#, &deep] {
            assert_eq!(lossless(raw(json)).unwrap_err(), Malformed, "{json}");
        }
    }
}

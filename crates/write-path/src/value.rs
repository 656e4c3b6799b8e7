//! JSON values of operations as values of a database.

use serde_json::value::RawValue;
use sync_config::Value;

/// The value to store. Booleans are 1 and 0, objects and arrays their JSON text as it was sent. Integers of 64 bits are
/// exact; other numbers are reals, and those beyond their range are infinite, as clients write them.
pub(crate) fn value(json: &RawValue) -> Value {
    let text = json.get().trim();
    match text.as_bytes().first() {
        Some(b'n') => Value::Null,
        Some(b't') => Value::Integer(1),
        Some(b'f') => Value::Integer(0),
        Some(b'"') => serde_json::from_str(text).map_or_else(|_| Value::Text(lossy(text)), Value::Text),
        Some(b'{' | b'[') => Value::text(text),
        _ => match text.parse::<i64>() {
            // `-0` is the real.
            Ok(integer) if text != "-0" => Value::Integer(integer),
            _ => text.parse().map_or(Value::Null, Value::real),
        },
    }
}

/// The text of a JSON string in which halves of surrogate pairs are alone: those become U+FFFD.
fn lossy(json: &str) -> String {
    struct Bytes(String);
    impl<'de> serde::Deserialize<'de> for Bytes {
        fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Visitor;
            impl serde::de::Visitor<'_> for Visitor {
                type Value = Bytes;

                fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    formatter.write_str("a text")
                }

                fn visit_bytes<E>(self, bytes: &[u8]) -> Result<Bytes, E> {
                    Ok(Bytes(String::from_utf8_lossy(bytes).into_owned()))
                }
            }
            deserializer.deserialize_bytes(Visitor)
        }
    }
    serde_json::from_str::<Bytes>(json).map(|bytes| bytes.0).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_have_the_type_of_their_json() {
        for (json, expected) in [
            ("null", "Null"),
            ("true", "Integer(1)"),
            ("false", "Integer(0)"),
            ("9223372036854775807", "Integer(9223372036854775807)"),
            ("-9223372036854775808", "Integer(-9223372036854775808)"),
            ("9223372036854775808", "Real(9.223372036854776e18)"),
            ("1.0", "Real(1.0)"),
            ("1e2", "Real(100.0)"),
            ("9e999", "Real(inf)"),
            ("-9e999", "Real(-inf)"),
            (r#""a\nb""#, r#"Text("a\nb")"#),
            (r#""a\ud800b""#, "Text(\"a\u{fffd}\u{fffd}\u{fffd}b\")"),
            (r#"{"b": 1, "a":1e999}"#, r#"Text("{\"b\": 1, \"a\":1e999}")"#),
            ("[1, 2]", r#"Text("[1, 2]")"#),
        ] {
            let raw: &RawValue = serde_json::from_str(json).unwrap();
            assert_eq!(format!("{:?}", value(raw)), expected, "{json}");
        }
    }
}

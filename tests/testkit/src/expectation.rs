//! Compares an actual JSON value with an expected one that may hold placeholders; the rules are described for authors in
//! `tests/scenarios/README.md`.

use serde_json::{Map, Value};

/// Times before this are no microseconds since 1970: 2001-09-09.
const EARLIEST_TIME: i64 = 1_000_000_000_000_000;

/// Checks `actual` against `expected`.
///
/// # Errors
/// The path of the first difference, and both sides of it.
pub fn check(actual: &Value, expected: &Value) -> Result<(), String> {
    compare(actual, expected, "$")
}

fn compare(actual: &Value, expected: &Value, path: &str) -> Result<(), String> {
    match (actual, expected) {
        (_, Value::String(text)) if text.starts_with('$') => placeholder(actual, text, path),
        (Value::Object(actual), Value::Object(expected)) => match expected.get("$has") {
            Some(Value::Object(members)) => members_match(actual, members, path),
            _ => {
                members_match(actual, expected, path)?;
                match actual.keys().find(|name| !expected.contains_key(*name)) {
                    Some(name) => Err(format!("{path}.{name}: not expected, is {}", actual[name])),
                    None => Ok(()),
                }
            }
        },
        (Value::Array(left), Value::Array(right)) => {
            for (index, (actual, expected)) in left.iter().zip(right).enumerate() {
                compare(actual, expected, &format!("{path}[{index}]"))?;
            }
            match left.len() == right.len() {
                true => Ok(()),
                false => Err(format!("{path}: {} items, expected {}: {actual}", left.len(), right.len())),
            }
        }
        _ if actual == expected => Ok(()),
        _ => Err(format!("{path}: is {actual}, expected {expected}")),
    }
}

fn members_match(actual: &Map<String, Value>, expected: &Map<String, Value>, path: &str) -> Result<(), String> {
    for (name, expected) in expected {
        let path = format!("{path}.{name}");
        let Some(actual) = actual.get(name) else {
            return Err(format!("{path}: missing, expected {expected}"));
        };
        compare(actual, expected, &path)?;
    }
    Ok(())
}

fn placeholder(actual: &Value, expected: &str, path: &str) -> Result<(), String> {
    let matches = match expected.split_once(':').unwrap_or((expected, "")) {
        ("$any", _) => true,
        ("$integer", _) => actual.is_i64(),
        ("$text", _) => actual.is_string(),
        ("$time", _) => actual.as_i64().is_some_and(|time| time > EARLIEST_TIME),
        ("$contains", part) => actual.as_str().is_some_and(|text| text.contains(part)),
        _ => return Err(format!("{path}: unknown placeholder {expected}")),
    };
    if matches { Ok(()) } else { Err(format!("{path}: is {actual}, expected {expected}")) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn error(actual: Value, expected: Value) -> String {
        check(&actual, &expected).unwrap_err()
    }

    #[test]
    fn placeholders_match_by_kind() {
        let expected = json!(["$any", "$integer", "$text", "$time", "$contains:b c", {"$has": {"a": 1}}]);
        let actual = json!([null, 1, "x", 1_700_000_000_000_000_i64, "a b c d", {"a": 1, "b": 2}]);
        assert_eq!(check(&actual, &expected), Ok(()));
        assert_eq!(error(json!("1"), json!("$integer")), "$: is \"1\", expected $integer");
        assert_eq!(error(json!(1), json!("$text")), "$: is 1, expected $text");
        assert_eq!(error(json!(17), json!("$time")), "$: is 17, expected $time");
        assert_eq!(error(json!("bc"), json!("$contains:b c")), "$: is \"bc\", expected $contains:b c");
        assert_eq!(error(json!(1), json!("$other")), "$: unknown placeholder $other");
    }

    #[test]
    fn differences_are_found_wherever_they_are() {
        assert_eq!(error(json!({"a": [1, 2]}), json!({"a": [1, 3]})), "$.a[1]: is 2, expected 3");
        assert_eq!(error(json!([1, 2]), json!([1])), "$: 2 items, expected 1: [1,2]");
        assert_eq!(error(json!([]), json!([1])), "$: 0 items, expected 1: []");
        assert_eq!(error(json!({"a": 1, "b": 2}), json!({"a": 1})), "$.b: not expected, is 2");
        assert_eq!(error(json!({}), json!({"a": 1})), "$.a: missing, expected 1");
        assert_eq!(error(json!({}), json!({"$has": {"a": null}})), "$.a: missing, expected null");
    }
}

//! JSON that others have written: members of it, and values for people.

use anyhow::Result;
use serde_json::{Map, Value};

use crate::exit::usage;
use crate::output::visible;

/// What is at a path of names, such as `result.status`; null if there is nothing.
pub(crate) fn at<'v>(value: &'v Value, path: &str) -> &'v Value {
    path.split('.').fold(value, |value, name| value.get(name).unwrap_or(&Value::Null))
}

/// A value without quotes; nothing for null. Rows may hold anything.
pub(crate) fn plain(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => visible(text, false),
        other => visible(&other.to_string(), false),
    }
}

/// The object that a flag is given.
///
/// # Errors
/// It is none.
pub(crate) fn object(json: &str, flag: &str) -> Result<Map<String, Value>> {
    match serde_json::from_str(json) {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(usage(format!("{flag} must be a JSON object"))),
        Err(error) => Err(usage(format!("{flag} is no JSON: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::at;

    #[test]
    fn what_is_not_there_is_null() {
        let value = json!({"a": {"b": 1}});
        assert_eq!(*at(&value, "a.b"), 1);
        assert_eq!((at(&value, "a.c.d"), at(&value, "x")), (&Value::Null, &Value::Null));
    }
}

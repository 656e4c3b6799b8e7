//! Members of JSON that others have written.

use serde_json::Value;

/// What is at a path of names, such as `result.status`; null if there is nothing.
pub(crate) fn at<'v>(value: &'v Value, path: &str) -> &'v Value {
    path.split('.').fold(value, |value, name| value.get(name).unwrap_or(&Value::Null))
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

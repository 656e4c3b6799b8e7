//! Answers of the app's functions.

use serde::Deserialize;
use serde_json::Value;

/// What a function gave.
#[derive(Clone, Debug, PartialEq)]
pub enum Called {
    /// Its value.
    Value(Value),
    /// It does not exist.
    Missing,
    /// It has thrown, and nothing of it is committed.
    Thrown(Thrown),
}

/// What a function has thrown.
#[derive(Clone, Debug, PartialEq)]
pub struct Thrown {
    /// What Convex says. It can have values of documents.
    pub message: String,
    /// Of a `ConvexError`.
    pub data: Option<Value>,
}

/// An answer that is none of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Reads the answer of a query or mutation.
pub(crate) fn called(json: &str) -> Result<Called, Malformed> {
    #[derive(Deserialize)]
    struct CalledJson {
        status: String,
        #[serde(default)]
        value: Value,
        #[serde(rename = "errorMessage")]
        message: Option<String>,
        #[serde(rename = "errorData")]
        data: Option<Value>,
    }
    let called: CalledJson = serde_json::from_str(json).map_err(|_| Malformed)?;
    let message = called.message.unwrap_or_default();
    match called.status.as_str() {
        "success" => Ok(Called::Value(called.value)),
        "error" if called.data.is_none() && message.contains("Could not find") && message.contains("function") => {
            Ok(Called::Missing)
        }
        "error" => Ok(Called::Thrown(Thrown { message, data: called.data })),
        _ => Err(Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_functions_are_told_apart() {
        let of = |json: &str| called(json).unwrap();
        assert_eq!(of(r#"{"status":"success","value":null}"#), Called::Value(Value::Null));
        let missing = r#"{"status":"error","errorMessage":"Could not find public function for 'a:b'."}"#;
        assert_eq!(of(missing), Called::Missing);
        let Called::Thrown(thrown) = of(r#"{"status":"error","errorMessage":"x","errorData":{"error_code":"A"}}"#)
        else {
            panic!("it has thrown");
        };
        assert_eq!(thrown.data.unwrap()["error_code"], "A");
        assert_eq!(called(r#"{"status":"?"}"#), Err(Malformed));
        assert_eq!(called("<html>"), Err(Malformed));
    }
}

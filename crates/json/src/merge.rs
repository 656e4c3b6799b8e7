//! Joining JSON objects without parsing them.

use alloc::string::String;

use crate::error::{Error, Result};

/// One object with the members of all `objects`, joined textually (docs/reference/functions.md#powersync_json_merge).
///
/// Each object must begin with `{` and end with `}`; what is between is not checked. Empty ones leave no comma.
///
/// # Errors
/// A text that is not of that form; out of memory.
pub fn merge<'a>(objects: impl Iterator<Item = &'a str>) -> Result<String> {
    let mut merged = String::new();
    merged.try_reserve(2)?;
    merged.push('{');
    for object in objects {
        let members = object.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
        let members = members.ok_or_else(|| Error::invalid("expected a JSON object"))?;
        if members.bytes().all(|byte| byte.is_ascii_whitespace()) {
            continue;
        }
        // Room for the comma and the closing brace too.
        merged.try_reserve(members.len().saturating_add(2))?;
        if merged.len() > 1 {
            merged.push(',');
        }
        merged.push_str(members);
    }
    merged.push('}');
    Ok(merged)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn merged(objects: &[&str]) -> Result<String> {
        merge(objects.iter().copied())
    }

    #[test]
    fn members_are_joined_as_text() {
        assert_eq!(merged(&[]).unwrap(), "{}");
        assert_eq!(merged(&[r#"{"a":1}"#]).unwrap(), r#"{"a":1}"#);
        assert_eq!(merged(&[r#"{"a":1}"#, r#"{"a":2,"b":3}"#]).unwrap(), r#"{"a":1,"a":2,"b":3}"#);
        assert_eq!(merged(&[r#"{"a":1 }"#, r#"{ "b":2}"#]).unwrap(), r#"{"a":1 , "b":2}"#);
        assert_eq!(merged(&["{x}", "{y}"]).unwrap(), "{x,y}");
    }

    #[test]
    fn empty_objects_add_no_comma() {
        assert_eq!(merged(&["{}", "{}"]).unwrap(), "{}");
        assert_eq!(merged(&["{}", r#"{"a":1}"#, "{ \n}", r#"{"b":2}"#, "{}"]).unwrap(), r#"{"a":1,"b":2}"#);
    }

    #[test]
    fn other_texts_are_refused() {
        for text in ["", "{", "}", "[]", "1", "null", r#" {"a":1}"#, r#"{"a":1} "#] {
            assert!(merged(&["{}", text]).is_err(), "{text}");
        }
    }
}

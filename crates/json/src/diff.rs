//! What changes from one JSON object to another.

use alloc::borrow::Cow;
use alloc::string::String;
use core::cmp::Ordering;

use super::canonical::{Canonical, sorted_members};
use super::lexer::{Lexer, Literal};
use super::writer::{write_raw, write_string};
use crate::error::{Error, Result};

/// The members that change from the object `old` to the object `new`, as an object
/// (docs/reference/functions.md#powersync_diff).
///
/// Members that are null count as absent on both sides. What is only in `old` comes as null. Members are sorted by name;
/// values are written in canonical form: shortest numbers, no white space, nested members sorted too. Values are
/// compared by meaning, except that `1` and `1.0` differ. Of members with the same name, the last counts.
///
/// # Errors
/// Anything but two objects; nesting deeper than 128 in values that have to be compared or written; out of memory.
pub fn diff(old: &str, new: &str) -> Result<String> {
    let mut old = values(old)?.into_iter().peekable();
    let mut new = values(new)?.into_iter().peekable();
    let mut changes = Changes { json: String::new(), comparison: [String::new(), String::new()] };
    loop {
        let order = match (old.peek(), new.peek()) {
            (Some((old_name, _)), Some((new_name, _))) => old_name.cmp(new_name),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (None, None) => break,
        };
        let before = if order.is_le() { old.next() } else { None };
        let after = if order.is_ge() { new.next() } else { None };
        match (before, after) {
            (Some((name, before)), Some((_, after))) if !changes.are_equal(before, after)? => {
                changes.add(&name, after)?
            }
            (Some((name, _)), None) => changes.add(&name, "null")?,
            (None, Some((name, after))) => changes.add(&name, after)?,
            _ => {}
        }
    }
    let end = if changes.json.is_empty() { "{}" } else { "}" };
    write_raw(&mut changes.json, end)?;
    Ok(changes.json)
}

/// The members of `object` that are not null, sorted by name.
fn values(object: &str) -> Result<impl IntoIterator<Item = (Cow<'_, str>, &str)>> {
    if Lexer::new(object).peek() != Some(b'{') {
        return Err(Error::invalid("expected two JSON objects"));
    }
    let mut members = sorted_members(object)?;
    members.retain(|(_, value)| !matches!(Lexer::new(value).literal(), Some(Literal::Null | Literal::NotFinite)));
    Ok(members)
}

struct Changes {
    json: String,
    comparison: [String; 2],
}

impl Changes {
    fn are_equal(&mut self, before: &str, after: &str) -> Result<bool> {
        if before == after {
            return Ok(true);
        }
        let canonical = Canonical { unsigned_zero: true };
        for (text, value) in self.comparison.iter_mut().zip([before, after]) {
            text.clear();
            canonical.write(value, text)?;
        }
        let [before, after] = &self.comparison;
        Ok(before == after)
    }

    fn add(&mut self, name: &str, value: &str) -> Result<()> {
        let separator = if self.json.is_empty() { "{" } else { "," };
        write_raw(&mut self.json, separator)?;
        write_string(&mut self.json, name)?;
        write_raw(&mut self.json, ":")?;
        Canonical { unsigned_zero: false }.write(value, &mut self.json)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cause;
    use alloc::collections::BTreeMap;
    use alloc::format;
    use alloc::string::ToString;
    use alloc::vec::Vec;
    use proptest::prelude::*;
    use serde_json::Value;

    #[test]
    fn what_changes_is_written() {
        for (old, new, expected) in [
            ("{}", "{}", "{}"),
            (r#"{"a":1,"b":2}"#, r#"{"b":2,"a":3}"#, r#"{"a":3}"#),
            (
                r#"{"b":1,"a":1,"ab":1}"#,
                r#"{"aa":1,"Z":2,"é":3,"z":1}"#,
                r#"{"Z":2,"a":null,"aa":1,"ab":null,"b":null,"z":1,"é":3}"#,
            ),
            (r#"{"a":null}"#, "{}", "{}"),
            ("{}", r#"{"a":null}"#, "{}"),
            (r#"{"a":1}"#, r#"{"a":null}"#, r#"{"a":null}"#),
            (r#"{"a":1}"#, r#"{"a":"1"}"#, r#"{"a":"1"}"#),
            (r#"{"a":"x"}"#, r#"{"a":"\u0078"}"#, "{}"),
            (r#"{"a":1}"#, r#"{"\u0061":1}"#, "{}"),
            ("{}", r#"{"\u0061\n\"":"\u00e9\/\u0001\ud83d\ude00"}"#, r#"{"a\n\"":"é/\u0001😀"}"#),
            (r#" {"a" : 1 } "#, "\t{\"a\":[ 1 , {} , [ ] ]}", r#"{"a":[1,{},[]]}"#),
        ] {
            assert_eq!(diff(old, new).as_deref(), Ok(expected), "{old} {new}");
        }
    }

    #[test]
    fn numbers_are_compared_by_value_and_kind_and_written_in_shortest_form() {
        for (old, new) in [
            ("1.0", "1.00"),
            ("1e2", "100.0"),
            ("-0.0", "0.0"),
            ("-0", "0.0"),
            ("0.1", "0.10000000000000000555"),
            ("1e400", "2e500"),
            ("[1.0]", "[1.00]"),
        ] {
            assert_eq!(
                diff(&format!("{{\"a\":{old}}}"), &format!("{{\"a\":{new}}}")).as_deref(),
                Ok("{}"),
                "{old} {new}"
            );
        }
        for (old, new) in [("1", "1.0"), ("1e2", "100"), ("-0", "0"), ("9007199254740993", "9007199254740992")] {
            assert_ne!(
                diff(&format!("{{\"a\":{old}}}"), &format!("{{\"a\":{new}}}")).as_deref(),
                Ok("{}"),
                "{old} {new}"
            );
        }
        for (number, expected) in [
            ("1.00", "1.0"),
            ("1E5", "100000.0"),
            ("-0.0", "-0.0"),
            ("-0", "-0.0"),
            ("1e16", "1e+16"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("18446744073709551615", "18446744073709551615"),
            ("18446744073709551616", "1.8446744073709552e+19"),
            ("-1e400", "-9.0e+999"),
        ] {
            let expected = format!("{{\"a\":{expected}}}");
            assert_eq!(diff("{}", &format!("{{\"a\":{number}}}")), Ok(expected));
        }
    }

    #[test]
    fn values_that_are_not_finite_are_null() {
        assert_eq!(diff(r#"{"a":1,"b":NaN}"#, r#"{"a":-Infinity}"#).as_deref(), Ok(r#"{"a":null}"#));
        assert_eq!(diff("{}", r#"{"a":[Infinity]}"#).as_deref(), Ok(r#"{"a":[null]}"#));
    }

    #[test]
    fn nested_values_are_compared_by_structure() {
        assert_eq!(diff(r#"{"b":{"y":1,"x":2}}"#, r#"{"b":{ "x":2,"y":1}}"#).as_deref(), Ok("{}"));
        assert_eq!(diff(r#"{"b":{"y":1,"x":null}}"#, r#"{"b":{"y":1}}"#).as_deref(), Ok(r#"{"b":{"y":1}}"#));
        let expected = r#"{"b":{"x":[null,{"z":null}],"y":1}}"#;
        assert_eq!(diff("{}", r#"{"b":{"y":1,"x":[null,{"z":null}]}}"#).as_deref(), Ok(expected));
    }

    #[test]
    fn of_members_with_one_name_the_last_counts() {
        assert_eq!(diff(r#"{"a":1,"a":2}"#, r#"{"a":2}"#).as_deref(), Ok("{}"));
        assert_eq!(diff("{}", r#"{"a":2,"b":1,"a":null}"#).as_deref(), Ok(r#"{"b":1}"#));
        assert_eq!(diff("{}", r#"{"a":null,"\u0061":2,"a":3,"a":4}"#).as_deref(), Ok(r#"{"a":4}"#));
        assert_eq!(diff(r#"{"a":{"k":1,"k":2}}"#, r#"{"a":{"k":2}}"#).as_deref(), Ok("{}"));
    }

    #[test]
    fn anything_but_two_objects_is_refused() {
        for text in ["", "[]", "1", "null", "\"{}\"", "{", "{\"a\":1,}", "{} x", "{\"a\":}"] {
            for error in [diff(text, "{}").unwrap_err(), diff("{}", text).unwrap_err()] {
                assert!(matches!(error.into_cause(), Cause::Invalid(_)), "{text}");
            }
        }
        assert_eq!(diff("1", "{}").unwrap_err().to_string(), "expected two JSON objects");
    }

    #[test]
    fn nesting_is_bounded() {
        let nested =
            |levels: usize, inner: &str| format!("{{\"a\":{}{inner}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert_eq!(diff("{}", &nested(128, "")), Ok(nested(128, "")));
        assert_eq!(diff(&nested(128, "1"), &nested(128, " 1")).as_deref(), Ok("{}"));
        assert!(diff("{}", &nested(129, "")).is_err());
        assert!(diff("{}", &nested(1_000_000, "")).is_err());
        assert!(diff("{}", &"{\"a\":".repeat(1_000_000)).is_err());
    }

    #[test]
    fn cost_does_not_grow_with_the_depth() {
        use super::super::lexer::bytes_skipped;
        let nested = |levels: usize, value: &str| {
            let values = format!("{value},").repeat(1000);
            format!("{{\"a\":{}{values}0{}}}", "[".repeat(levels), "]".repeat(levels))
        };
        let cost = |levels| {
            let (old, new) = (nested(levels, "1"), nested(levels, "2"));
            bytes_skipped::take();
            diff(&old, &new).unwrap();
            bytes_skipped::take()
        };
        let (flat, deep) = (cost(1), cost(120));
        assert!(deep < 2 * flat, "{deep} bytes are read at 120 levels, {flat} at one");
    }

    fn value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            (-3..3_i64).prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            (-3..3_i8).prop_map(|half| Value::from(f64::from(half) / 2.0)),
            any::<String>().prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 8, 3, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
                prop::collection::btree_map("[a-c]", inner, 0..3).prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    proptest! {
        #[test]
        fn the_difference_is_that_of_the_trees(
            old in prop::collection::btree_map("[a-d\"é]", value(), 0..5),
            new in prop::collection::btree_map("[a-d\"é]", value(), 0..5),
            same in prop::collection::vec("[a-d\"é]", 0..3),
        ) {
            let mut new = new;
            new.extend(same.iter().filter_map(|name| Some((name.clone(), old.get(name)?.clone()))));
            let difference = diff(&serde_json::to_string(&old).unwrap(), &serde_json::to_string_pretty(&new).unwrap()).unwrap();
            let get = |members: &BTreeMap<String, Value>, name: &str| members.get(name).cloned().unwrap_or_default();
            let names: Vec<_> = old.keys().chain(new.keys()).collect();
            let expected: BTreeMap<_, _> = names
                .into_iter()
                .filter(|name| get(&old, name) != get(&new, name))
                .map(|name| (name.clone(), get(&new, name)))
                .collect();
            prop_assert_eq!(difference, serde_json::to_string(&expected).unwrap());
        }
    }
}

//! The members of a JSON object, one after the other.

use alloc::borrow::Cow;

use super::lexer::{Lexer, Literal};
use super::nesting::Nesting;
use super::number::{Number, parse_number};
use crate::error::Result;

/// Iterates over the members of a JSON object: the decoded name, and the text of the value.
///
/// Members come in the order of the text, also those whose name comes twice. After an error the iteration ends. Text
/// after the object is an error too.
pub struct ObjectMembers<'a> {
    lexer: Lexer<'a>,
    state: State,
}

#[derive(PartialEq)]
enum State {
    Begin,
    Inside,
    End,
}

impl<'a> ObjectMembers<'a> {
    /// The members of the object that `text` holds. That it is none shows when iterating.
    pub const fn new(text: &'a str) -> Self {
        Self { lexer: Lexer::new(text), state: State::Begin }
    }

    fn read(&mut self) -> Result<Option<(Cow<'a, str>, &'a str)>> {
        match self.state {
            State::Begin => {
                self.lexer.expect(b'{', "expected an object")?;
                self.state = State::Inside;
                if self.lexer.eat(b'}') {
                    return self.end();
                }
            }
            State::Inside => {
                if !self.lexer.eat(b',') {
                    self.lexer.expect(b'}', "expected a comma or the end of the object")?;
                    return self.end();
                }
            }
            State::End => return Ok(None),
        }
        let name = self.lexer.member_name()?.decode()?;
        self.lexer.peek();
        let start = self.lexer.position();
        self.lexer.skip_value(&mut Nesting::new(Nesting::CAPACITY))?;
        Ok(Some((name, self.lexer.since(start))))
    }

    fn end<T>(&mut self) -> Result<Option<T>> {
        self.state = State::End;
        self.lexer.expect_end()?;
        Ok(None)
    }
}

impl<'a> Iterator for ObjectMembers<'a> {
    type Item = Result<(Cow<'a, str>, &'a str)>;

    fn next(&mut self) -> Option<Self::Item> {
        let member = self.read().transpose();
        if !matches!(member, Some(Ok(_))) {
            self.state = State::End;
        }
        member
    }
}

/// What a JSON value is, as far as SQLite distinguishes values (docs/reference/schema.md#raw-tables).
#[derive(Debug, Clone, PartialEq)]
pub enum RawValue<'a> {
    /// `null`, or a bare value that is not finite.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// Digits only, within 64 bits.
    Integer(i64),
    /// Every other number; infinite beyond what 64-bit floats hold.
    Real(f64),
    /// A string, decoded.
    String(Cow<'a, str>),
    /// The text of an object or array.
    Container(&'a str),
}

impl<'a> RawValue<'a> {
    /// What the value is whose text is `text`, as [`ObjectMembers`] gives it.
    ///
    /// # Errors
    /// The text is no single value; out of memory.
    pub fn classify(text: &'a str) -> Result<Self> {
        let mut lexer = Lexer::new(text);
        let value = match lexer.peek() {
            Some(b'"') => Self::String(lexer.string()?.decode()?),
            Some(b'{' | b'[') => {
                let start = lexer.position();
                lexer.skip_value(&mut Nesting::new(Nesting::CAPACITY))?;
                Self::Container(lexer.since(start))
            }
            _ => match lexer.literal() {
                Some(Literal::Null | Literal::NotFinite) => Self::Null,
                Some(Literal::True) => Self::Bool(true),
                Some(Literal::False) => Self::Bool(false),
                None => match parse_number(lexer.number()?) {
                    Number::Integer(integer) => Self::Integer(integer),
                    Number::Real(real) => Self::Real(real),
                },
            },
        };
        lexer.expect_end()?;
        Ok(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    fn members(text: &str) -> Result<Vec<(String, &str)>> {
        ObjectMembers::new(text).map(|member| member.map(|(name, value)| (name.into_owned(), value))).collect()
    }

    #[test]
    fn members_come_in_order_with_decoded_names_and_the_text_of_their_values() {
        let text = " { \"a\" : 1 , \"\\u0061\\n\" : \"x\\\"}\" ,\"\":{\"a\":[1, 2]},\"a\":NaN,\"é\": -1.50E+2 } ";
        let expected = [("a", "1"), ("a\n", "\"x\\\"}\""), ("", "{\"a\":[1, 2]}"), ("a", "NaN"), ("é", "-1.50E+2")];
        assert_eq!(members(text).unwrap(), expected.map(|(name, value)| (name.to_string(), value)));
        assert_eq!(members("{}").unwrap(), []);
        assert_eq!(members(" { } ").unwrap(), []);
    }

    #[test]
    fn names_without_escapes_are_not_copied() {
        let names: Vec<_> = ObjectMembers::new(r#"{"a":1,"\u0062":2}"#).map(|member| member.unwrap().0).collect();
        assert!(matches!(names.as_slice(), [Cow::Borrowed("a"), Cow::Owned(_)]), "{names:?}");
    }

    #[test]
    fn after_an_error_the_iteration_ends() {
        for text in [
            "",
            "[]",
            "1",
            "{",
            "{\"a\"}",
            "{\"a\":}",
            "{\"a\":1",
            "{\"a\":1,}",
            "{\"a\":1 \"b\":2}",
            "{} {}",
            "{\"a\":tru}",
        ] {
            let mut members = ObjectMembers::new(text);
            let error = members.find_map(Result::err).expect(text);
            assert!(error.to_string().starts_with("malformed JSON: "), "{error}");
            assert!(members.next().is_none());
        }
    }

    #[test]
    fn values_deeper_than_any_publishable_row_can_be_skipped_but_not_without_bound() {
        let nested = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels), "]".repeat(levels));
        assert!(members(&nested(Nesting::CAPACITY)).is_ok());
        assert!(members(&nested(Nesting::CAPACITY + 1)).is_err());
        assert!(members(&nested(1_000_000)).is_err());
    }

    #[test]
    fn values_have_the_kinds_that_sqlite_distinguishes() {
        for (text, value) in [
            ("null", RawValue::Null),
            (" NaN ", RawValue::Null),
            ("-Infinity", RawValue::Null),
            ("Infinity", RawValue::Null),
            ("true", RawValue::Bool(true)),
            ("false", RawValue::Bool(false)),
            ("9007199254740993", RawValue::Integer(9_007_199_254_740_993)),
            ("-9223372036854775808", RawValue::Integer(i64::MIN)),
            ("9223372036854775808", RawValue::Real(9_223_372_036_854_775_808.0)),
            ("1.0", RawValue::Real(1.0)),
            ("1E5", RawValue::Real(100_000.0)),
            ("1e400", RawValue::Real(f64::INFINITY)),
            ("\"9\"", RawValue::String(Cow::Borrowed("9"))),
            (r#""\u00e9\"""#, RawValue::String(Cow::Borrowed("é\""))),
            ("[1, {\"a\":2}]", RawValue::Container("[1, {\"a\":2}]")),
            (" {\"a\":NaN} ", RawValue::Container("{\"a\":NaN}")),
        ] {
            assert_eq!(RawValue::classify(text), Ok(value), "{text}");
        }
        assert!(matches!(RawValue::classify("\"plain\""), Ok(RawValue::String(Cow::Borrowed(_)))));
        for text in ["", " ", "nul", "1 2", "01", "--1", "\"", "[", "{]", "\"\\x\"", "undefined"] {
            assert!(RawValue::classify(text).is_err(), "{text}");
        }
    }
}

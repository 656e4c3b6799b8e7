//! The values that a statement takes from a row's JSON, found in one pass over its text and without a tree
//! (docs/reference/schema.md#raw-tables).
//!
//! Of members with equal names the last one counts, as in JavaScript. The object for `Rest` holds members as they are
//! written, in their order. Data that is no JSON object counts as an empty one.

use alloc::string::String;
use alloc::vec::Vec;

use rowtide_json::writer::write_raw;
use rowtide_json::{Lexer, Literal, Nesting, Number, SyntaxError, parse_number};
use sqlite_nostd::Parameter;

use crate::error::{ErrorKind, Result};
use crate::schema::row_writer::statement::{RowStatement, Source};

/// What was found of the current row. Kept between rows, so that few of them allocate.
#[derive(Default)]
pub(in crate::schema) struct RowValues {
    /// By member of the statement.
    values: Vec<Found>,
    /// By member of the statement, which of its members came next in an earlier row; the last entry is for the first.
    successors: Vec<usize>,
    /// Strings that had escapes, one after the other.
    unescaped: Vec<u8>,
    unescaped_length: usize,
    /// The members for `Rest`, each after a brace or comma.
    rest: String,
}

/// A member's value.
#[derive(Clone, Copy)]
enum Found {
    Null,
    Integer(i64),
    Real(f64),
    /// A part of the row's text: a string, an array or an object.
    Text(Part),
    /// A part of [`RowValues::unescaped`].
    Unescaped(Part),
}

/// Where a part of a text begins and ends, in bytes.
type Part = (usize, usize);

impl RowValues {
    /// Finds in `data` what `statement` takes, which has to be the same one for all rows.
    ///
    /// # Errors
    /// Out of memory.
    pub(in crate::schema) fn read(&mut self, statement: &RowStatement, data: &str) -> Result<()> {
        self.clear(statement)?;
        match self.read_members(statement, data) {
            Err(error) if error.kind() == ErrorKind::Argument => self.clear(statement),
            result => result,
        }
    }

    /// The value for a parameter; None is NULL.
    pub(in crate::schema) fn parameter<'p>(
        &'p self,
        source: Source,
        id: &'p str,
        data: &'p str,
    ) -> Option<Parameter<'p>> {
        let text = match source {
            Source::Id => Some(id),
            Source::Row => Some(data),
            Source::Rest => Some(self.rest.as_str()).filter(|rest| !rest.is_empty()),
            Source::Member(member) => match self.values.get(member)? {
                Found::Null => None,
                Found::Integer(integer) => return Some(Parameter::Integer(*integer)),
                Found::Real(real) => return Some(Parameter::Real(*real)),
                Found::Text((start, end)) => {
                    debug_assert!(data.get(*start..*end).is_some(), "the value is from other data");
                    data.get(*start..*end)
                }
                Found::Unescaped((start, end)) => {
                    let text = self.unescaped.get(*start..*end).and_then(|text| str::from_utf8(text).ok());
                    debug_assert!(text.is_some(), "an unescaped text was lost");
                    text
                }
            },
        };
        text.map(Parameter::Text)
    }

    fn clear(&mut self, statement: &RowStatement) -> Result<()> {
        let count = statement.members.len();
        if self.successors.is_empty() {
            self.successors.try_reserve_exact(count + 1)?;
            self.successors.extend((1..=count).chain([0]));
            self.values.try_reserve_exact(count)?;
            self.values.resize(count, Found::Null);
        }
        self.values.fill(Found::Null);
        self.unescaped_length = 0;
        self.rest.clear();
        Ok(())
    }

    fn read_members(&mut self, statement: &RowStatement, data: &str) -> Result<()> {
        let mut lexer = Lexer::new(data);
        lexer.expect(b'{', "expected an object")?;
        let mut previous = statement.members.len();
        let mut is_first = true;
        while !lexer.eat(b'}') {
            if !is_first {
                lexer.expect(b',', "expected a comma or the end of the object")?;
            }
            is_first = false;
            lexer.peek();
            let start = lexer.position();
            let name = lexer.member_name()?.decode()?;
            if let Some(member) = self.find(statement, previous, &name) {
                let value = self.read_value(&mut lexer, data)?;
                debug_assert!(member < self.values.len(), "there is a value for each member");
                if let Some(found) = self.values.get_mut(member) {
                    *found = value;
                }
                previous = member;
            } else {
                lexer.skip_value(&mut Nesting::new(Nesting::CAPACITY))?;
                if statement.is_in_rest(&name) {
                    let separator = if self.rest.is_empty() { "{" } else { "," };
                    write_raw(&mut self.rest, separator)?;
                    write_raw(&mut self.rest, lexer.since(start))?;
                }
            }
        }
        lexer.expect_end()?;
        if !self.rest.is_empty() {
            write_raw(&mut self.rest, "}")?;
        }
        Ok(())
    }

    /// The statement's member of that name. Members mostly come in the order of the row before.
    fn find(&mut self, statement: &RowStatement, previous: usize, name: &str) -> Option<usize> {
        let members = &statement.members;
        debug_assert!(previous < self.successors.len(), "these are the members of another statement");
        let successor = self.successors.get_mut(previous)?;
        if members.get(*successor).is_some_and(|member| member == name) {
            return Some(*successor);
        }
        let found = members.binary_search_by(|member| member.as_str().cmp(name)).ok()?;
        *successor = found;
        Some(found)
    }

    fn read_value(&mut self, lexer: &mut Lexer<'_>, data: &str) -> Result<Found> {
        Ok(match lexer.peek() {
            Some(b'"') => {
                if let Some(text) = lexer.plain_string()? {
                    let end = lexer.position().saturating_sub(1);
                    return Ok(Found::Text((end.saturating_sub(text.len()), end)));
                }
                // No string is longer than it is written.
                let needed = data.len();
                if self.unescaped.len() < needed {
                    self.unescaped.try_reserve_exact(needed - self.unescaped.len())?;
                    self.unescaped.resize(needed, 0);
                }
                let start = self.unescaped_length;
                debug_assert!(start <= self.unescaped.len(), "more was unescaped than there is room for");
                let buffer = self.unescaped.get_mut(start..).unwrap_or_default();
                self.unescaped_length += lexer.unescape(buffer)?;
                Found::Unescaped((start, self.unescaped_length))
            }
            Some(b'{' | b'[') => {
                let start = lexer.position();
                lexer.skip_value(&mut Nesting::new(Nesting::CAPACITY))?;
                Found::Text((start, lexer.position()))
            }
            _ => scalar(lexer)?,
        })
    }
}

/// Reads what is neither string nor container.
fn scalar(lexer: &mut Lexer<'_>) -> Result<Found, SyntaxError> {
    Ok(match lexer.literal() {
        Some(Literal::Null | Literal::NotFinite) => Found::Null,
        Some(Literal::True) => Found::Integer(1),
        Some(Literal::False) => Found::Integer(0),
        None => match parse_number(lexer.number()?) {
            Number::Integer(integer) => Found::Integer(integer),
            Number::Real(real) => Found::Real(real),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::definition::{RawParameter, RawStatement};
    use alloc::collections::BTreeMap;
    use proptest::prelude::*;
    use rowtide_json::{ObjectMembers, RawValue};
    use std::string::ToString;

    /// A statement that takes members, and the rest if `has_rest`.
    fn statement(members: &[&str], has_rest: bool) -> RowStatement {
        let columns = members.iter().map(|name| RawParameter::Column((*name).into()));
        let params = columns.chain(has_rest.then_some(RawParameter::Rest)).collect();
        RowStatement::given(&RawStatement { sql: String::new(), params })
    }

    fn read(values: &mut RowValues, statement: &RowStatement, data: &str) -> Vec<String> {
        values.read(statement, data).unwrap();
        statement.sources.iter().map(|source| shown(values.parameter(*source, "the id", data))).collect()
    }

    fn shown(parameter: Option<Parameter<'_>>) -> String {
        match parameter {
            None => "NULL".into(),
            Some(Parameter::Integer(integer)) => integer.to_string(),
            Some(Parameter::Real(real)) => std::format!("{real:?}"),
            Some(Parameter::Text(text)) => std::format!("'{text}'"),
            Some(_) => panic!("no such parameter comes of JSON"),
        }
    }

    #[test]
    fn values_are_bound_as_sqlite_has_them() {
        let statement = statement(&["v"], false);
        let mut values = RowValues::default();
        for (json, bound) in [
            ("null", "NULL"),
            ("NaN", "NULL"),
            ("true", "1"),
            ("false", "0"),
            ("9223372036854775807", "9223372036854775807"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("9223372036854775808", "9.223372036854776e18"),
            ("1.0", "1.0"),
            ("1e3", "1000.0"),
            ("-1e400", "-inf"),
            ("\"\"", "''"),
            ("\"x y\"", "'x y'"),
            (r#""\u00e9\"\\n\ud83d\ude00""#, "'é\"\\n😀'"),
            ("[1, {\"a\": null}]", "'[1, {\"a\": null}]'"),
            ("{ }", "'{ }'"),
        ] {
            assert_eq!(read(&mut values, &statement, &alloc::format!("{{\"v\":{json}}}")), [bound], "{json}");
        }
        assert_eq!(read(&mut values, &statement, "{}"), ["NULL"]);
    }

    #[test]
    fn rows_may_have_their_members_in_any_order_and_of_any_number() {
        let statement = statement(&["b", "a", "é"], true);
        let mut values = RowValues::default();
        for (data, bound) in [
            (r#"{"a":1,"b":2,"é":3}"#, ["2", "1", "3", "NULL"]),
            (r#"{"é":"\n","x":[1, 2],"b":"\t","y" : 0}"#, ["'\t'", "NULL", "'\n'", "'{\"x\":[1, 2],\"y\" : 0}'"]),
            (r#" { "b" : 1 , "b" : "two" } "#, ["'two'", "NULL", "NULL", "NULL"]),
            (r#"{"a":"\u0041","\u0062":"B","a":null,"id":"i"}"#, ["'B'", "NULL", "NULL", "'{\"id\":\"i\"}'"]),
            ("{}", ["NULL"; 4]),
        ] {
            assert_eq!(read(&mut values, &statement, data), bound, "{data}");
        }
    }

    #[test]
    fn unreadable_data_counts_as_an_empty_object() {
        let statement = statement(&["a"], true);
        let mut values = RowValues::default();
        for data in
            ["", "null", "[1]", "{\"a\":1,\"b\":2", "{\"a\":1,}", "{\"a\":1,\"b\":\"\\x\"}", "{\"a\":01}", "{} {}"]
        {
            assert_eq!(read(&mut values, &statement, data), ["NULL", "NULL"], "{data}");
        }
        assert_eq!(read(&mut values, &statement, "{\"a\":1}"), ["1", "NULL"]);
    }

    #[test]
    fn the_id_and_the_whole_row_are_bound_too() {
        let params = [RawParameter::Id, RawParameter::Row, RawParameter::Rest].into();
        let statement = RowStatement::given(&RawStatement { sql: String::new(), params });
        let data = r#"{"id":"other","a":1}"#;
        let bound = read(&mut RowValues::default(), &statement, data);
        assert_eq!(bound, ["'the id'", "'{\"id\":\"other\",\"a\":1}'", "'{\"a\":1}'"]);
    }

    fn json_value() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<i64>().prop_map(|integer| integer.to_string()),
            (-1e9..1e9).prop_map(|real| std::format!("{real:?}")),
            any::<String>().prop_map(|text| serde_json::to_string(&text).unwrap()),
            Just("null".into()),
        ]
    }

    proptest! {
        /// One pass over the text finds what a search for each member finds.
        #[test]
        fn the_last_member_of_a_name_is_bound(
            rows in proptest::collection::vec(proptest::collection::vec(("[a-d]", json_value()), 0..7), 1..5)
        ) {
            let statement = statement(&["d", "b", "a"], false);
            let mut values = RowValues::default();
            for row in rows {
                let members: Vec<String> = row.iter().map(|(name, value)| alloc::format!("\"{name}\": {value}")).collect();
                let data = alloc::format!("{{{}}}", members.join(", "));
                let last: BTreeMap<_, _> = ObjectMembers::new(&data).map(Result::unwrap).collect();
                let expected: Vec<String> = ["d", "b", "a"].iter().map(|name| {
                    match last.get(*name).map(|text| RawValue::classify(text).unwrap()) {
                        Some(RawValue::Integer(integer)) => shown(Some(Parameter::Integer(integer))),
                        Some(RawValue::Real(real)) => shown(Some(Parameter::Real(real))),
                        Some(RawValue::String(text)) => shown(Some(Parameter::Text(&text))),
                        _ => shown(None),
                    }
                }).collect();
                prop_assert_eq!(read(&mut values, &statement, &data), expected);
            }
        }
    }
}

//! The values that a statement takes of a row's JSON, found in one pass over its text and without a tree (schema, Raw
//! tables).
//!
//! Where the contract is silent: of members with equal names the last one counts, as in JavaScript; the object for
//! `Rest` holds members as they are written, in their order. Data that is no JSON object counts as an empty one.

use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use sqlite_nostd::Parameter;

use super::row_statement::{RowStatement, Source};
use crate::error::{ErrorKind, Result};
use crate::json::writer::write_raw;
use crate::json::{Lexer, Literal, Nesting, Number, SyntaxError, parse_number};

/// What was found of the current row. Kept between rows, so that few of them allocate.
#[derive(Default)]
pub(super) struct RowValues {
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
#[derive(Clone)]
enum Found {
    Null,
    Integer(i64),
    Real(f64),
    /// A part of the row's text: a string, an array or an object.
    Text(Range<usize>),
    /// A part of [`RowValues::unescaped`].
    Unescaped(Range<usize>),
}

impl RowValues {
    /// Finds in `data` what `statement` takes, which has to be the same one for all rows.
    ///
    /// # Errors
    /// Out of memory.
    pub(super) fn read(&mut self, statement: &RowStatement, data: &str) -> Result<()> {
        self.clear(statement)?;
        match self.read_members(statement, data) {
            Err(error) if *error.kind() == ErrorKind::Argument => self.clear(statement),
            result => result,
        }
    }

    /// The value for a parameter; None is NULL.
    pub(super) fn parameter<'p>(&'p self, source: Source, id: &'p str, data: &'p str) -> Option<Parameter<'p>> {
        let text = match source {
            Source::Id => Some(id),
            Source::Row => Some(data),
            Source::Rest => Some(self.rest.as_str()).filter(|rest| !rest.is_empty()),
            Source::Member(member) => match self.values.get(member)? {
                Found::Null => None,
                Found::Integer(integer) => return Some(Parameter::Integer(*integer)),
                Found::Real(real) => return Some(Parameter::Real(*real)),
                Found::Text(range) => data.get(range.clone()),
                Found::Unescaped(range) => self.unescaped.get(range.clone()).and_then(|text| str::from_utf8(text).ok()),
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
        }
        self.values.clear();
        self.values.resize(count, Found::Null);
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
        if self.rest.is_empty() { Ok(()) } else { write_raw(&mut self.rest, "}") }
    }

    /// The statement's member of that name. Members mostly come in the order of the row before.
    fn find(&mut self, statement: &RowStatement, previous: usize, name: &str) -> Option<usize> {
        let members = &statement.members;
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
                    return Ok(Found::Text(end.saturating_sub(text.len())..end));
                }
                // No string is longer than it is written.
                let needed = data.len();
                if self.unescaped.len() < needed {
                    self.unescaped.try_reserve_exact(needed - self.unescaped.len())?;
                    self.unescaped.resize(needed, 0);
                }
                let start = self.unescaped_length;
                let buffer = self.unescaped.get_mut(start..).unwrap_or_default();
                self.unescaped_length += lexer.unescape(buffer)?;
                Found::Unescaped(start..self.unescaped_length)
            }
            Some(b'{' | b'[') => {
                let start = lexer.position();
                lexer.skip_value(&mut Nesting::new(Nesting::CAPACITY))?;
                Found::Text(start..lexer.position())
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
            Some(Number::Integer(integer)) => Found::Integer(integer),
            Some(Number::Real(real)) => Found::Real(real),
            None => return Err(lexer.error("expected a number")),
        },
    })
}

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

/// What a JSON value is, as far as SQLite tells values apart (schema, "Binding JSON values").
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
                    Some(Number::Integer(integer)) => Self::Integer(integer),
                    Some(Number::Real(real)) => Self::Real(real),
                    None => return Err(lexer.error("expected a number").into()),
                },
            },
        };
        lexer.expect_end()?;
        Ok(value)
    }
}

//! One text for all JSON texts that mean the same.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::lexer::Lexer;
use super::members::{ObjectMembers, RawValue};
use super::nesting::Nesting;
use super::writer::{write_integer, write_raw, write_real, write_string};
use crate::error::{Error, Result};
use crate::sort::sort_by;

/// The deepest nesting of containers inside a value; this is what bounds the recursion.
const DEPTH_LIMIT: usize = 128;

/// The members of an object, sorted by name. Of members with the same name, the last one counts.
pub(super) fn sorted_members(object: &str) -> Result<Vec<(Cow<'_, str>, &str)>> {
    let mut members: Vec<(Cow<'_, str>, &str)> = Vec::new();
    for member in ObjectMembers::new(object) {
        members.try_reserve(1)?;
        members.push(member?);
    }
    // Later members come first among equal names. All values are in one text, so their addresses give the order, and
    // the sort need not be a stable one, which allocates.
    sort_by(&mut members, |(a, a_value), (b, b_value)| a.cmp(b).then_with(|| b_value.as_ptr().cmp(&a_value.as_ptr())));
    members.dedup_by(|later, earlier| later.0 == earlier.0);
    Ok(members)
}

/// A value read once, so that writing it takes no second look at the text of each level.
enum Tree<'a> {
    Scalar(&'a str),
    Array(Vec<Tree<'a>>),
    /// Members with their position in the text, sorted by name.
    Object(Vec<(Cow<'a, str>, usize, Tree<'a>)>),
}

impl<'a> Tree<'a> {
    fn read(lexer: &mut Lexer<'a>, depth_left: usize) -> Result<Self> {
        let is_object = match lexer.peek() {
            Some(b'{') => true,
            Some(b'[') => false,
            _ => {
                let start = lexer.position();
                lexer.skip_value(&mut Nesting::new(0))?;
                return Ok(Self::Scalar(lexer.since(start)));
            }
        };
        let Some(depth_left) = depth_left.checked_sub(1) else {
            return Err(Error::invalid("malformed JSON: nesting too deep"));
        };
        if is_object { Self::read_object(lexer, depth_left) } else { Self::read_array(lexer, depth_left) }
    }

    fn read_array(lexer: &mut Lexer<'a>, depth_left: usize) -> Result<Self> {
        lexer.expect(b'[', "expected an array")?;
        let mut elements = Vec::new();
        if lexer.eat(b']') {
            return Ok(Self::Array(elements));
        }
        loop {
            elements.try_reserve(1)?;
            elements.push(Self::read(lexer, depth_left)?);
            if !lexer.eat(b',') {
                lexer.expect(b']', "expected a comma or the end of the array")?;
                return Ok(Self::Array(elements));
            }
        }
    }

    fn read_object(lexer: &mut Lexer<'a>, depth_left: usize) -> Result<Self> {
        lexer.expect(b'{', "expected an object")?;
        let mut members: Vec<(Cow<'a, str>, usize, Self)> = Vec::new();
        if lexer.eat(b'}') {
            return Ok(Self::Object(members));
        }
        loop {
            let name = lexer.member_name()?.decode()?;
            members.try_reserve(1)?;
            members.push((name, lexer.position(), Self::read(lexer, depth_left)?));
            if !lexer.eat(b',') {
                lexer.expect(b'}', "expected a comma or the end of the object")?;
                break;
            }
        }
        // Of members with the same name, the last one counts.
        sort_by(&mut members, |(a, a_place, _), (b, b_place, _)| a.cmp(b).then_with(|| b_place.cmp(a_place)));
        members.dedup_by(|later, earlier| later.0 == earlier.0);
        Ok(Self::Object(members))
    }
}

/// Appends values in canonical form: no white space, members sorted by name, shortest numbers, fewest escapes.
pub(super) struct Canonical {
    /// Writes `-0.0` as `0.0`, because both are equal.
    pub unsigned_zero: bool,
}

impl Canonical {
    /// Appends the canonical form of `value` to `json`, in time proportional to its length.
    pub(super) fn write(&self, value: &str, json: &mut String) -> Result<()> {
        self.write_tree(&Tree::read(&mut Lexer::new(value), DEPTH_LIMIT)?, json)
    }

    fn write_tree(&self, tree: &Tree<'_>, json: &mut String) -> Result<()> {
        match tree {
            Tree::Scalar(value) => self.write_scalar(value, json),
            Tree::Array(elements) => {
                write_raw(json, "[")?;
                for (position, element) in elements.iter().enumerate() {
                    write_raw(json, if position == 0 { "" } else { "," })?;
                    self.write_tree(element, json)?;
                }
                write_raw(json, "]")
            }
            Tree::Object(members) => {
                write_raw(json, "{")?;
                for (position, (name, _, value)) in members.iter().enumerate() {
                    write_raw(json, if position == 0 { "" } else { "," })?;
                    write_string(json, name)?;
                    write_raw(json, ":")?;
                    self.write_tree(value, json)?;
                }
                write_raw(json, "}")
            }
        }
    }

    fn write_scalar(&self, value: &str, json: &mut String) -> Result<()> {
        match RawValue::classify(value)? {
            RawValue::Null => write_raw(json, "null"),
            RawValue::Bool(value) => write_raw(json, if value { "true" } else { "false" }),
            // The text `-0` has no integer.
            RawValue::Integer(0) if value.trim_ascii().starts_with('-') => self.write_real(json, -0.0),
            RawValue::Integer(integer) => write_integer(json, integer),
            RawValue::Real(real) => match value.trim_ascii().parse::<u64>() {
                Ok(_) => write_raw(json, value.trim_ascii()),
                Err(_) => self.write_real(json, real),
            },
            RawValue::String(text) => write_string(json, &text),
            RawValue::Container(_) => {
                debug_assert!(false, "a scalar is no container");
                Ok(())
            }
        }
    }

    fn write_real(&self, json: &mut String, real: f64) -> Result<()> {
        write_real(json, if self.unsigned_zero && real == 0.0 { 0.0 } else { real })
    }
}

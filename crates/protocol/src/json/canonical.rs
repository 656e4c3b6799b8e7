//! One text for all JSON texts that mean the same.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::lexer::Lexer;
use super::members::{ObjectMembers, RawValue};
use super::nesting::Nesting;
use super::writer::{write_integer, write_raw, write_real, write_string};
use crate::collections::sort_by;
use crate::error::{Error, Result};

/// The deepest nesting of containers inside a value; this is what bounds the recursion.
const DEPTH_LIMIT: usize = 128;

/// The members of an object, sorted by name. Of members with the same name, the last one counts.
pub(super) fn sorted_members(object: &str) -> Result<Vec<(Cow<'_, str>, &str)>> {
    let mut members: Vec<(Cow<'_, str>, &str)> = Vec::new();
    for member in ObjectMembers::new(object) {
        members.try_reserve(1)?;
        members.push(member?);
    }
    // Later members come first among equal names. All values lie in one text, so their addresses tell the order, and
    // the sort need not be a stable one, which allocates.
    sort_by(&mut members, |(a, a_value), (b, b_value)| a.cmp(b).then_with(|| b_value.as_ptr().cmp(&a_value.as_ptr())));
    members.dedup_by(|later, earlier| later.0 == earlier.0);
    Ok(members)
}

/// Appends values in canonical form: no white space, members sorted by name, shortest numbers, fewest escapes.
pub(super) struct Canonical {
    /// Writes `-0.0` as `0.0`, because both are equal.
    pub unsigned_zero: bool,
}

impl Canonical {
    /// Appends the canonical form of `value` to `json`.
    pub(super) fn write(&self, value: &str, json: &mut String) -> Result<()> {
        self.write_at(value, json, DEPTH_LIMIT)
    }

    fn write_at(&self, value: &str, json: &mut String, depth_left: usize) -> Result<()> {
        match RawValue::classify(value)? {
            RawValue::Null => write_raw(json, "null"),
            RawValue::Bool(value) => write_raw(json, if value { "true" } else { "false" }),
            // The text `-0` has no integer of its own.
            RawValue::Integer(0) if value.trim_ascii().starts_with('-') => self.write_real(json, -0.0),
            RawValue::Integer(integer) => write_integer(json, integer),
            RawValue::Real(real) => match value.trim_ascii().parse::<u64>() {
                Ok(_) => write_raw(json, value.trim_ascii()),
                Err(_) => self.write_real(json, real),
            },
            RawValue::String(text) => write_string(json, &text),
            RawValue::Container(container) => match depth_left.checked_sub(1) {
                None => Err(Error::argument("malformed JSON: nesting too deep")),
                Some(depth_left) if container.starts_with('{') => self.write_object(container, json, depth_left),
                Some(depth_left) => self.write_array(container, json, depth_left),
            },
        }
    }

    fn write_real(&self, json: &mut String, real: f64) -> Result<()> {
        write_real(json, if self.unsigned_zero && real == 0.0 { 0.0 } else { real })
    }

    fn write_object(&self, object: &str, json: &mut String, depth_left: usize) -> Result<()> {
        let mut separator = "{";
        for (name, value) in sorted_members(object)? {
            write_raw(json, separator)?;
            write_string(json, &name)?;
            write_raw(json, ":")?;
            self.write_at(value, json, depth_left)?;
            separator = ",";
        }
        write_raw(json, if separator == "{" { "{}" } else { "}" })
    }

    fn write_array(&self, array: &str, json: &mut String, depth_left: usize) -> Result<()> {
        let mut lexer = Lexer::new(array);
        lexer.expect(b'[', "expected an array")?;
        write_raw(json, "[")?;
        if !lexer.eat(b']') {
            loop {
                lexer.peek();
                let start = lexer.position();
                lexer.skip_value(&mut Nesting::new(Nesting::CAPACITY))?;
                self.write_at(lexer.since(start), json, depth_left)?;
                if !lexer.eat(b',') {
                    break;
                }
                write_raw(json, ",")?;
            }
        }
        write_raw(json, "]")
    }
}

//! What changes from one JSON object to another.

use alloc::borrow::Cow;
use alloc::string::String;
use core::cmp::Ordering;

use super::canonical::{Canonical, sorted_members};
use super::lexer::{Lexer, Literal};
use super::writer::{write_raw, write_string};
use crate::error::{Error, Result};

/// The members that change from the object `old` to the object `new`, as an object (SQL interface, `powersync_diff`).
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
        return Err(Error::argument("expected two JSON objects"));
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

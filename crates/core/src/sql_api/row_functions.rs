//! Functions that our triggers call to make JSON of a row's columns. They are ours alone: their names and arguments may
//! change whenever triggers do.
//!
//! | function | result |
//! | --- | --- |
//! | `powersync_row_json(names, value…)` | the row as it is stored |
//! | `powersync_row_put(names, value…)` | the data of an upload entry for a new row |
//! | `powersync_row_patch(names, old, new, …)` | the data of an upload entry for an update |
//! | `powersync_row_old(names, value…)` | the previous values in an upload entry |
//! | `powersync_insert_entry(type, id, data[, metadata])` | the upload entry of an insert-only table |
//!
//! `names` is a JSON object of as many members as there are values, or pairs of values, but without values:
//! `{"a":,"b":}`.

use alloc::vec::Vec;

use rowtide_json::check_stored;
use rowtide_json::{Infinite, RowObject, RowValue};
use sqlite_nostd::{Context, Value, ValueType, checked_text};

use crate::crud::insert_only_entry;
use crate::error::{Error, Result};
use crate::sql_api::session::Session;

/// The subtype of JSON that these functions have made, by which their callers know that it need not be checked.
///
/// It is not that of SQLite's JSON functions: those write infinite numbers as `Inf` before version 3.43, and an
/// application's function can claim what it likes.
const CHECKED_JSON: u32 = b'P' as u32;

/// Memory that is kept for the next row, in bytes.
const KEPT_MEMORY: usize = 64 * 1024;

/// Writes JSON made of the arguments in place of what there is.
type Write = fn(&mut Vec<u8>, &[&Value]) -> Result<()>;

/// Makes what `write` makes of the arguments the result.
fn give(session: &Session, context: &Context<'_>, arguments: &[&Value], write: Write) -> Result<()> {
    let mut json = session.row_json.take();
    let outcome = write(&mut json, arguments).and_then(|()| {
        context.result_text_with_subtype(checked_text(&json)?, CHECKED_JSON);
        Ok(())
    });
    if json.capacity() <= KEPT_MEMORY {
        session.row_json.set(json);
    }
    outcome
}

pub(super) fn row_json(session: &Session, context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    give(session, context, arguments, |json, arguments| write_members(json, arguments, false, Infinite::Kept))
}

pub(super) fn row_put(session: &Session, context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    give(session, context, arguments, |json, arguments| write_members(json, arguments, true, Infinite::Refused))
}

pub(super) fn row_old(session: &Session, context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    give(session, context, arguments, |json, arguments| write_members(json, arguments, false, Infinite::AsNull))
}

pub(super) fn row_patch(session: &Session, context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    give(session, context, arguments, write_changes)
}

pub(super) fn insert_entry(session: &Session, context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    give(session, context, arguments, write_entry)
}

fn write_members(json: &mut Vec<u8>, arguments: &[&Value], skip_null: bool, infinite: Infinite) -> Result<()> {
    let (names, values) = split_names(arguments)?;
    let mut object = RowObject::new(json, names, values.len(), infinite)?;
    for value in values {
        let value = row_value(value)?;
        if skip_null { object.add_unless_null(value) } else { object.add(value) }?;
    }
    Ok(object.finish()?)
}

fn write_changes(json: &mut Vec<u8>, arguments: &[&Value]) -> Result<()> {
    let (names, values) = split_names(arguments)?;
    let (pairs, rest) = values.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Error::argument("values must come in pairs"));
    }
    let mut object = RowObject::new(json, names, 0, Infinite::Refused)?;
    for [before, after] in pairs {
        object.add_if_changed(row_value(before)?, row_value(after)?)?;
    }
    Ok(object.finish()?)
}

fn write_entry(json: &mut Vec<u8>, arguments: &[&Value]) -> Result<()> {
    let (row_type, id, data, metadata) = match arguments {
        [row_type, id, data] => (row_type, id, data, None),
        [row_type, id, data, metadata] => (row_type, id, data, optional_text(metadata)?),
        _ => return Err(Error::argument("three or four arguments wanted")),
    };
    let data = json_text(data)?.ok_or_else(|| Error::argument("the data must be JSON text"))?;
    *json = insert_only_entry(row_type.text()?, id.text()?, data, metadata)?.into_bytes();
    Ok(())
}

fn split_names<'a>(arguments: &'a [&'a Value]) -> Result<(&'a str, &'a [&'a Value])> {
    match arguments {
        [names, values @ ..] => Ok((names.text()?, values)),
        [] => Err(Error::argument("no names given")),
    }
}

fn row_value(value: &Value) -> Result<RowValue<'_>> {
    Ok(match value.value_type() {
        ValueType::Null => RowValue::Null,
        ValueType::Integer => RowValue::Integer(value.integer()),
        ValueType::Real => RowValue::Real(value.real()),
        ValueType::Text => RowValue::Text(value.text_bytes()?),
        ValueType::Blob => RowValue::Blob,
    })
}

/// The JSON text in `value`, None if it is no text.
///
/// # Errors
/// Text that is no JSON, or nested deeper than SQLite reads.
pub(super) fn json_text(value: &Value) -> Result<Option<&str>> {
    if value.value_type() != ValueType::Text {
        return Ok(None);
    }
    let text = value.text()?;
    if value.subtype() != CHECKED_JSON {
        check_stored(text)?;
    }
    Ok(Some(text))
}

/// Text, or a number as text; None for NULL.
///
/// # Errors
/// An argument error for a blob.
pub(super) fn optional_text(value: &Value) -> Result<Option<&str>> {
    match value.value_type() {
        ValueType::Null => Ok(None),
        ValueType::Blob => Err(Error::argument("a blob where text is wanted")),
        _ => Ok(Some(value.text()?)),
    }
}

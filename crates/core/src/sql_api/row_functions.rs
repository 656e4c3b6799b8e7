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

use alloc::rc::Rc;

use sqlite_nostd::{Connection, Content, Context, FunctionError, FunctionFlags, Value, ValueType};

use crate::crud::{Infinite, RowValue, changed_members, insert_only_entry, members};
use crate::error::{Error, Result};
use crate::json::check_standard;
use crate::sql_api::session::Session;

/// The subtype of JSON that these functions have made, by which their callers know that it need not be checked.
///
/// It is not that of SQLite's JSON functions: those write infinite numbers as `Inf` before version 3.43, and an
/// application's function can claim what it likes.
const CHECKED_JSON: u32 = b'P' as u32;

/// Registers the functions.
pub fn register(connection: Connection<'_>, _: &Rc<Session>) -> sqlite_nostd::Result<()> {
    let flags = FunctionFlags::DETERMINISTIC | FunctionFlags::INNOCUOUS | FunctionFlags::RESULT_SUBTYPE;
    for (name, flags, function) in [
        ("powersync_row_json", flags, row_json as Function),
        ("powersync_row_put", flags, row_put),
        ("powersync_row_patch", flags, row_patch),
        ("powersync_row_old", flags, row_old),
        ("powersync_insert_entry", flags | FunctionFlags::SUBTYPE, insert_entry),
    ] {
        connection.create_scalar_function(name, -1, flags, Rc::new((name, function)), call)?;
    }
    Ok(())
}

type Function = fn(&Context<'_>, &[&Value]) -> Result<()>;

fn call(
    (name, function): &(&'static str, Function),
    context: &Context<'_>,
    arguments: &[&Value],
) -> Result<(), FunctionError> {
    function(context, arguments).map_err(|error| error.in_function(name))
}

fn row_json(context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    write_members(context, arguments, false, Infinite::Kept)
}

fn row_put(context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    write_members(context, arguments, true, Infinite::Refused)
}

fn row_old(context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    write_members(context, arguments, false, Infinite::AsNull)
}

fn write_members(context: &Context<'_>, arguments: &[&Value], skip_null: bool, infinite: Infinite) -> Result<()> {
    let (names, values) = split_names(arguments)?;
    let json = members(names, values.iter().map(|value| row_value(value)), skip_null, infinite)?;
    context.result_text_with_subtype(&json, CHECKED_JSON);
    Ok(())
}

fn row_patch(context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    let (names, values) = split_names(arguments)?;
    let (pairs, rest) = values.as_chunks::<2>();
    if !rest.is_empty() {
        return Err(Error::argument("values must come in pairs"));
    }
    let changes = pairs.iter().map(|[before, after]| Ok((row_value(before)?, row_value(after)?)));
    context.result_text_with_subtype(&changed_members(names, changes, Infinite::Refused)?, CHECKED_JSON);
    Ok(())
}

fn insert_entry(context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    let (row_type, id, data, metadata) = match arguments {
        [row_type, id, data] => (row_type, id, data, None),
        [row_type, id, data, metadata] => (row_type, id, data, optional_text(metadata)?),
        _ => return Err(Error::argument("three or four arguments wanted")),
    };
    let data = json_text(data)?.ok_or_else(|| Error::argument("the data must be JSON text"))?;
    let entry = insert_only_entry(row_type.text()?, id.text()?, data, metadata)?;
    context.result_text_with_subtype(&entry, CHECKED_JSON);
    Ok(())
}

fn split_names<'a>(arguments: &'a [&'a Value]) -> Result<(&'a str, &'a [&'a Value])> {
    match arguments {
        [names, values @ ..] => Ok((names.text()?, values)),
        [] => Err(Error::argument("no names given")),
    }
}

fn row_value(value: &Value) -> Result<RowValue<'_>> {
    Ok(match value.content()? {
        Content::Null => RowValue::Null,
        Content::Integer(integer) => RowValue::Integer(integer),
        Content::Real(real) => RowValue::Real(real),
        Content::Text(text) => RowValue::Text(text),
        Content::Blob(_) => RowValue::Blob,
    })
}

/// The JSON text in `value`, None if it is no text.
///
/// # Errors
/// Text that is no JSON.
pub fn json_text(value: &Value) -> Result<Option<&str>> {
    if value.value_type() != ValueType::Text {
        return Ok(None);
    }
    let text = value.text()?;
    if value.subtype() != CHECKED_JSON {
        check_standard(text)?;
    }
    Ok(Some(text))
}

/// Text, or a number as text; None for NULL.
///
/// # Errors
/// An argument error for a blob.
pub fn optional_text(value: &Value) -> Result<Option<&str>> {
    match value.value_type() {
        ValueType::Null => Ok(None),
        ValueType::Blob => Err(Error::argument("a blob where text is wanted")),
        _ => Ok(Some(value.text()?)),
    }
}

//! JSON functions that SDKs, users' triggers and stored SQL of other versions call (docs/reference/functions.md).

use alloc::rc::Rc;
use alloc::vec::Vec;

use sqlite_nostd::{Connection, Context, FunctionError, FunctionFlags, SqliteError, Value, ValueType};

use crate::error::{Error, Result};
use crate::json;
use crate::sql_api::session::Session;

/// Registers the functions.
pub fn register(connection: Connection<'_>, _: &Rc<Session>) -> sqlite_nostd::Result<()> {
    // Triggers of published versions call them, so that they have to be usable with trusted_schema=OFF.
    let plain = FunctionFlags::DETERMINISTIC | FunctionFlags::INNOCUOUS;
    let json = plain | FunctionFlags::RESULT_SUBTYPE;
    for (name, argument_count, flags, function) in [
        ("powersync_diff", 2, json, diff as Function),
        ("powersync_json_merge", -1, json, json_merge),
        ("powersync_strip_subtype", 1, plain, strip_subtype),
        ("powersync_remove_duplicate_key_encoding", 1, plain, remove_duplicate_key_encoding),
    ] {
        connection.create_scalar_function(name, argument_count, flags, Rc::new((name, function)), call)?;
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

fn diff(context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    if let [old, new] = arguments {
        context.result_json(&json::diff(old.text()?, new.text()?)?);
    }
    Ok(())
}

fn json_merge(context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    let objects: Result<Vec<&str>, SqliteError> =
        arguments.iter().filter(|value| value.value_type() != ValueType::Null).map(|value| value.text()).collect();
    let merged = json::merge(objects?.into_iter())?;
    context.result_json(&merged);
    Ok(())
}

fn strip_subtype(context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    // Returning the argument itself would keep its subtype.
    for value in arguments {
        match value.value_type() {
            ValueType::Integer => context.result_integer(value.integer()),
            ValueType::Real => context.result_real(value.real()),
            ValueType::Text => context.result_text(value.text()?),
            ValueType::Blob => context.result_blob(value.blob()?),
            ValueType::Null => context.result_null(),
        }
    }
    Ok(())
}

fn remove_duplicate_key_encoding(context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    for key in arguments {
        match key.value_type() {
            ValueType::Text => match json::remove_duplicate_key_encoding(key.text()?)? {
                Some(repaired) => context.result_text(&repaired),
                None => context.result_value(key),
            },
            ValueType::Null => context.result_null(),
            _ => return Err(Error::argument("the key must be text")),
        }
    }
    Ok(())
}

//! JSON functions that SDKs, users' triggers and stored SQL of other versions call (docs/reference/functions.md). Triggers
//! of published versions call them, so that they have to be usable with `trusted_schema=OFF`.

use alloc::vec::Vec;

use rowtide_json as json;
use sqlite_nostd::{Context, SqliteError, Value, ValueType};

use crate::error::{Error, Result};
use crate::sql_api::session::Session;

pub(super) fn diff(_: &Session, context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    debug_assert_eq!(arguments.len(), 2, "SQLite calls a function with as many arguments as it was registered with");
    if let [old, new] = arguments {
        context.result_json(&json::diff(old.text()?, new.text()?)?);
    }
    Ok(())
}

pub(super) fn json_merge(_: &Session, context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    let objects: Result<Vec<&str>, SqliteError> =
        arguments.iter().filter(|value| value.value_type() != ValueType::Null).map(|value| value.text()).collect();
    let merged = json::merge(objects?.into_iter())?;
    context.result_json(&merged);
    Ok(())
}

pub(super) fn strip_subtype(_: &Session, context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
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

pub(super) fn remove_duplicate_key_encoding(_: &Session, context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
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

//! Databases that new clients begin with: `powersync_adopt` and `powersync_export`
//! (docs/reference/functions.md#warm-start).

use alloc::format;

use sqlite_nostd::{Context, Value, ValueType};

use crate::bucket_storage::{self, LocalRows};
use crate::connection::Database;
use crate::error::{Error, Result};
use crate::migrations::require_latest;
use crate::sql_api::session::Session;

pub(super) fn adopt(session: &Session, context: &Context<'_>, _: &[&Value]) -> Result<()> {
    let database = Database::new(context.connection(), &session.connection);
    database.require_transaction()?;
    session.refuse_while_publishing()?;
    require_latest(&database)?;
    bucket_storage::adopt(&database)?;
    let client_id = bucket_storage::client_id(&database)?;
    Ok(context.try_result_json(&format!(r#"{{"client_id":"{client_id}"}}"#))?)
}

pub(super) fn export(session: &Session, context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    let database = Database::new(context.connection(), &session.connection);
    if !database.connection().is_autocommit() {
        return Err(Error::state("This function must not be called in a transaction."));
    }
    require_latest(&database)?;
    let (path, local_rows) = match arguments {
        [path] => (*path, LocalRows::LeftOut),
        [path, option] if option.value_type() == ValueType::Text && option.text()? == "with-local" => {
            (*path, LocalRows::Included)
        }
        _ => return Err(Error::argument("the second argument must be 'with-local'")),
    };
    let path = match path.value_type() {
        ValueType::Text => path.text()?,
        _ => "",
    };
    if path.is_empty() || path.contains('\0') {
        return Err(Error::argument("the path of the file must be text"));
    }
    let bytes = bucket_storage::export(&database, path, local_rows)?;
    Ok(context.try_result_json(&format!(r#"{{"bytes":{bytes}}}"#))?)
}

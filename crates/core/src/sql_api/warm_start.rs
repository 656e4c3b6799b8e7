//! Databases that were filled elsewhere: `powersync_adopt` (docs/reference/functions.md#warm-start).

use alloc::format;

use sqlite_nostd::{Context, Value};

use crate::bucket_storage;
use crate::connection::Database;
use crate::error::Result;
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

//! Format 3: the key-value table, with an id for this client that stays for the life of the file.

use crate::error::Result;

use super::Journey;
use crate::connection::Database;
use crate::packed_sql::PackedSql;
use crate::uuid::random_uuid;

/// The step between formats 2 and 3.
pub(super) fn up(database: &Database<'_>, _: &PackedSql, _: Journey) -> Result<()> {
    database.execute_batch("CREATE TABLE main.ps_kv(key TEXT PRIMARY KEY NOT NULL, value BLOB)")?;
    let mut insert = database.prepare("INSERT INTO main.ps_kv(key, value) VALUES ('client_id', ?1)")?;
    insert.execute(&[random_uuid().as_str().into()])?;
    Ok(())
}

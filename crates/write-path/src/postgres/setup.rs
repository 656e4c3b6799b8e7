//! Our tables in the database: results and dead letters, in a schema of their own.

use super::classify::Trouble;
use super::connection::Connection;
use super::statement::Statement;

/// The schema of our tables.
pub(super) const SCHEMA: &str = "rowtide_writes";

/// Creates the tables. An administrator runs the same if the service may not.
const TABLES: &str = "CREATE SCHEMA IF NOT EXISTS rowtide_writes;
CREATE TABLE IF NOT EXISTS rowtide_writes.result (
    owner text NOT NULL,
    key text NOT NULL,
    seq bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    \"user\" text NOT NULL,
    client text NOT NULL,
    queue text NOT NULL,
    transaction_id text NOT NULL,
    hash text NOT NULL,
    at bigint NOT NULL,
    result text NOT NULL,
    PRIMARY KEY (owner, key)
);
CREATE TABLE IF NOT EXISTS rowtide_writes.dead_letter (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at bigint NOT NULL,
    \"user\" text NOT NULL,
    client text,
    transaction_id text,
    \"transaction\" text NOT NULL,
    claims text NOT NULL,
    failed_index bigint,
    error_code text NOT NULL,
    message text NOT NULL,
    details text,
    state text NOT NULL DEFAULT 'open',
    note text
);";

/// Creates our tables if one is missing.
pub(super) fn create(connection: &mut Connection) -> Result<(), Trouble> {
    let both = "SELECT to_regclass('rowtide_writes.result') IS NOT NULL
        AND to_regclass('rowtide_writes.dead_letter') IS NOT NULL";
    let rows = connection.rows_once(&Statement::new(both))?;
    if rows.first().is_some_and(|row| row.try_get(0).unwrap_or(false)) {
        return Ok(());
    }
    // Of several services that start together one creates them.
    let sql = format!("BEGIN; SELECT pg_advisory_xact_lock(hashtextextended('{SCHEMA}', 0)); {TABLES} COMMIT");
    let created = connection.batch(&sql);
    if created.is_err() {
        connection.roll_back();
    }
    created
}

//! Queries that people ask through the service. They only read, and end after some seconds.

use std::io::Read;

use sync_config::{Settings, Value};
use sync_engine::source::{QueryAnswer, SourceError};

use super::copy;
use super::shared::Shared;
use super::sql::{Result, Session};
use super::types::Kind;

/// On a connection of its own, with the names of the role's own schemas.
const BEGIN: &str = "SET search_path TO DEFAULT; SET statement_timeout = '10s'; BEGIN READ ONLY";

/// Runs a query.
///
/// # Errors
/// It is wrong, writes, or takes too long.
pub(crate) fn run(shared: &Shared, sql: &str, limit: usize) -> std::result::Result<QueryAnswer, SourceError> {
    let sql = sql.trim().trim_end_matches(';');
    shared.main.run("running the query", |_| answer(&mut shared.main.connect()?, shared, sql, limit))
}

fn answer(session: &mut Session, shared: &Shared, sql: &str, limit: usize) -> Result<QueryAnswer> {
    session.client.batch_execute(BEGIN)?;
    // This refuses what is not exactly one statement.
    let statement = session.client.prepare(sql)?;
    let oids: Vec<u32> = statement.columns().iter().map(|column| column.type_().oid()).collect();
    let columns = statement.columns().iter().map(|column| column.name().to_owned()).collect();
    let kinds: Vec<Kind> = {
        let mut types = shared.types();
        types.load(&mut session.client, oids.iter().copied())?;
        oids.iter().map(|oid| types.kind(*oid, -1)).collect()
    };
    let copied = format!("COPY (SELECT * FROM ({sql}\n) q LIMIT {}) TO STDOUT", limit.saturating_add(1));
    let mut text = Vec::new();
    session.client.copy_out(&copied)?.read_to_end(&mut text)?;
    let mut rows: Vec<Vec<Value>> = text
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| row(line.strip_suffix(b"\n").unwrap_or(line), &kinds))
        .collect();
    let has_more = rows.len() > limit;
    rows.truncate(limit);
    Ok(QueryAnswer { columns, rows, has_more })
}

fn row(line: &[u8], kinds: &[Kind]) -> Vec<Value> {
    let settings = Settings::of_edition(3);
    let value = |(field, kind): (Option<std::borrow::Cow<'_, [u8]>>, &Kind)| match field {
        Some(text) => kind.value(&text).to_value(&settings).unwrap_or(Value::Null),
        None => Value::Null,
    };
    copy::fields(line).zip(kinds).map(value).collect()
}

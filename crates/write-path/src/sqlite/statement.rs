//! Statements: SQL with bound values. SQL is only made of rules and names of the database; it is the same for the same
//! table, operation and columns, so that SQLite prepares it once.

use rusqlite::types::{ToSqlOutput, Value as Owned, ValueRef};
use rusqlite::{CachedStatement, Connection, params_from_iter};
use sync_config::Value;

use crate::rules::{Expression, Part, TableRule};

/// Who an operation is for.
#[derive(Clone, Copy)]
pub(super) struct Caller<'a> {
    pub(super) user: &'a str,
    pub(super) claims: &'a str,
}

/// A statement.
#[derive(Default)]
pub(super) struct Statement<'a> {
    sql: String,
    values: Vec<ToSqlOutput<'a>>,
}

impl<'a> Statement<'a> {
    pub(super) fn sql(mut self, sql: &str) -> Self {
        self.sql.push_str(sql);
        self
    }

    pub(super) fn name(mut self, name: &str) -> Self {
        self.sql.push('"');
        self.sql.push_str(&name.replace('"', "\"\""));
        self.sql.push('"');
        self
    }

    pub(super) fn text(self, text: &'a str) -> Self {
        self.bind(ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())))
    }

    pub(super) fn value(self, value: &'a Value) -> Self {
        self.bind(ToSqlOutput::Borrowed(match value {
            Value::Null => ValueRef::Null,
            Value::Integer(integer) => ValueRef::Integer(*integer),
            Value::Real(real) => ValueRef::Real(*real),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
            Value::Blob(blob) => ValueRef::Blob(blob),
        }))
    }

    fn claim(self, value: Value) -> Self {
        self.bind(ToSqlOutput::Owned(match value {
            Value::Null => Owned::Null,
            Value::Integer(integer) => Owned::Integer(integer),
            Value::Real(real) => Owned::Real(real),
            Value::Text(text) => Owned::Text(text),
            Value::Blob(blob) => Owned::Blob(blob),
        }))
    }

    fn bind(mut self, value: ToSqlOutput<'a>) -> Self {
        self.sql.push('?');
        self.values.push(value);
        self
    }

    pub(super) fn expression(self, expression: &'a Expression, caller: Caller<'a>) -> Self {
        expression.parts.iter().fold(self, |statement, part| match part {
            Part::Sql(sql) => statement.sql(sql),
            Part::Value(value) => statement.value(value),
            Part::UserId => statement.text(caller.user),
            Part::Claims => statement.text(caller.claims),
            Part::Claim(claim) => statement.claim(claim.value(caller.claims)),
        })
    }

    /// ` WHERE <key> = <id>`
    pub(super) fn of_row(self, rule: &TableRule, id: &'a str) -> Self {
        self.sql(" WHERE ").name(&rule.table).sql(".").name(&rule.key).sql(" = ").text(id)
    }

    pub(super) fn prepare<'c>(&self, connection: &'c Connection) -> rusqlite::Result<CachedStatement<'c>> {
        connection.prepare_cached(&self.sql)
    }

    pub(super) fn execute(&self, connection: &Connection) -> rusqlite::Result<usize> {
        self.prepare(connection)?.execute(params_from_iter(self.bound()))
    }

    /// Some columns of the one row; none if there is no row.
    pub(super) fn row(&self, connection: &Connection, columns: usize) -> rusqlite::Result<Option<Vec<Option<bool>>>> {
        let mut statement = self.prepare(connection)?;
        let mut rows = statement.query(params_from_iter(self.bound()))?;
        let Some(row) = rows.next()? else { return Ok(None) };
        (0..columns).map(|column| row.get(column)).collect::<rusqlite::Result<_>>().map(Some)
    }

    fn bound(&self) -> impl Iterator<Item = &ToSqlOutput<'a>> {
        self.values.iter()
    }
}

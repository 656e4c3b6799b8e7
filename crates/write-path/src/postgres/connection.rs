//! A connection with its prepared statements.

use std::collections::HashMap;
use std::time::Duration;

use pg_connect::postgres::types::{ToSql, Type};
use pg_connect::postgres::{Client, Row, Statement as Prepared};

use super::classify::Trouble;
use super::statement::Statement;

/// How many statements stay prepared: one per table, operation and set of columns.
const STATEMENTS: usize = 256;

/// A connection. Outside of a transaction nothing of the one before is left in it.
pub(super) struct Connection {
    client: Client,
    prepared: HashMap<String, Prepared>,
    is_broken: bool,
}

impl Connection {
    pub(super) fn open(target: &pg_connect::Target, statement_timeout: Duration) -> Result<Self, Trouble> {
        let mut client = target.connect("rowtide writes")?;
        // A service that hangs in a transaction does not keep others out for ever.
        let milliseconds = statement_timeout.as_millis();
        client.batch_execute(&format!(
            "SET statement_timeout = {milliseconds}; SET idle_in_transaction_session_timeout = '60s'"
        ))?;
        Ok(Self { client, prepared: HashMap::new(), is_broken: false })
    }

    /// Whether it can be used again.
    pub(super) fn is_usable(&self) -> bool {
        !self.is_broken && !self.client.is_closed()
    }

    fn noted<T>(&mut self, result: Result<T, pg_connect::postgres::Error>) -> Result<T, Trouble> {
        result.map_err(|error| {
            let trouble = Trouble::from(error);
            self.is_broken |= trouble.is_disconnected;
            trouble
        })
    }

    /// Runs SQL without values.
    pub(super) fn batch(&mut self, sql: &str) -> Result<(), Trouble> {
        let result = self.client.batch_execute(sql);
        self.noted(result)
    }

    /// Ends the transaction, if there is one, without its changes.
    pub(super) fn roll_back(&mut self) {
        if self.is_usable() && self.batch("ROLLBACK").is_err() {
            self.is_broken = true;
        }
    }

    /// Prepares a statement, and gives it to whoever does not keep it.
    pub(super) fn prepare(&mut self, sql: &str, values: usize) -> Result<Prepared, Trouble> {
        let result = self.client.prepare_typed(sql, &vec![Type::TEXT; values]);
        self.noted(result)
    }

    fn prepared(&mut self, statement: &Statement<'_>) -> Result<Prepared, Trouble> {
        if let Some(prepared) = self.prepared.get(&statement.sql) {
            return Ok(prepared.clone());
        }
        let prepared = self.prepare(&statement.sql, statement.values.len())?;
        if self.prepared.len() >= STATEMENTS {
            // Apps have far fewer shapes; who has more pays for it.
            self.prepared.clear();
        }
        self.prepared.insert(statement.sql.clone(), prepared.clone());
        Ok(prepared)
    }

    /// Runs a statement, and gives how many rows it has changed.
    pub(super) fn execute(&mut self, statement: &Statement<'_>) -> Result<u64, Trouble> {
        let prepared = self.prepared(statement)?;
        let values = bound(statement);
        let result = self.client.execute(&prepared, &values);
        self.noted(result)
    }

    /// The rows of a statement.
    pub(super) fn rows(&mut self, statement: &Statement<'_>) -> Result<Vec<Row>, Trouble> {
        let prepared = self.prepared(statement)?;
        let values = bound(statement);
        let result = self.client.query(&prepared, &values);
        self.noted(result)
    }

    /// The rows of a statement that is not prepared for others.
    pub(super) fn rows_once(&mut self, statement: &Statement<'_>) -> Result<Vec<Row>, Trouble> {
        let prepared = self.prepare(&statement.sql, statement.values.len())?;
        let values = bound(statement);
        let result = self.client.query(&prepared, &values);
        self.noted(result)
    }
}

fn bound<'a>(statement: &'a Statement<'_>) -> Vec<&'a (dyn ToSql + Sync)> {
    statement.values.iter().map(|value| value as &(dyn ToSql + Sync)).collect()
}

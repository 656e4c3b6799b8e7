//! A connection of the store: its settings and its prepared statements.

use std::collections::HashMap;
use std::io::Write;

use pg_connect::Target;
use pg_connect::postgres::types::ToSql;
use pg_connect::postgres::{Client, Row, Statement};
use sync_engine::store::StoreError;

use super::copy::Rows;
use super::error::Doing;

/// The first version whose settings are all known.
const OLDEST_VERSION: i32 = 140_000;

/// Statements that a connection keeps prepared.
const MOST_STATEMENTS: usize = 400;

/// A copy is sent in pieces of this size.
const PIECE: usize = 256 * 1024;

/// Each statement searches by an index, also while tables are small or were never analysed, and is planned once.
const SETTINGS: &str = "SET jit = off; SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; \
    SET enable_hashjoin = off; SET idle_session_timeout = 0; SET idle_in_transaction_session_timeout = '2min'; \
    SET lock_timeout = '1min'; SET client_min_messages = warning; \
    SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'";

/// A connection.
pub(super) struct Session {
    client: Client,
    statements: HashMap<String, Statement>,
}

pub(super) type Values<'a> = &'a [&'a (dyn ToSql + Sync)];

impl Session {
    /// Connects. Names without a schema are of `schema`, which need not exist yet.
    pub(super) fn connect(target: &Target, schema: &str, name: &str) -> Result<Self, StoreError> {
        let what = "connecting to the database";
        let mut client = target.connect(name).doing(what)?;
        let version = client.query_one("SELECT current_setting('server_version_num')::int", &[]).doing(what)?;
        if version.get::<_, i32>(0) < OLDEST_VERSION {
            return Err(StoreError::Invalid("Storage needs PostgreSQL 14 or newer.".to_owned()));
        }
        client.batch_execute(&format!("SET search_path = {}; {SETTINGS}", identifier(schema))).doing(what)?;
        Ok(Self { client, statements: HashMap::new() })
    }

    /// Whether nothing can be sent any more.
    pub(super) fn is_closed(&self) -> bool {
        self.client.is_closed()
    }

    pub(super) fn client(&mut self) -> &mut Client {
        &mut self.client
    }

    /// Runs statements without values.
    pub(super) fn batch(&mut self, sql: &str, what: &str) -> Result<(), StoreError> {
        self.client.batch_execute(sql).doing(what)
    }

    pub(super) fn query(&mut self, sql: &str, values: Values<'_>, what: &str) -> Result<Vec<Row>, StoreError> {
        let statement = self.prepared(sql, what)?;
        self.client.query(&statement, values).doing(what)
    }

    pub(super) fn query_one(&mut self, sql: &str, values: Values<'_>, what: &str) -> Result<Row, StoreError> {
        let statement = self.prepared(sql, what)?;
        self.client.query_one(&statement, values).doing(what)
    }

    pub(super) fn query_opt(&mut self, sql: &str, values: Values<'_>, what: &str) -> Result<Option<Row>, StoreError> {
        let statement = self.prepared(sql, what)?;
        self.client.query_opt(&statement, values).doing(what)
    }

    pub(super) fn execute(&mut self, sql: &str, values: Values<'_>, what: &str) -> Result<u64, StoreError> {
        let statement = self.prepared(sql, what)?;
        self.client.execute(&statement, values).doing(what)
    }

    /// Copies rows into `columns` of a table: `op_1(bucket, op_id)`.
    pub(super) fn copy(&mut self, columns: &str, rows: Rows, what: &str) -> Result<(), StoreError> {
        let mut writer = self.client.copy_in(&format!("COPY {columns} FROM STDIN (FORMAT binary)")).doing(what)?;
        for piece in rows.finish().chunks(PIECE) {
            writer.write_all(piece).doing(what)?;
        }
        writer.finish().doing(what)?;
        Ok(())
    }

    /// Runs in a transaction; after an error nothing is written.
    pub(super) fn transaction<T>(
        &mut self,
        what: &str,
        run: impl FnOnce(&mut Self) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.batch("BEGIN", what)?;
        match run(self).and_then(|value| self.batch("COMMIT", what).map(|()| value)) {
            Ok(value) => Ok(value),
            Err(error) => {
                // If that fails too, the connection is broken, and the server does it.
                let _ = self.client.batch_execute("ROLLBACK");
                Err(error)
            }
        }
    }

    fn prepared(&mut self, sql: &str, what: &str) -> Result<Statement, StoreError> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let statement = self.client.prepare(sql).doing(what)?;
        if self.statements.len() >= MOST_STATEMENTS {
            self.statements.clear();
        }
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }
}

/// A name in SQL.
pub(super) fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

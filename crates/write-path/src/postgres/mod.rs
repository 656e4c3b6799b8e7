//! A PostgreSQL database that transactions are applied to.
//!
//! Results and dead letters are in the schema `rowtide_writes` of the same database, so that they are committed with the
//! data. Each transaction knows its user: as `app.user_id` and `request.jwt.claims`, and by the role of the rules, so that
//! policies of the database apply.
//!
//! An upload holds an advisory lock of its client in the database, so that of several services on it one works for a
//! client at a time.

mod apply;
mod catalog;
mod classify;
mod connection;
mod letters;
mod operation;
mod pool;
mod results;
mod setup;
mod statement;
mod value;

use std::time::Duration;

use self::classify::Trouble;
use self::connection::Connection;
use self::pool::Pool;
use self::statement::{Caller, Statement};
use crate::dead_letter::{DeadLetter, Letters};
use crate::persister::{Persister, PersisterError, Stored, Turn, Work};
use crate::result::TransactionResult;
use crate::rules::{Rules, TableRule};
use crate::schema::Schema;

/// Options of a database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// The most connections at the same time.
    pub max_connections: usize,
    /// How long a statement may take; also how long an upload waits for another one of the same client.
    pub statement_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self { max_connections: 8, statement_timeout: Duration::from_secs(10) }
    }
}

/// Applies transactions to a PostgreSQL database.
pub struct PostgresPersister {
    pool: Pool,
}

impl PostgresPersister {
    /// Connects to a database, and creates our tables in it if they are missing.
    ///
    /// # Errors
    /// The URL is none, the database cannot be reached, or the tables are missing and may not be created.
    pub fn open(url: &str, options: &Options) -> Result<Self, PersisterError> {
        let target = pg_connect::Target::parse(url).map_err(PersisterError)?;
        let pool = Pool::new(target, options.clone());
        let created = pool.with(setup::create);
        created.map_err(|trouble| {
            let hint = match trouble.code.as_deref() {
                Some("42501") => {
                    "; let an administrator create the schema rowtide_writes, with the SQL of \"What clients may write\""
                }
                _ => "",
            };
            PersisterError(format!("Opening {} for writes: {}{hint}", pool.location(), trouble.log()))
        })?;
        Ok(Self { pool })
    }

    fn read<T>(&self, what: &str, work: impl Fn(&mut Connection) -> Result<T, Trouble>) -> Result<T, PersisterError> {
        self.pool.with(work).map_err(|trouble| PersisterError(format!("{what}: {}", trouble.log())))
    }
}

impl std::fmt::Debug for PostgresPersister {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("PostgresPersister").field(&self.pool.location()).finish()
    }
}

impl Persister for PostgresPersister {
    fn schema(&self) -> Result<Schema, PersisterError> {
        self.read("Reading the tables of the database", catalog::read)
    }

    fn schema_version(&self) -> Result<i64, PersisterError> {
        self.read("Reading the version of the tables", catalog::version)
    }

    fn refused(&self, rules: &Rules) -> Result<Vec<(String, String)>, PersisterError> {
        self.read("Trying the statements of the write rules", |connection| {
            let mut refused = Vec::new();
            for rule in rules.tables() {
                let tried = tried(connection, rule, rules.role());
                connection.roll_back();
                match tried {
                    Ok(None) => {}
                    Ok(Some(message)) => refused.push((rule.name.clone(), message)),
                    Err(trouble) if trouble.code.is_none() || trouble.is_disconnected => return Err(trouble),
                    Err(trouble) => refused.push((rule.name.clone(), trouble.message)),
                }
            }
            Ok(refused)
        })
    }

    fn turn(&self, user: &str, client: &str) -> Result<Box<dyn Turn + '_>, Box<TransactionResult>> {
        match self.pool.turn(user, client) {
            Ok(held) => Ok(Box::new(held)),
            Err(trouble) => {
                tracing::warn!("Beginning an upload: {}", trouble.log());
                Err(Box::new(trouble.retryable()))
            }
        }
    }

    fn apply(&self, work: &Work<'_>) -> Stored {
        let client = work.client.unwrap_or_default();
        let lost = || TransactionResult::retryable("The connection to the database was lost.", 1_000);
        match self.pool.with_turn(work.user, client, |connection| apply::apply(connection, work)) {
            Ok(Some(stored)) => stored,
            Ok(None) => Stored::new(lost()),
            Err(trouble) => {
                tracing::warn!("Applying an upload: {}", trouble.log());
                Stored::new(trouble.retryable())
            }
        }
    }

    fn letters(&self, which: &Letters) -> Result<Vec<DeadLetter>, PersisterError> {
        self.read("Reading dead letters", |connection| letters::list(connection, which))
    }

    fn letter(&self, id: i64) -> Result<Option<DeadLetter>, PersisterError> {
        self.read("Reading a dead letter", |connection| letters::get(connection, id))
    }

    fn discard(&self, id: i64, note: Option<&str>) -> Result<bool, PersisterError> {
        self.read("Discarding a dead letter", |connection| letters::discard(connection, id, note))
    }
}

/// A user of no service, whose id can be read as most types.
const NOBODY: &str = "00000000-0000-0000-0000-000000000000";

/// Has the database plan all statements of a rule, which also finds out whether the role may run them. Gives why the rule
/// cannot be used.
fn tried(connection: &mut Connection, rule: &TableRule, role: Option<&str>) -> Result<Option<String>, Trouble> {
    let statements = match operation::all(rule, Caller { user: NOBODY, claims: "{}" }) {
        Ok(statements) => statements,
        Err(error) => return Ok(Some(error.0.to_owned())),
    };
    for statement in statements {
        begin_as_nobody(connection, role)?;
        let values = vec![None; statement.values.len()];
        let planned = connection.rows_once(&Statement { sql: format!("EXPLAIN {}", statement.sql), values });
        connection.roll_back();
        match planned {
            Ok(_) => {}
            // Policies can expect users with other ids.
            Err(trouble) if trouble.is_data() => {}
            Err(trouble) => return Err(trouble),
        }
    }
    if rule.check.is_some() || !rule.definition.has_row_security || role.is_none() {
        return Ok(None);
    }
    begin_as_nobody(connection, role)?;
    let (schema, name) = (&rule.definition.schema, &rule.definition.name);
    let name = format!("{}.{}", statement::quoted(schema), statement::quoted(name));
    let active = Statement::new("SELECT row_security_active(").text(name.as_str()).sql(")");
    let rows = connection.rows_once(&active)?;
    let is_active = rows.first().is_some_and(|row| row.try_get(0).unwrap_or(false));
    Ok((!is_active).then(|| "its policies do not apply to the role, and the rule has no check".into()))
}

fn begin_as_nobody(connection: &mut Connection, role: Option<&str>) -> Result<(), Trouble> {
    connection.batch("BEGIN")?;
    let claims = format!("{{\"sub\": \"{NOBODY}\"}}");
    results::set_user(connection, NOBODY, &claims)?;
    role.map_or(Ok(()), |role| apply::become_role(connection, role))
}

//! Opening a store: creating the schema, its format, and the lock of the one process that writes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use pg_connect::Target;
use sync_engine::store::{NextIds, StoreError};

use super::compact::Sweep;
use super::dropped::Cleaning;
use super::error::{Doing, invalid};
use super::news::News;
use super::schema::{FORMAT, TABLES};
use super::session::{Session, identifier};
use super::shared::{Place, Shared};
use crate::encoding::Types;

/// The first half of the numbers of advisory locks: `rwts`. The second is the number of the schema.
const LOCK: i32 = 0x7277_7473;

/// The server keeps the lock as long as it believes that this program is there. With these it notices within 25 s that a machine
/// is cut off, and while it is busy that the program has ended.
const GONE: [&str; 5] = [
    "SET tcp_keepalives_idle = 10",
    "SET tcp_keepalives_interval = 5",
    "SET tcp_keepalives_count = 3",
    "SET tcp_user_timeout = 25000",
    "SET client_connection_check_interval = '2s'",
];

/// How a store uses its database.
#[derive(Clone, Debug)]
pub struct PostgresOptions {
    /// The schema of its tables, created if it does not exist.
    pub schema: String,
    /// How long to wait while another process has the store open.
    pub patience: Duration,
    /// How many dead operations at the beginning of a bucket become one CLEAR; at least 2.
    pub clear_from: usize,
    /// What tells this storage from all others in the names of buckets, of a storage that is created; none: random.
    pub instance: Option<String>,
    /// What `pg_stat_activity` and other processes show of this one.
    pub name: String,
}

impl Default for PostgresOptions {
    fn default() -> Self {
        Self {
            schema: "rowtide".to_owned(),
            patience: Duration::ZERO,
            clear_from: 100,
            instance: None,
            name: "rowtide".to_owned(),
        }
    }
}

impl PostgresOptions {
    pub(super) fn place(&self, target: &Target) -> Place {
        Place { target: target.clone(), schema: self.schema.clone(), name: self.name.clone() }
    }
}

/// A store in a schema of a PostgreSQL database, which one process at a time can have open for writing.
///
/// That process holds an advisory lock of its session, and commits in the same session. A process that has lost its session
/// has lost the lock, and cannot commit any more.
pub struct PostgresStore {
    pub(super) session: Session,
    pub(super) shared: Arc<Shared>,
    pub(super) options: PostgresOptions,
    /// The number of the last commit.
    pub(super) seq: i64,
    pub(super) types: Types,
    /// Definitions that have tables.
    pub(super) definitions: BTreeSet<i64>,
    pub(super) news: News,
    pub(super) sweep: Sweep,
    pub(super) cleaning: Option<Cleaning>,
}

impl PostgresStore {
    /// Opens a store, or creates it.
    ///
    /// # Errors
    /// [`StoreError::InUse`] if another process has it open; [`StoreError::Unavailable`] if the server cannot be reached or
    /// the role may not use the schema; [`StoreError::Invalid`] if the schema is of something else, is damaged, or was written
    /// by a newer version.
    pub fn open(target: &Target, options: PostgresOptions) -> Result<Self, StoreError> {
        let place = options.place(target);
        let mut session = prepare(&place, options.instance.as_deref())?;
        for setting in GONE {
            // Not all systems that a server runs on support all of them.
            let _ = session.client().batch_execute(setting);
        }
        take_lock(&mut session, &place, options.patience)?;
        let what = "taking over the storage";
        let lease = session.transaction(what, |session| {
            session.execute("DELETE FROM lease WHERE is_writer", &[], what)?;
            let insert = "INSERT INTO lease(is_writer, name, seq, op_id, position) VALUES (true, $1, 0, 0, '')
                RETURNING id";
            Ok(session.query_one(insert, &[&options.name], what)?.get(0))
        })?;
        let mut store = Self {
            session,
            shared: Arc::new(Shared::new(place, lease)),
            seq: 0,
            types: Types::default(),
            definitions: BTreeSet::new(),
            news: News::default(),
            sweep: Sweep::default(),
            cleaning: None,
            options,
        };
        store.refresh()?;
        Ok(store)
    }
}

impl Drop for PostgresStore {
    /// The next process need not wait until the server notices that the connection is closed.
    fn drop(&mut self) {
        let _ = self.session.client().batch_execute("SELECT pg_advisory_unlock_all()");
    }
}

/// A connection to a schema of this format, which is created if it does not exist.
pub(super) fn prepare(place: &Place, instance: Option<&str>) -> Result<Session, StoreError> {
    let what = "creating the schema";
    let mut session = place.connect()?;
    if !is_there(&mut session, &place.schema)? {
        session.transaction(what, |session| {
            // Only one process at a time; the others then find the schema.
            session.execute("SELECT pg_advisory_xact_lock($1, 0)", &[&LOCK], what)?;
            if is_there(session, &place.schema)? { Ok(()) } else { create(session, &place.schema, instance) }
        })?;
    }
    let format = "SELECT version FROM format";
    let format: i32 = session.query_one(format, &[], "reading the format of the schema")?.get(0);
    match format {
        FORMAT => Ok(session),
        _ if format > FORMAT => Err(StoreError::Invalid(format!(
            "The storage has format {format}, and this version knows formats up to {FORMAT}: use the newer version that \
             wrote it, or another schema."
        ))),
        _ => Err(invalid("The storage has no format.")),
    }
}

/// Whether the schema has the tables of a store; an error if it has something else.
fn is_there(session: &mut Session, schema: &str) -> Result<bool, StoreError> {
    let tables = "SELECT count(*), count(*) FILTER (WHERE c.relname IN ('format', 'state', 'checkpoint'))
        FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE n.nspname = $1";
    let row = session.query_one(tables, &[&schema], "reading the schema")?;
    match (row.get::<_, i64>(0), row.get::<_, i64>(1)) {
        (0, _) => Ok(false),
        (_, 3) => Ok(true),
        _ => Err(StoreError::Invalid(format!(
            "The schema {} has tables of another program: give the storage another schema.",
            identifier(schema)
        ))),
    }
}

fn create(session: &mut Session, schema: &str, instance: Option<&str>) -> Result<(), StoreError> {
    let what = "creating the schema";
    // Whoever may create schemas in the database may do this; otherwise the schema has to be there.
    let exists = "SELECT count(*) FROM pg_namespace WHERE nspname = $1";
    if session.query_one(exists, &[&schema], what)?.get::<_, i64>(0) == 0 {
        session.batch(&format!("CREATE SCHEMA {}", identifier(schema)), what)?;
    }
    session.batch(TABLES, what)?;
    let next_ids = NextIds { bucket: 1, table: 1, job: 1, definition: 1, index: 1, config: 1 };
    let next_ids = serde_json::to_string(&next_ids).doing(what)?;
    session.execute("INSERT INTO format VALUES ($1)", &[&FORMAT], what)?;
    let state = "INSERT INTO state(id, instance, seq, next_op_id, next_ids)
        VALUES (1, coalesce($1, substr(replace(gen_random_uuid()::text, '-', ''), 1, 16)), 0, 1, $2)";
    session.execute(state, &[&instance, &next_ids], what)?;
    Ok(())
}

/// The lock of the one process that writes. It is the session's, and ends with it.
fn take_lock(session: &mut Session, place: &Place, patience: Duration) -> Result<(), StoreError> {
    let what = "taking the lock of the storage";
    let number = "SELECT oid::bigint FROM pg_namespace WHERE nspname = $1";
    let number: i64 = session.query_one(number, &[&place.schema], what)?.get(0);
    let number = number as i32;
    let in_use = || {
        StoreError::InUse(format!(
            "The storage {} in {} is in use: another process writes to it.",
            identifier(&place.schema),
            place.target.location()
        ))
    };
    if session.query_one("SELECT pg_try_advisory_lock($1, $2)", &[&LOCK, &number], what)?.get(0) {
        return Ok(());
    }
    if patience.is_zero() {
        return Err(in_use());
    }
    session.batch(&format!("SET lock_timeout = {}", patience.as_millis().max(1)), what)?;
    let taken = session.client().execute("SELECT pg_advisory_lock($1, $2)", &[&LOCK, &number]);
    if let Err(error) = &taken
        && error.code().is_some_and(|code| code.code() == "55P03")
    {
        return Err(in_use());
    }
    taken.doing(what)?;
    session.batch("SET lock_timeout = '1min'", what)
}

/// Whether a process writes to the store that this session is of.
pub(super) fn has_writer(session: &mut Session, schema: &str) -> Result<bool, StoreError> {
    let count = "SELECT count(*) FROM pg_locks AS l, pg_namespace AS n
        WHERE n.nspname = $1 AND l.locktype = 'advisory' AND l.classid::bigint = $2 AND l.objid = n.oid AND l.objsubid = 2
            AND l.granted AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let row = session.query_one(count, &[&schema, &i64::from(LOCK)], "searching the process that writes")?;
    Ok(row.get::<_, i64>(0) > 0)
}

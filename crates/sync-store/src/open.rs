//! Opening a store: the lock, settings of SQLite, and the format of the file.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};
use sync_engine::store::{NextIds, StoreError};

use crate::compact::Sweep;
use crate::dropped::Cleaning;
use crate::encoding::Types;
use crate::error::{Doing, invalid};
use crate::schema::{APPLICATION_ID, FORMAT, TABLES};
use crate::shared::Shared;

/// How a store uses its file.
#[derive(Clone, Debug)]
pub struct Options {
    /// KiB of pages that the writer keeps in memory.
    pub writer_cache_kib: u32,
    /// KiB of pages that each connection of a reader keeps in memory.
    pub reader_cache_kib: u32,
    /// How long to wait while another program, for instance a shell, has locked the file.
    pub busy_timeout: Duration,
    /// The file may not have more pages of 4 KiB; a commit that needs more fails as on a full disk.
    pub max_pages: Option<u32>,
    /// How many dead operations at the beginning of a bucket become one CLEAR; at least 2.
    pub clear_from: usize,
    /// What tells this storage from all others in the names of buckets, of a storage that is created; none: random.
    pub instance: Option<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            writer_cache_kib: 64 << 10,
            reader_cache_kib: 4 << 10,
            busy_timeout: Duration::from_secs(5),
            max_pages: None,
            clear_from: 100,
            instance: None,
        }
    }
}

/// A store in a SQLite file, which one process at a time can have open.
pub struct SqliteStore {
    pub(crate) connection: Connection,
    pub(crate) shared: Arc<Shared>,
    pub(crate) options: Options,
    /// The number of the last commit.
    pub(crate) seq: i64,
    pub(crate) types: Types,
    pub(crate) sweep: Sweep,
    pub(crate) cleaning: Option<Cleaning>,
}

impl SqliteStore {
    /// Opens a store, or creates it. Beside the file is a second one with `.lock` behind its name.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the file is locked or cannot be written; [`StoreError::Invalid`] if it is not a store,
    /// is damaged, or was written by a newer version.
    pub fn open(path: &Path, options: Options) -> Result<Self, StoreError> {
        let lock = lock(path)?;
        let mut connection = Connection::open(path).doing("opening the file")?;
        connection.busy_timeout(options.busy_timeout).doing("opening the file")?;
        let is_new = is_new(&connection)?;
        configure(&connection, &options)?;
        if is_new {
            create(&mut connection, options.instance.as_deref())?;
        }
        let mut store = Self {
            connection,
            shared: Arc::new(Shared::new(path.to_owned(), options.clone(), lock)),
            seq: 0,
            types: Types::default(),
            sweep: Sweep::default(),
            cleaning: None,
            options,
        };
        store.refresh()?;
        Ok(store)
    }
}

impl Drop for SqliteStore {
    /// Copies the log into the file. SQLite does that only if the last connection that is closed can write, and readers
    /// may be open longer. If it fails, the next start does it.
    fn drop(&mut self) {
        let _ = self.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(()));
    }
}

fn lock(path: &Path) -> Result<File, StoreError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let name = PathBuf::from(name);
    let failed = |error: std::io::Error| {
        StoreError::Unavailable(format!(
            "The storage failed while locking {}: {error}. Check that its folder exists and that the service may write there.",
            name.display()
        ))
    };
    let file = OpenOptions::new().create(true).truncate(false).write(true).open(&name).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Unavailable(format!(
            "The storage {} is in use: end the service that uses it, and everything that still reads.",
            path.display()
        ))),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

/// Whether the file is empty; an error if it is something else than a store of a known format.
fn is_new(connection: &Connection) -> Result<bool, StoreError> {
    let number =
        |sql| connection.query_row(sql, (), |row| row.get::<_, i32>(0)).doing("reading the format of the file");
    let (application, format) = (number("PRAGMA application_id")?, number("PRAGMA user_version")?);
    if application == 0 && format == 0 && number("SELECT count(*) FROM sqlite_schema")? == 0 {
        return Ok(true);
    }
    if application != APPLICATION_ID {
        return Err(StoreError::Invalid(
            "The file is a SQLite database of another program: give the storage another file name.".to_owned(),
        ));
    }
    match format {
        FORMAT => Ok(false),
        _ if format > FORMAT => Err(StoreError::Invalid(format!(
            "The storage has format {format}, and this version knows formats up to {FORMAT}: use the newer version that \
             wrote it, or another file."
        ))),
        _ => Err(invalid("The storage has no format.")),
    }
}

/// Readers read while the writer writes, thus a write-ahead log. Each commit is synced: the source is told that it may forget
/// what was committed, and clients have seen operation ids, so a power cut must not take commits back. With
/// `synchronous = NORMAL` it could.
fn configure(connection: &Connection, options: &Options) -> Result<(), StoreError> {
    let what = "configuring SQLite";
    let mode: String = connection
        .query_row("PRAGMA journal_mode = WAL", (), |row| row.get(0))
        .doing("starting the write-ahead log")?;
    if mode != "wal" {
        return Err(StoreError::Unavailable(format!(
            "SQLite has no write-ahead log for this file (mode {mode}): use a local disk."
        )));
    }
    connection.pragma_update(None, "synchronous", "FULL").doing(what)?;
    connection.pragma_update(None, "cache_size", -i64::from(options.writer_cache_kib)).doing(what)?;
    connection.pragma_update(None, "temp_store", "MEMORY").doing(what)?;
    // 32 MiB: pages that change in several commits are copied into the file once.
    connection.pragma_update(None, "wal_autocheckpoint", 8192).doing(what)?;
    connection.pragma_update(None, "journal_size_limit", 64_i64 << 20).doing(what)?;
    connection.set_prepared_statement_cache_capacity(64);
    if let Some(pages) = options.max_pages {
        connection.query_row(&format!("PRAGMA max_page_count = {pages}"), (), |_| Ok(())).doing(what)?;
    }
    Ok(())
}

fn create(connection: &mut Connection, instance: Option<&str>) -> Result<(), StoreError> {
    let what = "creating the tables";
    let next_ids = NextIds { bucket: 1, table: 1, job: 1, definition: 1, index: 1, config: 1 };
    let next_ids = serde_json::to_string(&next_ids).doing(what)?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).doing(what)?;
    transaction.execute_batch(TABLES).doing(what)?;
    let state = "INSERT INTO state(id, instance, seq, next_op_id, next_ids)
        VALUES (1, coalesce(?2, lower(hex(randomblob(8)))), 0, 1, ?1)";
    transaction.execute(state, (next_ids, instance)).doing(what)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID).doing(what)?;
    transaction.pragma_update(None, "user_version", FORMAT).doing(what)?;
    transaction.commit().doing(what)
}

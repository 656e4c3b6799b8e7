//! Opening the database files of apps, in whatever state they are. Nothing is changed unless the user said so.

mod copy;
mod failure;
mod still;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use rusqlite::{Connection, OpenFlags};
use tempfile::TempDir;

pub(crate) use failure::{explained, is_damage};

use crate::exit::usage;

/// How long another process may keep the file locked. A commit takes less.
const PATIENCE: Duration = Duration::from_secs(2);

/// An open file.
pub(crate) struct Database {
    connection: Connection,
    path: PathBuf,
    /// Why this is a copy of the file, if it is one.
    copied_because: Option<String>,
    /// The journal mode of the file, where SQLite does not know it.
    journal_mode: Option<&'static str>,
    /// With the copy. Deleted after the connection was closed.
    _folder: Option<TempDir>,
}

impl Database {
    /// Opens a file that is not to be changed.
    ///
    /// Where SQLite cannot read it without writing, because an app was interrupted or the folder is read-only, this is a
    /// copy.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        check(path)?;
        match connect(path, OpenFlags::SQLITE_OPEN_READ_ONLY) {
            Ok(connection) => Ok(Self::direct(connection, path)),
            Err(error) => match copy::reason(path, &error) {
                Some(reason) => copy::of_files(path, reason),
                None => Err(explained(error, path)),
            },
        }
    }

    /// The same for a moment, in which nothing is left behind in the folder.
    ///
    /// To read a file in WAL mode, SQLite makes two files beside it, which only who may write to the file removes. If there is
    /// no WAL, no process uses the file, and it can be read without these.
    pub(crate) fn look(path: &Path) -> Result<Self> {
        check(path)?;
        if !still::is_unused_in_wal_mode(path) {
            return Self::read(path);
        }
        let connection = still::open(path).and_then(prepared).map_err(|error| explained(error, path))?;
        Ok(Self { journal_mode: Some("wal"), ..Self::direct(connection, path) })
    }

    /// Opens a file that may be changed.
    pub(crate) fn write(path: &Path) -> Result<Self> {
        check(path)?;
        let connection = connect(path, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(|error| explained(error, path))?;
        if connection.is_readonly(rusqlite::MAIN_DB).map_err(|error| explained(error, path))? {
            anyhow::bail!("{} must not be written to: check its permissions and those of its folder.", path.display());
        }
        Ok(Self::direct(connection, path))
    }

    /// An empty database in memory.
    pub(crate) fn in_memory() -> Result<Self> {
        Ok(Self::direct(Connection::open_in_memory()?, Path::new(":memory:")))
    }

    fn direct(connection: Connection, path: &Path) -> Self {
        Self { connection, path: path.to_owned(), copied_because: None, journal_mode: None, _folder: None }
    }

    /// A copy with internal tables in the format that this library knows, made by it; the file stays as it is.
    pub(crate) fn in_this_format(&self) -> Result<Self> {
        copy::in_this_format(self)
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// The file as it was named, also if this is a copy.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Why this is a copy of the file, if it is one.
    pub(crate) fn copied_because(&self) -> Option<&str> {
        self.copied_because.as_deref()
    }

    /// The journal mode of the file, where SQLite says another one.
    pub(crate) fn journal_mode(&self) -> Option<&'static str> {
        self.journal_mode
    }

    /// Does `work` in a transaction, which is rolled back if it fails.
    pub(crate) fn in_transaction<T>(&self, work: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> Result<T> {
        let result = self.connection.execute_batch("BEGIN IMMEDIATE").and_then(|()| work(&self.connection));
        let result = result.and_then(|value| self.connection.execute_batch("COMMIT").map(|()| value));
        if result.is_err() && !self.connection.is_autocommit() {
            self.connection.execute_batch("ROLLBACK").map_err(|error| explained(error, &self.path))?;
        }
        result.map_err(|error| explained(error, &self.path))
    }
}

/// A file that is not there is never made.
fn check(path: &Path) -> Result<()> {
    let name = path.display();
    match path.metadata() {
        Ok(metadata) if metadata.is_dir() => Err(usage(format!("{name} is a folder. Name a database file."))),
        Ok(_) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Err(usage(format!("There is no file {name}."))),
        Err(error) => Err(usage(format!("{name} cannot be opened: {error}."))),
    }
}

/// Opens the file, and reads from it, since SQLite does so only when it has to.
fn connect(path: &Path, flags: OpenFlags) -> rusqlite::Result<Connection> {
    prepared(Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?)
}

fn prepared(connection: Connection) -> rusqlite::Result<Connection> {
    connection.busy_timeout(PATIENCE)?;
    connection.query_row("SELECT count(*) FROM sqlite_schema", [], |_| Ok(()))?;
    Ok(connection)
}

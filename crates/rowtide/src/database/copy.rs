//! Copies of a file in a temporary folder, for what cannot be read where it is without changing it.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rusqlite::backup::Backup;
use rusqlite::limits::Limit;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use tempfile::TempDir;

use super::{Database, connect, explained};
use crate::output::working;

/// What belongs to a file. The index of the WAL does not: SQLite makes a new one from the WAL.
const SUFFIXES: [&str; 3] = ["", "-wal", "-journal"];

/// Why a copy can be read although the file cannot, if that is so.
pub(super) fn reason(path: &Path, error: &rusqlite::Error) -> Option<String> {
    let name = path.display();
    match error.sqlite_error_code()? {
        ErrorCode::ReadOnly => Some(format!(
            "An app was interrupted while it wrote to {name}. This shows a copy, in which SQLite has cleaned up, as it does \
            when the app opens the file again."
        )),
        // To read a file in WAL mode, SQLite needs another file beside it.
        ErrorCode::CannotOpen if fs::File::open(path).is_ok() => Some(format!(
            "{name} is in WAL mode, in a folder that must not be written to. This shows a copy, because SQLite cannot \
            read it there."
        )),
        _ => None,
    }
}

/// A copy made of files. No connection may be open: closing one of the files would give its locks back.
pub(super) fn of_files(path: &Path, reason: String) -> Result<Database> {
    let folder = temporary_folder()?;
    let copy = folder.path().join("copy.db");
    let before = state(path);
    working("Copying the file", || {
        for suffix in SUFFIXES {
            let source = with_suffix(path, suffix);
            if source.exists() {
                fs::copy(&source, with_suffix(&copy, suffix))
                    .with_context(|| format!("Copying {}", source.display()))?;
            }
        }
        anyhow::Ok(())
    })?;
    if state(path) != before {
        bail!("{} was written to while it was copied. Close the app, or try again.", path.display());
    }
    // The permissions were copied too.
    for suffix in SUFFIXES {
        make_writable(&with_suffix(&copy, suffix));
    }
    let connection = connect(&copy, OpenFlags::SQLITE_OPEN_READ_WRITE).map_err(|error| explained(error, path))?;
    connection.pragma_update(None, "query_only", true)?;
    Ok(Database { copied_because: Some(reason), _folder: Some(folder), ..Database::direct(connection, path) })
}

/// See [`Database::in_this_format`].
pub(super) fn in_this_format(database: &Database) -> Result<Database> {
    let folder = temporary_folder()?;
    let path = &database.path;
    let mut connection = Connection::open(folder.path().join("copy.db"))?;
    working("Copying the file", || {
        Backup::new(&database.connection, &mut connection)?.run_to_completion(1000, Duration::ZERO, None)
    })
    .map_err(|error| explained(error, path))?;
    // The way from other formats is SQL that comes with the file: it must not reach others.
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    let copy = Database {
        copied_because: Some(String::new()),
        journal_mode: database.journal_mode,
        _folder: Some(folder),
        ..Database::direct(connection, path)
    };
    copy.in_transaction(|connection| connection.query_row("SELECT powersync_init()", [], |_| Ok(())))
        .context("Bringing a copy to this library's format")?;
    copy.connection.pragma_update(None, "query_only", true)?;
    Ok(copy)
}

fn temporary_folder() -> Result<TempDir> {
    tempfile::tempdir().context("Making a temporary folder for a copy of the file")
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(suffix);
    name.into()
}

/// Differs if the files were written to.
fn state(path: &Path) -> Vec<Option<(u64, Option<std::time::SystemTime>)>> {
    let state = |suffix| with_suffix(path, suffix).metadata().ok().map(|data| (data.len(), data.modified().ok()));
    SUFFIXES.map(state).into()
}

fn make_writable(path: &Path) {
    if let Ok(metadata) = path.metadata() {
        let mut permissions = metadata.permissions();
        #[expect(clippy::permissions_set_readonly_false, reason = "the folder is readable by its owner only")]
        permissions.set_readonly(false);
        // If it stays so, opening it says why.
        let _ = fs::set_permissions(path, permissions);
    }
}

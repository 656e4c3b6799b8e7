//! A small shell around an old SQLite: `sqlite-3_xx DATABASE < SCRIPT`.
//!
//! Understands what the tests' scripts need and answers as the real `sqlite3 -batch -bail` does: a first line
//! `.load FILE ENTRY_POINT`, then SQL statements; prints each row as one line of values separated by `|`; stops at the
//! first error with its message on standard error.

use std::error::Error;
use std::io::Read;
use std::process::ExitCode;

use rusqlite::types::ValueRef;
use rusqlite::{Batch, Connection};

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("Error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Box<dyn Error>> {
    let database = std::env::args().nth(1).ok_or("usage: sqlite DATABASE < SCRIPT")?;
    let connection = Connection::open(database)?;
    let mut script = String::new();
    std::io::stdin().read_to_string(&mut script)?;
    let mut statements = script.as_str();
    if let Some(rest) = script.strip_prefix(".load ") {
        let (command, rest) = rest.split_once('\n').unwrap_or((rest, ""));
        let (file, entry_point) = command.rsplit_once(' ').ok_or("usage: .load FILE ENTRY_POINT")?;
        load(&connection, file, entry_point)?;
        statements = rest;
    }
    let mut batch = Batch::new(&connection, statements);
    while let Some(mut statement) = batch.next()? {
        let columns = statement.column_count();
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            let values: Result<Vec<_>, _> = (0..columns).map(|column| row.get_ref(column).map(text)).collect();
            println!("{}", values?.join("|"));
        }
    }
    Ok(())
}

// Old releases of rusqlite declared these functions safe.
#[allow(unused_unsafe)]
fn load(connection: &Connection, file: &str, entry_point: &str) -> rusqlite::Result<()> {
    // SAFETY: the tests name the library under test, which keeps to SQLite's extension interface.
    unsafe {
        let _enabled = rusqlite::LoadExtensionGuard::new(connection)?;
        connection.load_extension(file, Some(entry_point))
    }
}

fn text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => String::new(),
        ValueRef::Integer(integer) => integer.to_string(),
        ValueRef::Real(real) => real.to_string(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    }
}

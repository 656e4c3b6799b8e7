//! Two writers, and a reader that is killed again and again: what it has stored goes on, and is right in the end.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fastrand::Rng;
use rusqlite::Connection;
use sync_config::Value;
use sync_engine::row::{Position, RowKey, SourceValue};
use sync_engine::source::{ErrorClass, Source, SourceError, SourceEvent};
use sync_sources::sqlite::SqliteSource;

use crate::follower::shown;
use crate::patterns;
use crate::worlds::connect;

/// What the reader is started with.
const FOLDER: &str = "SYNC_SOURCES_READER";

#[test]
fn a_reader_that_is_killed_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let app = connect(&path);
    app.execute_batch(
        "PRAGMA journal_mode = wal; PRAGMA synchronous = off;
        CREATE TABLE accounts(id INTEGER PRIMARY KEY, n NOT NULL, u UNIQUE);",
    )
    .unwrap();
    // The table is empty when the reader begins, so that the stream has all of it.
    let source = SqliteSource::open(&path).unwrap();
    source.tables(&patterns(&["accounts"])).unwrap();
    store(folder.path(), &source.head().unwrap());
    for id in 0..20 {
        app.execute("INSERT INTO accounts VALUES (?1, 100, ?1)", [id]).unwrap();
    }
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _ends_writers = Ends(&is_done);
        for seed in 0..2 {
            let (path, is_done) = (&path, &is_done);
            scope.spawn(move || write(&connect(path), seed, is_done));
        }
        for _ in 0..4 {
            let mut reader = Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "sqlite::kill::reader", "--nocapture"])
                .env(FOLDER, folder.path())
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            let lines = BufReader::new(reader.stdout.take().unwrap()).lines();
            let commits = lines.map_while(Result::ok).filter(|line| line.contains("committed")).take(3).count();
            reader.kill().unwrap();
            reader.wait().unwrap();
            assert_eq!(commits, 3, "the reader ended by itself");
        }
    });
    follow(folder.path(), Some(&source.head().unwrap())).unwrap();
    let state = connect(&folder.path().join("state.db"));
    let followed = rows(&state, "SELECT content FROM rows ORDER BY content");
    let mut stored: Vec<String> = app
        .prepare("SELECT id, n, u FROM accounts")
        .unwrap()
        .query_map([], |row| {
            Ok(format!("i{} i{} i{}", row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?))
        })
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    stored.sort();
    assert_eq!(followed, stored);
}

/// Ends the writers, also if the test fails.
struct Ends<'f>(&'f AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The reader's process, if this test is run by the one above.
#[test]
fn reader() {
    if let Ok(folder) = std::env::var(FOLDER) {
        // The file is locked now and then.
        while let Err(error) = follow(Path::new(&folder), None) {
            assert_eq!(error.class, ErrorClass::Retry, "{error}");
        }
    }
}

/// Moves amounts between rows, and replaces rows: the sum of each transaction is the same.
fn write(app: &Connection, seed: u64, is_done: &AtomicBool) {
    let mut rng = Rng::with_seed(seed);
    while !is_done.load(Ordering::Relaxed) {
        let (a, b, amount) = (rng.i64(0..20), rng.i64(0..20), rng.i64(0..50));
        let sql = match rng.u8(..3) {
            0 => format!(
                "UPDATE accounts SET n = n - {amount} WHERE id = {a}; UPDATE accounts SET n = n + {amount} WHERE id = {b}"
            ),
            1 => format!(
                "INSERT INTO accounts SELECT id + 100, n, u + 100 FROM accounts WHERE id = {a} ON CONFLICT DO NOTHING;
                UPDATE accounts SET n = n + (SELECT n FROM accounts WHERE id = {a} + 100) * 0"
            ),
            _ => format!("DELETE FROM accounts WHERE id = {a} + 100"),
        };
        app.execute_batch(&format!("BEGIN IMMEDIATE; {sql}; COMMIT")).unwrap();
    }
}

fn rows(state: &Connection, sql: &str) -> Vec<String> {
    let mut statement = state.prepare(sql).unwrap();
    statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap()
}

fn store(folder: &Path, position: &Position) {
    let state = connect(&folder.join("state.db"));
    state.execute_batch("CREATE TABLE rows(key BLOB PRIMARY KEY, content); CREATE TABLE position(bytes)").unwrap();
    state.execute("INSERT INTO position VALUES (?1)", [&position.0]).unwrap();
}

/// Stores rows and positions in one transaction each, until a position is reached.
fn follow(folder: &Path, until: Option<&Position>) -> Result<(), SourceError> {
    let mut state = connect(&folder.join("state.db"));
    let source = SqliteSource::open(folder.join("app.db"))?;
    let position = state.query_row("SELECT bytes FROM position", [], |row| row.get(0)).unwrap();
    let mut stream = source.stream(Some(&Position(position)))?;
    let mut pending = Vec::new();
    loop {
        for event in stream.next(Duration::from_secs(1))? {
            let (SourceEvent::Commit { position, .. } | SourceEvent::Idle { position }) = &event else {
                pending.push(event);
                continue;
            };
            let transaction = state.transaction().unwrap();
            for event in pending.drain(..) {
                let SourceEvent::Row(change) = event else { continue };
                if let Some(key) = change.old_key {
                    transaction.execute("DELETE FROM rows WHERE key = ?1", [RowKey::new(&key).0]).unwrap();
                }
                if let Some(row) = change.row {
                    let values: Vec<Value> = row.iter().map(plain).collect();
                    let content: Vec<String> = values.iter().map(shown).collect();
                    let parameters = (RowKey::new(&values[..1]).0, content.join(" "));
                    transaction.execute("INSERT OR REPLACE INTO rows VALUES (?1, ?2)", parameters).unwrap();
                }
            }
            let sums: i64 = transaction
                .query_row("SELECT count(*) FROM rows WHERE content LIKE 'i_ %' OR content LIKE 'i__ %'", [], |row| {
                    row.get(0)
                })
                .unwrap();
            assert_eq!(sums, 20);
            transaction.execute("UPDATE position SET bytes = ?1", [&position.0]).unwrap();
            transaction.commit().unwrap();
            if until.is_some_and(|until| position >= until) {
                return Ok(());
            }
            // What is stored is not asked for again.
            source.acknowledge(position)?;
            println!("committed {position:?}");
        }
    }
}

fn plain(value: &SourceValue) -> Value {
    match value {
        SourceValue::Value(value) => value.clone(),
        other => panic!("{other:?}"),
    }
}

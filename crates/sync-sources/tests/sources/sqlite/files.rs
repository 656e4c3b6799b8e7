//! The file itself: locks, and files that vanish, are replaced, restored or copied.

use std::fs;
use std::time::Duration;

use rusqlite::Connection;
use sync_engine::source::{ErrorClass, Source};
use sync_sources::sqlite::SqliteSource;

use super::File;
use crate::patterns;
use crate::worlds::connect;

const TABLE: &str = "CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t VALUES (1, 2)";

/// The class of an error.
fn class<T>(result: Result<T, sync_engine::source::SourceError>) -> ErrorClass {
    result.err().expect("an error").class
}

/// Loses the position once, and then has what the file has.
fn loses_the_position(mut file: File) {
    let lost = file.follower.lost;
    let position = file.follower.state.position.clone();
    file.source = SqliteSource::open(file.path()).unwrap();
    file.app = connect(&file.path());
    file.follower.start(&file.source).unwrap();
    assert_eq!(file.follower.lost, lost + 1);
    file.check();
    file.check_after("INSERT INTO t VALUES (1000, 1)");
    // However far the log goes on.
    assert_eq!(class(file.source.stream(position.as_ref())), ErrorClass::PositionLost);
}

fn checkpoint(app: &Connection) {
    app.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).unwrap();
}

#[test]
fn a_locked_file_is_tried_again_and_a_stream_outlives_it() {
    let mut file = File::with_journal("delete", &["t"], TABLE);
    let mut stream = file.source.stream(None).unwrap();
    file.run("BEGIN EXCLUSIVE; INSERT INTO t VALUES (2, 2)");
    assert_eq!(class(file.source.head()), ErrorClass::Retry);
    assert_eq!(class(file.source.tables(&patterns(&["t"]))), ErrorClass::Retry);
    assert!(stream.next(Duration::ZERO).unwrap().is_empty());
    file.run("COMMIT");
    assert!(!stream.next(Duration::ZERO).unwrap().is_empty());
    drop(stream);
    file.check();
}

#[test]
fn a_file_that_is_not_there_is_no_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("missing.db");
    assert!(SqliteSource::open(&path).is_err());
    assert!(!path.exists());
    fs::write(&path, "this is no database, whatever its name says, and it is long enough for a header").unwrap();
    assert_eq!(class(SqliteSource::open(&path)), ErrorClass::Configuration);
}

#[test]
fn a_file_that_vanishes_is_waited_for() {
    let mut file = File::new(&["t"], TABLE);
    checkpoint(&file.app);
    let away = file.folder.path().join("away.db");
    fs::rename(file.path(), &away).unwrap();
    assert_eq!(class(file.follower.step()), ErrorClass::Retry);
    assert_eq!(class(file.source.head()), ErrorClass::Retry);
    assert!(!file.path().exists());
    fs::rename(&away, file.path()).unwrap();
    file.app = connect(&file.path());
    file.run("INSERT INTO t VALUES (2, 2)");
    file.restart();
    file.check();
}

#[test]
fn a_file_that_is_replaced_loses_the_position() {
    for is_copy in [true, false] {
        let mut file = File::new(&["t"], TABLE);
        checkpoint(&file.app);
        let new = file.folder.path().join("new.db");
        if is_copy {
            fs::copy(file.path(), &new).unwrap();
            connect(&new).execute_batch("INSERT INTO t VALUES (7, 7)").unwrap();
        } else {
            connect(&new)
                .execute_batch("CREATE TABLE t(id INTEGER PRIMARY KEY, w); INSERT INTO t VALUES (5, 5)")
                .unwrap();
        }
        file.app = Connection::open_in_memory().unwrap();
        for side in ["-wal", "-shm"] {
            let _ = fs::remove_file(file.folder.path().join(format!("app.db{side}")));
        }
        fs::rename(&new, file.path()).unwrap();
        assert_eq!(class(file.follower.step()), ErrorClass::PositionLost);
        loses_the_position(file);
    }
}

#[test]
fn a_backup_that_is_restored_into_the_file_loses_the_position() {
    for runs in [true, false] {
        let mut file = File::new(&["t"], TABLE);
        file.check_after("INSERT INTO t VALUES (2, 2)");
        let mut backup = Connection::open_in_memory().unwrap();
        copy(&file.app, &mut backup);
        file.check_after("INSERT INTO t VALUES (3, 3)");
        // A stream that begins later is at positions that the backup cannot reach.
        file.restart();
        file.check_after("INSERT INTO t VALUES (4, 4)");
        copy(&backup, &mut file.app);
        for id in 10..100 {
            file.run(&format!("INSERT INTO t VALUES ({id}, 1)"));
        }
        if runs {
            assert_eq!(class(file.follower.step()), ErrorClass::PositionLost);
        }
        loses_the_position(file);
    }
}

fn copy(from: &Connection, to: &mut Connection) {
    let backup = rusqlite::backup::Backup::new(from, to).unwrap();
    backup.run_to_completion(1000, Duration::ZERO, None).unwrap();
}

#[test]
fn a_log_that_somebody_resets_loses_the_position() {
    let mut file = File::new(&["t"], TABLE);
    file.check_after("INSERT INTO t VALUES (2, 2)");
    // While entries are there, numbers go on from the last one.
    file.run("DELETE FROM sqlite_sequence");
    file.check_after("INSERT INTO t VALUES (30, 3)");
    file.source.acknowledge(file.follower.state.position.as_ref().unwrap()).unwrap();
    file.check();
    file.run("DELETE FROM sqlite_sequence");
    file.run("INSERT INTO t VALUES (3, 3)");
    assert_eq!(class(file.follower.step()), ErrorClass::PositionLost);
    loses_the_position(file);
}

#[test]
fn acknowledged_entries_are_deleted_and_numbers_do_not_come_again() {
    let mut file = File::new(&["t"], TABLE);
    let entries =
        |file: &File| -> i64 { file.app.query_row("SELECT count(*) FROM _sync_log", [], |row| row.get(0)).unwrap() };
    let early = file.follower.state.position.clone().unwrap();
    file.check_after("INSERT INTO t VALUES (2, 2), (3, 3)");
    assert_eq!(entries(&file), 2);
    let position = file.follower.state.position.clone().unwrap();
    file.source.acknowledge(&position).unwrap();
    assert_eq!(entries(&file), 0);
    assert!(file.source.head().unwrap() >= position);
    assert_eq!(class(file.source.stream(Some(&early))), ErrorClass::PositionLost);
    // Losing a position of somebody else's has not lost ours.
    drop(file.source.stream(None).unwrap());
    file.check_after("INSERT INTO t VALUES (4, 4)");
}

#[test]
fn a_position_acknowledged_again_changes_nothing() {
    let mut file = File::new(&["t"], TABLE);
    file.check_after("INSERT INTO t VALUES (2, 2)");
    file.source.acknowledge(file.follower.state.position.as_ref().unwrap()).unwrap();
    file.follower.catch_up(&file.source).unwrap();
    let version = || file.app.query_row("PRAGMA data_version", [], |row| row.get::<_, i64>(0)).unwrap();
    let before = version();
    file.source.acknowledge(file.follower.state.position.as_ref().unwrap()).unwrap();
    file.follower.step().unwrap();
    assert_eq!(version(), before, "an idle source writes to the file");
}

#[test]
fn removing_the_capture_leaves_nothing() {
    let mut file = File::new(&["t"], TABLE);
    let objects = |app: &Connection| -> Vec<String> {
        let mut statement = app.prepare("SELECT type || ' ' || name FROM sqlite_master ORDER BY 1").unwrap();
        let rows = statement.query_map([], |row| row.get(0)).unwrap();
        rows.collect::<Result<_, _>>().unwrap()
    };
    assert!(objects(&file.app).len() > 5);
    let last = file.follower.state.position.clone();
    file.source.remove().unwrap();
    assert_eq!(objects(&file.app), ["table sqlite_sequence", "table t"]);
    let sequences: i64 = file.app.query_row("SELECT count(*) FROM sqlite_sequence", [], |row| row.get(0)).unwrap();
    assert_eq!(sequences, 0);
    file.run("INSERT INTO t VALUES (2, 2)");
    file.source.remove().unwrap();
    assert_eq!(class(file.follower.step()), ErrorClass::PositionLost);
    assert!(last < Some(file.source.head().unwrap()));
    loses_the_position(file);
}

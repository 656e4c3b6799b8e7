//! `powersync_export` while calls fail, and crashes: the file that it writes holds nothing, or a whole export
//! (docs/reference/functions.md#powersync_export).

use std::ffi::CString;

use rowtide_testkit::faults::disk::{Call, Fault, Loss};
use rowtide_testkit::faults::{Database, Disk, Failure, allocator};
use rowtide_testkit::library;
use rusqlite::ffi;

use crate::{CALLS, Surroundings, sample};

/// A client on a disk, with local writes and something that an export leaves out.
fn client(disk: &Disk, journal: &str) -> Database {
    let database = Database::open(c"client.db", Some(disk.vfs())).unwrap();
    database.load(library::loadable()).unwrap();
    let schema = r#"{"tables": [
        {"name": "lists", "columns": [{"name": "name", "type": "text"}]},
        {"name": "drafts", "columns": [{"name": "name", "type": "text"}], "local_only": true}]}"#;
    database.run(&format!("PRAGMA journal_mode = {journal}"), &[]).unwrap();
    database.run("BEGIN", &[]).unwrap();
    database.run("SELECT powersync_replace_schema(?)", &[schema]).unwrap();
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
        INSERT INTO lists(id, name) SELECT 'l' || i, hex(randomblob(50)) FROM n";
    database.run(rows, &[]).unwrap();
    database.run("INSERT INTO lists(id, name) VALUES ('l', hex(randomblob(9000)))", &[]).unwrap();
    database.run("INSERT INTO drafts(id, name) VALUES ('d', 'draft')", &[]).unwrap();
    database.run("COMMIT", &[]).unwrap();
    database
}

fn export(database: &Database, disk: &Disk, name: &str) -> Result<Vec<String>, Failure> {
    let uri = format!("file:{name}?vfs={}", disk.vfs().to_str().unwrap());
    database.run("SELECT powersync_export(?)", &[&uri])
}

/// Whether the file is a whole export, which it is if it has anything in it.
fn is_export(disk: &Disk, name: &str) -> Result<bool, Failure> {
    let database = Database::open(&CString::new(name).unwrap(), Some(disk.vfs()))?;
    if database.run("SELECT 1 FROM sqlite_schema LIMIT 1", &[])?.is_empty() {
        return Ok(false);
    }
    assert_eq!(database.run("PRAGMA integrity_check", &[])?, ["ok"]);
    let marks = database.run("SELECT key FROM ps_kv WHERE key IN ('client_id', 'powersync_export')", &[])?;
    assert_eq!(marks, ["powersync_export"]);
    let left_out = "SELECT count(*) FROM (SELECT id FROM ps_crud UNION ALL SELECT id FROM ps_data_local__drafts)";
    assert_eq!(database.run(left_out, &[])?, ["0"]);
    assert_eq!(
        database.run("SELECT count(*) > 0, (SELECT count(*) > 0 FROM ps_updated_rows) FROM lists", &[])?,
        ["1|1"]
    );
    Ok(true)
}

/// Checks an export during which a call may have failed, and makes another one.
#[track_caller]
fn check(
    what: &str,
    database: &Database,
    disk: &Disk,
    name: &str,
    outcome: Result<Vec<String>, Failure>,
    codes: &[i32],
) {
    assert!(database.running_statements().is_empty() && !database.is_in_transaction(), "{what}");
    let is_complete = is_export(disk, name).unwrap();
    match outcome {
        Ok(_) => assert!(is_complete, "{what}"),
        Err(failure) => {
            assert!(codes.contains(&failure.code) || codes.contains(&(failure.code & 0xff)), "{what}: {failure:?}");
            if !is_complete {
                export(database, disk, name).unwrap_or_else(|failure| panic!("{what}, again: {failure:?}"));
                assert!(is_export(disk, name).unwrap());
            }
        }
    }
}

#[test]
fn exports_run_out_of_memory() {
    let _surroundings = Surroundings::enter();
    let disk = Disk::new();
    let database = client(&disk, "wal");
    let mut failures = 0;
    for goes_on in [false, true] {
        let count = |name: &str| {
            allocator::failing(u64::MAX - 1, goes_on, || export(&database, &disk, name)).0.unwrap();
            allocator::REQUESTS.calls()
        };
        // The first one leaves prepared statements behind.
        count(&format!("first-{goes_on}.db"));
        let total = count(&format!("second-{goes_on}.db"));
        let before = allocator::memory_used();
        for number in sample(total, 60) {
            let name = format!("{number}-{goes_on}.db");
            let (outcome, has_failed) = allocator::failing(number, goes_on, || export(&database, &disk, &name));
            assert!(has_failed, "request {number} of {total}");
            failures += usize::from(outcome.is_err());
            check(&format!("request {number}"), &database, &disk, &name, outcome, &[ffi::SQLITE_NOMEM]);
        }
        assert!(allocator::memory_used() - before < 100_000, "memory is lost");
    }
    assert!(failures > 30, "{failures}");
}

#[test]
fn the_disk_of_an_export_fails() {
    let _surroundings = Surroundings::enter();
    let mut failures = 0;
    for (journal, (call, code)) in ["wal", "delete"].into_iter().flat_map(|journal| CALLS.map(|call| (journal, call))) {
        let disk = Disk::new();
        let database = client(&disk, journal);
        let run = |number, name: &str| {
            let countdown = disk.fail(Fault { call, code });
            countdown.fail(number, false);
            countdown.set_active(true);
            let outcome = export(&database, &disk, name);
            countdown.heal();
            (outcome, countdown.calls())
        };
        let (outcome, total) = run(u64::MAX - 1, "first.db");
        outcome.unwrap();
        for number in sample(total, 8) {
            let (what, name) = (format!("{call:?} {number} with {code}, {journal}"), format!("{number}.db"));
            let (outcome, _) = run(number, &name);
            failures += usize::from(outcome.is_err());
            // A WAL's index is locked in several steps, which are tried again for some time.
            let codes =
                if call == Call::LockIndex { vec![code, ffi::SQLITE_PROTOCOL] } else { vec![code, code & 0xff] };
            check(&what, &database, &disk, &name, outcome, &codes);
        }
    }
    assert!(failures > 30, "{failures}");
}

#[test]
fn the_power_fails_during_an_export() {
    let _surroundings = Surroundings::enter();
    let disk = Disk::new();
    let database = client(&disk, "delete");
    disk.record();
    export(&database, &disk, "export.db").unwrap();
    let recording = disk.take_recording().unwrap();
    let total = u64::try_from(recording.length()).unwrap();
    let mut complete = 0;
    for changes in sample(total + 1, 40) {
        for loss in [Loss::Nothing, Loss::Everything, Loss::Parts(changes)] {
            let disk = Disk::with_files(recording.crash(usize::try_from(changes).unwrap(), loss));
            let is_complete = is_export(&disk, "export.db").unwrap();
            complete += usize::from(is_complete);
            // As after any commit, a loss may bring the journal back, and with it the empty file.
            assert!(is_complete || changes < total || loss != Loss::Nothing, "an export that has succeeded lasts");
        }
    }
    assert!(complete > 0 && total > 10, "{complete} of {total}");
}

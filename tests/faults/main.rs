//! Faults and crashes at any moment of a session: whatever fails is an error with the right code, what was rolled back
//! and tried again comes to the same end, and a crash loses nothing that was promised to last
//! (docs/reliability.md#how-it-is-tested, docs/reliability.md#traps, traps 2 to 4, 8 and 10).
//!
//! `cargo test` takes a sample, `cargo xtask faults` tries every call and every change of a file. `POWERSYNC_FAULTS` is
//! `all` or the size of each sample.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod client;
mod crashes;
mod dump;
mod exports;
mod failures;
mod lost_transactions;
mod session;

use std::sync::{Mutex, MutexGuard, PoisonError};

use client::{Disturbances, Setup};
use crashes::Recorded;
use failures::{Failing, Failures};
use rowtide_testkit::faults::disk::{Call, Loss};
use rowtide_testkit::faults::{Database, Disk, allocator};
use rowtide_testkit::library;
use rusqlite::ffi;
use session::Session;

/// Says how much is tried.
const VARIABLE: &str = "POWERSYNC_FAULTS";

/// The calls of the file system that can fail, with the codes of their failures.
const CALLS: [(Call, i32); 14] = [
    (Call::Open, ffi::SQLITE_CANTOPEN),
    (Call::Read, ffi::SQLITE_IOERR_READ),
    (Call::Write, ffi::SQLITE_IOERR_WRITE),
    (Call::Write, ffi::SQLITE_FULL),
    (Call::Sync, ffi::SQLITE_IOERR_FSYNC),
    (Call::Truncate, ffi::SQLITE_IOERR_TRUNCATE),
    (Call::Size, ffi::SQLITE_IOERR_FSTAT),
    (Call::Delete, ffi::SQLITE_IOERR_DELETE),
    (Call::Access, ffi::SQLITE_IOERR_ACCESS),
    (Call::Lock, ffi::SQLITE_BUSY),
    (Call::Lock, ffi::SQLITE_IOERR_LOCK),
    (Call::MapIndex, ffi::SQLITE_IOERR_SHMMAP),
    (Call::LockIndex, ffi::SQLITE_BUSY),
    (Call::LockIndex, ffi::SQLITE_IOERR_SHMLOCK),
];

const WAL: Setup = Setup { journal: "wal", synchronous: "FULL" };
const ROLLBACK_JOURNAL: Setup = Setup { journal: "delete", synchronous: "FULL" };

/// What all tests share. Failing memory concerns the whole process, so that there is one test at a time.
struct Surroundings {
    /// Keeps the library loaded.
    _database: Database,
    _alone: MutexGuard<'static, ()>,
}

impl Surroundings {
    fn enter() -> Self {
        static ALONE: Mutex<()> = Mutex::new(());
        let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        allocator::install();
        let database = Database::open_in_memory().unwrap();
        database.load(library::loadable()).unwrap();
        Self { _database: database, _alone }
    }
}

/// The numbers below `total` that are tried: all, or `size` of them.
fn sample(total: u64, size: u64) -> impl Iterator<Item = u64> {
    let size = match std::env::var(VARIABLE) {
        Ok(all) if all == "all" => total,
        Ok(number) => number.parse().unwrap_or_else(|_| panic!("{VARIABLE} is no number: {number}")),
        Err(_) => size,
    };
    let size = size.min(total);
    (0..size).map(move |index| (2 * index + 1) * total / (2 * size))
}

/// Counts what was tried, and collects what was wrong.
#[derive(Default)]
struct Tally {
    tried: usize,
    disturbances: Disturbances,
    problems: Vec<String>,
}

impl Tally {
    fn add(&mut self, what: &str, outcome: Result<Disturbances, String>) {
        self.tried += 1;
        match outcome {
            Ok(Disturbances { failures, reconnects }) => {
                self.disturbances.failures += failures;
                self.disturbances.reconnects += reconnects;
            }
            Err(problem) => self.problems.push(format!("{what}: {problem:.2000}")),
        }
    }

    fn report(&self, what: &str) {
        let (Self { tried, problems, .. }, Disturbances { failures, reconnects }) = (self, self.disturbances);
        println!("{what}: {tried} sessions; {failures} steps were repeated, {reconnects} iterations started again");
        assert!(
            problems.is_empty(),
            "{} of {tried}:\n{}",
            problems.len(),
            problems[..problems.len().min(5)].join("\n")
        );
        assert!(*tried > 0, "nothing was tried");
    }
}

/// Lets calls of one kind fail, each in its own session.
fn try_failures(tally: &mut Tally, session: &Session, setup: Setup, failures: Failures, size: u64) {
    let expected = client::expected(session, setup, &Disk::new(), || {});
    let total = failures::count(session, setup, failures);
    println!("{failures:?} with {setup:?}: {total} calls");
    for number in sample(total, size) {
        let outcome = match failures::run(session, setup, &expected, failures, number) {
            // Random numbers are shorter or longer, so that the last calls are not always made.
            Ok(None) if number >= total - total / 100 => continue,
            outcome => outcome.and_then(|reached| reached.ok_or_else(|| "there was no such call".to_owned())),
        };
        tally.add(&format!("call {number} of {failures:?} with {setup:?}"), outcome);
    }
}

#[test]
fn requests_for_memory_fail() {
    let _surroundings = Surroundings::enter();
    let session = session::standard();
    let mut tally = Tally::default();
    for (setup, goes_on) in [(WAL, false), (WAL, true), (ROLLBACK_JOURNAL, false)] {
        try_failures(&mut tally, &session, setup, Failures { failing: Failing::Memory, goes_on }, 40);
    }
    tally.report("requests for memory that fail");
    assert!(tally.disturbances.reconnects * 100 <= tally.tried, "iterations survive a call that runs out of memory");
}

#[test]
fn a_call_that_runs_out_of_memory_changes_nothing() {
    let _surroundings = Surroundings::enter();
    let session = session::standard();
    let expected = client::expected(&session, WAL, &Disk::new(), || {});
    let calls = (0..session.steps.len()).filter(|index| session.steps[*index].is_call());
    let (mut count, mut failures) = (0, 0);
    for index in calls {
        count += 1;
        for goes_on in [false, true] {
            let failed = failures::run_step_out_of_memory(&session, WAL, &expected, index, goes_on);
            failures += failed.unwrap_or_else(|problem| panic!("step {index}, {:?}: {problem}", session.steps[index]));
        }
    }
    println!("{failures} requests for memory failed in {count} calls");
    assert!(failures > 10 * count);
}

#[test]
fn ending_an_iteration_reports_what_fails() {
    let _surroundings = Surroundings::enter();
    let session = session::standard();
    let failures = Failures { failing: Failing::Disk(Call::Read, ffi::SQLITE_IOERR_READ), goes_on: true };
    let mut tried = 0;
    for stop in (0..session.steps.len()).filter(|index| session.steps[*index].ends_iteration()) {
        tried += (0..).take_while(|number| failures::run_step(&session, WAL, stop, failures, *number).unwrap()).count();
    }
    assert!(tried > 0, "nothing was read");
}

/// The schema is read again after a table was made.
#[test]
fn making_tables_reports_what_fails() {
    let _surroundings = Surroundings::enter();
    let session = session::standard();
    let is_plain = |step: &session::Step| step.statements.iter().any(|made| made.sql.starts_with("CREATE TABLE tags"));
    let index = session.steps.iter().position(is_plain).unwrap();
    let mut tried = 0;
    for setup in [WAL, ROLLBACK_JOURNAL] {
        let failures = Failures { failing: Failing::Disk(Call::Read, ffi::SQLITE_IOERR_READ), goes_on: true };
        let fails = |number: &u64| failures::run_step(&session, setup, index, failures, *number).unwrap();
        tried += (0..).take_while(fails).count();
    }
    assert!(tried > 0, "nothing was read");
}

#[test]
fn statements_are_interrupted() {
    let _surroundings = Surroundings::enter();
    let session = session::standard();
    let mut tally = Tally::default();
    for setup in [WAL, ROLLBACK_JOURNAL] {
        let failures = Failures { failing: Failing::Interrupt, goes_on: false };
        try_failures(&mut tally, &session, setup, failures, 50);
    }
    tally.report("interrupts");
}

#[test]
fn calls_of_the_file_system_fail() {
    let _surroundings = Surroundings::enter();
    let session = session::standard();
    let mut tally = Tally::default();
    for setup in [WAL, ROLLBACK_JOURNAL] {
        for (call, code) in CALLS {
            for goes_on in [false, true] {
                let failures = Failures { failing: Failing::Disk(call, code), goes_on };
                try_failures(&mut tally, &session, setup, failures, 6);
            }
        }
    }
    tally.report("calls of the file system that fail");
}

#[test]
fn reads_give_less_than_there_is() {
    let _surroundings = Surroundings::enter();
    let session = session::standard();
    let mut tally = Tally::default();
    for setup in [WAL, ROLLBACK_JOURNAL] {
        let failing = Failing::Disk(Call::Read, ffi::SQLITE_IOERR_SHORT_READ);
        for number in sample(failures::count(&session, setup, Failures { failing, goes_on: false }), 20) {
            let outcome = failures::run_after_short_read(&session, setup, number);
            tally.add(&format!("short read {number} with {setup:?}"), outcome);
        }
    }
    tally.report("short reads");
}

#[test]
fn processes_and_power_fail() {
    let _surroundings = Surroundings::enter();
    let session = session::standard();
    let mut tally = Tally::default();
    for journal in ["wal", "delete"] {
        for synchronous in ["FULL", "NORMAL"] {
            let setup = Setup { journal, synchronous };
            let recorded = Recorded::new(&session, setup);
            let total = u64::try_from(recorded.recording.length()).unwrap();
            for changes in sample(total + 1, 15) {
                for loss in [Loss::Nothing, Loss::Everything, Loss::Parts(2 * changes)] {
                    // SQLite documents that a database may be damaged then.
                    if (journal, synchronous, loss) == ("delete", "NORMAL", Loss::Parts(2 * changes)) {
                        continue;
                    }
                    let outcome = crashes::run(&session, setup, &recorded, usize::try_from(changes).unwrap(), loss);
                    tally.add(&format!("crash after change {changes} with {setup:?}, losing {loss:?}"), outcome);
                }
            }
        }
    }
    tally.report("crashes");
}

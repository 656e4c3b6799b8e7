//! An SDK that takes the session's steps on a disk, and that does what SDKs do about failures: it rolls back and tries
//! again, and reconnects when its iteration has ended.

use std::collections::BTreeMap;

use rowtide_testkit::faults::{Database, Disk, Failure};
use rowtide_testkit::library;
use rusqlite::ffi;
use serde_json::Value;

use crate::dump::{difference, dump};
use crate::session::{Kind, Session, Statement, Step, start_options};

/// How the database file is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Setup {
    /// `wal` or `delete`.
    pub journal: &'static str,
    /// `FULL` or `NORMAL`.
    pub synchronous: &'static str,
}

/// The file name of the database.
pub(crate) const DATABASE: &std::ffi::CStr = c"/app.db";

/// Which part of a step has failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    Open,
    Begin,
    Statement,
    Commit,
}

/// A step that has failed.
#[derive(Debug, Clone)]
pub(crate) struct StepFailure {
    pub failure: Failure,
    pub part: Part,
}

impl StepFailure {
    /// Whether a call of the library may have succeeded before this failure undid it: a COMMIT has failed, or SQLite
    /// has looked for an interrupt once more after the call. What the library says itself begins with the name of the
    /// function.
    fn may_undo_success(&self) -> bool {
        let is_library = self.failure.message.starts_with("powersync_");
        let is_interrupt = self.failure.code == ffi::SQLITE_INTERRUPT;
        self.part == Part::Commit || self.part == Part::Statement && is_interrupt && !is_library
    }

    fn says_no_iteration(&self) -> bool {
        self.failure.code == ffi::SQLITE_MISUSE && self.failure.message.contains("No iteration is active")
    }
}

type Outcome = Result<Vec<String>, StepFailure>;

/// What the session is when nothing disturbs it, after each step.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    pub rows: Vec<Vec<String>>,
    pub dumps: Vec<Vec<String>>,
    pub statuses: Vec<Option<Value>>,
    pub uploads: Vec<Uploads>,
}

/// Upload queue entries by transaction id.
pub(crate) type Uploads = BTreeMap<String, Vec<String>>;

/// Faults that a client meets while it takes steps.
pub(crate) trait Surroundings {
    /// Whether faults may come now.
    fn set_active(&self, is_active: bool);

    /// Judges a failure, after which nothing fails until the step is repeated. An error if it must not be.
    fn judge(&self, failure: &StepFailure) -> Result<(), String>;
}

/// Surroundings without faults.
pub(crate) struct Undisturbed;

impl Surroundings for Undisturbed {
    fn set_active(&self, _: bool) {}

    fn judge(&self, failure: &StepFailure) -> Result<(), String> {
        Err(format!("{failure:?}"))
    }
}

/// What disturbed a client on its way.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Disturbances {
    /// Steps that failed and were repeated.
    pub failures: usize,
    /// Iterations that ended too early.
    pub reconnects: usize,
}

/// The application with its SDK.
pub(crate) struct Client<'s> {
    session: &'s Session,
    setup: Setup,
    disk: &'s Disk,
    database: Option<Database>,
    /// What the service was sent.
    pub uploads: Uploads,
    /// The last status that the SDK received.
    pub status: Option<Value>,
    pub disturbances: Disturbances,
    /// Whether the iteration may end without a failure at its next event: a call that had succeeded was undone.
    pub is_in_doubt: bool,
}

impl<'s> Client<'s> {
    pub(crate) fn new(session: &'s Session, setup: Setup, disk: &'s Disk) -> Self {
        let (uploads, status) = Default::default();
        let disturbances = Disturbances::default();
        Self { session, setup, disk, database: None, uploads, status, disturbances, is_in_doubt: false }
    }

    /// Opens the database outside of the session's steps.
    pub(crate) fn open(&mut self) -> Result<(), String> {
        self.attempt_open().map_err(|failure| format!("{failure:?}"))
    }

    /// Does what the application does after opening, if it has come to the step `index` before.
    pub(crate) fn give_schema(&mut self, index: usize) -> Result<(), String> {
        match self.session.schema_before(index) {
            Some(step) => self.attempt(step).map(|_| ()).map_err(|failure| format!("{failure:?}")),
            None => Ok(()),
        }
    }

    /// What is in the database.
    pub(crate) fn dump(&self) -> Result<Vec<String>, String> {
        dump(self.database()).map_err(|failure| format!("dump: {failure:?}"))
    }

    /// Lets the next step read from the disk what it needs.
    pub(crate) fn forget_pages(&self) -> Result<(), String> {
        let shrunk = self.database().run("PRAGMA shrink_memory", &[]);
        shrunk.map(|_| ()).map_err(|failure| format!("PRAGMA shrink_memory: {failure:?}"))
    }

    fn database(&self) -> &Database {
        self.database.as_ref().expect("the session has opened the database")
    }

    fn attempt_open(&mut self) -> Result<(), StepFailure> {
        let failed = |failure| StepFailure { failure, part: Part::Open };
        self.database = None;
        let database = Database::open(DATABASE, Some(self.disk.vfs())).map_err(failed)?;
        let Setup { journal, synchronous } = self.setup;
        let mode = database.run(&format!("PRAGMA journal_mode = {journal}"), &[]).map_err(failed)?;
        if mode != [journal] {
            let message = format!("the journal mode is {mode:?}");
            return Err(failed(Failure { code: ffi::SQLITE_IOERR, message }));
        }
        for pragma in ["wal_autocheckpoint = 10", "cache_size = 20", &format!("synchronous = {synchronous}")] {
            database.run(&format!("PRAGMA {pragma}"), &[]).map_err(failed)?;
        }
        database.load(library::loadable()).map_err(failed)?;
        self.database = Some(database);
        Ok(())
    }

    fn attempt(&mut self, step: &Step) -> Outcome {
        match step.kind {
            Kind::Open => self.attempt_open().map(|()| Vec::new()),
            Kind::Close => {
                self.database.take().expect("open").close();
                Ok(Vec::new())
            }
            Kind::Query | Kind::Upload => run_all(self.database(), &step.statements),
            Kind::Transaction | Kind::Control => {
                let database = self.database();
                let in_part = |part| move |failure| StepFailure { failure, part };
                database.run("BEGIN IMMEDIATE", &[]).map_err(in_part(Part::Begin))?;
                let rows = run_all(database, &step.statements)?;
                match database.run("COMMIT", &[]) {
                    // SQLite looks for an interrupt once more after it has committed.
                    Err(failure) if failure.code == ffi::SQLITE_INTERRUPT && !database.is_in_transaction() => Ok(rows),
                    committed => committed.map(|_| rows).map_err(in_part(Part::Commit)),
                }
            }
        }
    }

    /// Takes the step `index`, as often as it needs. Gives the rows of the last attempt; None after connecting again,
    /// when the service sends the same in other pieces.
    ///
    /// # Errors
    /// What must not be.
    pub(crate) fn take(
        &mut self,
        index: usize,
        surroundings: &dyn Surroundings,
    ) -> Result<Option<Vec<String>>, String> {
        let session = self.session;
        let step = &session.steps[index];
        let mut has_reconnected = false;
        for _ in 0..10 {
            surroundings.set_active(true);
            let outcome = self.attempt(step);
            surroundings.set_active(false);
            let has_ended = match &outcome {
                Ok(rows) => rows.iter().any(|row| row.contains("CloseSyncStream")) && !step.ends_iteration(),
                Err(failure) => failure.says_no_iteration(),
            };
            match outcome {
                _ if has_ended => {
                    if !self.is_in_doubt {
                        return Err(format!("the iteration has ended at {step:?}"));
                    }
                    self.roll_back(surroundings)?;
                    self.reconnect(index)?;
                    has_reconnected = true;
                    if step.line.is_some() {
                        return Ok(None);
                    }
                }
                Ok(rows) => {
                    // A line is an event, at which the iteration would have ended.
                    self.is_in_doubt &= step.line.is_none() && !step.is_start();
                    self.adopt(step, &rows)?;
                    return Ok(Some(rows).filter(|_| !has_reconnected));
                }
                Err(failure) => {
                    surroundings.judge(&failure)?;
                    self.is_in_doubt |= failure.may_undo_success() || self.has_lost_transaction(&failure);
                    self.roll_back(surroundings)?;
                    self.disturbances.failures += 1;
                }
            }
        }
        Err(format!("too many attempts at {step:?}"))
    }

    /// Takes the step `index` once, with the rows `expected`. Gives its failure, after which it is rolled back.
    ///
    /// # Errors
    /// What must not be.
    pub(crate) fn take_once(
        &mut self,
        index: usize,
        surroundings: &dyn Surroundings,
        expected: &[String],
    ) -> Result<Option<StepFailure>, String> {
        let step = &self.session.steps[index];
        surroundings.set_active(true);
        let outcome = self.attempt(step);
        surroundings.set_active(false);
        match outcome {
            Ok(rows) if rows != expected => Err(format!("gives {rows:?}, expected {expected:?}")),
            Ok(rows) => self.adopt(step, &rows).map(|()| None),
            Err(failure) => {
                surroundings.judge(&failure)?;
                self.roll_back(surroundings)?;
                Ok(Some(failure))
            }
        }
    }

    /// Whether a statement may have run outside of the transaction that it belonged to (see `lost_transactions`).
    fn has_lost_transaction(&self, failure: &StepFailure) -> bool {
        let is_open = self.database.as_ref().is_some_and(Database::is_in_transaction);
        failure.part == Part::Statement && failure.failure.code == ffi::SQLITE_NOMEM && !is_open
    }

    fn roll_back(&self, surroundings: &dyn Surroundings) -> Result<(), String> {
        let Some(database) = &self.database else { return Ok(()) };
        surroundings.set_active(false);
        database.roll_back().map_err(|failure| format!("ROLLBACK: {failure:?}"))
    }

    /// Connects to the service again and is sent what belongs to the time of step `index`.
    fn reconnect(&mut self, index: usize) -> Result<(), String> {
        self.disturbances.reconnects += 1;
        let mut calls =
            vec![Statement::control("start", &start_options()), Statement::control("connection", "established")];
        if let Some((feed, count)) = self.session.received_until(index) {
            let feed = &self.session.feeds[feed];
            calls.push(Statement::control("line_text", &feed.opening));
            calls.extend(feed.lines[1..count].iter().map(|line| Statement::control("line_text", line)));
        }
        for call in calls {
            let step = Step { kind: Kind::Control, statements: vec![call], line: None };
            let rows = self.attempt(&step).map_err(|failure| format!("reconnecting, {step:?}: {failure:?}"))?;
            if rows.iter().any(|row| row.contains("CloseSyncStream")) {
                return Err(format!("reconnecting, {step:?} ended the iteration: {rows:?}"));
            }
            self.adopt(&step, &rows)?;
        }
        self.is_in_doubt = false;
        Ok(())
    }

    /// Takes note of what a step gave.
    fn adopt(&mut self, step: &Step, rows: &[String]) -> Result<(), String> {
        if step.kind == Kind::Upload {
            let mut sent = Uploads::new();
            for row in rows {
                let (id, data) = row.split_once('|').unwrap_or((row, ""));
                sent.entry(id.to_owned()).or_default().push(data.to_owned());
            }
            for (id, entries) in sent {
                let known = self.uploads.entry(id.clone()).or_insert_with(|| entries.clone());
                if *known != entries {
                    return Err(format!("transaction id {id} has the entries {known:?} and {entries:?}"));
                }
            }
        } else if step.kind == Kind::Control {
            let instructions: Value = rows.first().and_then(|row| serde_json::from_str(row).ok()).unwrap_or_default();
            let mut statuses = instructions.as_array().into_iter().flatten().filter_map(|i| i.get("UpdateSyncStatus"));
            if let Some(status) = statuses.next_back() {
                let mut status = status["status"].clone();
                // Told until the connection ends.
                status.as_object_mut().unwrap().remove("internal_last_applied_checkpoint_request_id");
                self.status = Some(status);
            }
        }
        Ok(())
    }

    /// Compares the database with that of the undisturbed session after the step `index`, and has SQLite check it.
    ///
    /// # Errors
    /// The difference.
    pub(crate) fn compare(&self, index: usize, expected: &Expected) -> Result<(), String> {
        let Some(database) = &self.database else { return Ok(()) };
        let actual = self.dump()?;
        if actual != expected.dumps[index] {
            return Err(format!("the database differs:\n{}", difference(&actual, &expected.dumps[index])));
        }
        let checked = database.run("PRAGMA integrity_check", &[]).map_err(|failure| format!("{failure:?}"))?;
        if checked == ["ok"] { Ok(()) } else { Err(format!("the database is damaged: {checked:?}")) }
    }

    /// Compares what the service was sent up to the step `index`.
    ///
    /// # Errors
    /// The difference.
    pub(crate) fn compare_uploads(&self, index: usize, expected: &Expected) -> Result<(), String> {
        if self.uploads != expected.uploads[index] {
            return Err(format!("uploads are {:?}, expected {:?}", self.uploads, expected.uploads[index]));
        }
        Ok(())
    }

    /// Compares the status that the SDK received last, unless the iteration is about to return another.
    ///
    /// # Errors
    /// The difference.
    pub(crate) fn compare_status(&self, index: usize, expected: &Expected) -> Result<(), String> {
        if self.is_in_doubt || self.status == expected.statuses[index] {
            return Ok(());
        }
        Err(format!("the status is {:?}, expected {:?}", self.status, expected.statuses[index]))
    }
}

fn run_all(database: &Database, statements: &[Statement]) -> Outcome {
    let mut rows = Vec::new();
    for statement in statements {
        let parameters: Vec<&str> = statement.parameters.iter().map(String::as_str).collect();
        rows = database
            .run(&statement.sql, &parameters)
            .map_err(|failure| StepFailure { failure, part: Part::Statement })?;
    }
    Ok(rows)
}

/// Takes the whole session without disturbances; `after_step` is called after each step.
///
/// # Panics
/// If a step fails.
pub(crate) fn expected(session: &Session, setup: Setup, disk: &Disk, mut after_step: impl FnMut()) -> Expected {
    let mut client = Client::new(session, setup, disk);
    let mut expected = Expected::default();
    for index in 0..session.steps.len() {
        let step = &session.steps[index];
        let rows = client.take(index, &Undisturbed).unwrap_or_else(|problem| panic!("{step:?}: {problem}"));
        expected.rows.push(rows.unwrap_or_default());
        let dump = if step.kind == Kind::Close { expected.dumps.last().cloned() } else { client.dump().ok() };
        expected.dumps.push(dump.unwrap());
        expected.statuses.push(client.status.clone());
        expected.uploads.push(client.uploads.clone());
        after_step();
    }
    expected
}

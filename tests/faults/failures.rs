//! The standard session, in which the n-th call of some kind fails: a request for memory, a call of the file system, a
//! step of SQLite's virtual machine that is interrupted.

use std::sync::Arc;

use rowtide_testkit::faults::countdown::Countdown;
use rowtide_testkit::faults::disk::{Call, Fault};
use rowtide_testkit::faults::{Disk, allocator, interrupts};
use rusqlite::ffi;

use crate::client::{Client, Disturbances, Expected, Part, Setup, StepFailure, Surroundings, Undisturbed};
use crate::session::{Kind, Session};

/// What fails.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Failing {
    /// Requests for memory.
    Memory,
    /// Calls of the file system, with this code.
    Disk(Call, i32),
    /// Steps of the virtual machine.
    Interrupt,
}

/// A kind of failure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Failures {
    pub failing: Failing,
    /// Whether all calls fail until a step has failed.
    pub goes_on: bool,
}

/// The failure of one call on one disk.
struct Planned {
    failures: Failures,
    countdown: CountdownOf,
}

/// Memory and interrupts concern the process, failing calls a disk.
enum CountdownOf {
    Process(&'static Countdown),
    Disk(Arc<Countdown>),
}

impl Planned {
    /// Plans that the call with this number fails.
    fn new(failures: Failures, number: u64, disk: &Disk) -> Self {
        let countdown = match failures.failing {
            Failing::Memory => CountdownOf::Process(&allocator::REQUESTS),
            Failing::Interrupt => CountdownOf::Process(&interrupts::STEPS),
            Failing::Disk(call, code) => CountdownOf::Disk(disk.fail(Fault { call, code })),
        };
        let planned = Self { failures, countdown };
        planned.countdown().fail(number, failures.goes_on);
        planned
    }

    fn countdown(&self) -> &Countdown {
        match &self.countdown {
            CountdownOf::Process(countdown) => countdown,
            CountdownOf::Disk(countdown) => countdown,
        }
    }

    /// Whether the failing call may make a statement fail with this code.
    fn explains(&self, failure: &StepFailure) -> bool {
        let code = failure.failure.code;
        match self.failures.failing {
            Failing::Memory => code == ffi::SQLITE_NOMEM || code == ffi::SQLITE_IOERR_NOMEM,
            Failing::Interrupt => code == ffi::SQLITE_INTERRUPT,
            // A WAL's index is locked in several steps, which are tried again for some time.
            Failing::Disk(Call::LockIndex, ffi::SQLITE_BUSY) => {
                code & 0xff == ffi::SQLITE_BUSY || code == ffi::SQLITE_PROTOCOL
            }
            Failing::Disk(_, injected) => code == injected,
        }
    }
}

impl Surroundings for Planned {
    fn set_active(&self, is_active: bool) {
        self.countdown().set_active(is_active);
    }

    fn judge(&self, failure: &StepFailure) -> Result<(), String> {
        let is_explained = self.countdown().has_failed() && self.explains(failure);
        self.countdown().heal();
        if is_explained { Ok(()) } else { Err(format!("failed with {failure:?}")) }
    }
}

impl Drop for Planned {
    fn drop(&mut self) {
        self.countdown().heal();
    }
}

/// How many calls of a kind an undisturbed session makes.
pub(crate) fn count(session: &Session, setup: Setup, failures: Failures) -> u64 {
    let disk = Disk::new();
    let planned = Planned::new(failures, u64::MAX, &disk);
    let mut client = Client::new(session, setup, &disk);
    for index in 0..session.steps.len() {
        client.take(index, &planned).unwrap();
    }
    planned.countdown().calls()
}

/// What came of a session with a failure: what it disturbed, if the call was made.
type Outcome = Result<Option<Disturbances>, String>;

/// The session with one failure, up to its end.
pub(crate) fn run(session: &Session, setup: Setup, expected: &Expected, failures: Failures, number: u64) -> Outcome {
    let memory_before = allocator::memory_used();
    let disk = Disk::new();
    let planned = Planned::new(failures, number, &disk);
    let mut client = Client::new(session, setup, &disk);
    for index in 0..session.steps.len() {
        let in_step = |problem| format!("step {index}, {:.300}: {problem}", format!("{:?}", session.steps[index]));
        let had_failed = planned.countdown().has_failed();
        let rows = client.take(index, &planned).map_err(in_step)?;
        // What an iteration reports about the types that it sees begins again with each one.
        let is_comparable = client.disturbances.reconnects == 0 && !client.is_in_doubt;
        if let Some(rows) = rows.filter(|rows| is_comparable && *rows != expected.rows[index]) {
            return Err(in_step(format!("gives {rows:?}, expected {:?}", expected.rows[index])));
        }
        client.compare_status(index, expected).map_err(in_step)?;
        let is_disturbed = planned.countdown().has_failed() != had_failed;
        if is_disturbed || session.steps[index].kind == Kind::Query {
            client.compare(index, expected).map_err(in_step)?;
            client.compare_uploads(index, expected).map_err(in_step)?;
        }
    }
    let disturbances = client.disturbances;
    drop(client);
    check_memory(memory_before)?;
    Ok(planned.countdown().has_failed().then_some(disturbances))
}

/// The step `index` alone, with one failure. False if there was no such call.
pub(crate) fn run_step(
    session: &Session,
    setup: Setup,
    index: usize,
    failures: Failures,
    number: u64,
) -> Result<bool, String> {
    let disk = Disk::new();
    let mut client = begun(session, setup, &disk, index)?;
    client.forget_pages()?;
    let planned = Planned::new(failures, number, &disk);
    client.take(index, &planned)?;
    Ok(planned.countdown().has_failed())
}

/// A client that has come to the step `index`.
fn begun<'s>(session: &'s Session, setup: Setup, disk: &'s Disk, index: usize) -> Result<Client<'s>, String> {
    let mut client = Client::new(session, setup, disk);
    for before in 0..index {
        client.take(before, &Undisturbed)?;
    }
    Ok(client)
}

/// Lets the requests for memory of the step `index` fail one after the other: after each failure the step is made
/// again, as if it had not been made before. Gives how many have failed.
pub(crate) fn run_step_out_of_memory(
    session: &Session,
    setup: Setup,
    expected: &Expected,
    index: usize,
    goes_on: bool,
) -> Result<usize, String> {
    let failures = Failures { failing: Failing::Memory, goes_on };
    let mut number = 0;
    loop {
        // One client goes on until the step succeeds, although memory was refused, or a COMMIT that fails undoes it.
        let disk = Disk::new();
        let mut client = begun(session, setup, &disk, index)?;
        let has_failed = loop {
            let planned = Planned::new(failures, u64::try_from(number).unwrap(), &disk);
            let in_attempt = |problem| format!("request {number}: {problem}");
            let failure = client.take_once(index, &planned, &expected.rows[index]).map_err(in_attempt)?;
            let has_failed = planned.countdown().has_failed();
            number += usize::from(has_failed);
            if failure.is_none_or(|failure| failure.part == Part::Commit) {
                break has_failed;
            }
        };
        if !has_failed {
            client.compare(index, expected)?;
            client.compare_status(index, expected)?;
            return Ok(number);
        }
    }
}

/// The session up to the first failure after a read that gave less than there is, as damaged hardware might: whatever
/// it comes to, the library neither loses memory nor blames itself.
pub(crate) fn run_after_short_read(session: &Session, setup: Setup, number: u64) -> Result<Disturbances, String> {
    let memory_before = allocator::memory_used();
    let disk = Disk::new();
    let failing = Failing::Disk(Call::Read, ffi::SQLITE_IOERR_SHORT_READ);
    let planned = Planned::new(Failures { failing, goes_on: false }, number, &disk);
    let mut client = Client::new(session, setup, &disk);
    let problem = (0..session.steps.len()).find_map(|index| client.take(index, &planned).err());
    let disturbances = client.disturbances;
    drop(client);
    check_memory(memory_before)?;
    match problem {
        Some(problem) if problem.contains("internal error") => Err(problem),
        _ => Ok(disturbances),
    }
}

/// Whether all memory was given back that was requested since `before`.
pub(crate) fn check_memory(before: i64) -> Result<(), String> {
    match allocator::memory_used() - before {
        0 => Ok(()),
        bytes => Err(format!("{bytes} bytes are in use after the end")),
    }
}

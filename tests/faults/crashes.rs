//! The standard session, cut off by a crash after any change of a file: the database opens in a state that it had, with
//! all that was promised to last, and the session goes on from there to the same end.

use rowtide_testkit::faults::disk::{Loss, Recording};
use rowtide_testkit::faults::{Disk, allocator};

use crate::client::{Client, Disturbances, Expected, Setup, Undisturbed, expected};
use crate::dump::difference;
use crate::failures::check_memory;
use crate::session::{Kind, Session};

/// An undisturbed session with all changes of its files.
pub(crate) struct Recorded {
    expected: Expected,
    /// How many changes there were after each step.
    ends: Vec<usize>,
    pub recording: Recording,
}

impl Recorded {
    pub(crate) fn new(session: &Session, setup: Setup) -> Self {
        let disk = Disk::new();
        disk.record();
        let mut ends = Vec::new();
        let expected = expected(session, setup, &disk, || ends.push(disk.recorded()));
        Self { expected, ends, recording: disk.take_recording().unwrap() }
    }

    /// How many steps had ended after so many changes.
    fn steps_done(&self, changes: usize) -> usize {
        self.ends.partition_point(|end| *end <= changes)
    }

    /// The first of the states that a crash after so many changes may leave, as a number of steps.
    fn steps_durable(&self, changes: usize, loss: Loss, setup: Setup) -> usize {
        let done = self.steps_done(changes);
        match (loss, setup.journal, setup.synchronous) {
            (Loss::Nothing, ..) => done,
            (_, "wal", "NORMAL") => self.steps_done(self.recording.last_sync(changes, "-wal")),
            // That the journal was deleted may not last, which takes the last transaction back.
            (Loss::Everything, "delete", _) => {
                let last = done.checked_sub(1).map_or(0, |last| self.ends[last]);
                self.ends.partition_point(|end| *end < last)
            }
            _ => done,
        }
    }

    /// What the database holds after so many steps.
    fn state(&self, steps: usize) -> &[String] {
        steps.checked_sub(1).map_or(&[], |last| self.expected.dumps[last].as_slice())
    }
}

/// A crash after so many changes, and the session from there to its end.
pub(crate) fn run(
    session: &Session,
    setup: Setup,
    recorded: &Recorded,
    changes: usize,
    loss: Loss,
) -> Result<Disturbances, String> {
    let memory_before = allocator::memory_used();
    let disk = Disk::with_files(recorded.recording.crash(changes, loss));
    let mut client = Client::new(session, setup, &disk);
    client.open()?;
    let found = client.dump()?;
    let done = recorded.steps_done(changes);
    let possible = recorded.steps_durable(changes, loss, setup)..=(done + 1).min(session.steps.len());
    let Some(reached) = possible.clone().rev().find(|steps| recorded.state(*steps) == found) else {
        let differs = difference(&found, recorded.state(done));
        return Err(format!(
            "the state is none of those after {possible:?} steps; from the one after {done}:\n{differs}"
        ));
    };
    client.give_schema(reached)?;
    if client.dump()? != found {
        return Err(format!("opening changes the database:\n{}", difference(&client.dump()?, &found)));
    }
    client.uploads = done.checked_sub(1).map(|last| recorded.expected.uploads[last].clone()).unwrap_or_default();
    client.is_in_doubt = true;
    for (index, step) in session.steps.iter().enumerate().skip(reached) {
        let in_step = |problem| format!("step {index}, {:.300}: {problem}", format!("{step:?}"));
        client.take(index, &Undisturbed).map_err(in_step)?;
        if index == reached || matches!(step.kind, Kind::Query) {
            client.compare(index, &recorded.expected).map_err(in_step)?;
        }
    }
    client.compare_uploads(session.steps.len() - 1, &recorded.expected)?;
    let disturbances = client.disturbances;
    drop(client);
    check_memory(memory_before)?;
    Ok(disturbances)
}

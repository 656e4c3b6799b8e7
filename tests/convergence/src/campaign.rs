//! Runs many sessions on all processors, and reports the first that fails, with a short version of it.

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use crate::action::{Action, from_lines, to_lines};
use crate::generate::{Session, generate};
use crate::session::{Counts, run};
use crate::shrink::shrink;

/// Runs of a failing session in search of a shorter one.
const ATTEMPTS: usize = 600;

/// When to stop.
#[derive(Debug, Clone, Copy)]
pub enum Limit {
    /// After so many sessions.
    Sessions(u64),
    /// After so much time.
    Time(Duration),
}

/// A session that fails.
#[derive(Debug)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// What is wrong with the short version.
    pub message: String,
    /// The short version.
    pub session: Session,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Session { clients, actions } = &self.session;
        writeln!(formatter, "seed {} fails: {}", self.seed, self.message)?;
        writeln!(formatter, "As a file for tests/convergence/sessions:\n# seed {}\n# clients {clients}", self.seed)?;
        formatter.write_str(&to_lines(actions))
    }
}

/// Runs sessions with seeds from `first` on.
///
/// # Errors
/// The first session that fails.
pub fn run_many(first: u64, limit: Limit) -> Result<Counts, Box<Failure>> {
    let next = AtomicU64::new(first);
    let stop = AtomicBool::new(false);
    let result = Mutex::new((Counts::default(), None));
    let start = Instant::now();
    let work = || {
        while !stop.load(Ordering::Relaxed) {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            let is_over = match limit {
                Limit::Sessions(sessions) => seed - first >= sessions,
                Limit::Time(time) => start.elapsed() >= time,
            };
            if is_over {
                break;
            }
            let outcome = run_seed(seed);
            let mut result = result.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            match outcome {
                Ok(counts) => result.0 += counts,
                Err(failure) => {
                    stop.store(true, Ordering::Relaxed);
                    result.1.get_or_insert(failure);
                }
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(work))));
    let (counts, failure) = result.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    failure.map_or(Ok(counts), Err)
}

/// Runs the session of one seed.
///
/// # Errors
/// A short session that fails as this one did.
pub fn run_seed(seed: u64) -> Result<Counts, Box<Failure>> {
    let session = generate(seed);
    run_in_temporary(&session).map_err(|_| Box::new(shorten(seed, &session)))
}

/// Runs a session with files that are deleted afterwards.
///
/// # Errors
/// What is wrong.
pub fn run_in_temporary(session: &Session) -> Result<Counts, String> {
    let directory = tempfile::tempdir().map_err(|error| format!("no temporary directory: {error}"))?;
    run(session, directory.path())
}

/// A short session that fails as well.
pub fn shorten(seed: u64, session: &Session) -> Failure {
    let with = |actions: &[Action]| Session { clients: session.clients, actions: actions.to_vec() };
    let actions = shrink(&session.actions, ATTEMPTS, |actions| run_in_temporary(&with(actions)).is_err());
    let mut session = with(&actions);
    while session.clients > 1 {
        let fewer = Session { clients: session.clients - 1, actions: session.actions.clone() };
        if run_in_temporary(&fewer).is_ok() {
            break;
        }
        session = fewer;
    }
    let message = run_in_temporary(&session).err().unwrap_or_else(|| "not every time".to_owned());
    Failure { seed, message, session }
}

/// Runs the session in a file, which is as [`Failure`] prints it.
///
/// # Errors
/// What is wrong with the file, or with the session.
pub fn replay(file: &Path) -> Result<Counts, String> {
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    let clients = text.lines().find_map(|line| line.strip_prefix("# clients ")?.parse().ok());
    let clients = clients.ok_or_else(|| format!("{} does not say how many clients there are", file.display()))?;
    run_in_temporary(&Session { clients, actions: from_lines(&text)? })
}

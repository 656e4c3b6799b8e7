//! One long session: memory and files must stay as small as they are once everything was in use.

use std::collections::VecDeque;
use std::path::Path;
use std::time::{Duration, Instant};

use rowtide_driver::memory;
use rowtide_testkit::random::Random;

use crate::action::Action;
use crate::campaign::{run_in_temporary, shorten};
use crate::client::Stop;
use crate::generate::{Session, any_action};
use crate::session::{Counts, World};

/// Actions between two measurements.
const ACTIONS: usize = 150;
/// Measurements at least, however little time there is.
const MINIMUM_ROUNDS: usize = 30;
const CLIENTS: usize = 4;
/// Rounds in which a short session that fails is looked for.
const REMEMBERED_ROUNDS: usize = 256;

/// What was measured once everybody had converged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sample {
    /// Bytes that SQLite and the library have allocated.
    pub allocated: u64,
    /// Bytes of the process in memory; 0 where the system does not say.
    pub resident: u64,
    /// Bytes of the clients' files.
    pub files: u64,
}

/// What happened.
#[derive(Debug, Clone, Copy)]
pub struct Report {
    /// Actions and the rest; `sessions` is the number of measurements.
    pub counts: Counts,
    /// Least values in the middle third.
    pub before: Sample,
    /// Least values in the last third.
    pub after: Sample,
}

/// When to stop.
#[derive(Debug, Clone, Copy)]
pub enum Limit {
    /// After so many rounds.
    Rounds(usize),
    /// After so much time.
    Time(Duration),
}

impl Limit {
    fn is_reached(self, rounds: usize, start: Instant) -> bool {
        match self {
            Self::Rounds(limit) => rounds >= limit,
            Self::Time(limit) => start.elapsed() >= limit,
        }
    }
}

/// Goes on for so long, or for so many rounds at the end of which everybody has converged, with files in `directory`.
///
/// # Errors
/// What is wrong, or what grows.
pub fn run(seed: u64, limit: Limit, directory: &Path) -> Result<Report, String> {
    let start = Instant::now();
    let mut random = Random::new(seed);
    let mut world = World::new(CLIENTS, directory)?;
    let mut samples = Vec::new();
    let mut recent = Recent::default();
    while samples.len() < MINIMUM_ROUNDS || !limit.is_reached(samples.len(), start) {
        recent.begin_round();
        let round = (0..ACTIONS).map(|_| any_action(&mut random, CLIENTS, true)).chain([Action::Converge]);
        for action in round {
            recent.push(&action);
            world.act(&action).map_err(|message| {
                format!("seed {seed}, round {}: {action:?}: {message}\n{}", samples.len(), recent.shorten(seed))
            })?;
        }
        samples.push(measure(&mut world)?);
    }
    world.close()?;
    let counts = Counts { sessions: samples.len() as u64, ..world.counts() };
    let (before, after) = compare(&samples)?;
    Ok(Report { counts, before, after })
}

/// The actions of the last rounds.
#[derive(Debug, Default)]
struct Recent {
    rounds: VecDeque<Vec<Action>>,
}

impl Recent {
    fn begin_round(&mut self) {
        self.rounds.truncate(REMEMBERED_ROUNDS - 1);
        self.rounds.push_front(Vec::with_capacity(ACTIONS + 1));
    }

    fn push(&mut self, action: &Action) {
        self.rounds.front_mut().into_iter().for_each(|round| round.push(action.clone()));
    }

    /// A short session that fails as well, if the last rounds alone do.
    fn shorten(&self, seed: u64) -> String {
        let mut rounds = 1;
        while rounds <= self.rounds.len() {
            let actions = self.rounds.iter().take(rounds).rev().flatten().cloned().collect();
            let session = Session { clients: CLIENTS, actions };
            if run_in_temporary(&session).is_err() {
                return shorten(seed, &session).to_string();
            }
            rounds *= 2;
        }
        format!("The last {} rounds alone do not fail.", self.rounds.len())
    }
}

fn measure(world: &mut World) -> Result<Sample, String> {
    let mut files = 0;
    for client in world.clients() {
        files += client.file_size().map_err(|stop| match stop {
            Stop::Failure(message) => message,
            Stop::Killed | Stop::RolledBack => "disturbed".to_owned(),
        })?;
    }
    Ok(Sample { allocated: memory::used().unsigned_abs(), resident: resident(), files })
}

/// Second field of `/proc/self/statm`, in pages of 4 KiB.
fn resident() -> u64 {
    let statistics = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    statistics.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).unwrap_or(0) * 4096
}

/// Compares the least values of the middle third with those of the last: what leaks never comes down again.
fn compare(samples: &[Sample]) -> Result<(Sample, Sample), String> {
    let third = samples.len() / 3;
    let least = |samples: &[Sample]| {
        let least = |value: fn(&Sample) -> u64| samples.iter().map(value).min().unwrap_or(0);
        Sample {
            allocated: least(|sample| sample.allocated),
            resident: least(|sample| sample.resident),
            files: least(|sample| sample.files),
        }
    };
    let (before, after) = (least(&samples[third..2 * third]), least(&samples[2 * third..]));
    for (what, before, after, tolerance) in [
        ("allocated memory", before.allocated, after.allocated, 128 << 10),
        ("resident memory", before.resident, after.resident, 8 << 20),
        ("files", before.files, after.files, 64 << 10),
    ] {
        if after > before + before / 10 + tolerance {
            return Err(format!("{what} grows from {before} to {after} bytes"));
        }
    }
    Ok((before, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_grows_is_noticed() {
        let flat = Sample { allocated: 1 << 20, resident: 50 << 20, files: 1 << 20 };
        let growing = |grow: fn(&mut Sample, u64)| {
            let mut samples = vec![flat; 30];
            samples.iter_mut().zip(0..).for_each(|(sample, round)| grow(sample, round));
            compare(&samples)
        };
        assert_eq!(growing(|sample, round| sample.allocated += round % 2 * (1 << 20)), Ok((flat, flat)));
        assert!(growing(|sample, round| sample.allocated += round << 15).unwrap_err().contains("allocated"));
        assert!(growing(|sample, round| sample.resident += round << 21).unwrap_err().contains("resident"));
        assert!(growing(|sample, round| sample.files += round << 15).unwrap_err().contains("files"));
    }
}

//! When the storage is compacted, and how much at once: when there is nothing else to do, but not after each of a few
//! changes, and in steps that do not keep the next change waiting.

use std::time::{Duration, Instant};

/// How long to wait after compaction has come to its end. It syncs the file, so after each change it would take as much as
/// writing that.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a step should take at most. A change that comes meanwhile waits for its end.
const STEP_TIME: Duration = Duration::from_millis(10);

/// The fewest and the most operations of a step. Each step syncs the file, whatever it does.
const SMALLEST_STEP: usize = 100;
pub(super) const LARGEST_STEP: usize = 5_000;

/// Whether there is something to compact, from when on, and how much at once.
#[derive(Debug)]
pub(super) struct Compaction {
    has_work: bool,
    ended_at: Option<Instant>,
    step: usize,
}

impl Compaction {
    /// Whatever an earlier writer has left is compacted at once.
    pub(super) fn new() -> Self {
        Self { has_work: true, ended_at: None, step: 1_000 }
    }

    /// Something has changed.
    pub(super) fn changed(&mut self) {
        self.has_work = true;
    }

    /// How long to wait before the next step; none if there is nothing to compact.
    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        let left = |ended: Instant| PAUSE.saturating_sub(now.saturating_duration_since(ended));
        self.has_work.then(|| self.ended_at.map_or(Duration::ZERO, left))
    }

    /// How many operations the next step should do.
    pub(super) fn step(&self) -> usize {
        self.step
    }

    /// A step was done, which took so long.
    pub(super) fn stepped(&mut self, has_more: bool, took: Duration, now: Instant) {
        if took > STEP_TIME {
            self.step = (self.step / 2).max(SMALLEST_STEP);
        } else if has_more && took < STEP_TIME / 2 {
            self.step = self.step.saturating_mul(2).min(LARGEST_STEP);
        }
        self.has_work = has_more;
        self.ended_at = (!has_more).then_some(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_follow_each_other_and_then_there_is_a_pause() {
        let (mut compaction, now) = (Compaction::new(), Instant::now());
        assert_eq!(compaction.wait(now), Some(Duration::ZERO));
        compaction.stepped(true, STEP_TIME, now);
        assert_eq!(compaction.wait(now), Some(Duration::ZERO));
        compaction.stepped(false, STEP_TIME, now);
        assert_eq!(compaction.wait(now + PAUSE), None);
        compaction.changed();
        assert_eq!(compaction.wait(now), Some(PAUSE));
        assert_eq!(compaction.wait(now + PAUSE), Some(Duration::ZERO));
    }
    #[test]
    fn steps_become_smaller_until_they_are_short_enough() {
        let (mut compaction, now) = (Compaction::new(), Instant::now());
        let mut sizes = |took: Duration| {
            for _ in 0..10 {
                compaction.stepped(true, took, now);
            }
            compaction.step()
        };
        assert_eq!(sizes(STEP_TIME * 2), 100);
        assert_eq!(sizes(STEP_TIME), 100);
        assert_eq!(sizes(STEP_TIME / 4), 5_000);
        assert_eq!(sizes(STEP_TIME), 5_000);
    }
}

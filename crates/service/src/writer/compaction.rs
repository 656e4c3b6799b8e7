//! When the storage is compacted: when there is nothing else to do, but not after each of a few changes.

use std::time::{Duration, Instant};

/// How long to wait after compaction has come to its end. It syncs the file, so after each change it would take as much as
/// writing that.
const PAUSE: Duration = Duration::from_secs(1);

/// Whether there is something to compact, and from when on.
#[derive(Debug)]
pub(super) struct Compaction {
    has_work: bool,
    ended_at: Option<Instant>,
}

impl Compaction {
    /// Whatever an earlier writer has left is compacted at once.
    pub(super) fn new() -> Self {
        Self { has_work: true, ended_at: None }
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

    /// A step was done.
    pub(super) fn stepped(&mut self, has_more: bool, now: Instant) {
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
        compaction.stepped(true, now);
        assert_eq!(compaction.wait(now), Some(Duration::ZERO));
        compaction.stepped(false, now);
        assert_eq!(compaction.wait(now + PAUSE), None);
        compaction.changed();
        assert_eq!(compaction.wait(now), Some(PAUSE));
        assert_eq!(compaction.wait(now + PAUSE), Some(Duration::ZERO));
    }
}

//! What changes of the status mean for people, in sentences.

use std::collections::BTreeSet;
use std::time::Duration;

use rowtide_client::Status;

use super::end::{End, refused, waiting, writes};
use crate::output::count;

/// From so many operations on, their rate says something.
const RATED: u64 = 1_000;

/// A sentence.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sentence {
    Said(String),
    /// Something is wrong.
    Warned(String),
}

/// Tells each thing once.
#[derive(Default)]
pub(super) struct Report {
    before: Status,
    was_connected: bool,
    /// Operations and time at the last sentence about a checkpoint.
    told: (u64, Duration),
    /// What was said to be wrong since the last checkpoint: trying again fails the same way.
    wrong: BTreeSet<String>,
    has_told_of_return: bool,
    /// Writes that have left the queue, and are not told of yet.
    uploaded: u64,
    has_warned_of_queue: bool,
}

impl Report {
    /// What is to be said now.
    pub(super) fn of(&mut self, status: &Status, end: &End) -> Vec<Sentence> {
        let mut sentences = Vec::new();
        self.connection(status, &mut sentences);
        self.checkpoints(status, &mut sentences);
        self.uploads(status, end, &mut sentences);
        for error in [&status.download_error, &status.upload_error].into_iter().flatten() {
            if self.wrong.insert(error.clone()) {
                sentences.push(Sentence::Warned(format!("error: {error}")));
            }
        }
        self.before = status.clone();
        sentences
    }

    /// Whether this was said to be wrong.
    pub(super) fn has_said(&self, message: &str) -> bool {
        self.wrong.contains(message)
    }

    fn connection(&mut self, status: &Status, sentences: &mut Vec<Sentence>) {
        if status.waits_for_lock && !self.before.waits_for_lock {
            let text = "another process syncs this file; this one takes over when that one ends";
            sentences.push(Sentence::Said(text.to_owned()));
        }
        if !status.connected || status.download_error.is_some() {
            return;
        }
        if !self.was_connected {
            self.was_connected = true;
            sentences.push(Sentence::Said("connected".to_owned()));
        } else if !self.wrong.is_empty() && self.before.download_error.is_some() && !self.has_told_of_return {
            self.has_told_of_return = true;
            sentences.push(Sentence::Said("connected again".to_owned()));
        }
    }

    fn checkpoints(&mut self, status: &Status, sentences: &mut Vec<Sentence>) {
        let (first, last) = (self.before.checkpoints + 1, status.checkpoints);
        if last < first {
            return;
        }
        let name = if first == last { format!("checkpoint {last}") } else { format!("checkpoints {first} to {last}") };
        let (operations, time) = std::mem::replace(&mut self.told, (status.operations, status.download_time));
        let (operations, time) = (status.operations - operations, status.download_time.saturating_sub(time));
        sentences.push(Sentence::Said(format!("{name}: {}", received(operations, time))));
        self.wrong.clear();
        self.has_told_of_return = false;
    }

    fn uploads(&mut self, status: &Status, end: &End, sentences: &mut Vec<Sentence>) {
        self.uploaded += self.before.queued.saturating_sub(status.queued);
        let rejected = status.rejected - self.before.rejected;
        if status.queued == 0 && self.uploaded > 0 {
            let uploaded = std::mem::take(&mut self.uploaded);
            sentences.push(Sentence::Said(format!("uploaded {}", writes(uploaded))));
        }
        if rejected > 0 && !end.once {
            sentences.push(Sentence::Warned(format!("warning: {}", refused(rejected))));
        }
        if let Some(blocked) = &status.blocked_by
            && self.before.blocked_by.as_ref() != Some(blocked)
        {
            let why = blocked.message.as_ref().map(|message| format!(": {message}")).unwrap_or_default();
            sentences.push(Sentence::Warned(format!(
                "warning: the backend leaves transaction {} to the app ({}{why}), and it blocks the upload queue: decide with \
                 powersync_crud_reject, or change what the backend takes",
                blocked.transaction_id, blocked.error_code
            )));
        }
        let waits = !end.has_upload && status.queued > 0;
        if waits && !self.has_warned_of_queue && !end.once {
            sentences.push(Sentence::Warned(format!("warning: {}", waiting(status.queued))));
        }
        self.has_warned_of_queue = waits;
    }
}

/// Operations, and how long they took without pauses.
fn received(operations: u64, time: Duration) -> String {
    let phrase = match operations {
        0 => return "nothing new".to_owned(),
        1 => "1 operation".to_owned(),
        _ => format!("{} operations", count(operations)),
    };
    let seconds = time.as_secs_f64();
    if operations < RATED || seconds <= 0.0 {
        return phrase;
    }
    let rate = operations as f64 / seconds;
    format!("{phrase} in {seconds:.2} s, {} a second", count(rate as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(sentences: Vec<Sentence>) -> Vec<String> {
        let text = |sentence| match sentence {
            Sentence::Said(text) | Sentence::Warned(text) => text,
        };
        sentences.into_iter().map(text).collect()
    }

    #[test]
    fn each_thing_is_told_once() {
        let (mut report, mut status) = (Report::default(), Status::default());
        let end = End { once: false, has_upload: true };
        let mut after = |change: &dyn Fn(&mut Status)| {
            change(&mut status);
            said(report.of(&status, &end))
        };
        let away = |status: &mut Status| (status.connected, status.download_error) = (false, Some("away".to_owned()));
        let back = |status: &mut Status| (status.connected, status.download_error) = (true, None);
        assert_eq!(after(&away), ["error: away"]);
        assert_eq!(after(&back), ["connected"]);
        for _ in 0..3 {
            assert!(after(&away).is_empty(), "said before");
            assert!(after(&|status| status.download_error = Some("away".to_owned())).is_empty());
            let again = after(&back);
            assert!(again.is_empty() || again == ["connected again"], "{again:?}");
        }
        assert_eq!(after(&|status| (status.checkpoints, status.operations) = (1, 7)), ["checkpoint 1: 7 operations"]);
        assert_eq!(after(&away), ["error: away"]);
        assert_eq!(after(&back), ["connected again"]);
        assert_eq!(after(&|status| status.checkpoints = 2), ["checkpoint 2: nothing new"]);
        let many = |status: &mut Status| {
            (status.checkpoints, status.operations, status.download_time) = (4, 10_007, Duration::from_millis(500));
        };
        let (operations, rate) = (count(10_000), count(20_000));
        let sentence = format!("checkpoints 3 to 4: {operations} operations in 0.50 s, {rate} a second");
        assert_eq!(after(&many), [sentence]);
        assert!(after(&|status| status.queued = 3).is_empty());
        assert!(after(&|status| status.queued = 1).is_empty());
        assert_eq!(after(&|status| status.queued = 0), ["uploaded 3 writes"]);
        let rejected = after(&|status| status.rejected = 1);
        assert!(rejected[0].starts_with("warning: the backend has refused 1 transaction"), "{rejected:?}");
    }

    #[test]
    fn writes_that_nobody_uploads_are_told_of_each_time_that_there_are_some() {
        let (mut report, mut status) = (Report::default(), Status::default());
        let end = End { once: false, has_upload: false };
        let mut with = |queued| {
            status.queued = queued;
            said(report.of(&status, &end)).len()
        };
        assert_eq!([1, 2, 0, 1].map(&mut with), [1, 0, 1, 1]);
    }
}

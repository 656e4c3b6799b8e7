//! What an answer with an error means, by its status and code.

use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// The longest pause after an error, unless the deployment asks for a longer one.
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The longest pause that a deployment can ask for.
const LONGEST_ASKED: Duration = Duration::from_secs(3_600);

/// Why a request failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind of answer it is.
    pub kind: Kind,
    /// What to do about it.
    pub class: Class,
    /// What was being done and why it failed, without the key and without values of documents.
    pub message: String,
}

/// Kinds of answers that are no success.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// There is no such route.
    NoRoute,
    /// The deployment does not have the position, snapshot or cursor any more.
    Lost,
    /// The request is one that the deployment does not take.
    Refused,
    /// The request is larger than the deployment takes.
    TooLarge,
    /// Anything else, also that there is no answer.
    Other,
}

/// What to do about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Try again after this time.
    Retry(Duration),
    /// The deployment has forgotten what came after the position.
    Lost,
    /// A person has to change something.
    Configuration,
}

impl Failure {
    /// A person has to change something.
    pub fn configuration(message: impl Into<String>) -> Self {
        Self { kind: Kind::Refused, class: Class::Configuration, message: message.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// An answer that is no success.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answered<'a> {
    pub(crate) status: u16,
    /// Of the body, if it has one.
    pub(crate) code: Option<&'a str>,
    /// What the deployment asks for.
    pub(crate) retry_after: Option<Duration>,
}

/// What an answer means. `what` is what was being done, for instance `Reading a snapshot`.
pub(crate) fn classify(what: &str, answered: Answered<'_>, pauses: &Pauses) -> Failure {
    let Answered { status, retry_after, .. } = answered;
    let code = answered.code.filter(|code| code.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_'));
    let shown = match code {
        Some(code) => format!("{status} {code}"),
        None => status.to_string(),
    };
    let failure = |kind, class, text: &str| Failure {
        kind,
        class,
        message: format!("{what}: the Convex deployment answers {shown}{text}"),
    };
    match (status, code.unwrap_or_default()) {
        (400, "InvalidWindowToReadDocuments" | "SnapshotTooOld" | "SnapshotTooNew" | "InvalidListSnapshotCursor") => {
            failure(Kind::Lost, Class::Lost, ": it has forgotten what came after this position")
        }
        (400, "BadFormat") => failure(
            Kind::Refused,
            Class::Configuration,
            ": it does not know the format json; is it a Convex deployment?",
        ),
        (403, "StreamingExportNotEnabled") => failure(
            Kind::Refused,
            Class::Configuration,
            ": its plan has no streaming export, which the service reads by",
        ),
        (401 | 403, _) => failure(
            Kind::Other,
            Class::Configuration,
            ": the deploy key is not valid for it; create another one and give it as CONVEX_DEPLOY_KEY",
        ),
        // The cursor of the sync API is made again from the position when the stream is opened.
        (404, _) => failure(Kind::NoRoute, Class::Retry(pauses.next(retry_after)), ""),
        (413, _) => failure(Kind::TooLarge, Class::Retry(pauses.next(retry_after)), ": the request is too large"),
        (429, _) => failure(Kind::Other, Class::Retry(pauses.next(retry_after)), ": too many requests"),
        (400..=499, _) => failure(Kind::Refused, Class::Retry(pauses.next(retry_after)), ""),
        _ => failure(Kind::Other, Class::Retry(pauses.next(retry_after)), ""),
    }
}

/// Pauses after requests that failed, one after the other.
#[derive(Debug)]
pub(crate) struct Pauses {
    first: Duration,
    failures: AtomicU32,
}

impl Pauses {
    pub(crate) fn new(first: Duration) -> Self {
        Self { first, failures: AtomicU32::new(0) }
    }

    /// A request has worked.
    pub(crate) fn worked(&self) {
        self.failures.store(0, Ordering::Relaxed);
    }

    /// The pause after another failure.
    pub(crate) fn next(&self, asked: Option<Duration>) -> Duration {
        let failures = self.failures.fetch_add(1, Ordering::Relaxed);
        // Keyed anew in each process, so that several do not come at once.
        let random = RandomState::new().hash_one(failures) >> 32;
        pause(self.first, failures, u32::try_from(random).unwrap_or(0), asked)
    }
}

/// Twice as long each time, between half of it and all of it by chance; not shorter than what was asked for.
fn pause(first: Duration, failures: u32, random: u32, asked: Option<Duration>) -> Duration {
    let whole = first.saturating_mul(1 << failures.min(20)).min(LONGEST_PAUSE.max(first));
    let chosen = whole / 2 + (whole / 2).mul_f64(f64::from(random) / f64::from(u32::MAX));
    asked.map_or(chosen, |asked| chosen.max(asked.min(LONGEST_ASKED)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(status: u16, code: Option<&str>) -> Failure {
        classify("Reading", Answered { status, code, retry_after: None }, &Pauses::new(Duration::from_secs(1)))
    }

    #[test]
    fn errors_are_told_apart_by_their_codes() {
        for code in ["InvalidWindowToReadDocuments", "SnapshotTooOld", "SnapshotTooNew", "InvalidListSnapshotCursor"] {
            let failure = of(400, Some(code));
            assert_eq!((failure.kind, failure.class), (Kind::Lost, Class::Lost), "{code}");
            assert!(failure.message.contains(code));
        }
        for (status, code) in
            [(400, "BadFormat"), (403, "StreamingExportNotEnabled"), (401, "BadDeployKey"), (403, "x")]
        {
            assert_eq!(of(status, Some(code)).class, Class::Configuration, "{code}");
        }
        for (status, code) in
            [(400, "DocumentDeltasCursorRequired"), (404, "x"), (429, "x"), (500, "x"), (503, "x"), (302, "x")]
        {
            assert!(matches!(of(status, Some(code)).class, Class::Retry(_)), "{status} {code}");
        }
        assert_eq!(of(404, None).kind, Kind::NoRoute);
        assert!(!of(500, Some("a <b> row")).message.contains("row"), "only codes are repeated");
    }

    #[test]
    fn pauses_grow_and_are_not_shorter_than_asked_for() {
        let first = Duration::from_secs(1);
        for failures in 0..100 {
            let (low, high) = (pause(first, failures, 0, None), pause(first, failures, u32::MAX, None));
            let whole = Duration::from_secs(1 << failures.min(10)).min(LONGEST_PAUSE);
            assert!(low >= whole / 2 && low <= high && high <= whole, "{failures}: {low:?} {high:?}");
        }
        assert_eq!(pause(first, 0, 0, Some(Duration::from_secs(90))), Duration::from_secs(90));
        assert_eq!(pause(first, 0, 0, Some(Duration::from_secs(90_000))), LONGEST_ASKED);
        let pauses = Pauses::new(first);
        for _ in 0..9 {
            let _ = pauses.next(None);
        }
        assert!(pauses.next(None) >= LONGEST_PAUSE / 2);
        pauses.worked();
        assert!(pauses.next(None) <= first);
    }
}

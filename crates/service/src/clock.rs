//! The system's clock, in µs since 1970, which everything below takes as an argument.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Now.
pub(crate) fn now() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX)
}

/// The time from now until then; none if it has passed.
pub(crate) fn until(then: i64) -> Duration {
    Duration::from_micros(u64::try_from(then.saturating_sub(now())).unwrap_or(0))
}

//! How long to wait after failures.

use std::time::Duration;

use crate::options::Timing;

/// Delays that double, up to a limit.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    next: Duration,
}

impl Backoff {
    pub(crate) fn new(timing: &Timing) -> Self {
        let first = timing.first_delay.min(timing.longest_delay);
        Self { first, longest: timing.longest_delay, next: first }
    }

    /// The next delay. Up to a quarter is added at random, so that the clients of a service that was down do not all come
    /// back at once.
    pub(crate) fn delay(&mut self) -> Duration {
        let delay = self.next;
        self.next = delay.saturating_mul(2).min(self.longest);
        delay.saturating_add(delay.mul_f64(fastrand::f64() / 4.0))
    }

    /// It works again.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_double_up_to_the_longest() {
        let timing =
            Timing { first_delay: Duration::from_secs(1), longest_delay: Duration::from_secs(5), ..Timing::default() };
        let mut backoff = Backoff::new(&timing);
        let mut next_is = |seconds: u32| {
            let (delay, least) = (backoff.delay(), Duration::from_secs(seconds.into()));
            assert!(delay >= least && delay <= least * 5 / 4, "{delay:?} for {least:?}");
        };
        for seconds in [1, 2, 4, 5, 5] {
            next_is(seconds);
        }
        backoff.reset();
        let delay = backoff.delay();
        assert!(delay < Duration::from_millis(1251), "{delay:?}");
    }

    #[test]
    fn delays_differ() {
        let mut backoff = Backoff::new(&Timing::default());
        let delays: std::collections::BTreeSet<Duration> = (0..20).map(|_| backoff.delay()).collect();
        assert!(delays.len() > 10, "{delays:?}");
    }
}

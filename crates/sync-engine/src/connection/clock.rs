//! When a connection has to say how long its token is valid. The time is an argument, in µs since 1970.

const SECOND: i64 = 1_000_000;
/// How long before the expiry the client is warned, whatever was sent before.
const WARNING: i64 = 20 * SECOND;

/// The clock lines of a connection.
#[derive(Debug)]
pub(super) struct Clock {
    expires_at: i64,
    /// Until it has been sent.
    warn_at: Option<i64>,
    /// None if the transport has its own keep-alives.
    keep_alive_at: Option<i64>,
    /// Time between keep-alive lines, ± 10 %, so that connections opened together do not stay together.
    interval: i64,
    random: u64,
}

impl Clock {
    pub(super) fn new(now: i64, expires_at: i64, keep_alive: Option<i64>, seed: u64) -> Self {
        let warn_at = Some(expires_at.saturating_sub(WARNING));
        let interval = keep_alive.unwrap_or_default();
        let mut clock = Self { expires_at, warn_at, keep_alive_at: None, interval, random: seed };
        clock.keep_alive_at = keep_alive.map(|_| now.saturating_add(clock.pause()));
        clock
    }

    pub(super) fn is_expired(&self, now: i64) -> bool {
        now >= self.expires_at
    }

    pub(super) fn expiry(&self) -> i64 {
        self.expires_at
    }

    /// Seconds until the expiry, if a line with them is due.
    pub(super) fn due(&mut self, now: i64) -> Option<i64> {
        let reached = |at: Option<i64>| at.is_some_and(|at| at <= now);
        if !reached(self.warn_at) && !reached(self.keep_alive_at) {
            return None;
        }
        if reached(self.warn_at) {
            self.warn_at = None;
        }
        if reached(self.keep_alive_at) {
            self.keep_alive_at = Some(now.saturating_add(self.pause()));
        }
        // Rounded up: 0 means that it has expired.
        Some(self.expires_at.saturating_sub(now).saturating_add(SECOND - 1) / SECOND)
    }

    /// When [`Clock::due`] or [`Clock::is_expired`] changes.
    pub(super) fn next(&self) -> i64 {
        [self.warn_at, self.keep_alive_at].into_iter().flatten().fold(self.expires_at, i64::min)
    }

    /// A pseudo-random time between two keep-alive lines (SplitMix64).
    fn pause(&mut self) -> i64 {
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let tenth = (self.interval / 10).max(0);
        let range = tenth.saturating_mul(2).saturating_add(1).unsigned_abs();
        self.interval.saturating_sub(tenth).saturating_add((mixed % range).cast_signed())
    }
}

//! When something fails: the n-th time that it is asked for, once or from then on.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Counts calls of one kind, and says which of them fail. While it is not active, calls neither count nor fail.
#[derive(Debug, Default)]
pub struct Countdown {
    /// How many calls are served before one fails, plus one; 0 when none is to fail.
    remaining: AtomicU64,
    calls: AtomicU64,
    goes_on: AtomicBool,
    is_active: AtomicBool,
    has_failed: AtomicBool,
}

impl Countdown {
    /// One that lets nothing fail.
    pub const fn new() -> Self {
        Self {
            remaining: AtomicU64::new(0),
            calls: AtomicU64::new(0),
            goes_on: AtomicBool::new(false),
            is_active: AtomicBool::new(false),
            has_failed: AtomicBool::new(false),
        }
    }

    /// The call with this number (from 0) is to fail, and with `goes_on` all that follow. Inactive at first.
    pub fn fail(&self, number: u64, goes_on: bool) {
        self.heal();
        self.has_failed.store(false, Ordering::Relaxed);
        self.calls.store(0, Ordering::Relaxed);
        self.goes_on.store(goes_on, Ordering::Relaxed);
        self.remaining.store(number.saturating_add(1), Ordering::Relaxed);
    }

    /// Whether calls count from now on.
    pub fn set_active(&self, is_active: bool) {
        self.is_active.store(is_active, Ordering::Relaxed);
    }

    /// Nothing fails any more.
    pub fn heal(&self) {
        self.set_active(false);
        self.remaining.store(0, Ordering::Relaxed);
    }

    /// Whether a call has failed since [`Countdown::fail`].
    pub fn has_failed(&self) -> bool {
        self.has_failed.load(Ordering::Relaxed)
    }

    /// How many calls were made while active since [`Countdown::fail`].
    pub fn calls(&self) -> u64 {
        self.calls.load(Ordering::Relaxed)
    }

    /// Counts a call. Tells whether it fails.
    pub(super) fn is_due(&self) -> bool {
        if !self.is_active.load(Ordering::Relaxed) {
            return false;
        }
        self.calls.fetch_add(1, Ordering::Relaxed);
        let remaining = self.remaining.load(Ordering::Relaxed);
        let is_due = remaining == 1;
        if remaining > 1 || is_due && !self.goes_on.load(Ordering::Relaxed) {
            self.remaining.store(remaining - 1, Ordering::Relaxed);
        }
        if is_due {
            self.has_failed.store(true, Ordering::Relaxed);
        }
        is_due
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_call_or_all_from_it_on_fail_while_active() {
        let countdown = Countdown::new();
        let calls = |goes_on| {
            countdown.fail(2, goes_on);
            assert!(!countdown.is_due() && !countdown.has_failed(), "inactive");
            countdown.set_active(true);
            let calls: Vec<bool> = (0..5).map(|_| countdown.is_due()).collect();
            countdown.heal();
            assert!(!countdown.is_due() && countdown.has_failed());
            assert_eq!(countdown.calls(), 5);
            calls
        };
        assert_eq!(calls(false), [false, false, true, false, false]);
        assert_eq!(calls(true), [false, false, true, true, true]);
    }
}

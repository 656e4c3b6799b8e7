//! How far the buckets of a checkpoint are downloaded: per bucket, and as running sums per priority and per stream
//! (docs/reference/sync-client.md#checkpoint).
//!
//! The sums follow each change of a bucket, so that a status costs nothing per bucket. They are kept in 128 bits:
//! whatever counts a service announces, adding up and taking away again gives exactly what was there before.

use alloc::vec::Vec;

use rowtide_protocol::{Priority, SubscriptionReason};

use super::instruction::BucketProgress;
use crate::error::Result;

/// The operations of one bucket, as counted for the progress.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct BucketCounts {
    /// Operations announced by the checkpoint.
    pub count: Option<i64>,
    /// Operations in the bucket at the last full checkpoint.
    pub at_last: i64,
    /// Operations received since.
    pub since_last: i64,
}

impl BucketCounts {
    /// Operations to download since the last full checkpoint.
    pub(super) fn total(&self) -> i64 {
        self.count.unwrap_or(0).saturating_sub(self.at_last.max(0)).max(0)
    }

    /// Those of them that are downloaded: a service may send more than it announced.
    pub(super) fn downloaded(&self) -> i64 {
        self.since_last.clamp(0, self.total())
    }

    /// Whether more operations are counted than the bucket has, because it was compacted.
    pub(super) fn has_shrunk(&self) -> bool {
        self.count.is_some_and(|count| self.at_last.saturating_add(self.since_last) > count)
    }

    /// The counts after the bucket was part of a published full checkpoint.
    pub(super) fn settled(&self) -> Self {
        match self.count {
            Some(count) => Self { count: self.count, at_last: count, since_last: 0 },
            None => *self,
        }
    }

    /// Forgets what was counted, but not what was announced.
    pub(super) fn reset(&mut self) {
        *self = Self { count: self.count, ..Self::default() };
    }

    /// The counts as reported for this bucket alone.
    pub(super) fn report(&self, priority: Priority) -> BucketProgress {
        let at_last = self.at_last.max(0);
        BucketProgress {
            priority,
            at_last,
            since_last: self.downloaded(),
            target_count: at_last.saturating_add(self.total()),
        }
    }
}

/// A sum over buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Sum {
    total: i128,
    downloaded: i128,
}

impl Sum {
    /// Operations to download.
    pub(super) fn total(&self) -> i64 {
        i64::try_from(self.total).unwrap_or(i64::MAX)
    }

    /// Operations downloaded, at most [`Self::total`].
    pub(super) fn downloaded(&self) -> i64 {
        i64::try_from(self.downloaded).unwrap_or(i64::MAX)
    }

    fn add(&mut self, counts: &BucketCounts) {
        self.total = self.total.wrapping_add(counts.total().into());
        self.downloaded = self.downloaded.wrapping_add(counts.downloaded().into());
    }

    fn subtract(&mut self, counts: &BucketCounts) {
        self.total = self.total.wrapping_sub(counts.total().into());
        self.downloaded = self.downloaded.wrapping_sub(counts.downloaded().into());
    }
}

/// The sum over some buckets, and how many of them have which priority.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct StreamSum {
    /// The progress of all of them.
    pub sum: Sum,
    buckets: [usize; Priority::ALL.len()],
    /// The change that this sum took part in last: a bucket may name the same reason twice.
    change: u64,
}

impl StreamSum {
    /// The least urgent priority among the buckets, None without buckets.
    pub(super) fn priority(&self) -> Option<Priority> {
        let priorities = Priority::ALL.into_iter().zip(self.buckets);
        priorities.filter(|(_, buckets)| *buckets > 0).fold(None, |_, (priority, _)| Some(priority))
    }
}

/// The running sums over the buckets of a checkpoint.
#[derive(Debug, Default)]
pub(super) struct ProgressSums {
    priorities: [Sum; Priority::ALL.len()],
    buckets: [usize; Priority::ALL.len()],
    by_default_stream: Vec<StreamSum>,
    by_subscription: Vec<StreamSum>,
    changes: u64,
}

impl ProgressSums {
    /// Sums over no bucket yet, for this number of streams in the checkpoint and of subscriptions in the request.
    pub(super) fn new(streams: usize, subscriptions: usize) -> Result<Self> {
        Ok(Self { by_default_stream: zeros(streams)?, by_subscription: zeros(subscriptions)?, ..Self::default() })
    }

    /// Sums of the same kinds over no bucket yet.
    pub(super) fn emptied(&self) -> Result<Self> {
        Self::new(self.by_default_stream.len(), self.by_subscription.len())
    }

    /// A copy.
    pub(super) fn copy(&self) -> Result<Self> {
        let mut copy =
            Self { priorities: self.priorities, buckets: self.buckets, changes: self.changes, ..Self::default() };
        for (from, to) in
            [(&self.by_default_stream, &mut copy.by_default_stream), (&self.by_subscription, &mut copy.by_subscription)]
        {
            to.try_reserve_exact(from.len())?;
            to.extend_from_slice(from);
        }
        Ok(copy)
    }

    /// The priorities of the buckets, most urgent first, with the sums over their buckets.
    pub(super) fn priorities(&self) -> impl Iterator<Item = (Priority, Sum)> {
        let in_use = Priority::ALL.into_iter().zip(self.priorities).zip(self.buckets);
        in_use.filter_map(|((priority, sum), buckets)| (buckets > 0).then_some((priority, sum)))
    }

    /// The sum over the buckets that name `reason`; over none if the reason names nothing.
    pub(super) fn of_reason(&self, reason: SubscriptionReason) -> StreamSum {
        let sum = match reason {
            SubscriptionReason::Default(index) => self.by_default_stream.get(index),
            SubscriptionReason::Subscription(index) => self.by_subscription.get(index),
        };
        sum.copied().unwrap_or_default()
    }

    /// Whether there are buckets, all of them of the most urgent priority.
    pub(super) fn is_all_highest_priority(&self) -> bool {
        let mut priorities = self.priorities().map(|(priority, _)| priority);
        priorities.next() == Some(Priority::HIGHEST) && priorities.next().is_none()
    }

    /// Counts a bucket in.
    pub(super) fn add(&mut self, priority: Priority, counts: &BucketCounts, reasons: &[SubscriptionReason]) {
        self.change(priority, reasons, |sum, buckets| {
            sum.add(counts);
            *buckets = buckets.saturating_add(1);
        });
    }

    /// Takes a bucket out that was counted in with the same arguments.
    pub(super) fn subtract(&mut self, priority: Priority, counts: &BucketCounts, reasons: &[SubscriptionReason]) {
        self.change(priority, reasons, |sum, buckets| {
            sum.subtract(counts);
            debug_assert!(*buckets > 0, "a bucket is taken out that was not counted in");
            *buckets = buckets.saturating_sub(1);
        });
    }

    /// Changes every sum that a bucket takes part in, each once.
    fn change(&mut self, priority: Priority, reasons: &[SubscriptionReason], change: impl Fn(&mut Sum, &mut usize)) {
        let index = usize::from(priority.get());
        debug_assert!(index < self.priorities.len(), "there is no sum for a priority");
        if let (Some(sum), Some(buckets)) = (self.priorities.get_mut(index), self.buckets.get_mut(index)) {
            change(sum, buckets);
        }
        self.changes = self.changes.wrapping_add(1);
        let number = self.changes;
        for &reason in reasons {
            let Some(stream) = self.of_reason_mut(reason).filter(|stream| stream.change != number) else { continue };
            stream.change = number;
            if let Some(buckets) = stream.buckets.get_mut(index) {
                change(&mut stream.sum, buckets);
            }
        }
    }

    fn of_reason_mut(&mut self, reason: SubscriptionReason) -> Option<&mut StreamSum> {
        match reason {
            SubscriptionReason::Default(index) => self.by_default_stream.get_mut(index),
            SubscriptionReason::Subscription(index) => self.by_subscription.get_mut(index),
        }
    }
}

fn zeros(length: usize) -> Result<Vec<StreamSum>> {
    let mut sums = Vec::new();
    sums.try_reserve_exact(length)?;
    sums.resize(length, StreamSum::default());
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::vec;
    use std::vec::Vec;

    impl ProgressSums {
        /// The number of subscriptions for which there are sums.
        pub(crate) fn subscriptions(&self) -> usize {
            self.by_subscription.len()
        }

        /// All figures, to compare.
        pub(crate) fn figures(&self) -> Vec<(Sum, Vec<usize>)> {
            let priorities = self.priorities.iter().zip(self.buckets).map(|(sum, buckets)| (*sum, vec![buckets]));
            let streams = self.by_default_stream.iter().chain(&self.by_subscription);
            priorities.chain(streams.map(|stream| (stream.sum, stream.buckets.to_vec()))).collect()
        }
    }

    const URGENT: Priority = Priority::HIGHEST;
    const LAZY: Priority = Priority::LOWEST;

    fn counts(count: Option<i64>, at_last: i64, since_last: i64) -> BucketCounts {
        BucketCounts { count, at_last, since_last }
    }

    #[test]
    fn downloaded_never_exceeds_total_and_nothing_is_negative() {
        for (counts, expected) in [
            (counts(Some(10), 4, 3), (6, 3)),
            (counts(Some(10), 4, 30), (6, 6)),
            (counts(Some(10), 12, 0), (0, 0)),
            (counts(None, 0, 5), (0, 0)),
            (counts(Some(10), 0, -5), (10, 0)),
            (counts(Some(i64::MAX), i64::MIN, i64::MAX), (i64::MAX, i64::MAX)),
            (counts(Some(i64::MIN), i64::MAX, 1), (0, 0)),
        ] {
            assert_eq!((counts.total(), counts.downloaded()), expected, "{counts:?}");
        }
    }

    #[test]
    fn a_bucket_has_shrunk_when_more_is_counted_than_announced() {
        assert!(counts(Some(3), 2, 2).has_shrunk());
        assert!(counts(Some(i64::MAX - 1), i64::MAX, i64::MAX).has_shrunk());
        assert!(!counts(Some(4), 2, 2).has_shrunk());
        assert!(!counts(None, 2, 2).has_shrunk());
    }

    #[test]
    fn a_published_bucket_starts_from_its_announced_count() {
        assert_eq!(counts(Some(9), 2, 5).settled(), counts(Some(9), 9, 0));
        assert_eq!(counts(None, 2, 5).settled(), counts(None, 2, 5));
    }

    #[test]
    fn a_report_stays_within_its_target() {
        let report = counts(Some(9), 2, 50).report(URGENT);
        assert_eq!((report.at_last, report.since_last, report.target_count), (2, 7, 9));
        let report = counts(None, 2, 5).report(URGENT);
        assert_eq!((report.at_last, report.since_last, report.target_count), (2, 0, 2));
    }

    #[test]
    fn sums_are_kept_per_priority_and_per_reason() {
        let mut sums = ProgressSums::new(1, 2).unwrap();
        let (default, first, second) =
            (SubscriptionReason::Default(0), SubscriptionReason::Subscription(0), SubscriptionReason::Subscription(1));
        sums.add(LAZY, &counts(Some(10), 4, 1), &[default, first, default]);
        sums.add(URGENT, &counts(Some(5), 0, 5), &[first, SubscriptionReason::Subscription(7)]);
        let priorities: Vec<_> = sums.priorities().map(|(p, sum)| (p, sum.total(), sum.downloaded())).collect();
        assert_eq!(priorities, [(URGENT, 5, 5), (LAZY, 6, 1)]);
        assert_eq!(sums.of_reason(default).priority(), Some(LAZY));
        assert_eq!(sums.of_reason(first).priority(), Some(LAZY));
        assert_eq!(sums.of_reason(first).sum.total(), 11);
        assert_eq!(sums.of_reason(second).priority(), None);
        assert_eq!(sums.of_reason(SubscriptionReason::Default(9)).priority(), None);

        assert!(!sums.is_all_highest_priority());
        sums.subtract(LAZY, &counts(Some(10), 4, 1), &[default, first, default]);
        assert!(sums.is_all_highest_priority());
        assert_eq!((sums.of_reason(default).sum, sums.of_reason(default).priority()), (Sum::default(), None));
        assert_eq!(sums.of_reason(first).priority(), Some(URGENT));
        sums.subtract(URGENT, &counts(Some(5), 0, 5), &[first]);
        assert!(!sums.is_all_highest_priority());
    }

    fn any_counts() -> impl Strategy<Value = BucketCounts> {
        let number = || prop_oneof![any::<i64>(), 0..20_i64, Just(i64::MAX), Just(i64::MIN)];
        (proptest::option::of(number()), number(), number()).prop_map(|(count, at_last, since_last)| BucketCounts {
            count,
            at_last,
            since_last,
        })
    }

    proptest! {
        #[test]
        fn taking_away_what_was_added_leaves_nothing(all in proptest::collection::vec((0..=3_i64, any_counts()), 0..20)) {
            let mut sums = ProgressSums::new(1, 0).unwrap();
            let reasons = [SubscriptionReason::Default(0)];
            for (priority, counts) in &all {
                sums.add(Priority::try_from(*priority).unwrap(), counts, &reasons);
                let sum = sums.of_reason(reasons[0]).sum;
                prop_assert!(0 <= sum.downloaded() && sum.downloaded() <= sum.total());
            }
            for (priority, counts) in &all {
                sums.subtract(Priority::try_from(*priority).unwrap(), counts, &reasons);
            }
            prop_assert_eq!(sums.figures(), ProgressSums::new(1, 0).unwrap().figures());
        }
    }
}

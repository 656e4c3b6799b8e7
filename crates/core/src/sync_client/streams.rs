//! Stream subscriptions: those stored, those requested from the service, and how both relate to the streams that a
//! checkpoint describes (docs/reference/sync-client.md#stream-subscriptions).
//!
//! The rows belong to the app, which may change them on any connection. So they are read again whenever they matter,
//! and each change writes only the columns that it is about.
//!
//! A row that was requested stays until the next request, even when the app unsubscribes and the service does not list
//! its stream. Of several rows of one default stream without an explicit subscription, the one without parameters has
//! the default buckets; without such a row, one that was subscribed without parameters after the request. A row with
//! parameters never counts as synced because of default buckets.

use alloc::string::String;
use alloc::vec::Vec;

use rowtide_json::writer::Json;
use rowtide_protocol::{Priority, SubscriptionReason, SubscriptionReference};

use super::event::{StreamKey, Subscribe};
use super::instruction::Instruction;
use super::memory::{format, push};
use super::progress::ProgressSums;
use super::requested::{Requested, is_expired, is_explicit};
use super::target::DescribedStream;
use crate::collections::{Index, Key};
use crate::error::Result;
use crate::sync_client::storage::{Finding, FindingKind, NewSubscription, Storage, StoredSubscription, Timestamp};

/// Seconds that a subscription lives after its last use, unless the SDK says otherwise.
const DEFAULT_TTL: i64 = 86_400;

/// The text of parameters that are not there.
const NO_PARAMETERS: &str = "null";

/// A stored subscription, and through which reason buckets belong to it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct StreamRow {
    /// The row as it is stored.
    pub stored: StoredSubscription,
    /// The reason that a bucket of the current checkpoint names if it belongs to this row.
    pub reason: Option<SubscriptionReason>,
}

fn expiry(now: Timestamp, ttl: i64) -> Timestamp {
    now.saturating_add(ttl.saturating_mul(1_000_000))
}

/// Inserts or renews a subscription.
pub(super) fn subscribe(command: &Subscribe, storage: &mut dyn Storage) -> Result<()> {
    let StreamKey { name, parameters } = &command.stream;
    let mut row = storage.find_or_insert_subscription(NewSubscription { stream_name: name, parameters })?;
    let ttl = command.ttl.unwrap_or(DEFAULT_TTL);
    row.ttl = Some(ttl);
    row.expires_at = Some(expiry(storage.now()?, ttl));
    let priority = command.priority.map(i64::from);
    row.local_priority = match (row.local_priority, priority) {
        (Some(old), Some(new)) => Some(old.min(new)),
        (old, new) => old.or(new),
    };
    storage.update_explicit_subscription(&row)
}

/// Ends an explicit subscription. Returns whether there is one of that name and parameters.
pub(super) fn unsubscribe(stream: &StreamKey, storage: &mut dyn Storage) -> Result<bool> {
    let wanted = NewSubscription { stream_name: &stream.name, parameters: &stream.parameters };
    let Some(mut row) = storage.find_subscription(wanted)? else { return Ok(false) };
    row.ttl = None;
    storage.update_explicit_subscription(&row)?;
    Ok(true)
}

/// All subscriptions, after those that are in use got their expiry extended.
pub(super) fn extend_expiry(
    in_use: &[StreamKey],
    now: Timestamp,
    storage: &mut dyn Storage,
) -> Result<Vec<StoredSubscription>> {
    let key_at = |position: usize| {
        debug_assert!(position < in_use.len(), "the index is of other streams");
        in_use.get(position).map_or(Key::Id(0), |key| Key::Part(&key.name, &key.parameters))
    };
    let index = Index::of(in_use.len(), &key_at)?;
    let mut rows = storage.subscriptions()?;
    for row in &mut rows {
        let Some(ttl) = row.ttl else { continue };
        if index.find(Key::Part(&row.stream_name, &row.parameters), &key_at).is_some() {
            row.expires_at = Some(expiry(now, ttl));
            storage.update_explicit_subscription(row)?;
        }
    }
    Ok(rows)
}

/// Deletes the subscriptions that a new request does not carry on, from storage and from `rows`.
///
/// The expiry of a row that is no explicit subscription (any more) does not matter.
pub(super) fn delete_ended(
    rows: &mut Vec<StoredSubscription>,
    now: Timestamp,
    storage: &mut dyn Storage,
) -> Result<()> {
    let has_ended = |row: &StoredSubscription| if is_explicit(row) { is_expired(row, now) } else { !row.active };
    for row in rows.iter().filter(|row| has_ended(row)) {
        storage.delete_subscription(row.id)?;
    }
    rows.retain(|row| !has_ended(row));
    Ok(())
}

/// Makes the stored subscriptions follow the streams that a checkpoint describes, and returns them.
pub(super) fn reconcile(
    described: &[DescribedStream],
    requested: &Requested,
    storage: &mut dyn Storage,
) -> Result<Vec<StreamRow>> {
    let name_at = |position: usize| {
        debug_assert!(position < described.len(), "the index is of other streams");
        Key::Name(described.get(position).map_or("", |stream| &stream.name))
    };
    let index = Index::of(described.len(), &name_at)?;
    let mut has_row = Vec::new();
    has_row.try_reserve_exact(described.len())?;
    has_row.resize(described.len(), false);

    let mut rows = Vec::new();
    for mut row in storage.subscriptions()? {
        let position = index.find(Key::Name(&row.stream_name), &name_at);
        let reason = requested.reason(&row);
        if position.is_none() && reason.is_none() && !is_explicit(&row) {
            storage.delete_subscription(row.id)?;
            continue;
        }
        describe_row(&mut row, position.and_then(|position| described.get(position)), storage)?;
        if let Some(has_row) = position.and_then(|position| has_row.get_mut(position)) {
            *has_row = true;
        }
        push(&mut rows, StreamRow { reason, stored: row })?;
    }
    for (position, stream) in described.iter().enumerate().filter(|(_, stream)| stream.is_default) {
        let is_first = index.find(Key::Name(&stream.name), &name_at) == Some(position);
        if is_first && has_row.get(position) == Some(&false) {
            let new = NewSubscription { stream_name: &stream.name, parameters: NO_PARAMETERS };
            let mut row = storage.find_or_insert_subscription(new)?;
            describe_row(&mut row, Some(stream), storage)?;
            let before = rows.partition_point(|known: &StreamRow| known.stored.id < row.id);
            rows.try_reserve(1)?;
            rows.insert(before, StreamRow::unrelated(row));
        }
    }
    has_row.fill(false);
    for kind in DefaultRow::BY_PREFERENCE {
        for row in rows.iter_mut().filter(|row| row.reason.is_none() && DefaultRow::of(&row.stored) == Some(kind)) {
            let position = index.find(Key::Name(&row.stored.stream_name), &name_at);
            let is_taken = position.and_then(|position| has_row.get_mut(position));
            if let (Some(position), Some(is_taken @ false)) = (position, is_taken)
                && row.stored.is_default
            {
                *is_taken = true;
                row.reason = Some(SubscriptionReason::Default(position));
            }
        }
    }
    Ok(rows)
}

/// A kind of rows, of which one can have the buckets of its default stream.
#[derive(Clone, Copy, PartialEq, Eq)]
enum DefaultRow {
    /// Not subscribed explicitly, without parameters.
    Plain,
    /// Not subscribed explicitly (any more), with parameters.
    Ended,
    /// Subscribed without parameters after the request, which counts as the default too.
    Subscribed,
}

impl DefaultRow {
    const BY_PREFERENCE: [Self; 3] = [Self::Plain, Self::Ended, Self::Subscribed];

    fn of(row: &StoredSubscription) -> Option<Self> {
        match (is_explicit(row), has_parameters(row)) {
            (false, false) => Some(Self::Plain),
            (false, true) => Some(Self::Ended),
            (true, false) => Some(Self::Subscribed),
            (true, true) => None,
        }
    }
}

fn has_parameters(row: &StoredSubscription) -> bool {
    row.parameters != NO_PARAMETERS
}

fn describe_row(
    row: &mut StoredSubscription,
    stream: Option<&DescribedStream>,
    storage: &mut dyn Storage,
) -> Result<()> {
    let (active, is_default) = (stream.is_some(), stream.is_some_and(|stream| stream.is_default));
    if (row.active, row.is_default) != (active, is_default) {
        (row.active, row.is_default) = (active, is_default);
        storage.describe_subscription(row.id, active, is_default)?;
    }
    Ok(())
}

/// Log lines for what went wrong with the streams of a checkpoint.
pub(super) fn log_errors(
    described: &[DescribedStream],
    requested: &Requested,
    instructions: &mut Vec<Instruction>,
) -> Result<()> {
    for stream in described {
        let name = &stream.name;
        for (subscription, message) in &stream.errors {
            let line = match *subscription {
                SubscriptionReference::Default => {
                    format(format_args!("Default subscription {name} has errors: {message}"))
                }
                SubscriptionReference::Index(index) => {
                    let requested = requested.as_slice().get(index).map(|requested| requested.parameters.as_str());
                    let what = match requested {
                        None => format(format_args!(" (unknown subscription {index})")),
                        Some(NO_PARAMETERS) => Ok(String::new()),
                        Some(parameters) => format(format_args!(" (with parameters {parameters})")),
                    };
                    let what = what?;
                    format(format_args!("Subscription to stream {name}{what} could not be resolved: {message}"))
                }
            };
            push(instructions, Instruction::warning(line?))?;
        }
    }
    Ok(())
}

/// Keeps the errors of streams for `powersync_diagnose`: of each stream the first message, and how many there are.
pub(super) fn record_errors(described: &[DescribedStream], storage: &mut dyn Storage) -> Result<()> {
    let mut details: Vec<(&str, String)> = Vec::new();
    for stream in described {
        let Some((_, message)) = stream.errors.first() else { continue };
        let mut detail = Json::default();
        detail.string("{\"message\":", message);
        detail.integer(",\"errors\":", i64::try_from(stream.errors.len()).unwrap_or(i64::MAX));
        detail.raw("}");
        push(&mut details, (&stream.name, detail.finish()?))?;
    }
    record(FindingKind::Stream, &details, storage, &|_| true)
}

/// Keeps findings: subjects and details.
pub(super) fn record(
    kind: FindingKind,
    details: &[(&str, String)],
    storage: &mut dyn Storage,
    is_looked_at: &dyn Fn(&str) -> bool,
) -> Result<()> {
    let mut found = Vec::new();
    found.try_reserve_exact(details.len())?;
    found.extend(details.iter().map(|(subject, detail)| Finding { subject, detail }));
    storage.record_findings(kind, &found, is_looked_at)
}

/// The rows without any relation to buckets.
pub(super) fn unrelated(stored: Vec<StoredSubscription>) -> Result<Vec<StreamRow>> {
    let mut rows = Vec::new();
    rows.try_reserve_exact(stored.len())?;
    rows.extend(stored.into_iter().map(StreamRow::unrelated));
    Ok(rows)
}

/// The rows as they are stored now, each with the reason that it had among those `known` before.
pub(super) fn current(known: &[StreamRow], requested: &Requested, storage: &mut dyn Storage) -> Result<Vec<StreamRow>> {
    relate(storage.subscriptions()?, known, requested)
}

/// The `stored` rows, each with the reason that it had among those `known` before.
pub(super) fn relate(
    stored: Vec<StoredSubscription>,
    known: &[StreamRow],
    requested: &Requested,
) -> Result<Vec<StreamRow>> {
    let mut rows = Vec::new();
    rows.try_reserve_exact(stored.len())?;
    rows.extend(stored.into_iter().map(|stored| {
        let reason = requested.reason(&stored).or_else(|| known_reason(&stored, known));
        StreamRow { stored, reason }
    }));
    Ok(rows)
}

/// The reason of a row among those known before. Ids can be used again.
fn known_reason(row: &StoredSubscription, known: &[StreamRow]) -> Option<SubscriptionReason> {
    let position = known.binary_search_by_key(&row.id, |known| known.stored.id).ok()?;
    let StreamRow { stored, reason } = known.get(position)?;
    let is_same = stored.stream_name == row.stream_name && stored.parameters == row.parameters;
    reason.filter(|_| is_same)
}

/// Records that what was requested, and what is default, was published up to `limit` (None: all) at `now`. Gives all
/// rows as they are stored then.
pub(super) fn record_sync(
    known: &[StreamRow],
    requested: &Requested,
    progress: &ProgressSums,
    limit: Option<Priority>,
    now: Timestamp,
    storage: &mut dyn Storage,
) -> Result<Vec<StreamRow>> {
    let mut rows = current(known, requested, storage)?;
    for row in rows.iter_mut().filter(|row| row.has_own_data()) {
        let is_published = limit.is_none_or(|limit| row.priority(progress).is_some_and(|priority| priority <= limit));
        if is_published && row.stored.last_synced_at != Some(now) {
            row.stored.last_synced_at = Some(now);
            storage.record_subscription_sync(row.stored.id, now)?;
        }
    }
    Ok(rows)
}

impl StreamRow {
    /// A row to which no bucket belongs.
    pub(super) fn unrelated(stored: StoredSubscription) -> Self {
        Self { stored, reason: None }
    }

    /// The priority of its least urgent bucket: the stream is complete only with that one.
    pub(super) fn priority(&self, progress: &ProgressSums) -> Option<Priority> {
        progress.of_reason(self.reason?).priority()
    }

    /// Whether the checkpoint holds the data of this row.
    fn has_own_data(&self) -> bool {
        match self.reason {
            Some(SubscriptionReason::Subscription(_)) => true,
            Some(SubscriptionReason::Default(_)) => !has_parameters(&self.stored),
            None => false,
        }
    }
}

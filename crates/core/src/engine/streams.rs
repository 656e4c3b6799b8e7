//! Stream subscriptions: those stored, those requested from the service, and how both relate to the streams that a
//! checkpoint describes (sync client, Streams).
//!
//! Where the specification is silent: a full publish counts as a sync of all rows but those that were subscribed
//! explicitly after the request was sent, because their data were not asked for yet. A row that was requested keeps the
//! buckets of its subscription even when the app unsubscribes meanwhile. Of several rows of one default stream without
//! an explicit subscription, the one without parameters has the default buckets.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::event::{StreamKey, Subscribe};
use super::instruction::Instruction;
use super::progress::ProgressSums;
use super::target::DescribedStream;
use crate::collections::{Index, Key};
use crate::error::Result;
use crate::protocol::{Priority, SubscriptionReason, SubscriptionReference};
use crate::storage::{NewSubscription, Storage, StoredSubscription, Timestamp};

/// Seconds that a subscription lives after its last use, unless the SDK says otherwise.
const DEFAULT_TTL: i64 = 86_400;

/// The text of parameters that are not there.
const NO_PARAMETERS: &str = "null";

/// A stored subscription, and through which reason buckets belong to it.
#[derive(Debug, Clone)]
pub struct StreamRow {
    /// The row as it is stored.
    pub stored: StoredSubscription,
    /// The reason that a bucket of the current checkpoint names if it is there for this row.
    pub reason: Option<SubscriptionReason>,
}

/// A subscription as it is sent to the service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestedSubscription {
    /// The stored row.
    pub id: i64,
    /// The stream's name.
    pub stream: String,
    /// JSON text of the parameters.
    pub parameters: String,
    /// The priority asked for.
    pub override_priority: Option<i64>,
}

fn is_explicit(row: &StoredSubscription) -> bool {
    row.ttl.is_some()
}

fn is_expired(row: &StoredSubscription, now: Timestamp) -> bool {
    row.expires_at.is_some_and(|expires_at| expires_at < now)
}

fn expiry(now: Timestamp, ttl: i64) -> Timestamp {
    now.saturating_add(ttl.saturating_mul(1_000_000))
}

/// Inserts or renews a subscription.
pub fn subscribe(command: &Subscribe, storage: &mut dyn Storage) -> Result<StoredSubscription> {
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
    storage.update_subscription(&row)?;
    Ok(row)
}

/// Ends an explicit subscription. Returns its row, if there is one.
pub fn unsubscribe(stream: &StreamKey, storage: &mut dyn Storage) -> Result<Option<StoredSubscription>> {
    let is_meant = |row: &StoredSubscription| row.stream_name == stream.name && row.parameters == stream.parameters;
    let Some(mut row) = storage.subscriptions()?.into_iter().find(is_meant) else { return Ok(None) };
    row.ttl = None;
    storage.update_subscription(&row)?;
    Ok(Some(row))
}

/// All subscriptions, after those that are in use got their expiry extended.
pub fn extend_expiry(
    in_use: &[StreamKey],
    now: Timestamp,
    storage: &mut dyn Storage,
) -> Result<Vec<StoredSubscription>> {
    let key_at = |position: usize| in_use.get(position).map_or(Key::Id(0), |key| Key::Part(&key.name, &key.parameters));
    let index = Index::of(in_use.len(), &key_at)?;
    let mut rows = storage.subscriptions()?;
    for row in &mut rows {
        let Some(ttl) = row.ttl else { continue };
        if index.find(Key::Part(&row.stream_name, &row.parameters), &key_at).is_some() {
            row.expires_at = Some(expiry(now, ttl));
            storage.update_subscription(row)?;
        }
    }
    Ok(rows)
}

/// Deletes the subscriptions that a new request does not carry on, from storage and from `rows`.
///
/// The expiry of a row that is no explicit subscription (any more) does not matter.
pub fn delete_ended(rows: &mut Vec<StoredSubscription>, now: Timestamp, storage: &mut dyn Storage) -> Result<()> {
    let has_ended = |row: &StoredSubscription| if is_explicit(row) { is_expired(row, now) } else { !row.active };
    for row in rows.iter().filter(|row| has_ended(row)) {
        storage.delete_subscription(row.id)?;
    }
    rows.retain(|row| !has_ended(row));
    Ok(())
}

/// The subscriptions that a request sent `now` asks for.
pub fn to_request(rows: &[StoredSubscription], now: Timestamp) -> Vec<RequestedSubscription> {
    let requested = rows.iter().filter(|row| is_explicit(row) && !is_expired(row, now));
    requested
        .map(|row| RequestedSubscription {
            id: row.id,
            stream: row.stream_name.clone(),
            parameters: row.parameters.clone(),
            override_priority: row.local_priority,
        })
        .collect()
}

/// Makes the stored subscriptions follow the streams that a checkpoint describes, and returns them.
pub fn reconcile(
    described: &[DescribedStream],
    requested: &[RequestedSubscription],
    storage: &mut dyn Storage,
) -> Result<Vec<StreamRow>> {
    let name_at = |position: usize| Key::Name(described.get(position).map_or("", |stream| &stream.name));
    let index = Index::of(described.len(), &name_at)?;
    let mut has_row = Vec::new();
    has_row.try_reserve_exact(described.len())?;
    has_row.resize(described.len(), false);

    let mut rows = Vec::new();
    for mut row in storage.subscriptions()? {
        let position = index.find(Key::Name(&row.stream_name), &name_at);
        if position.is_none() && !is_explicit(&row) {
            storage.delete_subscription(row.id)?;
            continue;
        }
        describe_row(&mut row, position.and_then(|position| described.get(position)), storage)?;
        if let Some(has_row) = position.and_then(|position| has_row.get_mut(position)) {
            *has_row = true;
        }
        rows.push(StreamRow { reason: requested_reason(&row, requested), stored: row });
    }
    for (position, stream) in described.iter().enumerate().filter(|(_, stream)| stream.is_default) {
        let is_first = index.find(Key::Name(&stream.name), &name_at) == Some(position);
        if is_first && has_row.get(position) == Some(&false) {
            let new = NewSubscription { stream_name: &stream.name, parameters: NO_PARAMETERS };
            let mut row = storage.find_or_insert_subscription(new)?;
            describe_row(&mut row, Some(stream), storage)?;
            let before = rows.partition_point(|known: &StreamRow| known.stored.id < row.id);
            rows.insert(before, StreamRow::unrelated(row));
        }
    }
    // Of several rows without an explicit subscription, one has the default buckets: that without parameters.
    has_row.fill(false);
    for needs_parameters in [false, true] {
        for row in rows.iter_mut().filter(|row| row.reason.is_none() && !is_explicit(&row.stored)) {
            let position = index.find(Key::Name(&row.stored.stream_name), &name_at);
            let is_taken = position.and_then(|position| has_row.get_mut(position));
            if let (Some(position), Some(is_taken @ false)) = (position, is_taken)
                && row.stored.is_default
                && (row.stored.parameters == NO_PARAMETERS) != needs_parameters
            {
                *is_taken = true;
                row.reason = Some(SubscriptionReason::Default(position));
            }
        }
    }
    Ok(rows)
}

/// The reason that names a row because the request asked for it. Requested subscriptions are in order of their rows.
fn requested_reason(row: &StoredSubscription, requested: &[RequestedSubscription]) -> Option<SubscriptionReason> {
    let index = requested.binary_search_by_key(&row.id, |requested| requested.id).ok()?;
    Some(SubscriptionReason::Subscription(index))
}

fn describe_row(
    row: &mut StoredSubscription,
    stream: Option<&DescribedStream>,
    storage: &mut dyn Storage,
) -> Result<()> {
    let (active, is_default) = (stream.is_some(), stream.is_some_and(|stream| stream.is_default));
    if (row.active, row.is_default) != (active, is_default) {
        (row.active, row.is_default) = (active, is_default);
        storage.update_subscription(row)?;
    }
    Ok(())
}

/// Log lines for what went wrong with the streams of a checkpoint.
pub fn log_errors(
    described: &[DescribedStream],
    requested: &[RequestedSubscription],
    instructions: &mut Vec<Instruction>,
) {
    for stream in described {
        let name = &stream.name;
        for (subscription, message) in &stream.errors {
            let line = match *subscription {
                SubscriptionReference::Default => format!("Default subscription {name} has errors: {message}"),
                SubscriptionReference::Index(index) => {
                    let parameters = match requested.get(index).map(|requested| requested.parameters.as_str()) {
                        None => format!("unknown subscription {index}"),
                        Some(NO_PARAMETERS) => String::from("without parameters"),
                        Some(parameters) => format!("with parameters {parameters}"),
                    };
                    format!("Subscription to stream {name} ({parameters}) could not be resolved: {message}")
                }
            };
            instructions.push(Instruction::warning(line));
        }
    }
}

/// Whether the row was subscribed explicitly after the request was sent, and does not get its data by default either.
fn is_awaiting_request(row: &StreamRow) -> bool {
    let StreamRow { stored, reason } = row;
    is_explicit(stored) && reason.is_none() && !(stored.is_default && stored.parameters == NO_PARAMETERS)
}

/// The rows after a publish up to `limit` (None: a full one) at `now`; stored as well.
pub fn record_sync(
    rows: &[StreamRow],
    progress: &ProgressSums,
    limit: Option<Priority>,
    now: Timestamp,
    storage: &mut dyn Storage,
) -> Result<Vec<StreamRow>> {
    let mut rows = rows.to_vec();
    for row in &mut rows {
        let priority = row.priority(progress);
        let is_synced = match limit {
            Some(limit) => priority.is_some_and(|priority| priority <= limit),
            None => !is_awaiting_request(row),
        };
        if is_synced && row.stored.last_synced_at != Some(now) {
            row.stored.last_synced_at = Some(now);
            storage.update_subscription(&row.stored)?;
        }
    }
    Ok(rows)
}

impl StreamRow {
    /// A row to which no bucket belongs.
    pub fn unrelated(stored: StoredSubscription) -> Self {
        Self { stored, reason: None }
    }

    /// The most urgent priority among its buckets.
    pub fn priority(&self, progress: &ProgressSums) -> Option<Priority> {
        progress.of_reason(self.reason?).priority()
    }
}

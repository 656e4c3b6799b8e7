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

use hashbrown::{HashMap, HashSet};

use super::event::{StreamKey, Subscribe};
use super::instruction::Instruction;
use super::memory::out_of_memory;
use super::progress::ProgressSums;
use super::target::DescribedStream;
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
    let mut keys = HashSet::new();
    keys.try_reserve(in_use.len()).map_err(out_of_memory)?;
    keys.extend(in_use.iter().map(|key| (key.name.as_str(), key.parameters.as_str())));
    let mut rows = storage.subscriptions()?;
    for row in &mut rows {
        let Some(ttl) = row.ttl else { continue };
        if keys.contains(&(row.stream_name.as_str(), row.parameters.as_str())) {
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
    let by_name: HashMap<&str, &DescribedStream> = described.iter().map(|stream| (&*stream.name, stream)).collect();
    let defaults = described.iter().filter(|stream| stream.is_default);
    let mut without_row: HashSet<&str> = defaults.clone().map(|stream| &*stream.name).collect();

    let mut rows = Vec::new();
    for mut row in storage.subscriptions()? {
        let stream = by_name.get(row.stream_name.as_str());
        if stream.is_none() && !is_explicit(&row) {
            storage.delete_subscription(row.id)?;
            continue;
        }
        without_row.remove(row.stream_name.as_str());
        describe_row(&mut row, stream.copied(), storage)?;
        rows.push(StreamRow::unrelated(row));
    }
    for stream in defaults {
        if !without_row.remove(&*stream.name) {
            continue;
        }
        let new = NewSubscription { stream_name: &stream.name, parameters: NO_PARAMETERS };
        let mut row = storage.find_or_insert_subscription(new)?;
        describe_row(&mut row, Some(stream), storage)?;
        rows.push(StreamRow::unrelated(row));
    }
    rows.sort_by_key(|row| row.stored.id);
    find_reasons(&mut rows, described, requested);
    Ok(rows)
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

fn find_reasons(rows: &mut [StreamRow], described: &[DescribedStream], requested: &[RequestedSubscription]) {
    let by_id: HashMap<i64, usize> = requested.iter().enumerate().map(|(index, one)| (one.id, index)).collect();
    let mut defaults: HashMap<&str, usize> = HashMap::new();
    for (index, stream) in described.iter().enumerate().filter(|(_, stream)| stream.is_default) {
        defaults.entry(&*stream.name).or_insert(index);
    }
    for row in rows.iter_mut() {
        row.reason = by_id.get(&row.stored.id).copied().map(SubscriptionReason::Subscription);
    }
    for needs_parameters in [false, true] {
        for row in rows.iter_mut().filter(|row| row.reason.is_none() && !is_explicit(&row.stored)) {
            if (row.stored.parameters == NO_PARAMETERS) != needs_parameters
                && let Some(index) = defaults.remove(row.stored.stream_name.as_str())
            {
                row.reason = Some(SubscriptionReason::Default(index));
            }
        }
    }
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

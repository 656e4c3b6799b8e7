//! The subscriptions that the service was asked for.
//!
//! A bucket or an error that names one by its index means what was requested there, for as long as the iteration lives:
//! whatever the app does to the stored row meanwhile, and whatever id it has then. So a row is recognised by its
//! stream and parameters (docs/reference/sync-client.md#stream-subscriptions).

use alloc::string::String;
use alloc::vec::Vec;

use rowtide_protocol::SubscriptionReason;

use super::memory::copy;
use crate::collections::{Index, Key};
use crate::error::Result;
use crate::sync_client::storage::{StoredSubscription, Timestamp};

/// A subscription as it is sent to the service.
#[derive(Debug)]
pub(super) struct RequestedSubscription {
    /// The stream's name.
    pub stream: String,
    /// JSON text of the parameters.
    pub parameters: String,
    /// The priority asked for.
    pub override_priority: Option<i64>,
}

/// The subscriptions of a request, in their order.
#[derive(Debug)]
pub(super) struct Requested {
    subscriptions: Vec<RequestedSubscription>,
    index: Index,
}

impl Requested {
    /// What a request sent `now` asks for, of all stored subscriptions.
    pub(super) fn new(rows: &[StoredSubscription], now: Timestamp) -> Result<Self> {
        let mut subscriptions = Vec::new();
        for row in rows.iter().filter(|row| is_to_request(row, now)) {
            subscriptions.try_reserve(1)?;
            subscriptions.push(RequestedSubscription {
                stream: copy(&row.stream_name)?.into(),
                parameters: copy(&row.parameters)?.into(),
                override_priority: row.local_priority,
            });
        }
        let index = Index::of(subscriptions.len(), &key_at(&subscriptions))?;
        Ok(Self { subscriptions, index })
    }

    /// The subscriptions.
    pub(super) fn as_slice(&self) -> &[RequestedSubscription] {
        &self.subscriptions
    }

    /// Whether a request sent `now` asks for the same.
    pub(super) fn is_current(&self, rows: &[StoredSubscription], now: Timestamp) -> bool {
        let wanted = rows.iter().filter(|row| is_to_request(row, now));
        wanted
            .map(|row| (row.stream_name.as_str(), row.parameters.as_str(), row.local_priority))
            .eq(self.subscriptions.iter().map(|requested| {
                (requested.stream.as_str(), requested.parameters.as_str(), requested.override_priority)
            }))
    }

    /// The reason that names the row because it was requested.
    pub(super) fn reason(&self, row: &StoredSubscription) -> Option<SubscriptionReason> {
        let index = self.index.find(Key::Part(&row.stream_name, &row.parameters), &key_at(&self.subscriptions))?;
        Some(SubscriptionReason::Subscription(index))
    }
}

fn key_at<'r>(subscriptions: &'r [RequestedSubscription]) -> impl Fn(usize) -> Key<'r> {
    |position| match subscriptions.get(position) {
        Some(requested) => Key::Part(&requested.stream, &requested.parameters),
        None => {
            debug_assert!(false, "the index is of other subscriptions");
            Key::Id(0)
        }
    }
}

/// Whether the app has subscribed explicitly.
pub(super) fn is_explicit(row: &StoredSubscription) -> bool {
    row.ttl.is_some()
}

/// Whether the time of an explicit subscription is over.
pub(super) fn is_expired(row: &StoredSubscription, now: Timestamp) -> bool {
    row.expires_at.is_some_and(|expires_at| expires_at < now)
}

fn is_to_request(row: &StoredSubscription, now: Timestamp) -> bool {
    is_explicit(row) && !is_expired(row, now)
}

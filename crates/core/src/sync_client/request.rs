//! The request that opens the sync stream: its body as JSON text, and the checkpoint request that goes with it
//! (docs/reference/instructions.md#establishsyncstream). Also what distinguishes requests of several iterations on one
//! file.

use alloc::string::String;
use core::hash::Hasher;

use rowtide_json::writer::Json;
use siphasher::sip::SipHasher13;

use super::event::{CheckpointMode, StartOptions};
use super::instruction::{CheckpointRequest, Instruction};
use super::requested::RequestedSubscription;
use crate::collections::{ByHash, hash};
use crate::error::Result;
use crate::sync_client::storage::{RequestFingerprint, RequestId, Storage, UNKNOWN_REQUEST_ID};

/// Up to which operation the service takes buckets as received, by the hash of their name.
#[derive(Debug, Default)]
pub(super) struct Positions(ByHash);

impl Positions {
    /// Adds a bucket that the service takes as received up to `last_op`.
    fn add(&mut self, name: &str, last_op: i64) -> Result<()> {
        self.0.set(hash(name), last_op.cast_unsigned())?;
        Ok(())
    }

    /// Up to which operation the service takes a bucket as received; 0 if it was not requested.
    pub(super) fn get(&self, name: &str) -> i64 {
        self.0.get(hash(name)).map_or(0, u64::cast_signed)
    }
}

/// What distinguishes requests with these options from others on the same file.
pub(super) fn fingerprint(options: &StartOptions) -> RequestFingerprint {
    let mut hasher = SipHasher13::new();
    hasher.write(&[options.include_defaults.into()]);
    hasher.write(options.parameters.as_deref().unwrap_or("null").as_bytes());
    // One bit less makes no difference, but 0 means no request.
    RequestFingerprint(hasher.finish().cast_signed() | 1)
}

/// The instruction to open the stream with these options and subscriptions.
pub(super) fn establish(
    options: &StartOptions,
    subscriptions: &[RequestedSubscription],
    positions: &mut Positions,
    storage: &mut dyn Storage,
) -> Result<Instruction> {
    let client_id = storage.client_id()?;
    let request = body(options, subscriptions, (&client_id, positions), storage)?;
    let checkpoint_request = match options.checkpoint_mode {
        CheckpointMode::Legacy => None,
        CheckpointMode::Requests => {
            Some(CheckpointRequest { checkpoint_request_id: checkpoint_request_id(storage)?, client_id })
        }
    };
    Ok(Instruction::EstablishSyncStream { request, checkpoint_request })
}

/// The number to request: neither below the counter nor below what local writes wait for.
fn checkpoint_request_id(storage: &mut dyn Storage) -> Result<i64> {
    let counter = storage.request_id(RequestId::LastRequested)?.unwrap_or(0);
    let target = storage.request_id(RequestId::Target)?.filter(|target| *target != UNKNOWN_REQUEST_ID).unwrap_or(0);
    Ok(counter.max(target).max(1))
}

fn body(
    options: &StartOptions,
    subscriptions: &[RequestedSubscription],
    (client_id, positions): (&str, &mut Positions),
    storage: &mut dyn Storage,
) -> Result<String> {
    let mut json = Json::default();
    json.raw(r#"{"buckets":["#);
    storage.visit_buckets(&mut |bucket| {
        json.comma();
        json.string(r#"{"name":"#, bucket.name);
        json.id(r#","after":"#, bucket.last_op.max(0));
        json.raw("}");
        positions.add(bucket.name, bucket.last_op)
    })?;
    json.string(r#"],"include_checksum":true,"raw_data":true,"binary_data":true,"client_id":"#, client_id);
    json.json(r#","parameters":"#, options.parameters.as_deref().unwrap_or("null"));
    json.bool(r#","streams":{"include_defaults":"#, options.include_defaults);
    json.raw(r#","subscriptions":["#);
    for subscription in subscriptions {
        json.comma();
        json.string(r#"{"stream":"#, &subscription.stream);
        json.json(r#","parameters":"#, &subscription.parameters);
        json.optional_integer(r#","override_priority":"#, subscription.override_priority);
        json.raw("}");
    }
    json.raw("]}");
    if let Some(app_metadata) = &options.app_metadata {
        json.json(r#","app_metadata":"#, app_metadata);
    }
    json.raw("}");
    Ok(json.finish()?)
}

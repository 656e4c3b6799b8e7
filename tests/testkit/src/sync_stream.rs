//! The service's side of one sync stream: which checkpoint was announced to a client, and which operations were sent.
//!
//! Several clients of one [`Service`] can be at different checkpoints: each stream keeps the service's state as it was
//! when it announced that.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::service::{Operation, Service};

/// One open stream.
#[derive(Debug, Clone)]
pub struct SyncStream {
    announced: Option<Service>,
    /// The last operation sent, by bucket.
    sent: BTreeMap<String, i64>,
    /// Operations sent so far.
    pub operations: usize,
}

impl SyncStream {
    /// The stream that the instructions of a `start` ask for; None if they do not.
    pub fn open(instructions: &Value) -> Option<Self> {
        let mut instructions = instructions.as_array()?.iter();
        let request = &instructions.find_map(|one| one.get("EstablishSyncStream"))?["request"];
        let held = request["buckets"].as_array()?.iter();
        let sent = held
            .filter_map(|bucket| Some((bucket["name"].as_str()?.to_owned(), bucket["after"].as_str()?.parse().ok()?)));
        Some(Self { announced: None, sent: sent.collect(), operations: 0 })
    }

    /// The line that announces the service's present state.
    pub fn announce(&mut self, service: &Service) -> Value {
        let line = match &self.announced {
            None => service.checkpoint(),
            Some(before) => {
                let is_new = |name: &&str| before.buckets.get(*name) != service.buckets.get(*name);
                let updated: Vec<&str> = service.buckets.keys().map(String::as_str).filter(is_new).collect();
                let is_gone = |name: &&str| !service.buckets.contains_key(*name);
                let removed: Vec<&str> = before.buckets.keys().map(String::as_str).filter(is_gone).collect();
                service.checkpoint_diff(&updated, &removed)
            }
        };
        self.sent.retain(|name, _| service.buckets.contains_key(name));
        self.announced = Some(service.clone());
        line
    }

    /// The next data line, of at most `size` operations, that the announced checkpoint needs.
    pub fn next_data(&mut self, size: usize) -> Option<Value> {
        let announced = self.announced.as_ref()?;
        let (name, operations) = announced.buckets.iter().find_map(|(name, bucket)| {
            let after = self.sent.get(name).copied().unwrap_or(0);
            let missing = bucket.operations.iter().filter(|operation| operation.op_id > after);
            let operations: Vec<&Operation> = missing.take(size).collect();
            (!operations.is_empty()).then_some((name, operations))
        })?;
        let last = operations.last().map_or(0, |operation| operation.op_id);
        let data: Vec<Value> = operations.iter().map(|operation| operation.to_json()).collect();
        self.operations += data.len();
        self.sent.insert(name.clone(), last);
        Some(json!({"data": {"bucket": name, "data": data}}))
    }

    /// The line that ends the announced checkpoint; null before any.
    pub fn complete(&self) -> Value {
        self.announced.as_ref().map(Service::complete).unwrap_or_default()
    }
}

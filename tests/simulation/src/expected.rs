//! What a client must have at a checkpoint, without anything that the engine remembers.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value as Json;
use sync_engine::request::StreamRequest;

use crate::catalog::{Asker, CLIENT_TABLES, Config};
use crate::world::State;

/// Table and id of a row on a client.
pub(crate) type Key = (&'static str, String);

/// Values of the table's columns.
pub(crate) type Columns = Vec<Json>;

/// A checkpoint as a client must show it.
#[derive(Debug, Default)]
pub(crate) struct Expected {
    pub(crate) position: u64,
    pub(crate) op_id: i64,
    /// Columns, and the most urgent priority with which the row comes.
    pub(crate) rows: BTreeMap<Key, (Columns, u8)>,
}

/// What a client has asked for.
pub(crate) struct Asked {
    pub(crate) user: &'static str,
    pub(crate) topic: String,
    include_defaults: bool,
    subscriptions: Vec<(Box<str>, Json, Option<u8>)>,
}

impl Asked {
    pub(crate) fn new(user: &'static str, topic: &str, request: &StreamRequest) -> Rc<Self> {
        let subscriptions = request.streams.subscriptions.iter().map(|subscription| {
            let parameters = subscription.parameters.as_deref().unwrap_or("null");
            let parameters = serde_json::from_str(parameters).expect("parameters are JSON");
            (subscription.stream.clone(), parameters, subscription.override_priority)
        });
        Rc::new(Self {
            user,
            topic: topic.to_owned(),
            include_defaults: request.streams.include_defaults,
            subscriptions: subscriptions.collect(),
        })
    }

    /// The rows under a configuration.
    pub(crate) fn rows(&self, config: &Config, state: &State) -> BTreeMap<Key, (Columns, u8)> {
        let mut rows: BTreeMap<Key, (Columns, u8)> = BTreeMap::new();
        let mut add = |stream: &crate::catalog::Stream, parameters: &Json, priority: u8| {
            let asker = Asker { user: self.user, topic: &self.topic, parameters };
            stream.shows(state, &asker, &mut |table, id, columns| {
                let found = rows.entry((table, id.to_owned())).or_insert((columns, priority));
                found.1 = found.1.min(priority);
            });
        };
        for stream in config.streams.iter().filter(|stream| stream.is_default && self.include_defaults) {
            add(stream, &Json::Null, stream.priority);
        }
        for (name, parameters, priority) in &self.subscriptions {
            for stream in config.streams.iter().filter(|stream| *stream.name == **name) {
                add(stream, parameters, priority.unwrap_or(stream.priority));
            }
        }
        rows
    }
}

/// The columns of a row as the service sends it.
pub(crate) fn columns_of(table: &str, data: &str) -> Option<(&'static str, Columns)> {
    let (table, columns) = CLIENT_TABLES.iter().find(|(name, _)| *name == table)?;
    let data: Json = serde_json::from_str(data).ok()?;
    Some((table, columns.iter().map(|column| data[*column].clone()).collect()))
}

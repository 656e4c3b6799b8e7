//! The source database and the service in front of it: rows, the changes that are not replicated yet, the buckets that
//! rows belong to, their definitions, who gets which bucket, and write checkpoints.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use rowtide_testkit::service::{Service, current, winners};
use serde_json::Value;

use crate::rows::{Key, Row, Rows, Table};

/// Where a row belongs: a bucket by its index, and one of two subkeys in it.
pub type Place = (usize, bool);

/// A row and where it belongs.
#[derive(Debug, Clone)]
struct Placed {
    row: Row,
    places: BTreeSet<Place>,
}

/// A bucket definition with its current bucket.
#[derive(Debug)]
struct Definition {
    version: u32,
    priority: i64,
    /// Clients that get it, as bits.
    audience: u8,
    is_dropped: bool,
}

/// Write checkpoints of one client.
#[derive(Debug, Default, Clone)]
struct WriteCheckpoints {
    /// The newest one, with its position in the source database.
    newest: Option<(i64, u64)>,
    acknowledged: Option<i64>,
}

/// The service with the source database.
#[derive(Debug)]
pub struct Backend {
    service: Service,
    definitions: Vec<Definition>,
    source: BTreeMap<Key, Placed>,
    replicated: BTreeMap<Key, Placed>,
    waiting: VecDeque<(Key, Option<Placed>)>,
    /// Changes made to the source database.
    position: u64,
    clients: Vec<WriteCheckpoints>,
}

/// Priorities of the buckets at the start.
const PRIORITIES: [i64; 5] = [0, 1, 3, 3, 2];

/// The definition that leaves out column `n`: the same row differs from bucket to bucket.
const NAMES_ONLY: usize = 2;

impl Backend {
    /// A service with a few empty buckets, of which each of `clients` gets most.
    pub fn new(clients: usize) -> Self {
        let definitions = PRIORITIES.iter().enumerate().map(|(index, priority)| {
            let audience = if index == 0 { 0xff } else { !(1 << (index - 1)) };
            Definition { version: 1, priority: *priority, audience, is_dropped: false }
        });
        let mut backend = Self {
            service: Service::new(),
            definitions: definitions.collect(),
            source: BTreeMap::new(),
            replicated: BTreeMap::new(),
            waiting: VecDeque::new(),
            position: 0,
            clients: vec![WriteCheckpoints::default(); clients],
        };
        for index in 0..PRIORITIES.len() {
            backend.create_bucket(index);
        }
        backend
    }

    /// How many changes of the source database the service has.
    pub fn replicated_position(&self) -> u64 {
        self.position - self.waiting.len() as u64
    }

    /// The names of a client's buckets.
    pub fn buckets_of(&self, client: usize) -> Vec<String> {
        let live =
            |(_, definition): &(usize, &Definition)| !definition.is_dropped && definition.audience >> client & 1 == 1;
        self.definitions.iter().enumerate().filter(live).map(|(index, _)| self.bucket_name(index)).collect()
    }

    /// The rows in these buckets.
    pub fn rows_of(&self, buckets: &[String]) -> Rows {
        let operations = buckets.iter().flat_map(|name| current(&self.service.buckets[name].operations));
        let read = |((row_type, row_id), data): ((String, String), String)| {
            let object = serde_json::from_str(&data).ok()?;
            Some(((Table::named(&row_type)?, row_id), Row::from_json(&object)))
        };
        winners(operations).into_iter().filter_map(read).collect()
    }

    fn bucket_name(&self, index: usize) -> String {
        format!("{}#bucket|{index}[\"user\"]", self.definitions[index].version)
    }

    fn create_bucket(&mut self, index: usize) {
        let name = self.bucket_name(index);
        self.service.bucket(&name).priority = self.definitions[index].priority;
    }

    /// A row is written (None: deleted) in the source database. Without places, it stays where it is; a new one belongs
    /// to the bucket that its id gives.
    pub fn write(&mut self, key: Key, row: Option<Row>, places: &[(u8, bool)]) {
        let placed = row.map(|row| {
            let mut given: BTreeSet<Place> = places
                .iter()
                .map(|(bucket, subkey)| (usize::from(*bucket) % self.definitions.len(), *subkey))
                .collect();
            if given.is_empty() {
                let before = self.source.get(&key).map(|placed| placed.places.clone());
                let by_id = key.1.bytes().map(usize::from).sum::<usize>() % self.definitions.len();
                given = before.unwrap_or_else(|| BTreeSet::from([(by_id, false)]));
            }
            Placed { row, places: given }
        });
        match &placed {
            Some(placed) => {
                self.source.insert(key.clone(), placed.clone());
            }
            None if self.source.remove(&key).is_none() => return,
            None => {}
        }
        self.position += 1;
        self.waiting.push_back((key, placed));
    }

    /// Takes the entries of an uploaded transaction. Gives the position that includes it, if it changed anything.
    pub fn upload(&mut self, entries: &[Value]) -> Option<u64> {
        let before = self.position;
        for entry in entries {
            let Some(table) = entry["type"].as_str().and_then(Table::named) else { continue };
            if !table.is_synced() {
                continue;
            }
            let key = (table, entry["id"].as_str().unwrap_or_default().to_owned());
            match entry["op"].as_str() {
                Some("PUT") => self.write(key, Some(Row::from_json(&entry["data"])), &[]),
                Some("PATCH") => {
                    if let Some(mut row) = self.source.get(&key).map(|placed| placed.row.clone()) {
                        row.merge(&entry["data"]);
                        self.write(key, Some(row), &[]);
                    }
                }
                _ => self.write(key, None, &[]),
            }
        }
        (self.position > before).then_some(self.position)
    }

    /// The service takes up to `changes` from the source database.
    pub fn replicate(&mut self, changes: usize) {
        for _ in 0..changes {
            let Some((key, placed)) = self.waiting.pop_front() else { break };
            self.replicate_change(key, placed);
        }
        let position = self.replicated_position();
        for client in &mut self.clients {
            if let Some((id, at)) = client.newest
                && at <= position
            {
                client.acknowledged = Some(id);
            }
        }
    }

    fn replicate_change(&mut self, key: Key, placed: Option<Placed>) {
        let none = BTreeSet::new();
        let places = placed.as_ref().map_or(&none, |placed| &placed.places);
        if let Some(before) = self.replicated.remove(&key) {
            for place in before.places.difference(places).copied().collect::<Vec<_>>() {
                if !self.definitions[place.0].is_dropped {
                    let (name, subkey) = (self.bucket_name(place.0), self.subkey(place));
                    self.service.remove_subkey(&name, key.0.name(), &key.1, subkey.as_deref());
                }
            }
        }
        if let Some(placed) = placed {
            for place in &placed.places {
                self.put(*place, &key, &placed.row);
            }
            self.replicated.insert(key, placed);
        }
    }

    fn put(&mut self, place: Place, key: &Key, row: &Row) {
        if !self.definitions[place.0].is_dropped {
            let (name, subkey) = (self.bucket_name(place.0), self.subkey(place));
            let mut row = row.clone();
            if place.0 == NAMES_ONLY {
                row.n = None;
            }
            self.service.put_text(&name, key.0.name(), &key.1, subkey.as_deref(), &row.data(&key.1));
        }
    }

    /// New definitions come with new subkeys.
    fn subkey(&self, place: Place) -> Option<String> {
        let version = self.definitions[place.0].version;
        match place.1 {
            true => Some(format!("{version}/s")),
            false if version.is_multiple_of(2) => Some(version.to_string()),
            false => None,
        }
    }

    /// Compacts a bucket.
    pub fn compact(&mut self, bucket: u8, clear: bool) {
        let index = usize::from(bucket) % self.definitions.len();
        if self.definitions[index].is_dropped {
            return;
        }
        let name = self.bucket_name(index);
        if clear { self.service.clear_start(&name) } else { self.service.compact(&name) }
    }

    /// Compacts all buckets, so that they do not grow for ever.
    pub fn compact_all(&mut self) {
        (0..self.definitions.len())
            .filter_map(|index| u8::try_from(index).ok())
            .for_each(|index| self.compact(index, true));
    }

    /// A definition changes, or a dropped one returns: its rows come in a bucket with another name.
    pub fn redefine(&mut self, bucket: u8, priority: u8) {
        let index = usize::from(bucket) % self.definitions.len();
        self.drop_bucket(bucket);
        let definition = &mut self.definitions[index];
        (definition.version, definition.is_dropped) = (definition.version + 1, false);
        definition.priority = i64::from(priority % 4);
        self.create_bucket(index);
        let rows: Vec<(Place, Key, Row)> = self
            .replicated
            .iter()
            .flat_map(|(key, placed)| {
                let places = placed.places.iter().filter(|place| place.0 == index);
                places.map(|place| (*place, key.clone(), placed.row.clone())).collect::<Vec<_>>()
            })
            .collect();
        for (place, key, row) in rows {
            self.put(place, &key, &row);
        }
    }

    /// A definition is dropped.
    pub fn drop_bucket(&mut self, bucket: u8) {
        let index = usize::from(bucket) % self.definitions.len();
        let name = self.bucket_name(index);
        self.service.buckets.remove(&name);
        self.definitions[index].is_dropped = true;
        self.service.last_op_id += 1;
    }

    /// A client gets a bucket, or gets it no longer.
    pub fn toggle(&mut self, bucket: u8, client: usize) {
        let index = usize::from(bucket) % self.definitions.len();
        self.definitions[index].audience ^= 1 << client;
        // What decides about it is replicated like everything else.
        self.service.last_op_id += 1;
    }

    /// Makes a write checkpoint for what the source database has now: the id comes from the service.
    pub fn create_write_checkpoint(&mut self, client: usize) -> i64 {
        let id = self.clients[client].newest.map_or(0, |(id, _)| id) + 1;
        self.request_checkpoint(client, id)
    }

    /// The client asks for a checkpoint by its own id. Gives the newest id.
    pub fn request_checkpoint(&mut self, client: usize, id: i64) -> i64 {
        let newest = self.clients[client].newest.map_or(0, |(id, _)| id);
        if id > newest {
            self.clients[client].newest = Some((id, self.position));
        }
        self.replicate(0);
        id.max(newest)
    }

    /// A new client begins in the place of this one: the service does not know its id.
    pub fn forget_client(&mut self, client: usize) {
        self.clients[client] = WriteCheckpoints::default();
    }

    /// What checkpoint lines to this client acknowledge.
    pub fn acknowledged(&self, client: usize) -> Option<i64> {
        self.clients[client].acknowledged
    }

    /// The lines of the service's state, with what the service acknowledges of this client's writes.
    pub fn service_for(&mut self, client: usize) -> &Service {
        self.service.write_checkpoint = self.acknowledged(client);
        &self.service
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key {
        (Table::Items, "1".into())
    }

    fn rows(backend: &Backend) -> usize {
        backend.service.rows().len()
    }

    #[test]
    fn rows_move_between_buckets_with_their_places() {
        let mut backend = Backend::new(1);
        backend.write(key(), Some(Row::default()), &[(1, false), (2, true)]);
        backend.replicate(9);
        backend.write(key(), Some(Row::default()), &[(2, true)]);
        assert_eq!((backend.replicated_position(), rows(&backend)), (1, 1));
        backend.replicate(9);
        let counts: Vec<usize> = backend.service.buckets.values().map(|bucket| bucket.operations.len()).collect();
        assert_eq!(counts, [0, 2, 2, 0, 0]);
        backend.drop_bucket(2);
        assert_eq!(rows(&backend), 0);
        backend.redefine(2, 1);
        assert_eq!(rows(&backend), 1);
        assert_eq!(backend.buckets_of(0).len(), 4);
    }

    #[test]
    fn a_write_checkpoint_is_acknowledged_once_its_writes_are_replicated() {
        let mut backend = Backend::new(2);
        backend.write(key(), Some(Row::default()), &[]);
        assert_eq!(backend.create_write_checkpoint(1), 1);
        assert_eq!(backend.acknowledged(1), None);
        backend.replicate(1);
        assert_eq!((backend.acknowledged(0), backend.acknowledged(1)), (None, Some(1)));
        assert_eq!(backend.request_checkpoint(1, 1), 1);
        assert_eq!(backend.request_checkpoint(1, 7), 7);
        assert_eq!(backend.acknowledged(1), Some(7));
    }

    #[test]
    fn uploads_change_what_is_there() {
        let mut backend = Backend::new(1);
        let entry = |op: &str| serde_json::json!({"op": op, "type": "items", "id": "1", "data": {"n": 1}});
        assert_eq!(backend.upload(&[entry("PATCH"), entry("DELETE")]), None);
        assert_eq!(backend.upload(&[entry("PUT"), entry("PATCH")]), Some(2));
        assert_eq!(backend.upload(&[entry("DELETE")]), Some(3));
    }
}

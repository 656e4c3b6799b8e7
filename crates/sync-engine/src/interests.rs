//! Which connections a commit affects: maps from what a commit changes to the connections that use it.
//!
//! A commit costs a look into these maps for each thing that it changed, and nothing for connections that use none of
//! them. Each connection costs four bytes for each thing that it uses.

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use hashbrown::HashTable;

use crate::live::{DefinitionId, IndexId, LivePlan};
use crate::notice::{ClientName, CommitNotice, Wake};
use crate::store::Checkpoint;

/// Number of a connection, given by whoever runs the connections. Numbers can be used again after
/// [`Interests::unregister`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u32);

/// Something that commits change and connections use.
#[derive(Debug, PartialEq, Eq, Hash)]
enum Thing {
    Bucket(DefinitionId, Arc<str>),
    Lookup(IndexId, Arc<str>),
    /// Boxed because it is rare and large.
    WriteCheckpoint(Box<ClientName>),
}

/// A thing, and the connections that use it.
#[derive(Debug)]
struct Entry {
    thing: Thing,
    users: Users,
}

/// Most things are used by one connection, some by all.
#[derive(Debug)]
enum Users {
    None,
    One(ConnectionId),
    /// In order.
    Many(Vec<ConnectionId>),
}

impl Users {
    fn as_slice(&self) -> &[ConnectionId] {
        match self {
            Self::None => &[],
            Self::One(id) => std::slice::from_ref(id),
            Self::Many(ids) => ids,
        }
    }

    fn add(&mut self, id: ConnectionId) {
        match self {
            Self::None => *self = Self::One(id),
            Self::One(other) if *other == id => {}
            Self::One(other) => *self = Self::Many(vec![(*other).min(id), (*other).max(id)]),
            Self::Many(ids) => {
                if let Err(at) = ids.binary_search(&id) {
                    ids.insert(at, id);
                }
            }
        }
    }

    fn remove(&mut self, id: ConnectionId) {
        match self {
            Self::One(other) if *other == id => *self = Self::None,
            Self::Many(ids) => {
                if let Ok(at) = ids.binary_search(&id) {
                    ids.remove(at);
                }
                match ids.as_slice() {
                    [] => *self = Self::None,
                    [last] => *self = Self::One(*last),
                    _ => {}
                }
            }
            Self::None | Self::One(_) => {}
        }
    }
}

/// What a connection uses, as [`Interests::register`] takes it.
pub trait Interested {
    /// Whose write checkpoints it is told.
    fn client(&self) -> &ClientName;

    /// Calls `note` for each of its buckets: definition and key. It may put an equal key in the place of the key, so that
    /// connections share memory.
    fn visit_buckets(&mut self, note: &mut dyn FnMut(DefinitionId, &mut Arc<str>));

    /// Calls `note` for each lookup that its buckets depend on, likewise.
    fn visit_lookups(&mut self, note: &mut dyn FnMut(IndexId, &mut Arc<str>));

    /// The checkpoint that this is of; none before the first one.
    fn checkpoint(&self) -> Option<&Checkpoint>;

    /// The plan that this is of.
    fn plan(&self) -> &Arc<LivePlan>;
}

/// Which connections use what.
#[derive(Debug, Default)]
pub struct Interests {
    /// Numbers in `entries`, by the hash of the thing, so that each thing is in memory once.
    numbers: HashTable<u32>,
    hasher: RandomState,
    /// Free places are none.
    entries: Vec<Option<Entry>>,
    free: Vec<u32>,
    /// What each connection uses: numbers of entries, in order.
    connections: BTreeMap<ConnectionId, Box<[u32]>>,
    newest: Option<Checkpoint>,
    activated: Option<Arc<LivePlan>>,
}

impl Interests {
    /// Nobody is registered.
    pub fn new() -> Self {
        Self::default()
    }

    /// The checkpoint of the newest notice: what [`crate::connection::Connection::next`] takes, once the wakes of that
    /// notice have reached the connection.
    pub fn newest(&self) -> Option<&Checkpoint> {
        self.newest.as_ref()
    }

    /// The plan that the newest activation has named: what new connections begin with. None before the first one.
    pub fn plan(&self) -> Option<&Arc<LivePlan>> {
        self.activated.as_ref()
    }

    /// How many connections are registered.
    pub fn connections(&self) -> usize {
        self.connections.len()
    }

    /// Whether nothing is registered, and nothing remembered.
    pub fn is_empty(&self) -> bool {
        self.connections.is_empty() && self.numbers.is_empty() && self.entries.len() == self.free.len()
    }

    /// Says what a connection uses from now on: before its first line, and whenever
    /// [`crate::connection::Connection::take_interest_change`] says so.
    ///
    /// Notices may have come while the connection was reading. Then a wake is returned, which is to be given to it
    /// like those of [`Interests::affected`].
    pub fn register(&mut self, id: ConnectionId, connection: &mut dyn Interested) -> Option<Wake> {
        let mut numbers = vec![self.number(Thing::WriteCheckpoint(Box::new(connection.client().clone()))).0];
        connection.visit_buckets(&mut |definition, key| {
            let (number, shared) = self.number(Thing::Bucket(definition, key.clone()));
            if let Some(shared) = shared {
                *key = shared;
            }
            numbers.push(number);
        });
        connection.visit_lookups(&mut |index, key| {
            let (number, shared) = self.number(Thing::Lookup(index, key.clone()));
            if let Some(shared) = shared {
                *key = shared;
            }
            numbers.push(number);
        });
        numbers.sort_unstable();
        numbers.dedup();
        let before = self.connections.insert(id, Box::default()).unwrap_or_default();
        numbers.iter().filter(|number| before.binary_search(number).is_err()).for_each(|number| self.add(*number, id));
        before
            .iter()
            .filter(|number| numbers.binary_search(number).is_err())
            .for_each(|number| self.remove(*number, id));
        self.connections.insert(id, numbers.into());
        self.missed(connection)
    }

    /// What a connection must be told because of notices that it cannot have got.
    fn missed(&self, connection: &dyn Interested) -> Option<Wake> {
        let place = |checkpoint: &Checkpoint| (checkpoint.op_id, checkpoint.position.clone());
        let everything = match (self.newest.as_ref(), connection.checkpoint()) {
            (Some(newest), Some(read)) => newest != read && place(newest) >= place(read),
            _ => false,
        };
        let plan = self.activated.clone().filter(|plan| !Arc::ptr_eq(plan, connection.plan()));
        (everything || plan.is_some()).then(|| Wake { everything, plan, ..Wake::default() })
    }

    /// The connection is gone.
    pub fn unregister(&mut self, id: ConnectionId) {
        for number in self.connections.remove(&id).unwrap_or_default() {
            self.remove(number, id);
        }
    }

    /// Which connections a notice affects, and how; all of them if a plan was activated, or not all changes are known.
    pub fn affected(&mut self, notice: &CommitNotice) -> Vec<(ConnectionId, Wake)> {
        self.newest = Some(notice.checkpoint.clone());
        let mut wakes: BTreeMap<ConnectionId, Wake> = BTreeMap::new();
        if let Some(plan) = &notice.activated {
            self.activated = Some(plan.clone());
        }
        if notice.activated.is_some() || notice.everything {
            for id in self.connections.keys() {
                let (plan, everything) = (notice.activated.clone(), notice.everything);
                wakes.insert(*id, Wake { plan, everything, ..Wake::default() });
            }
        }
        for changed in &notice.buckets {
            for id in self.users(&Thing::Bucket(changed.definition, changed.key.clone())) {
                wakes.entry(*id).or_default().buckets.push((changed.definition, changed.key.clone()));
            }
        }
        for changed in &notice.lookups {
            for id in self.users(&Thing::Lookup(changed.index, changed.key.clone())) {
                wakes.entry(*id).or_default().lookups = true;
            }
        }
        for client in &notice.write_checkpoints {
            for id in self.users(&Thing::WriteCheckpoint(Box::new(client.clone()))) {
                wakes.entry(*id).or_default().write_checkpoint = true;
            }
        }
        wakes.into_iter().collect()
    }

    fn users(&self, thing: &Thing) -> &[ConnectionId] {
        let entry = self.find(thing).and_then(|number| self.entries.get(number as usize));
        entry.and_then(Option::as_ref).map_or(&[], |entry| entry.users.as_slice())
    }

    fn find(&self, thing: &Thing) -> Option<u32> {
        let is_it = |number: &u32| is_thing(&self.entries, *number, thing);
        self.numbers.find(self.hasher.hash_one(thing), is_it).copied()
    }

    /// The number of a thing, and its key if it was there already.
    fn number(&mut self, thing: Thing) -> (u32, Option<Arc<str>>) {
        if let Some(number) = self.find(&thing) {
            let key = match self.entries.get(number as usize).and_then(Option::as_ref).map(|entry| &entry.thing) {
                Some(Thing::Bucket(_, key) | Thing::Lookup(_, key)) => Some(key.clone()),
                _ => None,
            };
            return (number, key);
        }
        let number = self.free.pop().unwrap_or_else(|| {
            self.entries.push(None);
            u32::try_from(self.entries.len() - 1).unwrap_or(u32::MAX)
        });
        let hash = self.hasher.hash_one(&thing);
        if let Some(place) = self.entries.get_mut(number as usize) {
            *place = Some(Entry { thing, users: Users::None });
        }
        let (entries, hasher) = (&self.entries, &self.hasher);
        self.numbers.insert_unique(hash, number, |number| {
            let entry = entries.get(*number as usize).and_then(Option::as_ref);
            entry.map_or(0, |entry| hasher.hash_one(&entry.thing))
        });
        (number, None)
    }

    fn add(&mut self, number: u32, id: ConnectionId) {
        let entry = self.entries.get_mut(number as usize).and_then(Option::as_mut);
        debug_assert!(entry.is_some(), "a number was given for this thing");
        if let Some(entry) = entry {
            entry.users.add(id);
        }
    }

    fn remove(&mut self, number: u32, id: ConnectionId) {
        let Some(entry) = self.entries.get_mut(number as usize).and_then(Option::as_mut) else { return };
        entry.users.remove(id);
        if !matches!(entry.users, Users::None) {
            return;
        }
        let hash = self.hasher.hash_one(&entry.thing);
        if let Ok(found) = self.numbers.find_entry(hash, |other| *other == number) {
            found.remove();
        }
        if let Some(place) = self.entries.get_mut(number as usize) {
            *place = None;
        }
        self.free.push(number);
    }
}

fn is_thing(entries: &[Option<Entry>], number: u32, thing: &Thing) -> bool {
    entries.get(number as usize).and_then(Option::as_ref).is_some_and(|entry| entry.thing == *thing)
}

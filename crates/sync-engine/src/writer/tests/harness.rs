//! A driver of the writer, and what must hold after each of its commits.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::client::Client;
use super::faults::{Fault, FaultyStore};
use super::plan;
use super::world::{Stream, World};
use crate::live::{ConfigId, DefinitionId, LivePlan};
use crate::memory::MemoryStore;
use crate::notice::CommitNotice;
use crate::row::Position;
use crate::source::{SnapshotChunk, SourceEvent};
use crate::store::{BucketState, Checkpoint, JobId, Reader, Readers, Store};
use crate::writer::{Want, Writer, WriterError, WriterOptions};

/// The writer, its source, its store, and clients.
pub(super) struct Harness {
    pub(super) world: World,
    pub(super) store: MemoryStore,
    pub(super) fault: Fault,
    pub(super) writer: Writer,
    pub(super) stream: Option<Stream>,
    pub(super) now: i64,
    pub(super) options: WriterOptions,
    pub(super) clients: Vec<Client>,
    /// A chunk that was read and not handed over yet.
    pub(super) late_chunk: Option<(JobId, SnapshotChunk)>,
    pub(super) notices: usize,
    /// How often a call of the store has failed.
    pub(super) crashes: usize,
    /// The plan that connections use.
    live: Option<Arc<LivePlan>>,
    newest: Option<Checkpoint>,
    /// Buckets as connections know them, who look at those only that notices name.
    known: BTreeMap<(DefinitionId, Arc<str>), BucketState>,
    /// Heads of requested write checkpoints.
    heads: BTreeMap<i64, Position>,
    acknowledged: i64,
}

pub(super) const SMALL: WriterOptions =
    WriterOptions { max_changes: 12, max_bytes: 100_000, chunk_rows: 3, grace: 1_000, idle_interval: 50 };

impl Harness {
    pub(super) fn new(options: WriterOptions) -> Self {
        let store = MemoryStore::new("a1");
        store.set_clear_from(4);
        let fault = Fault::default();
        let writer = Writer::new(Box::new(FaultyStore::new(store.clone(), fault.clone())), options).unwrap();
        Self {
            world: World::new(),
            store,
            fault,
            writer,
            stream: None,
            now: 1,
            options,
            clients: vec![Client::default()],
            late_chunk: None,
            notices: 0,
            crashes: 0,
            live: None,
            newest: None,
            known: BTreeMap::new(),
            heads: BTreeMap::new(),
            acknowledged: 0,
        }
    }

    pub(super) fn deploy(&mut self, yaml: &str) -> ConfigId {
        self.writer.deploy(yaml, plan(yaml), self.now).unwrap()
    }

    /// Loses everything in memory.
    pub(super) fn restart(&mut self) {
        self.fault.disarm();
        let store = FaultyStore::new(self.store.clone(), self.fault.clone());
        self.writer = Writer::new(Box::new(store), self.options).unwrap();
        self.stream = None;
        self.late_chunk = None;
        // Clients of requests that were not stored have no answer, and ask again.
        let waiting = self.store.clone().load().unwrap().waiting_write_checkpoints;
        let reader = self.store.latest().unwrap();
        let told = reader.as_ref().and_then(|reader| reader.write_checkpoint("u", "c").unwrap());
        self.acknowledged = told.unwrap_or(self.acknowledged);
        let last = waiting.iter().map(|waiting| waiting.id).max().max(Some(self.acknowledged));
        self.heads.retain(|id, _| Some(*id) <= last);
        self.newest = reader.as_ref().map(|reader| reader.checkpoint().clone());
        self.know_all();
        // Connections begin at once, with the checkpoint of before.
        if let (Some(reader), Some(live)) = (reader, self.live.clone()) {
            self.check_known(&*reader, &live);
        }
    }

    /// Begins again after an error that the test has caused.
    pub(super) fn check<T>(&mut self, result: Result<T, WriterError>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                assert!(self.fault.has_struck(), "{error}");
                self.crashes += 1;
                self.restart();
                None
            }
        }
    }

    pub(super) fn flush(&mut self) -> Option<CommitNotice> {
        self.now += 1;
        let result = self.writer.flush(self.now);
        let notice = self.check(result)?;
        if let Some(notice) = &notice {
            self.noticed(notice);
        }
        notice
    }

    fn noticed(&mut self, notice: &CommitNotice) {
        self.notices += 1;
        let reader = self.store.latest().unwrap().unwrap();
        assert_eq!(*reader.checkpoint(), notice.checkpoint);
        if let Some(before) = &self.newest {
            assert!(before.op_id <= notice.checkpoint.op_id && before.position <= notice.checkpoint.position);
            let is_other = before.config != notice.checkpoint.config;
            assert!(!is_other || notice.activated.is_some(), "connections know the active plan");
        }
        self.newest = Some(notice.checkpoint.clone());
        for client in &notice.write_checkpoints {
            assert_eq!((&*client.user, &*client.client), ("u", "c"));
        }
        let told = reader.write_checkpoint("u", "c").unwrap().unwrap_or(0);
        if told != self.acknowledged {
            assert!(told > self.acknowledged, "acknowledgements never go back");
            assert!(self.heads[&told] <= notice.checkpoint.position, "acknowledged before its head was reached");
            assert!(!notice.write_checkpoints.is_empty(), "the client is told");
            self.acknowledged = told;
        }
        if notice.activated.is_some() {
            self.know_all();
        } else {
            let keys: Vec<(DefinitionId, Arc<str>)> =
                notice.buckets.iter().map(|bucket| (bucket.definition, Arc::clone(&bucket.key))).collect();
            let states = reader.buckets(&keys).unwrap();
            for ((key, state), changed) in keys.into_iter().zip(states).zip(&notice.buckets) {
                assert_eq!(state.id, Some(changed.bucket));
                self.known.insert(key, state);
            }
        }
    }

    /// What a connection knows that has just begun.
    fn know_all(&mut self) {
        self.live = self.writer.active_plan();
        self.known.clear();
    }

    /// One client downloads everything, and everything is compared.
    pub(super) fn sync(&mut self, client: usize) {
        let Some(reader) = self.store.latest().unwrap() else { return };
        let Some(live) = self.live.clone() else { return };
        self.clients[client].sync(&*reader, &live, &self.world);
        self.check_known(&*reader, &live);
    }

    /// Buckets that notices did not name are as they were.
    fn check_known(&mut self, reader: &dyn Reader, live: &LivePlan) {
        let (buckets, _) = super::expected::expected(self.world.state(&reader.checkpoint().position), live);
        let mut keys: Vec<(DefinitionId, Arc<str>)> = self.known.keys().cloned().collect();
        keys.extend(buckets.keys().map(|(definition, key)| (*definition, Arc::from(key.as_str()))));
        let states = reader.buckets(&keys).unwrap();
        for (key, state) in keys.into_iter().zip(states) {
            let known = self.known.entry(key.clone()).or_insert(state);
            assert_eq!((known.last_op, known.checksum), (state.last_op, state.checksum), "no notice named {key:?}");
        }
    }

    pub(super) fn request_write_checkpoint(&mut self) {
        let head = self.world.head();
        let id = self.writer.request_write_checkpoint("u", "c", None, head.clone(), self.now).unwrap();
        assert!(id > self.acknowledged, "ids grow");
        self.heads.insert(id, head);
    }

    /// Does what the writer wants. Gives whether there was anything.
    pub(super) fn want(&mut self) -> bool {
        match self.writer.want() {
            Want::Tables(patterns) => {
                let reads = |table: &crate::row::SourceTable| {
                    patterns.iter().any(|pattern| pattern.suffix(None, &table.schema, &table.name).is_some())
                };
                let tables: Vec<_> = self.world.tables().into_iter().filter(reads).collect();
                let result = self.writer.tables(&tables, self.world.head(), self.now);
                self.check(result);
            }
            Want::Chunk(wanted) => match self.world.chunk(&wanted.table, wanted.after.as_deref(), wanted.limit) {
                Some(chunk) => self.late_chunk = Some((wanted.job, chunk)),
                None => self.writer.table_failed(),
            },
            Want::Refetch(wanted) => match self.world.refetch(&wanted.table, &wanted.keys) {
                Some(refetched) => {
                    let result = self.writer.refetched(refetched);
                    self.check(result);
                }
                None => self.writer.refetch_failed(),
            },
            Want::Mark => {
                self.world.mark();
                self.writer.marked();
            }
            Want::Flush => {
                self.flush();
            }
            Want::Events => return false,
        }
        true
    }

    pub(super) fn deliver_chunk(&mut self) -> bool {
        let Some((job, chunk)) = self.late_chunk.take() else { return false };
        let result = self.writer.chunk(job, chunk, self.now);
        self.check(result);
        true
    }

    /// The source does not know any more what came after the stream's position.
    pub(super) fn lose_position(&mut self) {
        self.stream = None;
        self.late_chunk = None;
        let result = self.writer.rebuild(&self.world.tables(), self.world.head(), self.now);
        self.check(result);
    }

    /// Has these tables compared with what is stored. Gives how many there are.
    pub(super) fn reprocess(&mut self, names: &[&str]) -> usize {
        let is_wanted = |table: &crate::row::SourceTable| names.contains(&table.name.as_str());
        let result = self.writer.reprocess(&self.world.tables(), self.world.head(), &is_wanted, self.now);
        self.check(result).map_or(0, |tables| tables.len())
    }

    /// Hands over about so many events.
    pub(super) fn pump(&mut self, limit: usize) -> bool {
        if self.stream.is_none() {
            self.stream = self.writer.position().map(Stream::new);
        }
        let Some(stream) = &mut self.stream else { return false };
        let events = self.world.events(stream, limit);
        self.push(events)
    }

    pub(super) fn push(&mut self, events: Vec<SourceEvent>) -> bool {
        let has_news = !events.is_empty();
        let result = self.writer.push(events);
        self.check(result);
        has_news
    }

    /// Goes on until nothing is left to do, and checks that nothing is missing.
    pub(super) fn settle(&mut self) {
        self.world.commit();
        let (mut rounds, mut quiet) = (0, 0);
        while quiet < 2 {
            rounds += 1;
            assert!(rounds < 3_000, "it never ends: {:?}", self.writer.want());
            let crashes = self.crashes;
            let mut is_busy = self.want() | self.deliver_chunk() | self.pump(100);
            self.now += SMALL.idle_interval;
            self.flush();
            is_busy |= crashes != self.crashes;
            quiet = if is_busy { 0 } else { quiet + 1 };
        }
        if self.writer.configs().next().is_some() {
            assert_eq!(self.writer.position(), Some(&self.world.head()));
            assert_eq!(self.writer.jobs().count(), 0);
            assert!(!self.writer.is_withholding());
            let checkpoint = self.store.latest().unwrap().expect("a checkpoint").checkpoint().clone();
            assert!(
                self.heads.keys().next_back().is_none_or(|last| *last <= self.acknowledged),
                "an answer is missing"
            );
            assert_eq!(
                format!("{:?}", self.world.state(&checkpoint.position)),
                format!("{:?}", self.world.now()),
                "the checkpoint shows all"
            );
        }
        for client in 0..self.clients.len() {
            self.sync(client);
        }
        // A client that knows nothing gets the same.
        let mut client = Client::default();
        if let (Some(reader), Some(live)) = (self.store.latest().unwrap(), self.live.clone()) {
            client.sync(&*reader, &live, &self.world);
        }
    }
}

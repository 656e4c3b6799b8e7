//! The service without its network: the writer, its store, and what connections are told.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use pg_connect::Target;
use rowtide_testkit::random::Random;
use sync_config::{CompileOptions, compile};
use sync_engine::connection::Connection;
use sync_engine::interests::Interests;
use sync_engine::live::LivePlan;
use sync_engine::memory::MemoryStore;
use sync_engine::notice::CommitNotice;
use sync_engine::row::Position;
use sync_engine::source::{Refetched, SnapshotChunk, SourceStream};
use sync_engine::store::{Checkpoint, JobId, Readers, Store};
use sync_engine::writer::{Writer, WriterError, WriterOptions};
use sync_store::{Options, PostgresOptions, PostgresStore, SqliteStore};
use tempfile::TempDir;

use crate::audit::{Audit, AuditedStore};
use crate::catalog::Config;
use crate::fault::Fault;
use crate::trace::Trace;
use crate::world::World;

pub(crate) const SECOND: i64 = 1_000_000;

/// How long requests for checkpoints are remembered.
pub(crate) const REQUEST_LIFETIME: i64 = 1_000 * SECOND;

/// Where operations are to be kept.
#[derive(Clone, Copy)]
pub(crate) enum Kept<'a> {
    Memory,
    File,
    /// In the database of this URL.
    Postgres(&'a str),
}

/// Where operations are kept.
enum Storage {
    Memory(MemoryStore),
    File(TempDir),
    Postgres(Target),
}

/// Whose request for a checkpoint is answered when it is stored.
struct Unanswered {
    peer: usize,
    id: i64,
}

/// How often things happened.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Events {
    pub(crate) checkpoints: u64,
    pub(crate) activations: u64,
    pub(crate) crashes: u64,
    pub(crate) rebuilds: u64,
    pub(crate) compacted: u64,
}

/// Everything behind the connections.
pub(crate) struct Backend {
    pub(crate) world: World,
    pub(crate) now: i64,
    pub(crate) fault: Fault,
    pub(crate) audit: Arc<Mutex<Audit>>,
    storage: Storage,
    options: WriterOptions,
    /// None while a new one is loaded.
    pub(crate) writer: Option<Writer>,
    readers: Option<Arc<dyn Readers>>,
    /// Whether the store has failed, so that the writer is to be loaded again.
    pub(crate) is_down: bool,
    pub(crate) interests: Interests,
    /// What new connections begin with.
    pub(crate) plan: Option<Arc<LivePlan>>,
    configs: BTreeMap<String, Rc<Config>>,
    lives: Vec<(Arc<LivePlan>, Rc<Config>)>,
    pub(crate) stream: Option<Box<dyn SourceStream>>,
    /// Answers of the source that are on their way.
    pub(crate) late_chunk: Option<(JobId, SnapshotChunk)>,
    pub(crate) late_rows: Option<Refetched>,
    /// What connections are not told yet.
    pub(crate) notices: VecDeque<CommitNotice>,
    newest: Option<Checkpoint>,
    /// The source's head at the time of each request for a checkpoint, by user and client, and by id.
    heads: BTreeMap<(String, String), BTreeMap<i64, u64>>,
    unanswered: Vec<Unanswered>,
    /// When old requests were forgotten last.
    forgotten_at: i64,
    /// Answers to clients: none if they are to ask again.
    pub(crate) answers: Vec<(usize, Option<i64>)>,
    pub(crate) trace: Trace,
    pub(crate) events: Events,
}

impl Backend {
    pub(crate) fn new(random: &mut Random, trace: Trace, kept: Kept<'_>, is_large: bool) -> Self {
        let storage = match kept {
            Kept::Postgres(url) => Storage::Postgres(Target::parse(url).expect("the URL of a database")),
            Kept::File => Storage::File(tempfile::tempdir().expect("a folder")),
            Kept::Memory => {
                let store = MemoryStore::new("a1");
                store.set_clear_from(2 + random.below(6));
                Storage::Memory(store)
            }
        };
        let options = WriterOptions {
            max_changes: if is_large { 500 } else { 8 + random.below(40) },
            max_bytes: 100_000,
            chunk_rows: if is_large { 500 } else { 2 + random.below(12) },
            grace: 600 * SECOND,
            idle_interval: SECOND,
        };
        let mut backend = Self {
            world: World::new(),
            now: 1_000_000_000 * SECOND,
            fault: Fault::default(),
            audit: Arc::default(),
            storage,
            options,
            writer: None,
            readers: None,
            is_down: true,
            interests: Interests::new(),
            plan: None,
            configs: BTreeMap::new(),
            lives: Vec::new(),
            stream: None,
            late_chunk: None,
            late_rows: None,
            notices: VecDeque::new(),
            newest: None,
            heads: BTreeMap::new(),
            unanswered: Vec::new(),
            forgotten_at: 0,
            answers: Vec::new(),
            trace,
            events: Events::default(),
        };
        backend.restart();
        backend
    }

    /// Loads a new writer. Connections are gone, as they read through the store of before.
    pub(crate) fn restart(&mut self) {
        (self.writer, self.readers, self.stream) = (None, None, None);
        (self.late_chunk, self.late_rows) = (None, None);
        self.notices.clear();
        self.lives.clear();
        self.answers.extend(self.unanswered.drain(..).map(|request| (request.peer, None)));
        self.fault.disarm();
        let store: Box<dyn Store> = match &self.storage {
            Storage::Memory(store) => Box::new(store.clone()),
            Storage::File(folder) => {
                let options = Options { clear_from: 4, ..Options::default() };
                Box::new(SqliteStore::open(&folder.path().join("store.db"), options).expect("the store opens again"))
            }
            Storage::Postgres(target) => {
                let patience = std::time::Duration::from_secs(20);
                let options = PostgresOptions { clear_from: 4, patience, ..PostgresOptions::default() };
                Box::new(PostgresStore::open(target, options).expect("the store opens again"))
            }
        };
        let store = AuditedStore { store, audit: Arc::clone(&self.audit), fault: self.fault.clone() };
        let writer = Writer::new(Box::new(store), self.options).expect("what was stored is loaded");
        let loaded = writer.checkpoint().cloned();
        if let Some(before) = &self.newest {
            let loaded = loaded.as_ref().expect("the checkpoint is still there");
            assert!(before.op_id <= loaded.op_id && before.position <= loaded.position, "{before:?}, {loaded:?}");
        }
        self.interests = Interests::new();
        self.newest = loaded;
        self.readers = Some(writer.readers());
        self.writer = Some(writer);
        self.is_down = false;
        let plan = self.writer().active_plan();
        self.plan = plan.inspect(|plan| self.note_live(plan));
        self.trace.note(|| format!("loaded at {:?}", self.newest));
    }

    pub(crate) fn writer(&mut self) -> &mut Writer {
        self.writer.as_mut().expect("it is there, except while a new one is loaded")
    }

    pub(crate) fn readers(&self) -> Arc<dyn Readers> {
        Arc::clone(self.readers.as_ref().expect("they are there, except while a new writer is loaded"))
    }

    /// A result of the writer, which may fail only if the simulation made it.
    pub(crate) fn check<T>(&mut self, result: Result<T, WriterError>) -> Option<T> {
        match result {
            Ok(value) => Some(value),
            Err(error) => {
                assert!(self.fault.has_struck(), "the writer failed: {error}");
                self.trace.note(|| format!("the store failed: {error}"));
                self.is_down = true;
                self.events.crashes += 1;
                None
            }
        }
    }

    /// Begins to build a configuration.
    pub(crate) fn deploy(&mut self, config: Config) {
        let yaml = config.yaml();
        let compile_options = CompileOptions { default_schema: "main".to_owned(), ..CompileOptions::default() };
        let compiled = compile(&yaml, &compile_options);
        let plan = compiled.plan.unwrap_or_else(|| panic!("{:?} in {yaml}", compiled.diagnostics));
        self.configs.entry(yaml.clone()).or_insert_with(|| Rc::new(config));
        let now = self.now;
        let result = self.writer().deploy(&yaml, plan, now);
        self.trace.note(|| format!("deploy {result:?} {yaml}"));
        self.check(result);
    }

    fn note_live(&mut self, plan: &Arc<LivePlan>) {
        if self.lives.iter().any(|(known, _)| Arc::ptr_eq(known, plan)) {
            return;
        }
        let mut configs = self.writer.as_ref().expect("it is there").configs();
        let yaml = configs.find(|config| Arc::ptr_eq(&config.plan, plan)).expect("the active one").yaml.to_string();
        self.lives.push((Arc::clone(plan), Rc::clone(&self.configs[&yaml])));
    }

    /// The configuration that a connection uses.
    pub(crate) fn config_of(&self, plan: &Arc<LivePlan>) -> Rc<Config> {
        let (_, config) = self.lives.iter().find(|(known, _)| Arc::ptr_eq(known, plan)).expect("it was active");
        Rc::clone(config)
    }

    /// Writes what has come.
    pub(crate) fn flush(&mut self) {
        let now = self.now;
        if now - self.forgotten_at > REQUEST_LIFETIME / 10 {
            self.forgotten_at = now;
            self.writer().forget_requests_before(now - REQUEST_LIFETIME);
        }
        let result = self.writer().flush(now);
        let Some(notice) = self.check(result) else { return };
        let answered = self.unanswered.drain(..).map(|request| (request.peer, Some(request.id)));
        self.answers.extend(answered);
        if let Some(notice) = notice {
            self.noticed(notice);
        }
    }

    fn noticed(&mut self, notice: CommitNotice) {
        self.events.checkpoints += 1;
        let now = &notice.checkpoint;
        if let Some(before) = &self.newest {
            assert!(before.op_id <= now.op_id && before.position <= now.position, "{before:?}, {now:?}");
            let is_other = before.config != now.config;
            assert!(!is_other || notice.activated.is_some(), "connections are told of the active plan");
        }
        self.trace.note(|| {
            let buckets: Vec<_> =
                notice.buckets.iter().map(|bucket| format!("{}{}", bucket.definition.0, bucket.key)).collect();
            let is_active = if notice.activated.is_some() { ", activated" } else { "" };
            format!("checkpoint {} at {:?}{is_active}: {}", now.op_id, now.position, buckets.join(" "))
        });
        self.newest = Some(now.clone());
        if let Some(plan) = notice.activated.clone() {
            self.events.activations += 1;
            self.note_live(&plan);
        }
        self.notices.push_back(notice);
    }

    /// Tells connections of the oldest notice. `wake` gives a wake to a connection, by its number.
    pub(crate) fn route(&mut self, mut wake: impl FnMut(u32, sync_engine::notice::Wake)) -> bool {
        let Some(notice) = self.notices.pop_front() else { return false };
        if let Some(plan) = &notice.activated {
            self.plan = Some(Arc::clone(plan));
        }
        self.interests.affected(&notice).into_iter().for_each(|(id, its)| wake(id.0, its));
        true
    }

    /// Says what a connection uses.
    pub(crate) fn register(&mut self, peer: usize, connection: &mut Connection) {
        let id = sync_engine::interests::ConnectionId(u32::try_from(peer).unwrap_or(u32::MAX));
        if let Some(wake) = self.interests.register(id, connection) {
            connection.wake(wake);
        }
    }

    pub(crate) fn unregister(&mut self, peer: usize) {
        self.interests.unregister(sync_engine::interests::ConnectionId(u32::try_from(peer).unwrap_or(u32::MAX)));
    }

    /// A client asks for a checkpoint with all that is committed now. Answered when it is stored.
    pub(crate) fn request(&mut self, peer: usize, user: &str, client: &str, id: Option<i64>) {
        let (head, now) = (self.world.head(), self.now);
        let number = head.number().expect("this source counts");
        let result = self.writer().request_write_checkpoint(user, client, id, head, now);
        let Some(given) = self.check(result) else { return self.answers.push((peer, None)) };
        self.trace.note(|| format!("client {peer} asks for checkpoint {id:?}, gets {given} for {number}"));
        let heads = self.heads.entry((user.to_owned(), client.to_owned())).or_default();
        if id.is_some() {
            // A client asks for an id again when it connects. It has no writes that came after the first time.
            heads.entry(given).or_insert(number);
        } else {
            heads.insert(given, number);
        }
        self.unanswered.push(Unanswered { peer, id: given });
    }

    /// A client was told that the checkpoint at a position acknowledges an id.
    pub(crate) fn check_acknowledged(&self, user: &str, client: &str, id: i64, position: u64) {
        let Some(heads) = self.heads.get(&(user.to_owned(), client.to_owned())) else { return };
        for (asked, head) in heads.range(..=id) {
            assert!(
                *head <= position,
                "client {client} of {user} asked for {asked} at {head}, and {position} acknowledges {id}"
            );
        }
    }

    /// Makes old operations smaller.
    pub(crate) fn compact(&mut self, budget: usize) {
        // A failure changes nothing, and the writer goes on; but the simulation makes all calls fail from then on.
        match self.writer().compact(budget) {
            Ok(done) => self.events.compacted += done.operations as u64,
            Err(error) => drop(self.check::<()>(Err(WriterError::Store(error)))),
        }
    }

    pub(crate) fn operations(&self) -> u64 {
        self.audit.lock().unwrap_or_else(PoisonError::into_inner).operations
    }

    /// The newest checkpoint's position.
    pub(crate) fn shown(&self) -> Option<&Position> {
        self.newest.as_ref().map(|newest| &newest.position)
    }
}

//! Random sessions.

use rowtide_testkit::random::Random;
use serde_json::json;

use crate::backend::{Backend, Events, Kept, SECOND};
use crate::catalog::{Config, stream_names};
use crate::client::{Client, Setup, Told};
use crate::link::{Caller, Link};
use crate::trace::Trace;
use crate::uploads::{USERS, list};

/// How often things happened in sessions.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Steps of all sessions.
    pub steps: u64,
    /// Checkpoints that the writer made.
    pub checkpoints: u64,
    /// Configurations that became active.
    pub activations: u64,
    /// Failures of the store.
    pub crashes: u64,
    /// Comparisons of all rows after a lost position.
    pub rebuilds: u64,
    /// Operations that the writer made.
    pub operations: u64,
    /// Operations that were compacted.
    pub compacted: u64,
    /// Checkpoints that clients published.
    pub publishes: u64,
    /// Parts of checkpoints that clients published.
    pub parts: u64,
    /// Checkpoints held back by local writes.
    pub delays: u64,
    /// Transactions that clients uploaded.
    pub uploads: u64,
}

impl Counts {
    /// Adds those of another session.
    pub fn add(&mut self, other: &Self) {
        self.steps += other.steps;
        self.checkpoints += other.checkpoints;
        self.activations += other.activations;
        self.crashes += other.crashes;
        self.rebuilds += other.rebuilds;
        self.operations += other.operations;
        self.compacted += other.compacted;
        self.publishes += other.publishes;
        self.parts += other.parts;
        self.delays += other.delays;
        self.uploads += other.uploads;
    }
}

/// A client and its connection.
pub(crate) struct Peer {
    pub(crate) client: Client,
    pub(crate) link: Option<Link>,
    /// A request that has not reached the service.
    pub(crate) request: Option<String>,
}

pub(crate) struct Session {
    pub(crate) random: Random,
    pub(crate) backend: Backend,
    pub(crate) peers: Vec<Peer>,
    pub(crate) trace: Trace,
    steps: u64,
}

/// Runs a session.
///
/// # Panics
/// Something does not hold. What happened before is printed.
pub fn run(seed: u64, steps: u64) -> Counts {
    run_on(if seed % 8 == 7 { Kept::File } else { Kept::Memory }, seed, steps)
}

/// The same, with storage in an empty database of PostgreSQL.
///
/// # Panics
/// Something does not hold. What happened before is printed.
pub fn run_on_postgres(url: &str, seed: u64, steps: u64) -> Counts {
    run_on(Kept::Postgres(url), seed, steps)
}

fn run_on(kept: Kept<'_>, seed: u64, steps: u64) -> Counts {
    let mut session = Session::new(kept, seed);
    for step in 0..steps {
        session.trace.step(step);
        session.step();
        session.restart_if_down();
    }
    session.settle();
    session.check_quiet();
    session.counts()
}

impl Session {
    fn new(kept: Kept<'_>, seed: u64) -> Self {
        let (mut random, trace) = (Random::new(seed), Trace::new(seed));
        let is_large = seed % 16 == 5;
        let mut backend = Backend::new(&mut random, trace.clone(), kept, is_large);
        let peers = (0..4).map(|at| {
            let setup = Setup {
                user: USERS[at % 3],
                is_binary: random.chance(50),
                has_requests: random.chance(50),
                include_defaults: random.chance(80),
                is_direct: random.chance(30),
            };
            let topic = ["red", "blue"][random.below(2)];
            Peer { client: Client::new(setup, topic), link: None, request: None }
        });
        let peers = peers.collect();
        backend.deploy(Config::random(&mut random));
        let mut session = Self { random, backend, peers, trace, steps: 0 };
        if is_large {
            session.write_many();
        }
        session
    }

    fn counts(&self) -> Counts {
        let Events { checkpoints, activations, crashes, rebuilds, compacted } = self.backend.events;
        let operations = self.backend.operations();
        let mut counts = Counts {
            steps: self.steps,
            checkpoints,
            activations,
            crashes,
            rebuilds,
            operations,
            compacted,
            ..Counts::default()
        };
        for Peer { client, .. } in &self.peers {
            counts.publishes += client.publishes;
            counts.parts += client.parts;
            counts.delays += client.delays;
            counts.uploads += client.uploads.uploaded;
        }
        counts
    }

    fn step(&mut self) {
        self.steps += 1;
        self.backend.now += self.random.below(200_000) as i64;
        let peer = self.random.below(self.peers.len());
        match self.random.below(100) {
            0..11 => self.transaction(),
            11..21 => self.several(|session| session.backend.pump()),
            21..32 => self.backend.flush(),
            32..41 => self.several(|session| session.backend.want()),
            41..46 => self.several(|session| session.backend.deliver()),
            46..53 => self.several(|session| session.route()),
            53..68 => self.everybody(Self::serve),
            68..83 => self.everybody(Self::arrive),
            83..87 => (0..self.peers.len()).for_each(|peer| self.connect(peer)),
            87 => self.disconnect(peer),
            88 => self.write(peer),
            89..95 => self.everybody(Self::upload),
            95 => self.subscribe(peer),
            96 => self.compact(),
            97 if self.random.chance(30) => self.backend.fault.arm(self.random.below(12), self.random.chance(50)),
            _ => self.rare(peer),
        }
    }

    /// Does something some times, or until there is nothing to do.
    fn several(&mut self, mut act: impl FnMut(&mut Self) -> bool) {
        let times = 1 + self.random.below(6);
        for _ in 0..times {
            if self.backend.is_down || !act(self) {
                break;
            }
        }
    }

    /// Does something some times for each client.
    fn everybody(&mut self, act: impl Fn(&mut Self, usize) -> bool) {
        for peer in 0..self.peers.len() {
            self.several(|session| act(session, peer));
        }
    }

    fn rare(&mut self, peer: usize) {
        match self.random.below(12) {
            0 => self.restart(),
            1..4 => {
                let config = Config::random(&mut self.random);
                self.backend.deploy(config);
            }
            4 | 5 => self.backend.disturb(&mut self.random),
            6 if self.random.chance(40) => {
                self.trace.note(|| "the source forgets its history".to_owned());
                self.backend.world.lose_positions();
            }
            7 => self.backend.end_stream(),
            8 => self.several(|session| session.peers[peer].link.as_mut().is_some_and(Link::release_plan)),
            9 => self.acknowledge_source(),
            10 if self.random.chance(30) => {
                self.settle();
                self.check_quiet();
                self.trace.note(|| "a night goes by".to_owned());
                self.backend.now += 2_000 * SECOND;
            }
            _ => self.change_table(),
        }
    }

    fn restart(&mut self) {
        for at in 0..self.peers.len() {
            self.cut(at);
        }
        self.backend.restart();
        self.answer();
    }

    pub(crate) fn restart_if_down(&mut self) {
        if self.backend.is_down {
            self.restart();
        }
    }

    fn compact(&mut self) {
        let budget = 1 + self.random.below(30);
        self.backend.compact(budget);
    }

    /// The source may forget what is stored.
    fn acknowledge_source(&mut self) {
        use sync_engine::source::Source;
        let Some(position) = self.backend.writer().stored_position().cloned() else { return };
        self.backend.world.source.acknowledge(&position).expect("no fault was injected");
        if let Some(shown) = self.backend.shown().and_then(sync_engine::row::Position::number) {
            self.backend.world.forget_before(shown);
        }
    }

    pub(crate) fn route(&mut self) -> bool {
        let (peers, random) = (&mut self.peers, &mut self.random);
        self.backend.route(|peer, wake| {
            if let Some(link) = &mut peers[peer as usize].link {
                link.wake(wake, random.chance(50));
            }
        })
    }

    pub(crate) fn serve(&mut self, peer: usize) -> bool {
        let Peer { client, link, request } = &mut self.peers[peer];
        if let Some(link) = link {
            return link.serve(&mut self.backend, peer);
        }
        let Some(request) = request.take().filter(|_| client.is_iterating) else { return false };
        let lifetime = if self.random.chance(40) { 30 + self.random.below(100) } else { 10_000 };
        let caller = Caller {
            peer,
            user: client.setup.user,
            topic: client.topic.clone(),
            expires_at: self.backend.now + lifetime as i64 * SECOND,
            is_binary: client.setup.is_binary,
            seed: self.random.below(1_000_000) as u64,
        };
        *link = Link::open(&mut self.backend, caller, &request);
        if link.is_none() {
            // There is no configuration yet.
            client.control("connection", "end");
        }
        true
    }

    /// A line arrives at a client.
    pub(crate) fn arrive(&mut self, peer: usize) -> bool {
        let Peer { client, link, .. } = &mut self.peers[peer];
        let Some(arrival) = link.as_mut().and_then(|link| link.wire.pop_front()) else { return false };
        let told = client.take(arrival);
        self.told(peer, &told);
        true
    }

    /// What the library says that a client has to do.
    fn told(&mut self, peer: usize, told: &Told) {
        if told.is_closed {
            self.unlink(peer);
        } else if told.wants_token && self.random.chance(70) {
            self.peers[peer].client.control("refreshed_token", ());
            self.unlink(peer);
        }
    }

    fn unlink(&mut self, peer: usize) {
        self.backend.unregister(peer);
        (self.peers[peer].link, self.peers[peer].request) = (None, None);
    }

    pub(crate) fn connect(&mut self, peer: usize) {
        let Peer { client, request, .. } = &mut self.peers[peer];
        if client.is_iterating {
            return;
        }
        let told = client.start();
        let established = told.established.expect("a request");
        *request = Some(established["request"].to_string());
        self.trace.note(|| format!("client {peer} starts: {}", established["request"]));
        let seed = &established["checkpoint_request"]["checkpoint_request_id"];
        client.uploads.seed = seed.as_str().and_then(|id| id.parse().ok());
        assert_eq!(client.uploads.seed.is_some(), client.setup.has_requests);
    }

    /// The connection breaks: lines that are on their way are lost.
    fn cut(&mut self, peer: usize) {
        if self.peers[peer].client.is_iterating {
            self.peers[peer].client.control("connection", "end");
        }
        self.unlink(peer);
    }

    fn disconnect(&mut self, peer: usize) {
        self.trace.note(|| format!("client {peer} is disconnected"));
        self.cut(peer);
    }

    fn write(&mut self, peer: usize) {
        self.peers[peer].client.write(&mut self.random);
    }

    /// The next step of a client's uploads.
    pub(crate) fn upload(&mut self, peer: usize) -> bool {
        self.answer();
        let is_lost = self.random.chance(10);
        let client = &mut self.peers[peer].client;
        if client.upload(&mut self.backend.world, is_lost) {
            let own = client.own;
            self.trace.note(|| format!("client {peer} has uploaded: {own}"));
            return true;
        }
        let seed = client.wants_seed().map(Some);
        let Some(id) = seed.or_else(|| client.wants_checkpoint()) else { return false };
        let (user, name) = (client.setup.user, client.host.value("SELECT powersync_client_id()"));
        self.backend.request(peer, user, name.as_str().expect("a name"), id);
        true
    }

    /// Answers arrive at clients.
    pub(crate) fn answer(&mut self) {
        for (peer, answer) in std::mem::take(&mut self.backend.answers) {
            self.peers[peer].client.answered(answer);
        }
    }

    /// A client uses other streams.
    fn subscribe(&mut self, peer: usize) {
        let names: Vec<_> = stream_names().collect();
        let (name, parameter) = names[self.random.below(names.len())];
        let parameters = match parameter {
            Some("list") => json!({"list": list(&mut self.random)}),
            Some(_) => json!({"level": self.random.below(3)}),
            None => json!(null),
        };
        let client = &mut self.peers[peer].client;
        if client.subscriptions.len() > 3 || client.subscriptions.contains(&(name, parameters.clone())) {
            let (name, parameters) = client.subscriptions.remove(0);
            client.host.control("subscriptions", json!({"unsubscribe": {"name": name, "params": parameters}}));
        } else {
            let priority = if self.random.chance(50) { json!(self.random.below(4)) } else { json!(null) };
            let stream = json!({"name": name, "params": parameters});
            client.host.control("subscriptions", json!({"subscribe": {"stream": stream, "priority": priority}}));
            client.subscriptions.push((name, parameters));
        }
        if client.is_iterating {
            let streams = client.streams().to_string();
            let told = client.control("update_subscriptions", streams);
            self.told(peer, &told);
        }
    }
}

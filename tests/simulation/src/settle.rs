//! The end of a session: everything that is on its way arrives, and everybody has the same.

use std::collections::BTreeMap;

use serde_json::json;
use sync_engine::row::Position;

use crate::backend::SECOND;
use crate::link::Link;
use crate::session::{Peer, Session};
use crate::world::Change;

impl Session {
    /// Goes on until nothing is left to do, and checks that nothing is missing.
    pub(crate) fn settle(&mut self) {
        self.backend.fault.disarm();
        self.restart_if_down();
        let (mut rounds, mut quiet) = (0, 0);
        while quiet < 3 {
            rounds += 1;
            assert!(rounds < 1_000, "it never comes to rest: {}", self.restless());
            quiet = if self.round() { 0 } else { quiet + 1 };
        }
        let head = self.backend.world.head();
        assert_eq!(self.backend.shown(), Some(&head), "the checkpoint shows all");
        assert_eq!(self.backend.writer().jobs().count(), 0, "all tables are read");
        assert!(!self.backend.writer().is_withholding());
        for at in 0..self.peers.len() {
            self.check_settled(at, &head);
        }
    }

    /// Whether anything happened.
    fn round(&mut self) -> bool {
        let mut is_busy = self.backend.want() | self.backend.deliver() | self.backend.pump();
        // Long enough for pauses between checkpoints and positions of an idle source, too short for tokens to expire.
        self.backend.now += SECOND + SECOND / 2;
        self.backend.flush();
        is_busy |= self.route();
        self.answer();
        for at in 0..self.peers.len() {
            self.connect(at);
            is_busy |= self.serve(at) | self.upload(at);
            while self.arrive(at) {
                is_busy = true;
            }
            is_busy |= self.peers[at].link.as_mut().is_some_and(Link::release_plan);
            is_busy |= self.peers[at].client.is_uploading();
        }
        is_busy
    }

    /// What still waits.
    fn restless(&mut self) -> String {
        let mut waits = vec![format!("the writer wants {:?}", self.backend.writer().want())];
        for Peer { client, link, .. } in &self.peers {
            let keys = client.host.table("SELECT key, value FROM ps_kv WHERE key LIKE '%checkpoint_request_id'");
            let is_idle = link.as_ref().map(Link::is_idle);
            waits.push(format!("{:?}, {:?}, {keys}, idle: {is_idle:?}", client.setup, client.uploads));
        }
        waits.join("\n")
    }

    fn check_settled(&mut self, at: usize, head: &Position) {
        let peer = &self.peers[at];
        let link = peer.link.as_ref().expect("everybody is connected");
        assert!(link.is_idle() && peer.client.is_iterating, "client {at} has everything");
        assert!(!peer.client.is_uploading(), "client {at} has uploaded everything");
        let wanted = link.rows_at(&self.backend, head.number().expect("this source counts"));
        let wanted: BTreeMap<_, _> = wanted.into_iter().map(|(key, (columns, _))| (key, columns)).collect();
        assert_eq!(peer.client.shown(), wanted, "client {at} in the end");
        peer.client.check_consistent();
    }

    /// Updates that change nothing of what anybody is sent: no operation comes of them, and no line.
    pub(crate) fn check_quiet(&mut self) {
        let before = self.backend.operations();
        let state = self.backend.world.now().clone();
        let mut changes = Vec::new();
        for (table, column) in [("lists", "note"), ("todos", "secret"), ("members", "user_id")] {
            for row in state[table].values() {
                let mut row = row.clone();
                if column != "user_id" {
                    row.insert(column, json!(format!("only in the source {before}")));
                }
                changes.push(Change::Put { table, row, unsent: Vec::new() });
            }
        }
        self.backend.world.commit(&changes);
        let told = |session: &Self| -> Vec<u64> {
            session.peers.iter().map(|peer| peer.client.publishes.wrapping_sub(peer.client.starts)).collect()
        };
        let before_told = told(self);
        self.settle();
        assert_eq!(self.backend.operations(), before, "an update that changes nothing gives no operation");
        // Except for those who connect meanwhile, because a token expires.
        assert_eq!(told(self), before_told, "and nobody is told of it");
    }
}

//! A backend and its clients. Every line is written in each encoding, read by the client's own decoder, and applied.

use std::collections::BTreeMap;
use std::sync::Arc;

use rowtide_protocol::{Scratch, decode_binary, decode_text};

use super::super::{Connection, ConnectionOptions, EndReason, Step, User};
use super::backend::Backend;
use super::model::Model;
use crate::interests::{ConnectionId, Interests};
use crate::lines::{Encoding, Line};
use crate::live::LivePlan;
use crate::notice::CommitNotice;
use crate::request::StreamRequest;

pub(super) const SECOND: i64 = 1_000_000;
/// When tests begin, and long after their end.
pub(super) const START: i64 = 1_000 * SECOND;
pub(super) const LATER: i64 = 1_000_000 * SECOND;

pub(super) struct World {
    pub(super) backend: Backend,
    pub(super) interests: Interests,
    pub(super) clients: BTreeMap<u32, Client>,
    pub(super) now: i64,
    /// The plan that was active when the service began.
    plan: Arc<LivePlan>,
}

pub(super) struct Client {
    pub(super) connection: Connection,
    pub(super) model: Model,
    /// Lines as JSON.
    pub(super) lines: Vec<String>,
}

/// What a call of [`World::step`] gave.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Got {
    /// A line, in short.
    Line(String),
    Wait(i64),
    End(EndReason),
}

/// Options without pauses and keep-alive lines.
pub(super) fn quiet() -> ConnectionOptions {
    ConnectionOptions { pause: 0, keep_alive: None, ..ConnectionOptions::default() }
}

impl World {
    /// A backend with its first checkpoint. Rows are `table id value …`.
    pub(super) fn new(yaml: &str, rows: &[&str]) -> Self {
        let backend = Backend::new(yaml);
        let plan = backend.plan.clone();
        let mut world = Self { backend, interests: Interests::new(), clients: BTreeMap::new(), now: START, plan };
        for row in rows {
            world.put(row);
        }
        world.commit();
        world
    }

    /// Writes a row: `table id value …`.
    pub(super) fn put(&mut self, row: &str) {
        let mut words = row.split(' ');
        let (table, id) = (words.next().unwrap(), words.next().unwrap());
        self.backend.set(table, id, Some(&words.collect::<Vec<_>>()));
    }

    pub(super) fn delete(&mut self, table: &str, id: &str) {
        self.backend.set(table, id, None);
    }

    /// Makes a checkpoint and wakes who is affected. Returns who.
    pub(super) fn commit(&mut self) -> Vec<u32> {
        let notice = self.backend.commit();
        self.route(&notice)
    }

    pub(super) fn route(&mut self, notice: &CommitNotice) -> Vec<u32> {
        let affected = self.interests.affected(notice);
        let ids = affected.iter().map(|(id, _)| id.0).collect();
        for (id, wake) in affected {
            self.clients.get_mut(&id.0).unwrap().connection.wake(wake);
        }
        ids
    }

    /// Connects user `u1` with the members of a request.
    pub(super) fn connect(&mut self, id: u32, request: &str) {
        self.connect_with(id, request, quiet(), LATER);
    }

    pub(super) fn connect_with(&mut self, id: u32, request: &str, options: ConnectionOptions, expires_at: i64) {
        let mut request = StreamRequest::parse(request.as_bytes()).unwrap();
        let model = self.clients.remove(&id).map(|client| client.model).unwrap_or_default();
        if request.buckets.is_empty() {
            request.buckets = model.positions();
        }
        let user = User { id: Arc::from("u1"), claims: "{\"sub\":\"u1\"}".into(), expires_at };
        let plan = self.interests.plan().unwrap_or(&self.plan).clone();
        let mut connection = Connection::new(request, user, plan, options, self.now);
        assert!(connection.take_interest_change(), "a new connection is to be registered");
        assert!(self.interests.register(ConnectionId(id), &mut connection).is_none());
        self.clients.insert(id, Client { connection, model, lines: Vec::new() });
    }

    pub(super) fn disconnect(&mut self, id: u32) {
        self.interests.unregister(ConnectionId(id));
        self.clients.get_mut(&id).unwrap().model.disconnect();
    }

    pub(super) fn step(&mut self, id: u32) -> Got {
        let client = self.clients.get_mut(&id).unwrap();
        let got = match client.connection.next(&*self.backend.shared, self.interests.newest(), self.now) {
            Step::Line(line) => {
                let (text, json) = client_reads(&line, &mut client.model);
                client.lines.push(json);
                Got::Line(text)
            }
            Step::Wait { until } => {
                assert!(until > self.now);
                Got::Wait(until)
            }
            Step::End(reason) => Got::End(reason),
        };
        if client.connection.take_interest_change()
            && let Some(wake) = self.interests.register(ConnectionId(id), &mut client.connection)
        {
            client.connection.wake(wake);
        }
        got
    }

    /// Lines until there is nothing to send.
    pub(super) fn lines(&mut self, id: u32) -> Vec<String> {
        let mut lines = Vec::new();
        while let Got::Line(line) = self.step(id) {
            lines.push(line);
            assert!(lines.len() < 10_000, "the stream does not come to rest");
        }
        lines
    }

    /// The client has exactly what the backend has in its buckets.
    pub(super) fn check(&self, id: u32) {
        let published = &self.clients[&id].model.published;
        for (bucket, rows) in published {
            assert_eq!(rows, &self.backend.rows(bucket), "{bucket}");
        }
    }

    /// A new client gets what this one has.
    pub(super) fn check_against_new_client(&mut self, id: u32, request: &str) {
        let new = 1_000_000 + id;
        self.connect(new, request);
        self.lines(new);
        self.disconnect(new);
        let new = self.clients.remove(&new).unwrap().model.published;
        let filled = |published: &BTreeMap<String, BTreeMap<(String, String), String>>| {
            published.clone().into_iter().filter(|(_, rows)| !rows.is_empty()).collect::<BTreeMap<_, _>>()
        };
        assert_eq!(filled(&self.clients[&id].model.published), filled(&new));
        self.check(id);
    }
}

/// Writes a line in all encodings; the client reads it. Returns it in short and as JSON.
fn client_reads(line: &Line<'_>, model: &mut Model) -> (String, String) {
    let write = |encoding: Encoding| {
        let mut out = Vec::new();
        encoding.write(line, &mut out).unwrap();
        out
    };
    let json = String::from_utf8(write(Encoding::Json { raw_data: true })).unwrap();
    let nested = write(Encoding::Json { raw_data: false });
    serde_json::from_slice::<serde_json::Value>(&nested).unwrap();
    let binary = write(Encoding::Bson);
    let (mut a, mut b) = (Scratch::default(), Scratch::default());
    let decoded = decode_text(json.trim_end_matches('\n'), &mut a).unwrap();
    assert_eq!(decoded, decode_binary(&binary, &mut b).unwrap());
    (model.apply(&decoded), json.trim_end().to_owned())
}

/// A request with subscriptions: `stream name=value`, with `!n` for a priority.
pub(super) fn asks(include_defaults: bool, subscriptions: &[&str]) -> String {
    let subscriptions = subscriptions.iter().map(|text| {
        let mut words = text.split(' ');
        let stream = words.next().unwrap();
        let (mut parameters, mut priority) = (Vec::new(), "null");
        for word in words {
            match (word.strip_prefix('!'), word.split_once('=')) {
                (Some(number), _) => priority = number,
                (_, Some((name, value))) => parameters.push(format!("\"{name}\":\"{value}\"")),
                _ => panic!("{word}"),
            }
        }
        format!(
            "{{\"stream\":\"{stream}\",\"parameters\":{{{}}},\"override_priority\":{priority}}}",
            parameters.join(",")
        )
    });
    let subscriptions: Vec<String> = subscriptions.collect();
    format!(
        "{{\"client_id\":\"c\",\"streams\":{{\"include_defaults\":{include_defaults},\"subscriptions\":[{}]}}}}",
        subscriptions.join(",")
    )
}

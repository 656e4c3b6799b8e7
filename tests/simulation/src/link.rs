//! A client's connection: the service's end, and the lines that are on their way.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use sync_engine::connection::{Connection, ConnectionOptions, EndReason, Step, User};
use sync_engine::interests::Interested;
use sync_engine::lines::{Encoding, Line};
use sync_engine::live::LivePlan;
use sync_engine::notice::Wake;
use sync_engine::request::StreamRequest;
use sync_engine::store::{OpKind, Operation};

use crate::backend::Backend;
use crate::expected::{Asked, Columns, Expected, Key, columns_of};

/// What arrives at the client.
pub(crate) enum Arrival {
    /// A line, what it is about, and what the client must have when the checkpoint is complete.
    Line {
        bytes: Vec<u8>,
        about: About,
    },
    End,
}

/// What a line is.
pub(crate) enum About {
    Checkpoint(Rc<Expected>),
    Data,
    Partial(u8),
    Complete,
    Clock,
}

/// The connection of a client.
pub(crate) struct Link {
    connection: Connection,
    asked: Rc<Asked>,
    client_id: String,
    encoding: Encoding,
    /// The checkpoint that is being sent.
    expected: Rc<Expected>,
    /// Lines on their way.
    pub(crate) wire: VecDeque<Arrival>,
    /// A plan that the connection is told later.
    late_plan: Option<Arc<LivePlan>>,
    has_ended: bool,
}

/// What the service sees of a client.
pub(crate) struct Caller {
    pub(crate) peer: usize,
    pub(crate) user: &'static str,
    pub(crate) topic: String,
    pub(crate) expires_at: i64,
    pub(crate) is_binary: bool,
    pub(crate) seed: u64,
}

impl Link {
    /// The service takes a request; not before a configuration is active.
    pub(crate) fn open(backend: &mut Backend, caller: Caller, request: &str) -> Option<Self> {
        let plan = backend.plan.clone()?;
        let request = StreamRequest::parse(request.as_bytes()).expect("the library's requests are right");
        let asked = Asked::new(caller.user, &caller.topic, &request);
        let client_id = request.client_id.as_deref().unwrap_or_default().to_owned();
        let claims = format!("{{\"sub\":\"{}\"}}", caller.user).into();
        let user = User { id: caller.user.into(), claims, expires_at: caller.expires_at };
        let encoding = if caller.is_binary { Encoding::Bson } else { Encoding::Json { raw_data: request.raw_data } };
        let options = ConnectionOptions { seed: caller.seed, ..ConnectionOptions::default() };
        let mut connection = Connection::new(request, user, plan, options, backend.now);
        assert!(connection.take_interest_change(), "a new connection is registered");
        backend.register(caller.peer, &mut connection);
        let (expected, wire) = (Rc::default(), VecDeque::new());
        Some(Self { connection, asked, client_id, encoding, expected, wire, late_plan: None, has_ended: false })
    }

    pub(crate) fn wake(&mut self, mut wake: Wake, is_late: bool) {
        if is_late && wake.plan.is_some() {
            self.late_plan = wake.plan.take();
        } else if wake.plan.is_some() {
            self.late_plan = None;
        }
        self.connection.wake(wake);
    }

    /// Tells the plan that was held back.
    pub(crate) fn release_plan(&mut self) -> bool {
        let Some(plan) = self.late_plan.take() else { return false };
        self.connection.wake(Wake { plan: Some(plan), ..Wake::default() });
        true
    }

    /// The service writes a line, if there is one. Gives whether anything happened.
    pub(crate) fn serve(&mut self, backend: &mut Backend, peer: usize) -> bool {
        if self.has_ended {
            return false;
        }
        let (readers, now) = (backend.readers(), backend.now);
        let mut bytes = Vec::new();
        let (about, write_checkpoint) = match self.connection.next(&*readers, backend.interests.newest(), now) {
            Step::Line(line) => {
                self.encoding.write(&line, &mut bytes).expect("a short line");
                about(&line, &self.expected)
            }
            Step::Wait { until } => {
                assert!(until > now, "it waits until {until}, and it is {now}");
                return false;
            }
            Step::End(reason) => {
                assert!(matches!(reason, EndReason::TokenExpired), "the stream ends: {reason:?}");
                self.has_ended = true;
                self.wire.push_back(Arrival::End);
                backend.unregister(peer);
                return true;
            }
        };
        if self.connection.take_interest_change() {
            backend.register(peer, &mut self.connection);
        }
        let about = match about {
            About::Checkpoint(_) => About::Checkpoint(self.announce(backend, write_checkpoint)),
            other => other,
        };
        self.wire.push_back(Arrival::Line { bytes, about });
        true
    }

    /// What the client must have at the checkpoint that was just announced.
    fn announce(&mut self, backend: &Backend, write_checkpoint: Option<i64>) -> Rc<Expected> {
        let checkpoint = Interested::checkpoint(&self.connection).expect("it was announced");
        let config = backend.config_of(Interested::plan(&self.connection));
        let position = checkpoint.position.number().expect("this source counts");
        let rows = self.asked.rows(&config, backend.world.at(position));
        if let Some(id) = write_checkpoint {
            backend.check_acknowledged(self.asked.user, &self.client_id, id, position);
        }
        backend.trace.note(|| {
            let (user, count) = (self.asked.user, rows.len());
            format!(
                "{user} is sent checkpoint {} at {position}, {count} rows, acknowledges {write_checkpoint:?}",
                checkpoint.op_id
            )
        });
        self.expected = Rc::new(Expected { position, op_id: checkpoint.op_id, rows });
        Rc::clone(&self.expected)
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.wire.is_empty() && self.late_plan.is_none()
    }

    /// What the client must have at a position.
    pub(crate) fn rows_at(&self, backend: &Backend, position: u64) -> BTreeMap<Key, (Columns, u8)> {
        let config = backend.config_of(Interested::plan(&self.connection));
        self.asked.rows(&config, backend.world.at(position))
    }
}

/// What a line is; with the write checkpoint that it acknowledges.
fn about(line: &Line<'_>, expected: &Expected) -> (About, Option<i64>) {
    match line {
        Line::Checkpoint { write_checkpoint, .. } | Line::CheckpointDiff { write_checkpoint, .. } => {
            (About::Checkpoint(Rc::default()), *write_checkpoint)
        }
        Line::Data { operations, .. } => {
            operations.iter().for_each(|operation| check_operation(operation, expected));
            (About::Data, None)
        }
        Line::PartialCheckpointComplete { last_op_id, priority } => {
            assert_eq!(*last_op_id, expected.op_id, "the checkpoint that is complete");
            (About::Partial(*priority), None)
        }
        Line::CheckpointComplete { last_op_id } => {
            assert_eq!(*last_op_id, expected.op_id, "the checkpoint that is complete");
            (About::Complete, None)
        }
        Line::TokenExpiresIn(_) => (About::Clock, None),
    }
}

/// A client is sent no row that it does not have at this very checkpoint: neither another version nor another user's.
fn check_operation(operation: &Operation, expected: &Expected) {
    assert!(operation.op_id <= expected.op_id, "operations are not newer than the checkpoint");
    let OpKind::Put { row, data } = &operation.kind else { return };
    let (table, columns) = columns_of(&row.object_type, data).expect("a row of a table that clients have");
    let (id, position) = (row.object_id.to_string(), expected.position);
    let wanted = expected.rows.get(&(table, id.clone())).map(|(columns, _)| columns);
    assert_eq!(Some(&columns), wanted, "{table} {id} as sent, and as it is at {position}");
}

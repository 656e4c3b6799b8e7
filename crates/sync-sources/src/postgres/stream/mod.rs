//! The stream: changes as the server sends them, and looks at the catalog.

mod assemble;

use std::sync::Arc;
use std::time::{Duration, Instant};

use sync_config::{Settings, Value};
use sync_engine::row::SourceValue;
use sync_engine::source::{SourceError, SourceEvent, SourceStream};

use super::catalog::{Layout, Which, physical_id};
use super::pgoutput::{Message, Relation, decode};
use super::place::{Lsn, Place};
use super::shared::{CurrentSlot, Shared};
use super::sql::{Session, failed};
use super::types::Types;
use super::wire::{EPOCH_2000, Frame, Replication, Start};
use crate::error::{configuration, position_lost, retry};
use assemble::{Assembler, Broken};
use sync_engine::row::{Column, SourceTable};

/// How long to wait for a slot that another process, or another stream of this one, has just left.
const SLOT_WAIT: Duration = Duration::from_secs(5);
const SLOT_PAUSE: Duration = Duration::from_millis(50);

/// How often the catalog is looked at while something happens, and how much of the time that may take.
const LOOK_EVERY: Duration = Duration::from_secs(1);
const LOOK_SHARE: u32 = 20;

pub(crate) struct PostgresStream {
    shared: Arc<Shared>,
    replication: Replication,
    assembler: Assembler,
    epoch: u32,
    events: Vec<SourceEvent>,
    /// Whether anything has come since the catalog was looked at.
    is_active: bool,
    looked_at: Option<Instant>,
    look_every: Duration,
}

impl PostgresStream {
    /// Begins after a place, which the slot knows.
    pub(crate) fn start(shared: Arc<Shared>, slot: &CurrentSlot, from: Place) -> Result<Self, SourceError> {
        let version = shared.main.run("starting the stream", |session| Ok(session.version))?;
        // Transactions between the two tell whether the log is the one that the position is of.
        let (begin, confirmed) =
            if from.last_commit.is_some() { (Lsn(0), slot.slot.confirmed) } else { (from.lsn, from.lsn) };
        let started = Instant::now();
        let replication = loop {
            let start = Start {
                slot: &slot.slot.name,
                publication: &shared.names.publication,
                from: begin,
                has_messages: version >= 140_000,
                stored: Arc::clone(&slot.stored),
            };
            match Replication::start(shared.main.target(), start) {
                Ok(replication) => break replication,
                Err(failure) if failure.code.as_deref() == Some("55006") => {
                    if started.elapsed() > SLOT_WAIT {
                        let name = &slot.slot.name;
                        return Err(retry(format!(
                            "the replication slot {name} is used by another process; if that is another service on the same \
                             database, give each its own with ?slot=NAME in the URL"
                        )));
                    }
                    std::thread::sleep(SLOT_PAUSE);
                }
                Err(failure) => return Err(failed("starting the stream", &failure)),
            }
        };
        let assembler = Assembler::new(from, confirmed);
        let (events, epoch) = (Vec::new(), from.epoch);
        let (is_active, looked_at, look_every) = (true, None, LOOK_EVERY);
        Ok(Self { shared, replication, assembler, epoch, events, is_active, looked_at, look_every })
    }

    fn frames(&mut self, frames: Vec<Frame>) -> Result<(), SourceError> {
        let mut events = std::mem::take(&mut self.events);
        let done = frames.into_iter().try_for_each(|frame| self.frame(frame, &mut events));
        self.events = events;
        done
    }

    fn frame(&mut self, frame: Frame, events: &mut Vec<SourceEvent>) -> Result<(), SourceError> {
        let done = match frame {
            Frame::KeepAlive { end } => self.assembler.reached(end, &mut self.shared.known(), events),
            Frame::Data(bytes) => {
                let message = decode(&bytes).map_err(|error| {
                    let kind = char::from(error.kind).escape_default();
                    retry(format!("the server has sent a message of kind {kind} that cannot be read at {}", error.part))
                })?;
                if let Message::Relation(relation) = &message {
                    let layout = self.layout(relation)?;
                    self.assembler.describe(relation.oid, layout, &mut self.shared.known());
                    return Ok(());
                }
                self.assembler.message(message, &mut self.shared.known(), events)
            }
        };
        done.map_err(|broken| match broken {
            Broken::Contradiction(what) => retry(format!("reading the stream: {what}")),
            Broken::OtherHistory => {
                self.shared.distrust(self.epoch);
                position_lost("the server's log is not the one that was read before: the database was restored")
            }
        })
    }

    /// How rows of a table are read that the server has described.
    fn layout(&self, relation: &Relation) -> Result<Option<Layout>, SourceError> {
        self.shared.lookup.run("reading a table of the stream", |session| {
            let mut key: Vec<usize> = keys(relation);
            if relation.identity == b'f' {
                // All columns are marked. The primary key is shorter, and every row has it.
                let tables = self.shared.read_tables(session, &Which::Oid(relation.oid))?;
                let primary = tables.first().and_then(|table| {
                    let names =
                        table.primary.iter().flatten().map(|at| table.columns.get(*at).map(|column| &column.name));
                    let place =
                        |name: Option<&String>| relation.columns.iter().position(|column| Some(&column.name) == name);
                    names.map(place).collect::<Option<Vec<usize>>>()
                });
                if let Some(mut primary) = primary.filter(|primary| !primary.is_empty()) {
                    primary.sort_unstable();
                    key = primary;
                }
            }
            let mut types = self.shared.types();
            types.forget_changeable();
            types.load(&mut session.client, relation.columns.iter().map(|column| column.type_oid))?;
            let names = type_names(session, relation)?;
            Ok((!key.is_empty()).then(|| described(relation, key, names, &types)))
        })
    }

    /// Looks at the catalog, if it is time.
    fn look(&mut self) -> Result<(), SourceError> {
        let is_recent = self.looked_at.is_some_and(|at| at.elapsed() < self.look_every);
        if !self.is_active || is_recent || self.assembler.has_seen() {
            return Ok(());
        }
        let began = Instant::now();
        let seen = self.shared.look()?;
        self.assembler.see(seen, &self.shared.known());
        self.look_every = LOOK_EVERY.max(began.elapsed() * LOOK_SHARE);
        self.looked_at = Some(Instant::now());
        self.is_active = false;
        Ok(())
    }
}

impl SourceStream for PostgresStream {
    fn next(&mut self, wait: Duration) -> Result<Vec<SourceEvent>, SourceError> {
        let until = Instant::now() + wait;
        loop {
            self.look()?;
            let left = until.saturating_duration_since(Instant::now());
            let frames = self.replication.receive(left).map_err(|failure| self.ended(&failure))?;
            let is_last = frames.is_empty();
            self.is_active |= !is_last;
            // What has come before an error is not given: it comes again.
            self.frames(frames)?;
            if !self.events.is_empty() || is_last {
                return Ok(std::mem::take(&mut self.events));
            }
        }
    }
}

impl PostgresStream {
    /// The server has ended the stream.
    fn ended(&self, failure: &pg_connect::Failure) -> SourceError {
        let is_of_publication = failure.code.as_deref() == Some("42704");
        if is_of_publication {
            let name = &self.shared.names.publication;
            let exists =
                self.shared.lookup.run("reading the publication", |session| super::publication::exists(session, name));
            match exists {
                Ok(true) => {
                    // It was created again, so what was before cannot be read with it.
                    self.shared.distrust(self.epoch);
                    return position_lost(format!(
                        "the publication {name} was created after changes that were not read"
                    ));
                }
                Ok(false) => return configuration(super::publication::missing_message(name)),
                Err(error) => return error,
            }
        }
        failed("reading the stream", failure)
    }
}

/// The marked columns.
fn keys(relation: &Relation) -> Vec<usize> {
    relation.columns.iter().enumerate().filter(|(_, column)| column.is_key).map(|(at, _)| at).collect()
}

fn type_names(session: &mut Session, relation: &Relation) -> super::sql::Result<Vec<String>> {
    let (oids, modifiers): (Vec<u32>, Vec<i32>) =
        relation.columns.iter().map(|column| (column.type_oid, column.modifier)).unzip();
    let sql = "SELECT format_type(oid, modifier) FROM unnest($1::oid[], $2::int4[]) WITH ORDINALITY t(oid, modifier, n)
        ORDER BY n";
    Ok(session.client.query(sql, &[&oids, &modifiers])?.iter().map(|row| row.get(0)).collect())
}

fn described(relation: &Relation, key: Vec<usize>, type_names: Vec<String>, types: &Types) -> Layout {
    let of_key: Vec<(&str, String)> = key
        .iter()
        .filter_map(|at| relation.columns.get(*at))
        .map(|column| (column.name.as_str(), types.key_type(column.type_oid)))
        .collect();
    let columns = relation.columns.iter().zip(type_names);
    let source = SourceTable {
        physical_id: physical_id(relation.oid, of_key.iter().map(|(name, key_type)| (*name, key_type.as_str()))),
        schema: relation.schema.clone(),
        name: relation.name.clone(),
        columns: columns.map(|(column, type_name)| Column { name: column.name.clone(), type_name }).collect(),
        key,
        is_schemaless: false,
    };
    let kinds = relation.columns.iter().map(|column| types.kind(column.type_oid, column.modifier)).collect();
    Layout { source: Arc::new(source), kinds }
}

/// A value in a key, which does not depend on a configuration.
fn key_value(value: &SourceValue) -> Value {
    value.to_value(&Settings::default()).unwrap_or(Value::Null)
}

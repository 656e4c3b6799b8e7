//! What has to change for the database to match a schema, found by comparing stored SQL text.
//!
//! An application's objects can have names that look like ours. Ours are recognised by their exact form, and nothing
//! else is dropped or emptied (quality requirements, trap 15).

use alloc::collections::BTreeMap;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::names::{DataTableName, TriggerKind};
use super::object::{Object, ObjectKind};
use super::view::{DATA_TABLE_COLUMNS, is_our_index, is_our_view};
use crate::error::{Error, Result};
use crate::text::identifier;

/// The difference between the objects that a schema needs and those in the database.
pub(super) struct Plan<'o> {
    wanted: &'o [Object],
    by_name: BTreeMap<Name<'o>, usize>,
    states: Vec<State>,
    /// Objects of ours that the schema does not need.
    unneeded: Vec<(ObjectKind, String)>,
    /// Why the schema cannot be had.
    conflict: Option<Error>,
}

/// Triggers have a name space of their own; tables, views and indexes share one.
type Name<'o> = (bool, &'o str);

/// What the database has of a wanted object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Missing,
    /// An identical one, or one that serves.
    Present,
    /// One of ours, in another form.
    Outdated,
    /// A table of that name in another form, which may serve.
    Unknown,
}

impl<'o> Plan<'o> {
    /// A plan for a database that has nothing yet.
    pub(super) fn new(wanted: &'o [Object]) -> Self {
        Self {
            wanted,
            by_name: wanted.iter().enumerate().map(|(index, object)| (key(object.kind, &object.name), index)).collect(),
            states: wanted.iter().map(|_| State::Missing).collect(),
            unneeded: Vec::new(),
            conflict: None,
        }
    }

    /// Takes note of an object of the database: a row of `sqlite_schema`.
    pub(super) fn found(&mut self, kind: ObjectKind, name: &str, table: &str, sql: &str) {
        let Some(index) = self.by_name.get(&key(kind, name)).copied() else {
            if self.is_unneeded(kind, name, table, sql) {
                self.unneeded.push((kind, name.into()));
            }
            return;
        };
        if let (Some(object), Some(state)) = (self.wanted.get(index), self.states.get_mut(index)) {
            match compare(object, kind, table, sql) {
                Ok(found) => *state = found,
                Err(error) => self.conflict = Some(error),
            }
        }
    }

    /// Whether an object that the schema does not list is ours.
    fn is_unneeded(&self, kind: ObjectKind, name: &str, table: &str, sql: &str) -> bool {
        match kind {
            ObjectKind::Table => is_our_data_table(name, sql),
            ObjectKind::View => is_our_view(name, sql),
            ObjectKind::Index => DataTableName::parse(table).is_some() && is_our_index(name, table, sql),
            // Triggers of other views of ours go with them.
            ObjectKind::Trigger => {
                TriggerKind::is_trigger_of(name, table) && self.by_name.contains_key(&key(ObjectKind::View, table))
            }
        }
    }

    /// Why the schema cannot be had, if so.
    pub(super) fn take_conflict(&mut self) -> Option<Error> {
        self.conflict.take()
    }

    /// Tables of a wanted name whose form is not ours: they serve if they have the right columns.
    pub(super) fn unknown_tables(&self) -> impl Iterator<Item = &'o Object> {
        self.in_state(ObjectKind::Table, State::Unknown)
    }

    /// Whether nothing has to change.
    pub(super) fn is_empty(&self) -> bool {
        self.unneeded.is_empty() && self.states.iter().all(|state| matches!(state, State::Present | State::Unknown))
    }

    /// The names of objects of `kind` to drop. Triggers of views that are dropped need not be dropped themselves.
    pub(super) fn to_drop(&self, kind: ObjectKind) -> impl Iterator<Item = &str> {
        let unneeded = self.unneeded.iter().filter(move |(of, _)| *of == kind).map(|(_, name)| name.as_str());
        let outdated = self.in_state(kind, State::Outdated).filter(|object| !self.loses_its_view(object));
        unneeded.chain(outdated.map(|object| object.name.as_str()))
    }

    /// The objects of `kind` to make.
    pub(super) fn to_create(&self, kind: ObjectKind) -> impl Iterator<Item = &'o Object> {
        let states = self.wanted.iter().zip(&self.states).filter(move |(object, _)| object.kind == kind);
        states
            .filter(|(object, state)| matches!(state, State::Missing | State::Outdated) || self.loses_its_view(object))
            .map(|(object, _)| object)
    }

    /// Views that are dropped and made again.
    pub(super) fn replaced_views(&self) -> impl Iterator<Item = &'o Object> {
        self.in_state(ObjectKind::View, State::Outdated)
    }

    fn in_state(&self, kind: ObjectKind, state: State) -> impl Iterator<Item = &'o Object> {
        let states = self.wanted.iter().zip(&self.states);
        states.filter(move |(object, found)| object.kind == kind && **found == state).map(|(object, _)| object)
    }

    /// Whether `object` is a trigger on a view that is dropped and made again.
    fn loses_its_view(&self, object: &Object) -> bool {
        object.kind == ObjectKind::Trigger
            && self
                .by_name
                .get(&key(ObjectKind::View, &object.table))
                .and_then(|index| self.states.get(*index))
                .is_some_and(|state| *state == State::Outdated)
    }
}

fn key(kind: ObjectKind, name: &str) -> Name<'_> {
    (kind == ObjectKind::Trigger, name)
}

/// What an object found under the name of `wanted` is to us. An error if the name is taken.
fn compare(wanted: &Object, kind: ObjectKind, table: &str, sql: &str) -> Result<State> {
    let is_same_place = wanted.kind == kind && wanted.table == table;
    let state = match wanted.kind {
        _ if is_same_place && wanted.sql == sql => Some(State::Present),
        ObjectKind::Table if is_same_place => Some(State::Unknown),
        ObjectKind::View if is_same_place && is_our_view(&wanted.name, sql) => Some(State::Outdated),
        ObjectKind::Trigger if is_same_place => Some(State::Outdated),
        ObjectKind::Index if is_same_place && is_our_index(&wanted.name, table, sql) => Some(State::Outdated),
        // An index makes reading faster; the schema works without it.
        ObjectKind::Index => Some(State::Present),
        _ => None,
    };
    state.ok_or_else(|| {
        Error::argument(format!(
            "cannot create {} {:?}: the database has a {} of that name that is not managed by PowerSync",
            wanted.kind.name(),
            wanted.name,
            kind.name()
        ))
    })
}

/// Whether `sql` is that of a data table made by us or a published version.
fn is_our_data_table(name: &str, sql: &str) -> bool {
    let written_name = sql
        .strip_prefix(ObjectKind::Table.create())
        .and_then(|rest| rest.strip_suffix(DATA_TABLE_COLUMNS))
        .unwrap_or_default();
    DataTableName::parse(name).is_some() && (written_name == name || written_name == identifier(name))
}

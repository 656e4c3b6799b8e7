//! What deploying a plan would change, by what its definitions and indexes contain.

use std::collections::{BTreeMap, BTreeSet};

use super::{Hash, Plan, Standing, StoredDefinition, Stream, TablePattern, definition_hash};

/// A plan that would be deployed, and what there is.
#[derive(Clone, Copy, Debug)]
pub struct Comparison<'a> {
    /// The plan that is active; none if none is.
    pub old: Option<&'a Plan>,
    /// The other one, [regrouped](Plan::regrouped) by `definitions`.
    pub new: &'a Plan,
    /// The stored definitions.
    pub definitions: &'a [StoredDefinition],
    /// The stored indexes.
    pub indexes: &'a BTreeMap<Hash, Standing>,
}

/// How a stream would change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamChange<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether clients would notice.
    pub state: StreamState,
    /// What becomes of its bucket definitions.
    pub definitions: DefinitionCounts,
}

/// Whether a stream is another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "named as what they are")]
pub enum StreamState {
    Same,
    Changed,
    New,
    Dropped,
}

impl StreamState {
    /// In lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::Changed => "changed",
            Self::New => "new",
            Self::Dropped => "dropped",
        }
    }
}

/// How many bucket definitions of a stream there are of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DefinitionCounts {
    /// They are there, with all rows.
    pub kept: usize,
    /// They are being built already.
    pub building: usize,
    /// Their rows would be read.
    pub new: usize,
    /// The stream has them, and no stream would.
    pub dropped: usize,
}

impl Comparison<'_> {
    /// Definitions of a plan, as if they were stored and clients had them: what comparing two plans alone goes by.
    pub fn as_stored(plan: &Plan) -> (Vec<StoredDefinition>, BTreeMap<Hash, Standing>) {
        let hashes = |numbers: &[usize]| {
            let evaluators = numbers.iter().filter_map(|number| plan.evaluators.get(*number));
            evaluators.map(|evaluator| evaluator.hash).collect()
        };
        let definitions = plan.definitions.iter().map(|definition| StoredDefinition {
            name: definition.name.clone(),
            evaluators: hashes(&definition.evaluators),
            standing: Standing::Active,
        });
        let indexes = plan.indexes.iter().map(|index| (index.hash, Standing::Active)).collect();
        (definitions.collect(), indexes)
    }
}

impl<'a> Comparison<'a> {
    /// All streams of the new plan in their order, then those that would be dropped.
    pub fn streams(&self) -> Vec<StreamChange<'a>> {
        let standings = self.standings();
        let old = self.old.map(|plan| plan.streams.as_slice()).unwrap_or_default();
        let before = |name: &str| old.iter().find(|stream| stream.name == name);
        let mut changes: Vec<StreamChange<'a>> =
            self.new.streams.iter().map(|stream| self.change(before(&stream.name), Some(stream), &standings)).collect();
        let gone = old.iter().filter(|stream| !self.new.streams.iter().any(|other| other.name == stream.name));
        changes.extend(gone.map(|stream| self.change(Some(stream), None, &standings)));
        changes
    }

    /// The tables whose rows would be read.
    pub fn tables(&self) -> BTreeSet<TablePattern> {
        let standings = self.standings();
        let definitions = self.new.definitions.iter().filter(|one| !standings.contains_key(&one.hash));
        let evaluators = definitions.flat_map(|one| &one.evaluators).filter_map(|at| self.new.evaluators.get(*at));
        let indexes = self.new.indexes.iter().filter(|index| !self.indexes.contains_key(&index.hash));
        let programs = evaluators.map(|one| &one.program).chain(indexes.map(|one| &one.program));
        programs.map(|program| program.table.clone()).collect()
    }

    fn standings(&self) -> BTreeMap<Hash, Standing> {
        let hash = |one: &StoredDefinition| definition_hash(one.evaluators.iter().copied());
        self.definitions.iter().map(|one| (hash(one), one.standing)).collect()
    }

    fn change(
        &self,
        old: Option<&'a Stream>,
        new: Option<&'a Stream>,
        standings: &BTreeMap<Hash, Standing>,
    ) -> StreamChange<'a> {
        let before = self.old.zip(old).map(|(plan, stream)| hashes(plan, stream)).unwrap_or_default();
        let after = new.map(|stream| hashes(self.new, stream)).unwrap_or_default();
        let mut definitions = DefinitionCounts::default();
        for hash in &after {
            match standings.get(hash) {
                Some(Standing::Ready | Standing::Active) => definitions.kept += 1,
                Some(Standing::Building) => definitions.building += 1,
                None => definitions.new += 1,
            }
        }
        let stays = |hash: &&Hash| self.new.definitions.iter().any(|definition| definition.hash == **hash);
        definitions.dropped = before.iter().filter(|hash| !stays(hash)).count();
        let state = match (self.old.zip(old), new) {
            (None, _) => StreamState::New,
            (_, None) => StreamState::Dropped,
            (Some((plan, old)), Some(new)) if visible(plan, old) != visible(self.new, new) => StreamState::Changed,
            _ => StreamState::Same,
        };
        StreamChange { name: new.or(old).map_or("", |stream| stream.name.as_str()), state, definitions }
    }
}

/// What the buckets of a stream contain.
fn hashes(plan: &Plan, stream: &Stream) -> BTreeSet<Hash> {
    stream.queriers.iter().filter_map(|querier| plan.definitions.get(querier.definition)).map(|one| one.hash).collect()
}

/// Everything that makes a difference to clients: each evaluator, and the ways to it, however they are grouped.
fn visible(plan: &Plan, stream: &Stream) -> (bool, u8, BTreeSet<(Hash, String)>) {
    let mut all = BTreeSet::new();
    for querier in &stream.queriers {
        let evaluators = plan.definitions.get(querier.definition).into_iter().flat_map(|one| &one.evaluators);
        let evaluators = evaluators.filter_map(|number| plan.evaluators.get(*number));
        all.extend(evaluators.map(|evaluator| (evaluator.hash, plan.way(querier))));
    }
    (stream.auto_subscribe, stream.priority, all)
}

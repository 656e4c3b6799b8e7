//! The buckets of a connection: what the client was told of them, and how far it has them.

use std::collections::HashMap;
use std::sync::Arc;

use crate::lines::{BucketName, BucketSummary, Reason};
use crate::live::{DefinitionId, LivePlan};
use crate::store::{BucketId, BucketState, OpId};

/// A bucket of a connection.
#[derive(Debug)]
pub(super) struct Held {
    /// The stored definition.
    pub(super) definition: DefinitionId,
    /// The key, which connections share.
    pub(super) key: Arc<str>,
    /// Number of the definition in the plan.
    pub(super) plan_definition: u32,
    /// Where the evaluation found it: the order of lines.
    pub(super) rank: u32,
    pub(super) priority: u8,
    pub(super) reasons: Reasons,
    /// None if it does not exist, and is empty.
    pub(super) id: Option<BucketId>,
    pub(super) last_op: OpId,
    pub(super) count: i64,
    pub(super) checksum: u32,
    /// The last operation that the client has.
    pub(super) position: OpId,
}

/// Why a client has a bucket. Nearly always there is one reason, which then needs no memory of its own.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reasons {
    One(Reason),
    Many(Box<[Reason]>),
}

impl Reasons {
    pub(super) fn as_slice(&self) -> &[Reason] {
        match self {
            Self::One(reason) => std::slice::from_ref(reason),
            Self::Many(reasons) => reasons,
        }
    }
}

impl FromIterator<Reason> for Reasons {
    fn from_iter<I: IntoIterator<Item = Reason>>(reasons: I) -> Self {
        let reasons: Box<[Reason]> = reasons.into_iter().collect();
        match &*reasons {
            [reason] => Self::One(*reason),
            _ => Self::Many(reasons),
        }
    }
}

/// A bucket as an evaluation found it.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) definition: DefinitionId,
    pub(super) key: String,
    pub(super) plan_definition: u32,
    pub(super) priority: u8,
    pub(super) reasons: Reasons,
}

/// The buckets of a connection, in the order of definition and key.
#[derive(Debug, Default)]
pub(super) struct Buckets(Vec<Held>);

/// What an evaluation has changed.
#[derive(Debug, Default)]
pub(super) struct Replaced {
    /// Numbers of buckets that are new.
    pub(super) new: Vec<usize>,
    /// Numbers of buckets that have another priority or other reasons.
    pub(super) changed: Vec<usize>,
    /// Buckets that are gone.
    pub(super) removed: Vec<Held>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    None,
    Reasons,
    New,
}

impl Buckets {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, number: usize) -> Option<&Held> {
        self.0.get(number)
    }

    pub(super) fn get_mut(&mut self, number: usize) -> Option<&mut Held> {
        self.0.get_mut(number)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Held> {
        self.0.iter_mut()
    }

    pub(super) fn find(&self, definition: DefinitionId, key: &str) -> Option<usize> {
        self.0.binary_search_by(|held| (held.definition, &*held.key).cmp(&(definition, key))).ok()
    }

    /// Puts found buckets in the place of those before. Buckets that stay keep their state and position; new ones are
    /// empty, and at the beginning.
    pub(super) fn replace(&mut self, found: Vec<Found>) -> Replaced {
        let mut before: HashMap<(DefinitionId, Arc<str>), Held> =
            std::mem::take(&mut self.0).into_iter().map(|held| ((held.definition, held.key.clone()), held)).collect();
        let mut after: Vec<(Held, Change)> = Vec::with_capacity(found.len());
        for (rank, found) in (0_u32..).zip(found) {
            let place = (found.definition, Arc::from(found.key));
            let (held, change) = match before.remove(&place) {
                Some(held) if held.priority == found.priority && held.reasons == found.reasons => (held, Change::None),
                Some(held) => (held, Change::Reasons),
                None => (Held::new(found.definition, place.1), Change::New),
            };
            let Found { plan_definition, priority, reasons, .. } = found;
            after.push((Held { plan_definition, rank, priority, reasons, ..held }, change));
        }
        after.sort_unstable_by(|(a, _), (b, _)| (a.definition, &a.key).cmp(&(b.definition, &b.key)));
        let numbers = |wanted| {
            let changes = after.iter().enumerate().filter(|(_, (_, change))| *change == wanted);
            changes.map(|(number, _)| number).collect()
        };
        let (new, changed) = (numbers(Change::New), numbers(Change::Reasons));
        self.0 = after.into_iter().map(|(held, _)| held).collect();
        Replaced { new, changed, removed: before.into_values().collect() }
    }

    /// Takes over states that were read. Returns the numbers of those that differ.
    pub(super) fn update(&mut self, numbers: &[usize], states: &[BucketState]) -> Vec<usize> {
        let mut changed = Vec::new();
        for (number, state) in numbers.iter().zip(states) {
            let Some(held) = self.0.get_mut(*number) else { continue };
            // A compaction can make the count smaller; that alone is not worth a line.
            if (held.last_op, held.checksum) != (state.last_op, state.checksum) {
                changed.push(*number);
            }
            held.id = state.id;
            held.last_op = state.last_op;
            held.count = state.count;
            held.checksum = state.checksum;
        }
        changed
    }

    /// Numbers of buckets with operations that the client does not have: the most urgent ones last, and among equals
    /// in the reverse order of names.
    pub(super) fn to_fetch(&self, plan: &LivePlan) -> Vec<u32> {
        let mut queue: Vec<u32> = (0_u32..)
            .zip(&self.0)
            .filter(|(_, held)| held.position < held.last_op && held.id.is_some())
            .map(|(number, _)| number)
            .collect();
        let place = |number: u32| {
            self.0.get(number as usize).map(|held| (held.priority, prefix(plan, held.plan_definition), &*held.key))
        };
        queue.sort_unstable_by(|a, b| place(*b).cmp(&place(*a)));
        queue
    }

    /// These buckets as lines list them, in the order found.
    pub(super) fn summaries<'a>(
        &'a self,
        numbers: impl Iterator<Item = usize>,
        plan: &'a LivePlan,
    ) -> Vec<BucketSummary<'a>> {
        let mut held: Vec<&Held> = numbers.filter_map(|number| self.0.get(number)).collect();
        held.sort_unstable_by_key(|held| held.rank);
        held.into_iter()
            .map(|held| BucketSummary {
                name: held.name(plan),
                checksum: held.checksum,
                count: held.count,
                priority: held.priority,
                reasons: held.reasons.as_slice(),
            })
            .collect()
    }
}

impl Held {
    fn new(definition: DefinitionId, key: Arc<str>) -> Self {
        Self {
            definition,
            key,
            plan_definition: 0,
            rank: 0,
            priority: 0,
            reasons: Reasons::Many(Box::default()),
            id: None,
            last_op: 0,
            count: 0,
            checksum: 0,
            position: 0,
        }
    }

    pub(super) fn name<'a>(&self, plan: &'a LivePlan) -> BucketName<'a> {
        BucketName { prefix: prefix(plan, self.plan_definition), key: self.key.clone() }
    }
}

fn prefix(plan: &LivePlan, definition: u32) -> &str {
    plan.name_prefixes.get(definition as usize).map_or("", String::as_str)
}

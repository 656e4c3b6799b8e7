//! What kept rows out of definitions and indexes, counted for people.

use std::collections::BTreeMap;

use sync_config::RowProblem;

use super::programs::{Evaluated, Problem};
use crate::live::{DefinitionId, IndexId};

/// What lacks rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs, reason = "named as what they are")]
pub enum Subject {
    Definition(DefinitionId),
    Index(IndexId),
}

/// What is wrong with a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ProblemKind {
    /// An expression has no value.
    Evaluation,
    /// The id is NULL, empty or a blob.
    NoId,
    /// It is too large.
    TooLarge,
    /// Another query of the definition gives another row with the same id, which counts.
    Collision,
}

/// How often something was wrong. A row counts each time it is evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProblemCount {
    /// What lacks rows.
    pub subject: Subject,
    /// What is wrong with them.
    pub kind: ProblemKind,
    /// How often.
    pub count: u64,
    /// The last reason of [`ProblemKind::Evaluation`]; else empty.
    pub reason: &'static str,
}

/// All counts.
#[derive(Debug, Default)]
pub(super) struct Problems(BTreeMap<(Subject, ProblemKind), (u64, &'static str)>);

impl Problems {
    pub(super) fn count(&mut self, evaluated: &Evaluated) {
        for Problem { content, problem } in &evaluated.problems {
            let (kind, reason) = match problem {
                RowProblem::Evaluator(_, error) | RowProblem::Index(_, error) => (ProblemKind::Evaluation, error.0),
                RowProblem::NoId(_) => (ProblemKind::NoId, ""),
                RowProblem::TooLarge(_) => (ProblemKind::TooLarge, ""),
                RowProblem::Collision(_) => (ProblemKind::Collision, ""),
            };
            let definitions = content.definitions.iter().copied().map(Subject::Definition);
            for subject in definitions.chain(content.indexes.iter().copied().map(Subject::Index)) {
                let (count, last) = self.0.entry((subject, kind)).or_default();
                *count = count.saturating_add(1);
                *last = reason;
            }
        }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = ProblemCount> {
        let entry = |(&(subject, kind), &(count, reason))| ProblemCount { subject, kind, count, reason };
        self.0.iter().map(entry)
    }
}

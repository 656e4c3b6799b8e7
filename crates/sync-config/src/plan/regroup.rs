//! Puts a plan together from bucket definitions that exist already, so that a query which is added to a stream leaves the
//! buckets of the others as they are.
//!
//! The compiler makes one definition of all queries of a stream that are asked for alike. If a service has a definition of
//! some of them, that one is kept, and only the others become a new definition. The stream then has the same way to each of
//! them. What comes out is an ordinary plan.

use std::collections::{BTreeMap, BTreeSet};

use super::{BucketDefinition, Hash, Plan, definition_hash};

/// A bucket definition that a service has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredDefinition {
    /// What names of its buckets begin with, without numbers of the service.
    pub name: String,
    /// Content hashes of its evaluators, in their order: the first one of two that give rows with one id counts.
    pub evaluators: Vec<Hash>,
    /// What keeping it is worth.
    pub standing: Standing,
}

/// What keeping a definition is worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// Its rows are being read.
    Building,
    /// It has all rows: nothing is read.
    Ready,
    /// Clients have its buckets: nothing is downloaded.
    Active,
}

/// How many choices are compared for one definition. Far more than real configurations need.
const MOST_CHOICES: usize = 20_000;

impl Plan {
    /// The plan with as much as possible of what is stored. It depends on the plan and on `stored`, in its order, alone.
    #[must_use]
    pub fn regrouped(mut self, stored: &[StoredDefinition]) -> Self {
        let mut definitions: Vec<BucketDefinition> = Vec::new();
        let mut numbers: BTreeMap<Hash, usize> = BTreeMap::new();
        let mut parts: Vec<Vec<usize>> = Vec::with_capacity(self.definitions.len());
        for definition in std::mem::take(&mut self.definitions) {
            let mut part_numbers = Vec::new();
            for part in self.split(definition, stored) {
                part_numbers.push(*numbers.entry(part.hash).or_insert_with(|| {
                    definitions.push(part);
                    definitions.len() - 1
                }));
            }
            parts.push(part_numbers);
        }
        self.definitions = definitions;
        for stream in &mut self.streams {
            let queriers = std::mem::take(&mut stream.queriers).into_iter().flat_map(|querier| {
                let numbers = parts.get(querier.definition).cloned().unwrap_or_default();
                numbers.into_iter().map(move |definition| super::Querier { definition, ..querier.clone() })
            });
            stream.queriers = queriers.collect();
        }
        self
    }

    /// The stored definitions that together are a part of this one, and what is left of it.
    fn split(&self, definition: BucketDefinition, stored: &[StoredDefinition]) -> Vec<BucketDefinition> {
        let hash_of = |number: &usize| self.evaluators.get(*number).map(|evaluator| evaluator.hash);
        let wanted: BTreeSet<Hash> = definition.evaluators.iter().filter_map(hash_of).collect();
        let mut rest = wanted.clone();
        let number_of =
            |hash: &Hash| definition.evaluators.iter().copied().find(|number| hash_of(number) == Some(*hash));
        let of = |name: &str, evaluators: Vec<usize>| BucketDefinition {
            name: name.to_owned(),
            key_parts: definition.key_parts,
            hash: definition_hash(evaluators.iter().filter_map(hash_of)),
            evaluators,
        };
        let mut parts = Vec::new();
        for kept in Choice::best(&wanted, stored) {
            rest.retain(|hash| !kept.evaluators.contains(hash));
            parts.push(of(&kept.name, kept.evaluators.iter().filter_map(number_of).collect()));
        }
        if !rest.is_empty() || parts.is_empty() {
            let is_left = |number: &usize| hash_of(number).is_some_and(|hash| rest.contains(&hash));
            parts.push(of(&definition.name, definition.evaluators.iter().copied().filter(is_left).collect()));
        }
        parts
    }
}

/// Finds the stored definitions to keep.
struct Choice<'a> {
    candidates: Vec<&'a StoredDefinition>,
    best: Option<(Score, Vec<usize>)>,
    left: usize,
}

/// The larger, the better: evaluators that are not built, that clients have, that are stored at all; then fewer definitions.
type Score = (usize, usize, usize, std::cmp::Reverse<usize>);

impl<'a> Choice<'a> {
    /// The best selection of definitions that have only wanted evaluators, none of them twice.
    fn best(wanted: &BTreeSet<Hash>, stored: &'a [StoredDefinition]) -> Vec<&'a StoredDefinition> {
        let fits = |one: &&StoredDefinition| {
            !one.evaluators.is_empty() && one.evaluators.iter().all(|hash| wanted.contains(hash))
        };
        let mut candidates: Vec<&StoredDefinition> = stored.iter().filter(fits).collect();
        // The first selection that is tried is a good one, and of equally good ones the first counts.
        candidates.sort_by_key(|one| std::cmp::Reverse((one.standing, one.evaluators.len())));
        let mut choice = Self { candidates, best: None, left: MOST_CHOICES };
        choice.try_from(0, &mut Vec::new(), &mut BTreeSet::new());
        let chosen = choice.best.map(|(_, chosen)| chosen).unwrap_or_default();
        chosen.into_iter().filter_map(|at| choice.candidates.get(at).copied()).collect()
    }

    fn try_from(&mut self, at: usize, chosen: &mut Vec<usize>, covered: &mut BTreeSet<Hash>) {
        if self.left == 0 {
            return;
        }
        self.left -= 1;
        let Some(candidate) = self.candidates.get(at).copied() else {
            let score = self.score(chosen);
            if self.best.as_ref().is_none_or(|(best, _)| *best < score) {
                self.best = Some((score, chosen.clone()));
            }
            return;
        };
        if candidate.evaluators.iter().all(|hash| !covered.contains(hash)) {
            chosen.push(at);
            covered.extend(&candidate.evaluators);
            self.try_from(at + 1, chosen, covered);
            chosen.pop();
            covered.retain(|hash| !candidate.evaluators.contains(hash));
        }
        self.try_from(at + 1, chosen, covered);
    }

    fn score(&self, chosen: &[usize]) -> Score {
        let chosen = || chosen.iter().filter_map(|at| self.candidates.get(*at));
        let of = |least: Standing| {
            chosen().filter(|one| one.standing >= least).map(|one| one.evaluators.len()).sum::<usize>()
        };
        (of(Standing::Ready), of(Standing::Active), of(Standing::Building), std::cmp::Reverse(chosen().count()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{CompileOptions, compile};

    const QUERIES: [&str; 5] =
        ["SELECT * FROM a", "SELECT * FROM b", "SELECT * FROM c", "SELECT * FROM d", "SELECT * FROM e"];

    fn yaml(streams: &[(&str, &str)]) -> String {
        let mut yaml = "config: {edition: 3}\nstreams:\n".to_owned();
        for (name, letters) in streams {
            yaml += &format!("  {name}:\n    queries:\n");
            letters.chars().for_each(|letter| yaml += &format!("      - SELECT * FROM {letter}\n"));
        }
        yaml
    }

    fn plan(streams: &[(&str, &str)]) -> Plan {
        let compiled = compile(&yaml(streams), &CompileOptions::default());
        compiled.plan.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics))
    }

    /// Tables of the evaluators of each definition that a stream uses.
    fn shape(plan: &Plan, stream: usize) -> Vec<String> {
        let tables = |definition: &BucketDefinition| {
            definition.evaluators.iter().map(|at| plan.evaluators[*at].program.table.table.as_str()).collect()
        };
        plan.streams[stream].queriers.iter().map(|querier| tables(&plan.definitions[querier.definition])).collect()
    }

    fn stored(sets: &[(&str, Standing)]) -> Vec<StoredDefinition> {
        let all = plan(&[("s", "abcde")]);
        assert_eq!(QUERIES.len(), all.evaluators.len());
        let hash = |letter: char| {
            let mut found = all.evaluators.iter().filter(|one| one.program.table.table == letter.to_string());
            found.next().unwrap().hash
        };
        let one = |(letters, standing): &(&str, Standing)| StoredDefinition {
            name: format!("old|{letters}"),
            evaluators: letters.chars().map(hash).collect(),
            standing: *standing,
        };
        sets.iter().map(one).collect()
    }

    fn regrouped(queries: &str, sets: &[(&str, Standing)]) -> Vec<String> {
        shape(&plan(&[("s", queries)]).regrouped(&stored(sets)), 0)
    }

    use Standing::{Active, Building, Ready};

    #[test]
    fn nothing_stored_changes_nothing() {
        let before = plan(&[("s", "abc"), ("t", "ab")]);
        let after = before.clone().regrouped(&[]);
        assert_eq!(format!("{before:?}"), format!("{after:?}"));
    }

    #[test]
    fn a_stream_with_one_more_query_keeps_what_it_has() {
        assert_eq!(regrouped("ab", &[("a", Active)]), ["a", "b"]);
        assert_eq!(regrouped("ca", &[("a", Active)]), ["a", "c"], "whatever the order");
        assert_eq!(regrouped("abcd", &[("a", Active), ("b", Active)]), ["a", "b", "cd"]);
        assert_eq!(regrouped("ab", &[("ab", Active)]), ["ab"]);
    }

    #[test]
    fn what_has_other_queries_too_is_not_kept() {
        assert_eq!(regrouped("a", &[("ab", Active)]), ["a"]);
        assert_eq!(regrouped("abc", &[("ad", Active), ("e", Active)]), ["abc"]);
    }

    #[test]
    fn of_several_candidates_those_that_keep_most_are_chosen() {
        assert_eq!(regrouped("abc", &[("a", Active), ("ab", Active)]), ["ab", "c"]);
        // The largest one is not a part of the best selection.
        assert_eq!(regrouped("abcd", &[("abc", Active), ("ab", Active), ("cd", Active)]), ["ab", "cd"]);
        // What is built counts less than what is there, and of that, what clients have.
        assert_eq!(regrouped("abc", &[("ab", Building), ("a", Ready)]), ["a", "bc"]);
        assert_eq!(regrouped("ab", &[("ab", Ready), ("a", Active)]), ["ab"], "nothing is built");
        assert_eq!(
            regrouped("ab", &[("ab", Ready), ("a", Active), ("b", Active)]),
            ["a", "b"],
            "nothing is downloaded"
        );
        assert_eq!(regrouped("ab", &[("a", Active), ("b", Active), ("ab", Active)]), ["ab"], "fewer are better");
        assert_eq!(regrouped("abc", &[("ab", Building)]), ["ab", "c"]);
        // Of equal ones the first counts.
        assert_eq!(regrouped("abc", &[("ab", Active), ("bc", Active)]), ["ab", "c"]);
        assert_eq!(regrouped("abc", &[("bc", Active), ("ab", Active)]), ["bc", "a"]);
    }

    #[test]
    fn streams_share_what_is_kept() {
        let plan = plan(&[("s", "ab"), ("t", "ac"), ("u", "a")]).regrouped(&stored(&[("a", Active)]));
        assert_eq!(
            (shape(&plan, 0), shape(&plan, 1), shape(&plan, 2)),
            (vec!["a".into(), "b".into()], vec!["a".into(), "c".into()], vec!["a".into()],)
        );
        assert_eq!(plan.definitions.len(), 3, "a is there once");
        assert_eq!(plan.definitions[0].name, "old|a", "named as it is");
        let again = plan.clone().regrouped(&stored(&[("a", Active), ("b", Active), ("c", Active)]));
        assert_eq!(plan.definitions.len(), again.definitions.len(), "it stays as it is");
    }

    #[test]
    fn each_part_has_the_hash_of_its_evaluators() {
        let plan = plan(&[("s", "abcd")]).regrouped(&stored(&[("c", Ready), ("bd", Active)]));
        for definition in &plan.definitions {
            let hashes = definition.evaluators.iter().map(|at| plan.evaluators[*at].hash);
            assert_eq!(definition.hash, definition_hash(hashes));
        }
        assert_eq!(shape(&plan, 0), ["bd", "c", "a"]);
    }

    #[test]
    fn what_is_kept_keeps_its_order() {
        assert_eq!(regrouped("abc", &[("ca", Active)]), ["ca", "b"]);
        assert_eq!(regrouped("bc", &[("cb", Active)]), ["cb"]);
    }

    #[test]
    fn many_candidates_take_bounded_time() {
        let letters = "abcdefghijklmnopqrstuvwxyz";
        let all = plan(&[("s", letters)]);
        let hashes: Vec<Hash> = all.evaluators.iter().map(|one| one.hash).collect();
        let pairs = (0..hashes.len()).flat_map(|left| (0..left).map(move |right| (left, right)));
        let stored: Vec<StoredDefinition> = pairs
            .map(|(left, right)| StoredDefinition {
                name: "old".to_owned(),
                evaluators: vec![hashes[left], hashes[right]],
                standing: Active,
            })
            .collect();
        let plan = all.regrouped(&stored);
        let count: usize = plan.definitions.iter().map(|definition| definition.evaluators.len()).sum();
        assert_eq!(count, letters.len(), "each evaluator once");
    }
}

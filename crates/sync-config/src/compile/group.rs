//! Puts the plan together: equal evaluators, indexes and definitions are shared over the whole configuration.

use std::collections::BTreeMap;

use super::resolve::{ResolvedSource, ResolvedStep};
use crate::expr::Expr;
use crate::plan::{
    BucketDefinition, Hash, Output, ParameterIndex, Plan, Querier, RequestRef, RowEvaluator, RowProgram, RowRef,
    Settings, Step, StepSource, Stream, definition_hash, evaluator_hash, index_hash,
};

/// A plan in the making.
pub(crate) struct Assembly {
    plan: Plan,
    evaluators: BTreeMap<Hash, usize>,
    indexes: BTreeMap<Hash, usize>,
    definitions: BTreeMap<Hash, usize>,
}

/// A branch with its evaluator and querier; the definition is not known yet.
pub(crate) struct Branch {
    pub(super) evaluator: usize,
    pub(super) filters: Vec<Expr<RequestRef>>,
    pub(super) steps: Vec<Step>,
    pub(super) key: Vec<Expr<RequestRef>>,
}

impl Assembly {
    pub(super) fn new(settings: Settings) -> Self {
        let plan = Plan {
            settings,
            streams: Vec::new(),
            definitions: Vec::new(),
            evaluators: Vec::new(),
            indexes: Vec::new(),
        };
        Self { plan, evaluators: BTreeMap::new(), indexes: BTreeMap::new(), definitions: BTreeMap::new() }
    }

    pub(super) fn finish(self) -> Plan {
        self.plan
    }

    pub(super) fn evaluator(
        &mut self,
        program: RowProgram,
        output_table: Option<String>,
        outputs: Vec<Output>,
    ) -> usize {
        let hash = evaluator_hash(&program, output_table.as_deref(), &outputs, &self.plan.settings);
        let evaluators = &mut self.plan.evaluators;
        *self.evaluators.entry(hash).or_insert_with(|| {
            evaluators.push(RowEvaluator { program, output_table, outputs, hash });
            evaluators.len() - 1
        })
    }

    pub(super) fn index(&mut self, program: RowProgram, outputs: Vec<Expr<RowRef>>) -> usize {
        let hash = index_hash(&program, &outputs, &self.plan.settings);
        let indexes = &mut self.plan.indexes;
        *self.indexes.entry(hash).or_insert_with(|| {
            indexes.push(ParameterIndex { program, outputs, hash });
            indexes.len() - 1
        })
    }

    pub(super) fn steps(&mut self, steps: Vec<ResolvedStep>) -> Vec<Step> {
        let mut numbered = Vec::with_capacity(steps.len());
        for step in steps {
            let source = match step.source {
                ResolvedSource::Each { arg, columns } => StepSource::Each { arg, columns },
                ResolvedSource::Lookup { program, outputs, key } => {
                    StepSource::Lookup { index: self.index(program, outputs), key }
                }
            };
            numbered.push(Step { source, outputs: step.outputs, filters: step.filters });
        }
        numbered
    }

    /// The definition of a set of evaluators with `parts` key parts; a new one is named by `name`.
    pub(super) fn definition(&mut self, evaluators: &[usize], parts: usize, name: &mut dyn FnMut() -> String) -> usize {
        let mut numbers: Vec<usize> = Vec::new();
        for number in evaluators {
            if !numbers.contains(number) {
                numbers.push(*number);
            }
        }
        let hash =
            definition_hash(numbers.iter().filter_map(|number| self.plan.evaluators.get(*number)).map(|e| e.hash));
        let definitions = &mut self.plan.definitions;
        *self.definitions.entry(hash).or_insert_with(|| {
            definitions.push(BucketDefinition { name: name(), key_parts: parts, evaluators: numbers, hash });
            definitions.len() - 1
        })
    }

    pub(super) fn add_stream(&mut self, stream: Stream) {
        self.plan.streams.push(stream);
    }

    /// Groups branches with equal queriers; gives the queriers of a stream and how many definitions they use.
    pub(super) fn queriers(&mut self, stream: &str, branches: Vec<Branch>) -> (Vec<Querier>, usize) {
        let mut groups: Vec<(String, Vec<usize>, Branch)> = Vec::new();
        for branch in branches {
            let signature = format!("{:?}\n{:?}\n{:?}", branch.filters, branch.steps, branch.key);
            match groups.iter_mut().find(|(other, ..)| *other == signature) {
                Some((_, evaluators, _)) => evaluators.push(branch.evaluator),
                None => groups.push((signature, vec![branch.evaluator], branch)),
            }
        }
        let mut created = 0;
        let mut queriers: Vec<Querier> = Vec::new();
        for (_, evaluators, branch) in groups {
            let mut name = || {
                created += 1;
                format!("{stream}|{}", created - 1)
            };
            let definition = self.definition(&evaluators, branch.key.len(), &mut name);
            queriers.push(Querier {
                definition,
                priority: None,
                filters: branch.filters,
                steps: branch.steps,
                key: branch.key,
                null_keys: false,
            });
        }
        let mut used: Vec<usize> = queriers.iter().map(|querier| querier.definition).collect();
        used.sort_unstable();
        used.dedup();
        (queriers, used.len())
    }
}

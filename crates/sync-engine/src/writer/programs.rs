//! What is evaluated for each row: the definitions and indexes of all configurations that are kept up to date, each once.
//!
//! Configurations share what has the same content hash. So their plans are merged to one plan for each set of settings that
//! evaluation depends on, and a table is bound to these.

use std::collections::{BTreeMap, BTreeSet};

use sync_config::{
    BoundTable, BucketDefinition, Layout, MissingColumn, Output, Plan, RowProblem, RowProgram, RowRef, Settings,
    TableName, TablePattern, Value,
};

use crate::live::{ConfigRecord, DefinitionId, IndexId, LivePlan};
use crate::row::{SourceTable, SourceValue};

/// The merged plans. Definitions and indexes that are being dropped are not part of them.
#[derive(Debug, Default)]
pub(super) struct Programs {
    groups: Vec<Group>,
}

/// Plans whose settings evaluate alike.
#[derive(Debug)]
struct Group {
    plan: Plan,
    /// The stored definition of each definition of the plan.
    definitions: Vec<DefinitionId>,
    /// The stored index of each index of the plan.
    indexes: Vec<IndexId>,
}

/// A table bound to the merged plans.
#[derive(Debug, Default)]
pub(super) struct BoundPrograms {
    groups: Vec<BoundTable>,
    /// For each column, whether anything reads it.
    pub(super) used: Vec<bool>,
    /// Definitions and indexes that get rows of this table.
    pub(super) reads: Content,
    /// Definitions and indexes that get no rows because the table lacks a column.
    pub(super) unbound: Content,
}

/// Bucket definitions and parameter indexes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) definitions: BTreeSet<DefinitionId>,
    pub(super) indexes: BTreeSet<IndexId>,
}

impl Content {
    pub(super) fn is_empty(&self) -> bool {
        self.definitions.is_empty() && self.indexes.is_empty()
    }

    pub(super) fn intersection(&self, other: &Content) -> Content {
        Content {
            definitions: self.definitions.intersection(&other.definitions).copied().collect(),
            indexes: self.indexes.intersection(&other.indexes).copied().collect(),
        }
    }

    pub(super) fn difference(&self, other: &Content) -> Content {
        Content {
            definitions: self.definitions.difference(&other.definitions).copied().collect(),
            indexes: self.indexes.difference(&other.indexes).copied().collect(),
        }
    }

    pub(super) fn add(&mut self, other: &Content) {
        self.definitions.extend(&other.definitions);
        self.indexes.extend(&other.indexes);
    }

    /// What a plan uses.
    pub(super) fn of_plan(plan: &LivePlan) -> Content {
        Content {
            definitions: plan.definitions.iter().copied().collect(),
            indexes: plan.indexes.iter().copied().collect(),
        }
    }
}

/// What one row gives, with numbers of the store.
#[derive(Debug, Default)]
pub(super) struct Evaluated {
    pub(super) entries: Vec<(DefinitionId, sync_config::BucketEntry)>,
    pub(super) parameters: Vec<(IndexId, sync_config::ParameterEntry)>,
    pub(super) problems: Vec<Problem>,
    pub(super) malformed_json: u64,
}

/// What kept a row out of definitions and indexes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) content: Content,
    pub(super) problem: RowProblem,
}

impl Programs {
    /// The programs of these configurations, the oldest first: the first one that has a definition decides which of its
    /// evaluators counts when two give different rows of one id.
    pub(super) fn new<'a>(configs: impl Iterator<Item = &'a ConfigRecord>, live: &Content) -> Self {
        let mut programs = Self::default();
        let mut added = Content::default();
        for config in configs {
            let LivePlan { plan, definitions, indexes, .. } = &*config.plan;
            let group = programs.group(&plan.settings);
            for (definition, id) in plan.definitions.iter().zip(definitions) {
                if live.definitions.contains(id) && added.definitions.insert(*id) {
                    group.add_definition(plan, definition, *id);
                }
            }
            for (index, id) in plan.indexes.iter().zip(indexes) {
                if live.indexes.contains(id) && added.indexes.insert(*id) {
                    group.plan.indexes.push(index.clone());
                    group.indexes.push(*id);
                }
            }
        }
        programs
    }

    fn group(&mut self, settings: &Settings) -> &mut Group {
        // How buckets are named has no influence on rows.
        let settings = Settings { versioned_bucket_ids: false, ..settings.clone() };
        let at = self.groups.iter().position(|group| group.plan.settings == settings).unwrap_or_else(|| {
            let plan = Plan {
                settings,
                streams: Vec::new(),
                definitions: Vec::new(),
                evaluators: Vec::new(),
                indexes: Vec::new(),
            };
            self.groups.push(Group { plan, definitions: Vec::new(), indexes: Vec::new() });
            self.groups.len() - 1
        });
        #[allow(clippy::indexing_slicing, reason = "the position of a group, or of the one just added")]
        &mut self.groups[at]
    }

    /// Which tables are read.
    pub(super) fn patterns(&self) -> Vec<TablePattern> {
        let programs = self.groups.iter().flat_map(Group::programs);
        let patterns: BTreeSet<TablePattern> = programs.map(|program| program.table.clone()).collect();
        patterns.into_iter().collect()
    }

    /// Resolves all names for a table.
    pub(super) fn bind(&self, table: &SourceTable) -> BoundPrograms {
        let columns: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
        let missing = if table.is_schemaless { MissingColumn::Null } else { MissingColumn::Mistake };
        let layout = Layout { columns: &columns, missing };
        let name = TableName { connection: None, schema: &table.schema, table: &table.name };
        let mut bound = BoundPrograms { used: vec![false; columns.len()], ..BoundPrograms::default() };
        for group in &self.groups {
            let table = group.plan.bind(&name, &layout);
            for problem in &table.unbound {
                bound.unbound.add(&group.content_of(problem));
            }
            group.note_use(&name, &columns, &mut bound);
            bound.groups.push(table);
        }
        bound
    }

    /// Evaluates a row. All values must be there.
    pub(super) fn evaluate(&self, bound: &BoundPrograms, row: &[SourceValue]) -> Evaluated {
        let mut evaluated = Evaluated::default();
        for (group, table) in self.groups.iter().zip(&bound.groups) {
            if table.is_empty() {
                continue;
            }
            let values: Vec<Value> =
                row.iter().map(|value| value.to_value(&group.plan.settings).unwrap_or(Value::Null)).collect();
            let result = table.evaluate(&values);
            evaluated.malformed_json += result.malformed_json;
            let definition = |entry: sync_config::BucketEntry| Some((*group.definitions.get(entry.definition)?, entry));
            evaluated.entries.extend(result.buckets.into_iter().filter_map(definition));
            let index = |entry: sync_config::ParameterEntry| Some((*group.indexes.get(entry.index)?, entry));
            evaluated.parameters.extend(result.parameters.into_iter().filter_map(index));
            let problem = |problem| Problem { content: group.content_of(&problem), problem };
            evaluated.problems.extend(result.problems.into_iter().map(problem));
        }
        evaluated
    }
}

impl Group {
    fn add_definition(&mut self, plan: &Plan, definition: &BucketDefinition, id: DefinitionId) {
        let mut evaluators = Vec::with_capacity(definition.evaluators.len());
        for evaluator in definition.evaluators.iter().filter_map(|number| plan.evaluators.get(*number)) {
            let known = self.plan.evaluators.iter().position(|known| known.hash == evaluator.hash);
            evaluators.push(known.unwrap_or_else(|| {
                self.plan.evaluators.push(evaluator.clone());
                self.plan.evaluators.len() - 1
            }));
        }
        self.plan.definitions.push(BucketDefinition { evaluators, ..definition.clone() });
        self.definitions.push(id);
    }

    fn programs(&self) -> impl Iterator<Item = &RowProgram> {
        let evaluators = self.plan.evaluators.iter().map(|evaluator| &evaluator.program);
        evaluators.chain(self.plan.indexes.iter().map(|index| &index.program))
    }

    fn content_of(&self, problem: &RowProblem) -> Content {
        let mut content = Content::default();
        match problem {
            RowProblem::Index(number, _) => content.indexes.extend(self.indexes.get(*number)),
            RowProblem::Evaluator(number, _)
            | RowProblem::NoId(number)
            | RowProblem::TooLarge(number)
            | RowProblem::Collision(number) => content.definitions = self.definitions_of(*number),
        }
        content
    }

    fn definitions_of(&self, evaluator: usize) -> BTreeSet<DefinitionId> {
        let definitions = self.plan.definitions.iter().zip(&self.definitions);
        definitions.filter(|(definition, _)| definition.evaluators.contains(&evaluator)).map(|(_, id)| *id).collect()
    }

    /// Which definitions and indexes read the table, and which of its columns.
    fn note_use(&self, table: &TableName<'_>, columns: &[String], bound: &mut BoundPrograms) {
        let numbers: BTreeMap<&str, usize> = columns.iter().enumerate().map(|(at, name)| (name.as_str(), at)).collect();
        let reads = |program: &RowProgram| program.table.suffix(table.connection, table.schema, table.table).is_some();
        let mut used = |leaf: &RowRef| {
            let column = if let RowRef::Column(name) = leaf { numbers.get(name.as_str()) } else { None };
            if let Some(used) = column.and_then(|at| bound.used.get_mut(*at)) {
                *used = true;
            }
        };
        let mut reads_all = false;
        for (number, evaluator) in self.plan.evaluators.iter().enumerate() {
            if !reads(&evaluator.program) {
                continue;
            }
            bound.reads.definitions.extend(self.definitions_of(number));
            visit(&evaluator.program, &mut used);
            for output in &evaluator.outputs {
                match output {
                    Output::Star { .. } => reads_all = true,
                    Output::Column { expr, .. } => expr.visit_refs(&mut used),
                }
            }
        }
        for (index, id) in self.plan.indexes.iter().zip(&self.indexes) {
            if reads(&index.program) {
                bound.reads.indexes.insert(*id);
                visit(&index.program, &mut used);
                index.outputs.iter().for_each(|output| output.visit_refs(&mut used));
            }
        }
        if reads_all {
            bound.used.fill(true);
        }
    }
}

fn visit(program: &RowProgram, used: &mut dyn FnMut(&RowRef)) {
    for expr in program.each.iter().chain(&program.filters).chain(&program.key) {
        expr.visit_refs(&mut |leaf| used(leaf));
    }
}

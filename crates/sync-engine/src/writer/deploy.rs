//! Deploys configurations. What a configuration shares with a stored one is kept: indexes with the same content hash, and
//! definitions that have queries of one stream and no others.

use std::collections::BTreeSet;
use std::sync::Arc;

use sync_config::{Hash, Plan, Standing};

use super::programs::{Content, Programs};
use super::tables::TableRequest;
use super::{Writer, WriterError};
use crate::live::{ConfigId, ConfigRecord, ConfigState, ConfigTimes, LivePlan};
use crate::preview::Preview;
use crate::store::ContentState;

impl Writer {
    /// Begins to build a configuration. It becomes active when all its definitions and indexes have all rows; those that
    /// are stored and ready are kept. One that is being built is replaced, and what is ready of it is kept for a while.
    ///
    /// # Errors
    /// The store failed.
    pub fn deploy(&mut self, yaml: &str, plan: Plan, now: i64) -> Result<ConfigId, WriterError> {
        self.guarded(|writer| {
            writer.cancel_building(now);
            let id = writer.model.new_config_id();
            writer.add_config(id, yaml.into(), plan, now);
            writer.drop_unused();
            writer.table_request = TableRequest::Needed;
            writer.commit_records(now)?;
            Ok(id)
        })
    }

    /// What deploying a configuration would do. Nothing is changed.
    pub fn preview(&self, plan: Plan) -> Preview {
        let stored = self.model.stored_definitions();
        let plan = plan.regrouped(&stored);
        let find = |hash: &Hash| self.model.definitions.values().find(|record| record.hash == *hash);
        let definition_ids = plan.definitions.iter().map(|one| find(&one.hash).map(|record| record.id)).collect();
        let index = |hash: &Hash| self.model.indexes.values().find(|record| record.hash == *hash);
        let index_ids = plan.indexes.iter().map(|one| index(&one.hash).map(|record| record.id)).collect();
        let indexes = self.model.indexes.values().map(|record| {
            let is_ready = record.state == ContentState::Ready;
            (record.hash, if is_ready { Standing::Ready } else { Standing::Building })
        });
        Preview { indexes: indexes.collect(), plan, stored, definition_ids, index_ids }
    }

    /// Whether the newest configuration was compiled to the same evaluators and indexes. Another version of the program may
    /// evaluate otherwise; then the same text is to be deployed again.
    pub fn is_compiled_alike(&self, plan: &Plan) -> bool {
        let Some(newest) = self.model.newest_config() else { return false };
        hashes(&newest.plan.plan) == hashes(plan)
    }

    fn add_config(&mut self, id: ConfigId, yaml: Arc<str>, plan: Plan, now: i64) {
        let known = self.model.live();
        let plan = plan.regrouped(&self.model.stored_definitions());
        let definitions =
            plan.definitions.iter().map(|definition| self.model.definition(definition.hash, &definition.name));
        let (definitions, name_prefixes) = definitions.map(|record| (record.id, record.name_prefix)).unzip();
        let indexes = plan.indexes.iter().map(|index| self.model.index(index.hash)).collect();
        let plan = Arc::new(LivePlan { config: id, plan, definitions, name_prefixes, indexes });
        self.unplanned.add(&Content::of_plan(&plan).difference(&known));
        let times = ConfigTimes { deployed: now, ..ConfigTimes::default() };
        self.model.put_config(ConfigRecord { id, yaml, plan, state: ConfigState::Building, times });
    }

    fn cancel_building(&mut self, now: i64) {
        if let Some(mut config) = self.model.building().cloned() {
            config.state = ConfigState::Retired;
            config.times.retired = Some(now);
            self.model.put_config(config);
        }
    }

    /// Begins to build again, with new definitions, what no client has seen: where the source's history has a hole, rows
    /// that were built before it are not right, and nobody needs to be told how they differ.
    pub(super) fn restart_building(&mut self, now: i64) {
        let live = self.model.live();
        let building = self.model.building().cloned();
        let visible = self.model.visible();
        self.model.drop_content(&live.difference(&visible));
        if let Some(config) = building {
            self.add_config(config.id, config.yaml, config.plan.plan.clone(), now);
        }
        self.drop_unused();
    }

    /// Drops what no configuration uses. Of a configuration that was cancelled, only what is ready is worth keeping.
    pub(super) fn drop_unused(&mut self) {
        let mut used = Content::default();
        let mut unready = self.model.unready();
        for config in self.model.configs.values() {
            let content = Content::of_plan(&config.plan);
            let is_cancelled = config.state == ConfigState::Retired && config.times.activated.is_none();
            if !is_cancelled {
                unready = unready.difference(&content);
            }
            used.add(&content);
        }
        let unused = self.model.live().difference(&used.difference(&unready));
        self.unplanned = self.unplanned.difference(&unused);
        self.model.drop_content(&unused);
        self.bind_programs();
    }

    /// Looks up everything again after configurations have changed.
    pub(super) fn bind_programs(&mut self) {
        let live = self.model.live();
        self.programs = Programs::new(self.model.configs.values(), &live);
        self.layouts.bind(&self.programs);
    }
}

fn hashes(plan: &Plan) -> (BTreeSet<Hash>, BTreeSet<Hash>) {
    let evaluators = plan.evaluators.iter().map(|evaluator| evaluator.hash);
    (evaluators.collect(), plan.indexes.iter().map(|index| index.hash).collect())
}

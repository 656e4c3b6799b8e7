//! What the writer keeps in memory of what is stored: configurations, definitions, indexes, tables and jobs. Changed records
//! are collected here and written with the next batch.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sync_config::{Hash, Standing, StoredDefinition};

use super::jobs::Job;
use super::programs::Content;
use crate::live::{ConfigId, ConfigRecord, ConfigState, DefinitionId, IndexId, LivePlan};
use crate::row::{Position, SourceTable};
use crate::store::{
    Batch, ContentState, DefinitionRecord, IndexRecord, JobId, JobRecord, NextIds, OpId, Stored, TableId, TableRecord,
    TableState,
};

/// Records as they will be after the next batch.
pub(super) struct Model {
    pub(super) instance: String,
    pub(super) next_op_id: OpId,
    pub(super) next_ids: NextIds,
    pub(super) tables: BTreeMap<TableId, TableRecord>,
    pub(super) configs: BTreeMap<ConfigId, ConfigRecord>,
    /// Without those that are being dropped.
    pub(super) definitions: BTreeMap<DefinitionId, DefinitionRecord>,
    /// Likewise.
    pub(super) indexes: BTreeMap<IndexId, IndexRecord>,
    pub(super) jobs: BTreeMap<JobId, Job>,
    changed: Changed,
}

/// What differs from the store.
#[derive(Default)]
struct Changed {
    tables: BTreeSet<TableId>,
    configs: BTreeSet<ConfigId>,
    /// Configurations that are no longer part of the model.
    deleted_configs: Vec<ConfigRecord>,
    definitions: BTreeSet<DefinitionId>,
    dropped_definitions: Vec<DefinitionRecord>,
    indexes: BTreeSet<IndexId>,
    dropped_indexes: Vec<IndexRecord>,
    jobs: BTreeSet<JobId>,
    finished_jobs: Vec<JobId>,
}

impl Model {
    pub(super) fn new(stored: &Stored) -> Self {
        let mut model = Self {
            instance: stored.instance.clone(),
            next_op_id: stored.next_op_id,
            next_ids: stored.next_ids,
            tables: stored.tables.iter().map(|record| (record.id, record.clone())).collect(),
            configs: stored.configs.iter().map(|record| (record.id, record.clone())).collect(),
            definitions: stored.definitions.iter().map(|record| (record.id, record.clone())).collect(),
            indexes: stored.indexes.iter().map(|record| (record.id, record.clone())).collect(),
            jobs: BTreeMap::new(),
            changed: Changed::default(),
        };
        model.configs.retain(|_, config| config.state != ConfigState::Deleted);
        model.definitions.retain(|_, definition| definition.state != ContentState::Dropping);
        model.indexes.retain(|_, index| index.state != ContentState::Dropping);
        for record in &stored.jobs {
            let content = Job::content_of(record);
            let sweeps = model.was_visible(&content) || !model.ready_part(&content).is_empty();
            model.jobs.insert(record.id, Job::new(record.clone(), sweeps));
        }
        model
    }

    /// Whether any record waits for a batch.
    pub(super) fn is_changed(&self) -> bool {
        let Changed { tables, configs, deleted_configs, definitions, dropped_definitions, .. } = &self.changed;
        let Changed { indexes, dropped_indexes, jobs, finished_jobs, .. } = &self.changed;
        !(tables.is_empty() && configs.is_empty() && deleted_configs.is_empty() && definitions.is_empty())
            || !(dropped_definitions.is_empty() && indexes.is_empty() && dropped_indexes.is_empty())
            || !(jobs.is_empty() && finished_jobs.is_empty())
    }

    /// Moves changed records to a batch.
    pub(super) fn write(&mut self, batch: &mut Batch) {
        let changed = std::mem::take(&mut self.changed);
        batch.tables.extend(changed.tables.iter().filter_map(|id| self.tables.get(id)).cloned());
        batch.configs.extend(changed.configs.iter().filter_map(|id| self.configs.get(id)).cloned());
        batch.configs.extend(changed.deleted_configs);
        batch.definitions.extend(changed.definitions.iter().filter_map(|id| self.definitions.get(id)).cloned());
        batch.definitions.extend(changed.dropped_definitions);
        batch.indexes.extend(changed.indexes.iter().filter_map(|id| self.indexes.get(id)).cloned());
        batch.indexes.extend(changed.dropped_indexes);
        batch.jobs.extend(changed.jobs.iter().filter_map(|id| self.jobs.get(id)).map(|job| job.record.clone()));
        batch.finished_jobs.extend(changed.finished_jobs);
        batch.next_ids = self.next_ids;
        batch.next_op_id = self.next_op_id;
    }

    /// All that is kept up to date.
    pub(super) fn live(&self) -> Content {
        Content {
            definitions: self.definitions.keys().copied().collect(),
            indexes: self.indexes.keys().copied().collect(),
        }
    }

    pub(super) fn active(&self) -> Option<&ConfigRecord> {
        self.configs.values().find(|config| config.state == ConfigState::Active)
    }

    /// The configuration that is to be active next.
    pub(super) fn building(&self) -> Option<&ConfigRecord> {
        self.configs.values().find(|config| matches!(config.state, ConfigState::Building | ConfigState::Ready))
    }

    /// The configuration that was deployed last, unless another one has replaced it.
    pub(super) fn newest_config(&self) -> Option<&ConfigRecord> {
        self.building().or_else(|| self.active())
    }

    pub(super) fn active_plan(&self) -> Option<Arc<LivePlan>> {
        self.active().map(|config| Arc::clone(&config.plan))
    }

    /// Whether a client may have seen anything of it: such content is compared, never built again.
    pub(super) fn was_visible(&self, content: &Content) -> bool {
        !self.visible().intersection(content).is_empty()
    }

    /// What a client may have seen.
    pub(super) fn visible(&self) -> Content {
        let mut visible = Content::default();
        for config in self.configs.values().filter(|config| config.times.activated.is_some()) {
            visible.add(&Content::of_plan(&config.plan));
        }
        visible
    }

    /// Whether all of it has all rows.
    pub(super) fn is_ready(&self, content: &Content) -> bool {
        let ready = |state: Option<ContentState>| state == Some(ContentState::Ready);
        content.definitions.iter().all(|id| ready(self.definitions.get(id).map(|record| record.state)))
            && content.indexes.iter().all(|id| ready(self.indexes.get(id).map(|record| record.state)))
    }

    /// What of it has all rows.
    pub(super) fn ready_part(&self, content: &Content) -> Content {
        content.difference(&self.unready()).intersection(&self.live())
    }

    /// All that does not have all rows.
    pub(super) fn unready(&self) -> Content {
        let definitions = self.definitions.values().filter(|record| record.state != ContentState::Ready);
        let indexes = self.indexes.values().filter(|record| record.state != ContentState::Ready);
        Content { definitions: definitions.map(|d| d.id).collect(), indexes: indexes.map(|i| i.id).collect() }
    }

    /// The definitions that are kept up to date, the oldest first, as plans are put together from them.
    pub(super) fn stored_definitions(&self) -> Vec<StoredDefinition> {
        let active = self.active().map(|config| Content::of_plan(&config.plan)).unwrap_or_default();
        let mut stored: BTreeMap<DefinitionId, StoredDefinition> = BTreeMap::new();
        for LivePlan { plan, definitions, .. } in self.configs.values().map(|config| &*config.plan) {
            for (definition, id) in plan.definitions.iter().zip(definitions) {
                let Some(record) = self.definitions.get(id) else { continue };
                let evaluators = definition.evaluators.iter().filter_map(|number| plan.evaluators.get(*number));
                let standing = match record.state {
                    _ if active.definitions.contains(id) => Standing::Active,
                    ContentState::Ready => Standing::Ready,
                    ContentState::Snapshotting | ContentState::Dropping => Standing::Building,
                };
                stored.entry(*id).or_insert_with(|| StoredDefinition {
                    name: definition.name.clone(),
                    evaluators: evaluators.map(|evaluator| evaluator.hash).collect(),
                    standing,
                });
            }
        }
        stored.into_values().collect()
    }

    /// What has neither all rows nor a job that reads them.
    pub(super) fn unplanned(&self) -> Content {
        self.jobs.values().fold(self.unready(), |unplanned, job| unplanned.difference(&job.content()))
    }

    pub(super) fn gone_tables(&self) -> BTreeSet<TableId> {
        self.tables.values().filter(|record| record.state == TableState::Gone).map(|record| record.id).collect()
    }

    pub(super) fn set_content_state(&mut self, content: &Content, state: ContentState) {
        for id in &content.definitions {
            if let Some(record) = self.definitions.get_mut(id).filter(|record| record.state != state) {
                record.state = state;
                self.changed.definitions.insert(*id);
            }
        }
        for id in &content.indexes {
            if let Some(record) = self.indexes.get_mut(id).filter(|record| record.state != state) {
                record.state = state;
                self.changed.indexes.insert(*id);
            }
        }
    }

    /// The stored definition with this content, or a new one.
    pub(super) fn definition(&mut self, hash: Hash, name: &str) -> DefinitionRecord {
        if let Some(record) = self.definitions.values().find(|record| record.hash == hash) {
            return record.clone();
        }
        let id = DefinitionId(next(&mut self.next_ids.definition));
        let name_prefix = format!("{name}.{}.{}", self.instance, id.0);
        let record = DefinitionRecord { id, hash, name_prefix, state: ContentState::Snapshotting };
        self.definitions.insert(id, record.clone());
        self.changed.definitions.insert(id);
        record
    }

    /// The stored index with this content, or a new one.
    pub(super) fn index(&mut self, hash: Hash) -> IndexId {
        if let Some(record) = self.indexes.values().find(|record| record.hash == hash) {
            return record.id;
        }
        let id = IndexId(next(&mut self.next_ids.index));
        self.indexes.insert(id, IndexRecord { id, hash, state: ContentState::Snapshotting });
        self.changed.indexes.insert(id);
        id
    }

    pub(super) fn new_config_id(&mut self) -> ConfigId {
        ConfigId(next(&mut self.next_ids.config))
    }

    pub(super) fn put_config(&mut self, config: ConfigRecord) {
        self.changed.configs.insert(config.id);
        self.configs.insert(config.id, config);
    }

    pub(super) fn delete_config(&mut self, id: ConfigId) {
        if let Some(mut config) = self.configs.remove(&id) {
            self.changed.configs.remove(&id);
            config.state = ConfigState::Deleted;
            self.changed.deleted_configs.push(config);
        }
    }

    /// Drops definitions and indexes, also from jobs.
    pub(super) fn drop_content(&mut self, content: &Content) {
        for mut record in content.definitions.iter().filter_map(|id| self.definitions.remove(id)) {
            self.changed.definitions.remove(&record.id);
            record.state = ContentState::Dropping;
            self.changed.dropped_definitions.push(record);
        }
        for mut record in content.indexes.iter().filter_map(|id| self.indexes.remove(id)) {
            self.changed.indexes.remove(&record.id);
            record.state = ContentState::Dropping;
            self.changed.dropped_indexes.push(record);
        }
        let mut ended = Vec::new();
        for (id, job) in &mut self.jobs {
            if job.remove_content(content) {
                self.changed.jobs.insert(*id);
            }
            if job.content().is_empty() {
                ended.push(*id);
            }
        }
        ended.into_iter().for_each(|id| self.finish_job(id));
    }

    /// A new generation of a table, whose record is written as soon as [`Model::note_table`] is called.
    pub(super) fn new_table(&mut self, table: SourceTable) -> TableId {
        let id = TableId(next(&mut self.next_ids.table));
        self.tables.insert(id, TableRecord { id, table, state: TableState::Live });
        id
    }

    /// The record of a table is to be written.
    pub(super) fn note_table(&mut self, id: TableId) {
        self.changed.tables.insert(id);
    }

    /// A job that has read nothing.
    pub(super) fn new_job(&mut self, table: TableId, content: &Content, barrier: Option<Position>) -> JobRecord {
        JobRecord {
            id: JobId(next(&mut self.next_ids.job)),
            table,
            definitions: content.definitions.iter().copied().collect(),
            indexes: content.indexes.iter().copied().collect(),
            next: None,
            rows: 0,
            barrier,
            is_read: false,
        }
    }

    pub(super) fn put_job(&mut self, job: Job) {
        self.changed.jobs.insert(job.record.id);
        self.jobs.insert(job.record.id, job);
    }

    pub(super) fn note_job(&mut self, id: JobId) {
        self.changed.jobs.insert(id);
    }

    pub(super) fn finish_job(&mut self, id: JobId) {
        if self.jobs.remove(&id).is_some() {
            self.changed.jobs.remove(&id);
            self.changed.finished_jobs.push(id);
        }
    }

    pub(super) fn is_live_table(&self, id: TableId) -> bool {
        self.tables.get(&id).is_some_and(|record| record.state == TableState::Live)
    }
}

/// The next number, from 1.
fn next(counter: &mut u32) -> u32 {
    *counter = (*counter).max(1);
    let id = *counter;
    *counter = counter.saturating_add(1);
    id
}

//! Makes a configuration the active one, and forgets those that others have replaced.

use std::sync::Arc;

use super::Writer;
use super::batch::BatchBuilder;
use super::programs::Content;
use crate::live::{ConfigId, ConfigState, LivePlan};

impl Writer {
    /// Whether requests could be evaluated with the configuration that is being built.
    pub(super) fn can_activate(&self) -> bool {
        let is_ready = |config: &crate::live::ConfigRecord| self.model.is_ready(&Content::of_plan(&config.plan));
        self.is_exact() && self.position.is_some() && self.model.building().is_some_and(is_ready)
    }

    /// Activates the configuration that is being built, if it can be. Gives its plan.
    pub(super) fn activate(&mut self, builder: &mut BatchBuilder, now: i64) -> Option<Arc<LivePlan>> {
        if !self.can_activate() {
            self.note_barrier();
            return None;
        }
        let mut config = self.model.building()?.clone();
        // Another id, so that readers of the checkpoint before are known to use the other configuration.
        builder.skip_op_id();
        if let Some(mut before) = self.model.active().cloned() {
            before.state = ConfigState::Retired;
            before.times.retired = Some(now);
            self.retired_at.insert(before.id, builder.last_op_id());
            self.model.put_config(before);
        }
        config.state = ConfigState::Active;
        config.times.activated = Some(now);
        let plan = Arc::clone(&config.plan);
        self.model.put_config(config);
        Some(plan)
    }

    /// Shows that all rows are read, and only the stream has to catch up.
    fn note_barrier(&mut self) {
        let Some(config) = self.model.building().filter(|config| config.state == ConfigState::Building) else { return };
        let content = Content::of_plan(&config.plan);
        let mut jobs = self.model.jobs.values().filter(|job| !job.content().intersection(&content).is_empty());
        if jobs.all(super::jobs::Job::is_written) && self.unplanned.intersection(&content).is_empty() {
            let mut config = config.clone();
            config.state = ConfigState::Ready;
            self.model.put_config(config);
        }
    }

    /// Deletes retired configurations after their time, when no reader uses them, and what only they needed.
    pub(super) fn drop_unneeded(&mut self, now: i64) {
        let mut due: Vec<ConfigId> = Vec::new();
        for config in self.model.configs.values().filter(|config| config.state == ConfigState::Retired) {
            let is_over = config.times.retired.is_none_or(|at| at.saturating_add(self.options.grace) <= now);
            let is_read = || self.retired_at.get(&config.id).is_some_and(|from| self.readers.oldest_pin() < *from);
            let content = Content::of_plan(&config.plan);
            let is_compared = || self.model.jobs.values().any(|job| !job.content().intersection(&content).is_empty());
            if is_over && !is_read() && !is_compared() {
                due.push(config.id);
            }
        }
        if due.is_empty() {
            return;
        }
        for id in due {
            self.model.delete_config(id);
            self.retired_at.remove(&id);
        }
        self.drop_unused();
    }
}

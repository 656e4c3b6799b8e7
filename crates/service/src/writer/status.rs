//! What the writer's thread says of itself, for the status page, probes and metrics.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use sync_engine::live::{ConfigRecord, ConfigState};
use sync_engine::store::Checkpoint;
use sync_engine::writer::{ProblemKind, Subject, Writer};

/// The newest status.
#[derive(Debug, Default)]
pub(crate) struct Board(Mutex<Posted>);

#[derive(Debug, Default)]
struct Posted {
    status: Status,
    /// Operations and source errors before the current writer and error.
    operations_before: BTreeMap<String, u64>,
}

/// The state of the writer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Status {
    pub(crate) config: ConfigStatus,
    pub(crate) checkpoint: Option<CheckpointStatus>,
    pub(crate) source: SourceStatus,
    /// Why the storage cannot be used at the moment.
    pub(crate) storage_error: Option<String>,
    /// Operations written since the service was started, by what names of buckets of their definition begin with.
    pub(crate) operations: BTreeMap<String, u64>,
    pub(crate) problems: Vec<ProblemStatus>,
}

/// The configurations.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct ConfigStatus {
    /// `none`, `building` (the first one) or `active`.
    pub(crate) state: &'static str,
    pub(crate) id: Option<u32>,
    pub(crate) building: Option<Building>,
    /// Why the newest configuration could not be built.
    pub(crate) error: Option<String>,
    #[serde(skip)]
    pub(crate) active: Option<Active>,
}

/// The configuration that requests are evaluated with.
#[derive(Clone, Debug)]
pub(crate) struct Active {
    pub(crate) id: u32,
    pub(crate) yaml: Arc<str>,
}

/// A configuration that is being built.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Building {
    pub(crate) id: u32,
    /// `building` while rows are read, `ready` while the stream catches up.
    pub(crate) state: &'static str,
    pub(crate) rows_read: u64,
    pub(crate) tables_left: usize,
    #[serde(skip)]
    pub(crate) yaml: Arc<str>,
}

/// The newest checkpoint.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct CheckpointStatus {
    pub(crate) op_id: String,
    /// In µs since 1970.
    pub(crate) time: i64,
}

/// The source.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct SourceStatus {
    /// Why it cannot be read at the moment.
    pub(crate) error: Option<String>,
    /// The last error, also if it is over.
    pub(crate) last_error: Option<String>,
    /// How many errors there were since the service was started.
    pub(crate) errors: u64,
    /// How far the newest checkpoint may be behind; null if that is not known.
    pub(crate) lag_seconds: Option<f64>,
}

/// Rows that are kept out of a definition or an index.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ProblemStatus {
    /// What names of buckets of the definition begin with, or the number of the index.
    pub(crate) subject: String,
    pub(crate) problem: &'static str,
    /// A row counts each time it is evaluated.
    pub(crate) count: u64,
    pub(crate) reason: &'static str,
}

impl Status {
    /// What other processes show of the one that writes.
    pub(super) fn posted(&self) -> Vec<u8> {
        let shown = serde_json::json!({
            "config": self.config,
            "source": self.source,
            "problems": self.problems,
            "operations_written": self.operations.values().sum::<u64>(),
        });
        shown.to_string().into_bytes()
    }
}

impl Board {
    /// The newest status.
    pub(crate) fn status(&self) -> Status {
        self.lock().status.clone()
    }

    pub(super) fn set(&self, writer: &Writer, source_error: Option<&str>, lag_seconds: Option<f64>) {
        let (config, problems) = (config_status(writer), problems(writer));
        let checkpoint = writer.checkpoint();
        let checkpoint = checkpoint.map(|at| CheckpointStatus { op_id: at.op_id.to_string(), time: at.time });
        let mut posted = self.lock();
        let operations = posted.operations(writer);
        let status = &mut posted.status;
        let source = &mut status.source;
        if let Some(error) = source_error.filter(|error| source.error.as_deref() != Some(error)) {
            source.errors += 1;
            source.last_error = Some(error.to_owned());
        }
        source.error = source_error.map(str::to_owned);
        source.lag_seconds = lag_seconds;
        status.config = config;
        status.checkpoint = checkpoint;
        status.operations = operations;
        status.problems = problems;
    }

    /// The writer cannot go on, and another one follows.
    pub(super) fn storage_failed(&self, writer: &Writer, error: &str) {
        let mut posted = self.lock();
        posted.operations_before = posted.operations(writer);
        posted.status.storage_error = Some(error.to_owned());
    }

    pub(super) fn storage_opened(&self) {
        self.lock().status.storage_error = None;
    }

    /// The active configuration of a storage that another process writes.
    pub(crate) fn follow_config(&self, config: &ConfigRecord) {
        let config_status = &mut self.lock().status.config;
        config_status.active = Some(Active { id: config.id.0, yaml: Arc::clone(&config.yaml) });
        (config_status.state, config_status.id) = ("active", Some(config.id.0));
    }

    /// The newest checkpoint of a storage that another process writes.
    pub(crate) fn follow_checkpoint(&self, checkpoint: &Checkpoint) {
        let newest = CheckpointStatus { op_id: checkpoint.op_id.to_string(), time: checkpoint.time };
        self.lock().status.checkpoint = Some(newest);
    }

    /// Why the storage cannot be reached at the moment.
    pub(crate) fn follow_storage(&self, error: Option<&str>) {
        self.lock().status.storage_error = error.map(str::to_owned);
    }

    fn lock(&self) -> MutexGuard<'_, Posted> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Posted {
    /// Operations of all writers up to this one.
    fn operations(&self, writer: &Writer) -> BTreeMap<String, u64> {
        let mut operations = self.operations_before.clone();
        for (definition, count) in writer.operations_written() {
            *operations.entry(definition.to_owned()).or_default() += count;
        }
        operations
    }
}

fn config_status(writer: &Writer) -> ConfigStatus {
    let with_state = |state: &ConfigState| writer.configs().find(|config| config.state == *state);
    let active = with_state(&ConfigState::Active);
    let building = with_state(&ConfigState::Building).map(|config| (config, "building"));
    let building = building.or_else(|| with_state(&ConfigState::Ready).map(|config| (config, "ready")));
    let building = building.map(|(config, state)| Building {
        id: config.id.0,
        state,
        rows_read: writer.jobs().map(|job| job.rows).sum(),
        tables_left: writer.jobs().filter(|job| !job.is_read).count(),
        yaml: Arc::clone(&config.yaml),
    });
    let state = match (active, &building) {
        (Some(_), _) => "active",
        (None, Some(_)) => "building",
        (None, None) => "none",
    };
    let newest: Option<&ConfigRecord> = writer.configs().max_by_key(|config| config.id);
    let error = newest.and_then(|config| match &config.state {
        ConfigState::Failed(reason) => Some(reason.clone()),
        _ => None,
    });
    let active = active.map(|config| Active { id: config.id.0, yaml: Arc::clone(&config.yaml) });
    ConfigStatus { state, id: active.as_ref().map(|active| active.id), building, error, active }
}

fn problems(writer: &Writer) -> Vec<ProblemStatus> {
    let shown = writer.problems().map(|problem| ProblemStatus {
        subject: match problem.subject {
            Subject::Definition(id) => writer.name_prefix(id).map_or_else(|| id.0.to_string(), str::to_owned),
            Subject::Index(id) => format!("index {}", id.0),
        },
        problem: match problem.kind {
            ProblemKind::Evaluation => "evaluation",
            ProblemKind::NoId => "no_id",
            ProblemKind::TooLarge => "too_large",
            ProblemKind::Collision => "collision",
        },
        count: problem.count,
        reason: problem.reason,
    });
    shown.collect()
}

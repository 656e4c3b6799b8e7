//! Configurations as they are stored: a plan, and which stored definitions and indexes it uses.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sync_config::Plan;

/// Number of a configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct ConfigId(pub u32);

/// Number of a stored bucket definition, whichever configurations use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DefinitionId(pub u32);

/// Number of a stored parameter index, whichever configurations use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct IndexId(pub u32);

/// A stored configuration.
#[derive(Clone, Debug)]
pub struct ConfigRecord {
    /// Its number.
    pub id: ConfigId,
    /// The text that was deployed.
    pub yaml: Arc<str>,
    /// What it was compiled to.
    pub plan: Arc<LivePlan>,
    /// How far it is.
    pub state: ConfigState,
    /// When it was deployed, activated and retired, in µs since 1970.
    pub times: ConfigTimes,
}

/// A plan whose definitions and indexes have numbers of the store.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct LivePlan {
    /// The configuration that it is of.
    pub config: ConfigId,
    /// The plan.
    pub plan: Plan,
    /// The stored definition of each definition of the plan.
    pub definitions: Vec<DefinitionId>,
    /// What names of buckets begin with, of each definition of the plan; the key follows.
    pub name_prefixes: Vec<String>,
    /// The stored index of each index of the plan.
    pub indexes: Vec<IndexId>,
}

impl LivePlan {
    /// The name of a bucket: opaque to clients, unique in this storage.
    pub fn bucket_name(&self, definition: usize, key: &str) -> String {
        format!("{}{key}", self.name_prefixes.get(definition).map_or("", String::as_str))
    }
}

/// The way of a configuration. At most one is active and at most one is being built.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConfigState {
    /// Snapshots for it are being read.
    Building,
    /// It waits for its barrier.
    Ready,
    /// Requests are evaluated with it.
    Active,
    /// Another one has replaced it. Its content stays for a while, so that going back is instant.
    Retired,
    /// It could not be built.
    Failed(String),
    /// Nothing of it is left.
    Deleted,
}

/// In µs since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named as what happens at them")]
pub struct ConfigTimes {
    pub deployed: i64,
    pub activated: Option<i64>,
    pub retired: Option<i64>,
}

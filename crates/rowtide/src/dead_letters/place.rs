//! Where dead letters are: at a service, or in the folder of a development service that is stopped.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Result, anyhow};
use rowtide_service::{WritesError, open_writes};
use serde_json::{Value, json};
use write_path::{Letters, State, WritePath};

use super::note;
use crate::admin::{Admin, AdminToken};
use crate::exit::usage;
use crate::serve::read_file;

/// Flags that say where.
#[derive(clap::Args)]
pub(crate) struct PlaceArguments {
    /// The service
    #[arg(long, value_name = "URL", required_unless_present = "dir")]
    url: Option<String>,
    #[command(flatten)]
    token: AdminToken,
    /// The folder of a `rowtide dev` that is stopped, instead of a service
    #[arg(long, value_name = "FOLDER", conflicts_with = "url")]
    dir: Option<PathBuf>,
    /// With --dir: the write rules, which a replay applies [default: writes.yaml in the folder]
    #[arg(long, value_name = "FILE", requires = "dir")]
    writes: Option<PathBuf>,
    /// Prints JSON
    #[arg(long)]
    pub(super) json: bool,
}

/// Where dead letters are. All answers are those of the service's routes.
pub(super) enum Place<'a> {
    Service(Admin<'a>),
    Folder(Arc<WritePath>),
}

impl PlaceArguments {
    pub(super) fn open(&self) -> Result<Place<'_>> {
        match (&self.url, &self.dir) {
            (_, Some(folder)) => Ok(Place::Folder(open(folder, self.writes.as_deref())?)),
            (Some(url), None) => Ok(Place::Service(Admin::new(url, &self.token)?)),
            (None, None) => Err(usage("give --url, or --dir")),
        }
    }
}

fn open(folder: &Path, writes: Option<&Path>) -> Result<Arc<WritePath>> {
    let source = folder.join("source.db");
    if !source.is_file() {
        return Err(usage(format!("{} has no source.db: is it the folder of `rowtide dev`?", folder.display())));
    }
    let file = writes.map_or_else(|| folder.join("writes.yaml"), Path::to_owned);
    let rules = read_file(&file)?;
    let opened = open_writes(&source, &rules).map_err(|error| match error {
        WritesError::Rules(found) => {
            anyhow!("{} has {} findings: `rowtide dev` prints them", file.display(), found.len())
        }
        WritesError::Other(message) => anyhow!(message),
    });
    Ok(opened?.0)
}

impl Place<'_> {
    pub(super) fn list(&self, state: Option<&str>, limit: u16) -> Result<Value> {
        match self {
            Self::Service(admin) => {
                let state = state.map(|state| format!("&state={state}")).unwrap_or_default();
                admin.get(&format!("/api/admin/v1/dead-letters?limit={limit}{state}"))
            }
            Self::Folder(writes) => {
                let state = state.and_then(State::from_name);
                let letters = writes.letters(&Letters { state, limit: limit.into(), ..Letters::default() });
                Ok(json!({ "dead_letters": letters.map_err(|error| anyhow!(error.to_string()))? }))
            }
        }
    }

    pub(super) fn show(&self, id: i64) -> Result<Value> {
        match self {
            Self::Service(admin) => admin.get(&format!("/api/admin/v1/dead-letters/{id}")),
            Self::Folder(writes) => {
                let letter = writes.letter(id).map_err(|error| anyhow!(error.to_string()))?;
                let letter = letter.ok_or_else(|| anyhow!("There is no such dead letter."))?;
                Ok(json!({ "dead_letter": letter }))
            }
        }
    }

    pub(super) fn replay(&self, id: i64) -> Result<Value> {
        match self {
            Self::Service(admin) => admin.post(&format!("/api/admin/v1/dead-letters/{id}/replay"), &json!({})),
            Self::Folder(writes) => {
                let result = writes.replay(id, now()).map_err(|error| anyhow!(error.to_string()))?;
                let mut answer = self.show(id)?;
                if let Value::Object(members) = &mut answer {
                    members.insert("result".into(), serde_json::to_value(result)?);
                }
                Ok(answer)
            }
        }
    }

    pub(super) fn discard(&self, id: i64, text: Option<&str>) -> Result<Value> {
        match self {
            Self::Service(admin) => admin.post(&format!("/api/admin/v1/dead-letters/{id}/discard"), &note(text)),
            Self::Folder(writes) => {
                writes.discard(id, text).map_err(|error| anyhow!(error.to_string()))?;
                self.show(id)
            }
        }
    }
}

/// In µs since 1970.
fn now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

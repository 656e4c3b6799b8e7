//! Requests to a deployment, and what their answers are read as.

use convex_connect::{Called, Class, Deployment, Kind};
use sync_engine::source::{ErrorClass, SourceError};

use super::options::ConvexOptions;
use super::pages::{self, DeltasPage, Schemas, SnapshotPage, SyncPage};
use super::tables::MARKERS;

/// Why a request failed.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) kind: Kind,
    pub(crate) error: SourceError,
}

impl From<convex_connect::Failure> for Failure {
    fn from(failure: convex_connect::Failure) -> Self {
        let class = match failure.class {
            Class::Retry(pause) => ErrorClass::RetryAfter(pause),
            Class::Lost => ErrorClass::PositionLost,
            Class::Configuration => ErrorClass::Configuration,
        };
        Self { kind: failure.kind, error: SourceError { class, message: failure.message } }
    }
}

impl From<Failure> for SourceError {
    fn from(failure: Failure) -> Self {
        failure.error
    }
}

pub(crate) struct Client {
    deployment: Deployment,
}

impl Client {
    pub(crate) fn new(options: &ConvexOptions) -> Result<Self, SourceError> {
        let deployment = Deployment::new(options.reach.clone()).map_err(Failure::from)?;
        Ok(Self { deployment })
    }

    /// Where it is, without its key.
    pub(crate) fn location(&self) -> &str {
        self.deployment.location()
    }

    /// Which tables there are.
    pub(crate) fn schemas(&self) -> Result<Schemas, Failure> {
        const WHAT: &str = "Reading the tables";
        let body = self.deployment.get(WHAT, "api/json_schemas", &[("deltaSchema", "false")])?;
        Ok(self.deployment.read(WHAT, pages::schemas(&body).ok())?)
    }

    /// A page of a table at a timestamp; of now without one.
    pub(crate) fn snapshot(
        &self,
        snapshot: Option<i64>,
        table: Option<&str>,
        cursor: Option<&str>,
    ) -> Result<SnapshotPage, Failure> {
        const WHAT: &str = "Reading a snapshot";
        let snapshot = snapshot.map(|snapshot| snapshot.to_string());
        let parameters = [("snapshot", snapshot.as_deref()), ("table_name", table), ("cursor", cursor)];
        let parameters: Vec<(&str, &str)> =
            parameters.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        let body = self.deployment.get(WHAT, "api/list_snapshot", &parameters)?;
        Ok(self.deployment.read(WHAT, pages::snapshot(&body).ok())?)
    }

    /// The newest timestamp. The table of markers is small, so it is asked for with a snapshot of that.
    pub(crate) fn now(&self) -> Result<i64, Failure> {
        let page = match self.snapshot(None, Some(MARKERS), None) {
            Err(failure) if failure.kind == Kind::Refused => self.snapshot(None, None, None)?,
            page => page?,
        };
        Ok(page.snapshot)
    }

    /// A page of changes after a timestamp.
    pub(crate) fn deltas(&self, cursor: i64) -> Result<DeltasPage, Failure> {
        const WHAT: &str = "Reading changes";
        let body = self.deployment.get(WHAT, "api/document_deltas", &[("cursor", &cursor.to_string())])?;
        Ok(self.deployment.read(WHAT, pages::deltas(&body).ok())?)
    }

    /// The cursor of the sync API for one who has everything up to a timestamp.
    pub(crate) fn sync_cursor(&self, ts: i64) -> Result<String, Failure> {
        const WHAT: &str = "Asking for a cursor of the sync API";
        let body =
            self.deployment.post(WHAT, "api/data_sync_cursor_from_deltas", &serde_json::json!({ "cursor": ts }))?;
        Ok(self.deployment.read(WHAT, pages::sync_cursor(&body).ok())?)
    }

    /// A page of changes of all tables of the app.
    pub(crate) fn sync(&self, cursor: &str) -> Result<SyncPage, Failure> {
        const WHAT: &str = "Reading changes by the sync API";
        let selection = serde_json::json!({"": {"_other": "incl"}, "_other": "excl"});
        let body = serde_json::json!({ "cursor": cursor, "selection": selection });
        let body = self.deployment.post(WHAT, "api/v1/data/sync", &body)?;
        Ok(self.deployment.read(WHAT, pages::sync(&body).ok())?)
    }

    /// Calls the app's function that writes a marker.
    pub(crate) fn mark(&self) -> Result<Called, Failure> {
        Ok(self.deployment.mutation("powersync_checkpoints:createCheckpoint", &serde_json::json!({}))?)
    }
}

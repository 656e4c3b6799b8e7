//! What the parts of a client share.

use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc::UnboundedSender;

use crate::database::{Database, raw};
use crate::lock::FileLock;
use crate::options::{Gate, Mode, Options};
use crate::service::Service;
use crate::status::StatusCell;
use crate::subscription::{InUse, StreamsInUse};
use crate::sync::Event;
use crate::upload::Uploads;

/// What the parts of a client share.
pub(crate) struct Shared {
    pub(crate) options: Options,
    pub(crate) database: Arc<Database>,
    pub(crate) service: Arc<Service>,
    pub(crate) status: Arc<StatusCell>,
    pub(crate) streams: StreamsInUse,
    pub(crate) uploads: Uploads,
    pub(crate) lock: FileLock,
    /// The queue of events of the iteration that is running. Each has its own, so that events of one never reach the next.
    iteration: Mutex<Option<UnboundedSender<Event>>>,
}

/// The options of `start`.
#[derive(Serialize)]
struct Start<'a> {
    parameters: Option<&'a RawValue>,
    app_metadata: Option<&'a RawValue>,
    include_defaults: bool,
    active_streams: &'a [InUse],
    checkpoint_mode: &'static str,
    gate: &'static str,
}

impl Shared {
    pub(crate) fn new(options: Options, database: Database, service: Service) -> Self {
        let lock = FileLock::beside(database.path());
        Self {
            options,
            database: Arc::new(database),
            service: Arc::new(service),
            status: Arc::default(),
            streams: StreamsInUse::default(),
            uploads: Uploads::new(),
            lock,
            iteration: Mutex::default(),
        }
    }

    /// The options of `start`, as JSON.
    pub(crate) fn start_options(&self) -> String {
        let Options { parameters, app_metadata, include_defaults, mode, gate, .. } = &self.options;
        let start = Start {
            parameters: raw(parameters.as_deref()),
            app_metadata: raw(app_metadata.as_deref()),
            include_defaults: *include_defaults,
            active_streams: &self.streams.all(),
            checkpoint_mode: match mode {
                Mode::Legacy => "legacy",
                Mode::Requests => "requests",
            },
            gate: match gate {
                Gate::All => "all",
                Gate::Rows => "rows",
            },
        };
        serde_json::to_string(&start).unwrap_or_default()
    }

    /// Tells the iteration that is running, if one is.
    pub(crate) fn tell(&self, event: Event) {
        if let Some(queue) = &*self.iteration.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = queue.send(event);
        }
    }

    /// From now on this is the iteration that is running.
    pub(crate) fn set_iteration(&self, queue: Option<UnboundedSender<Event>>) {
        *self.iteration.lock().unwrap_or_else(PoisonError::into_inner) = queue;
    }
}

//! The client as an app holds it.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use crate::database::{Database, wake_at_writes};
use crate::error::Error;
use crate::network::Http;
use crate::options::Options;
use crate::runtime::Background;
use crate::service::{Credentials, Service};
use crate::shared::Shared;
use crate::status::{Status, Statuses, Tracker, Wait};
use crate::subscription::{Stream, Subscription};

/// How this client calls itself.
const USER_AGENT: &str = concat!("rowtide-client/", env!("CARGO_PKG_VERSION"));

/// Syncs one file. It can be shared by threads. Dropping it closes it.
///
/// Calls wait for the database, so call it where threads may block.
pub struct Client {
    shared: Arc<Shared>,
    background: Background,
}

impl Client {
    /// Opens the file, makes what the extension needs in it, and applies the schema. Nothing is sent yet: see
    /// [`connect`](Self::connect).
    ///
    /// # Errors
    /// The file cannot be opened, or an option is wrong.
    pub fn open(options: Options) -> Result<Self, Error> {
        is_object("the parameters of the connection", options.parameters.as_deref())?;
        is_object("the app's metadata", options.app_metadata.as_deref())?;
        let user_agent = options.user_agent.as_deref().unwrap_or(USER_AGENT);
        let network = match &options.network {
            Some(network) => Arc::clone(network),
            None => Arc::new(Http::new(user_agent).map_err(|error| Error::Network(error.0))?),
        };
        let service = Service::new(&options.url, network, Credentials::new(options.token.clone()))?;
        let database = Database::open(&options.file, options.schema.clone())?;
        let shared = Arc::new(Shared::new(options, database, service));
        let offline = shared.database.offline_status();
        let offline = offline.map_err(|failure| Error::database("cannot read the status of the file", &failure))?;
        let queued = shared.database.with(crate::database::queued);
        let queued = queued.map_err(|failure| Error::database("cannot read the upload queue", &failure))?;
        shared.status.update(|status| {
            Tracker::default().apply(offline, status);
            status.queued = queued;
        });
        let background = Background::start(Arc::clone(&shared)).map_err(Error::Thread)?;
        Ok(Self { shared, background })
    }

    /// Begins to sync, and goes on until [`disconnect`](Self::disconnect): after each failure it connects again. Returns at
    /// once.
    pub fn connect(&self) {
        self.background.connect();
    }

    /// Ends the stream, and returns when it is closed. An upload that is running ends by itself: its results count.
    pub fn disconnect(&self) {
        self.background.disconnect();
    }

    /// What the client is doing now.
    pub fn status(&self) -> Arc<Status> {
        self.shared.status.current().0
    }

    /// The changes of the status.
    pub fn statuses(&self) -> Statuses {
        Statuses::new(Arc::clone(&self.shared.status))
    }

    /// Waits until the status is as wanted, and gives it.
    ///
    /// # Errors
    /// It is not within `timeout`, or the client is closed.
    pub fn wait_until(&self, mut wanted: impl FnMut(&Status) -> bool, timeout: Duration) -> Result<Arc<Status>, Error> {
        let until = Instant::now().checked_add(timeout);
        let (mut status, mut version) = self.shared.status.current();
        loop {
            if wanted(&status) {
                return Ok(status);
            }
            if status.closed {
                return Err(Error::Closed);
            }
            match self.shared.status.wait_after(version, until) {
                Wait::Changed(new, number) => (status, version) = (new, number),
                Wait::TimedOut => return Err(Error::Timeout(timeout)),
            }
        }
    }

    /// Subscribes to a stream, until what this returns is dropped. It is stored: the subscription is there after a restart,
    /// too, as long as its time to live lasts.
    ///
    /// # Errors
    /// The parameters are no JSON, or the file cannot be written.
    pub fn subscribe(&self, stream: Stream) -> Result<Subscription, Error> {
        Subscription::begin(&self.shared, &stream)
    }

    /// Another connection to the file, for the app. What it commits is uploaded at once. It has hooks for that, which the app
    /// can replace: writes are then noticed within a second.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub fn connection(&self) -> Result<rusqlite::Connection, Error> {
        let mut connection = self.shared.database.connect()?;
        let hooked = wake_at_writes(&mut connection, Arc::clone(&self.shared.uploads.wake));
        hooked.map_err(|failure| Error::database("cannot watch the connection", &failure))?;
        Ok(connection)
    }

    /// Disconnects, waits a few seconds for an upload that is running, and closes the file. Calls after that fail or do
    /// nothing.
    ///
    /// # Errors
    /// SQLite's, of closing the file.
    pub fn close(&self) -> Result<(), Error> {
        if !self.background.close() {
            return Ok(());
        }
        let closed = self.shared.database.close();
        self.shared.status.update(|status| {
            status.closed = true;
            status.uploading = false;
        });
        closed
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.close();
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Client").field("file", &self.shared.database.path()).finish_non_exhaustive()
    }
}

fn is_object(what: &str, text: Option<&str>) -> Result<(), Error> {
    let Some(text) = text else { return Ok(()) };
    let parsed: Result<Map<String, Value>, _> = serde_json::from_str(text);
    parsed.map(drop).map_err(|error| Error::Json {
        what: what.to_owned(),
        wanted: "an object",
        reason: error.to_string(),
    })
}

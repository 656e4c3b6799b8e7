//! A service, its source, and clients of it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rowtide_client::{Client, Options, Status, Timing, WritePath};
use rowtide_service::{Dev, DevOptions};
use rusqlite::Connection;
use tokio::runtime::Runtime;

/// As long as anything may take on a machine that is busy with other things.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// The tables of the todo app, as clients have them.
pub(crate) const SCHEMA: &str = r#"{"tables": [
    {"name": "lists", "columns": [{"name": "name", "type": "text"}, {"name": "owner_id", "type": "text"}]},
    {"name": "todos", "columns": [{"name": "list_id", "type": "text"}, {"name": "description", "type": "text"},
        {"name": "done", "type": "integer"}, {"name": "created_at", "type": "text"}]}
]}"#;

/// The development service, with the todo app or something else.
pub(crate) struct Service {
    runtime: Runtime,
    dev: Option<Dev>,
    options: DevOptions,
    folder: tempfile::TempDir,
}

impl Service {
    pub(crate) fn start() -> Self {
        Self::in_folder(tempfile::tempdir().unwrap())
    }

    /// The todo app with another sync configuration.
    pub(crate) fn configured(config: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("dev")).unwrap();
        std::fs::write(folder.path().join("dev/sync.yaml"), config).unwrap();
        Self::in_folder(folder)
    }

    fn in_folder(folder: tempfile::TempDir) -> Self {
        let options = DevOptions { folder: Some(folder.path().join("dev")), ..DevOptions::default() };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let mut service = Self { runtime, dev: None, options, folder };
        service.start_again();
        service
    }

    /// Starts it, on the port that it had before.
    pub(crate) fn start_again(&mut self) {
        let options = self.options.clone();
        let dev = self.runtime.block_on(async {
            let dev = Dev::start(options).await.unwrap();
            dev.ready().await;
            dev
        });
        self.options.port = dev.url().rsplit(':').next().unwrap().parse().unwrap();
        self.dev = Some(dev);
    }

    pub(crate) fn stop(&mut self) {
        if let Some(dev) = self.dev.take() {
            self.runtime.block_on(dev.stop());
        }
    }

    pub(crate) fn dev(&self) -> &Dev {
        self.dev.as_ref().unwrap()
    }

    pub(crate) fn url(&self) -> String {
        self.dev().url()
    }

    /// Its database.
    pub(crate) fn source(&self) -> Connection {
        let source = Connection::open(self.dev().source().unwrap()).unwrap();
        source.busy_timeout(PATIENCE).unwrap();
        source
    }

    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Options of a client of a user.
    pub(crate) fn options(&self, name: &str, user: &str) -> Options {
        let (url, token) = (self.url(), self.dev().token(user).unwrap());
        Options::new(self.file(name), &url)
            .schema(SCHEMA)
            .token(move || Ok(token.clone()))
            .upload(WritePath::new(url))
            .timing(impatient())
    }

    pub(crate) fn client(&self, name: &str, user: &str) -> Device {
        Device::open(self.options(name, user))
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The pauses of apps are too long for tests.
pub(crate) fn impatient() -> Timing {
    let mut timing = Timing::default();
    timing.first_delay = Duration::from_millis(10);
    timing.longest_delay = Duration::from_millis(100);
    timing.poll = Duration::from_millis(20);
    timing.upload_throttle = Duration::ZERO;
    timing
}

/// A client, and the app's connection.
pub(crate) struct Device {
    pub(crate) client: Client,
    pub(crate) app: Connection,
}

impl Device {
    pub(crate) fn open(options: Options) -> Self {
        let client = Client::open(options).unwrap();
        let app = client.connection().unwrap();
        Self { client, app }
    }

    /// Connects, and waits until everything is there.
    pub(crate) fn synced(self) -> Self {
        self.client.connect();
        self.wait(|status| status.checkpoints > 0);
        self
    }

    #[track_caller]
    pub(crate) fn wait(&self, wanted: impl FnMut(&Status) -> bool) -> Arc<Status> {
        self.client.wait_until(wanted, PATIENCE).unwrap_or_else(|error| panic!("{error}: {:?}", self.client.status()))
    }

    pub(crate) fn write(&self, sql: &str) {
        self.app.execute_batch(sql).unwrap();
    }

    /// Waits until a query gives this. What it reads changes with the status, or soon after it.
    #[track_caller]
    pub(crate) fn wait_for(&self, sql: &str, expected: &str) {
        self.wait(|_| text(&self.app, sql) == expected);
    }

    pub(crate) fn text(&self, sql: &str) -> String {
        text(&self.app, sql)
    }
}

/// The one value of a query, as text.
pub(crate) fn text(connection: &Connection, sql: &str) -> String {
    connection
        .query_row(&format!("SELECT CAST(({sql}) AS TEXT)"), (), |row| row.get::<_, Option<String>>(0))
        .unwrap()
        .unwrap_or_else(|| "NULL".into())
}

/// All todos, of a client or of the source.
pub(crate) const TODOS: &str =
    "SELECT group_concat(id || ':' || description || ':' || done, ', ') FROM (SELECT * FROM todos ORDER BY id)";

//! What a client is opened with.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::network::Network;
use crate::token::TokenSource;
use crate::upload::Upload;

/// How the client learns that the service has received its writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The service counts. All services know this.
    #[default]
    Legacy,
    /// The client counts. Needs a service of 1.24 or newer.
    Requests,
}

/// How the lines of the stream are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Encoding {
    /// JSON, one object a line.
    #[default]
    Json,
    /// BSON, if the service has it.
    Bson,
}

/// What local writes hold back until they are uploaded.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Gate {
    /// Everything that is downloaded: what is shown is always one state of the service.
    #[default]
    All,
    /// Only the rows that were written to. Rows of one transaction of the service can be shown at different times.
    Rows,
}

/// How long the client waits for what. The default is what apps need; tests may be less patient.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Timing {
    /// The pause after a failure. It doubles with each failure, up to `longest_delay`; up to a quarter is added at random.
    pub first_delay: Duration,
    /// The longest pause after a failure.
    pub longest_delay: Duration,
    /// A stream without a byte for so long is given up: services send something every 20 seconds.
    pub silence: Duration,
    /// How often it looks for changes by other processes.
    pub poll: Duration,
    /// The shortest time between two uploads.
    pub upload_throttle: Duration,
    /// How long `close` waits for an upload that is running.
    pub upload_grace: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            first_delay: Duration::from_secs(1),
            longest_delay: Duration::from_secs(60),
            silence: Duration::from_secs(60),
            poll: Duration::from_secs(1),
            upload_throttle: Duration::from_secs(1),
            upload_grace: Duration::from_secs(5),
        }
    }
}

/// What a client is opened with. Only the file and the URL are needed to read; writing needs an [upload](Self::upload).
#[derive(Clone)]
pub struct Options {
    pub(crate) file: PathBuf,
    pub(crate) url: String,
    pub(crate) schema: Option<String>,
    pub(crate) token: Option<Arc<dyn TokenSource>>,
    pub(crate) upload: Option<Arc<dyn Upload>>,
    pub(crate) parameters: Option<String>,
    pub(crate) app_metadata: Option<String>,
    pub(crate) include_defaults: bool,
    pub(crate) mode: Mode,
    pub(crate) encoding: Encoding,
    pub(crate) gate: Gate,
    pub(crate) user_agent: Option<String>,
    pub(crate) timing: Timing,
    pub(crate) network: Option<Arc<dyn Network>>,
}

impl Options {
    /// A client of the service at `url` that keeps its rows in `file`, which is made if it does not exist.
    pub fn new(file: impl Into<PathBuf>, url: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            url: url.into(),
            schema: None,
            token: None,
            upload: None,
            parameters: None,
            app_metadata: None,
            include_defaults: true,
            mode: Mode::default(),
            encoding: Encoding::default(),
            gate: Gate::default(),
            user_agent: None,
            timing: Timing::default(),
            network: None,
        }
    }

    /// The app's tables, as JSON: `{"tables": [{"name": "todos", "columns": [{"name": "text", "type": "text"}]}]}`. Give the
    /// same text each time, so that it is recognised at once. Without a schema the file keeps the one that it has.
    #[must_use]
    pub fn schema(mut self, json: impl Into<String>) -> Self {
        self.schema = Some(json.into());
        self
    }

    /// Where tokens come from.
    #[must_use]
    pub fn token(mut self, source: impl TokenSource) -> Self {
        self.token = Some(Arc::new(source));
        self
    }

    /// What uploads local writes. Without it they stay in the queue, and downloads wait behind them.
    #[must_use]
    pub fn upload(mut self, upload: impl Upload) -> Self {
        self.upload = Some(Arc::new(upload));
        self
    }

    /// Parameters of the connection, a JSON object, which sync configurations can use.
    #[must_use]
    pub fn parameters(mut self, json: impl Into<String>) -> Self {
        self.parameters = Some(json.into());
        self
    }

    /// What the service is told of the app, a JSON object.
    #[must_use]
    pub fn app_metadata(mut self, json: impl Into<String>) -> Self {
        self.app_metadata = Some(json.into());
        self
    }

    /// Whether it gets the streams that the service gives to everybody. The default is yes.
    #[must_use]
    pub fn include_defaults(mut self, include: bool) -> Self {
        self.include_defaults = include;
        self
    }

    /// How it learns that the service has received its writes.
    #[must_use]
    pub fn checkpoint_mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }

    /// How lines are written.
    #[must_use]
    pub fn encoding(mut self, encoding: Encoding) -> Self {
        self.encoding = encoding;
        self
    }

    /// What local writes hold back.
    #[must_use]
    pub fn gate(mut self, gate: Gate) -> Self {
        self.gate = gate;
        self
    }

    /// How the app calls itself towards the service.
    #[must_use]
    pub fn user_agent(mut self, name: impl Into<String>) -> Self {
        self.user_agent = Some(name.into());
        self
    }

    /// How long it waits for what.
    #[must_use]
    pub fn timing(mut self, timing: Timing) -> Self {
        self.timing = timing;
        self
    }

    /// Another way to reach the service than HTTP on this machine's network: for tests.
    #[must_use]
    pub fn network(mut self, network: impl Network) -> Self {
        self.network = Some(Arc::new(network));
        self
    }
}

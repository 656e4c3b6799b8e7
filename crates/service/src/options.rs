//! What a service is made of, and its limits.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use sync_engine::source::Source;
use sync_engine::store::{Store, StoreError};
use write_path::WritePath;

use crate::auth::Keys;
use crate::processes::Processes;

/// Opens the storage; called again if it has failed.
pub type OpenStore = Box<dyn Fn() -> Result<Box<dyn Store>, StoreError> + Send>;

/// What a service is made of: [`ServiceOptions::new`], and whatever else is wanted.
pub struct ServiceOptions {
    /// The database whose rows are synced.
    pub source: Arc<dyn Source>,
    /// Opens the storage; called again if it has failed.
    pub open_store: OpenStore,
    /// The sync configuration, as YAML. A process that only serves clients has none.
    pub config: String,
    /// Keys of tokens. None: every token is refused.
    pub keys: Keys,
    /// Audiences of tokens, one of which is needed. Empty: any.
    pub audiences: Vec<String>,
    /// The token of those who may administer the service; none: nobody may.
    pub admin_token: Option<String>,
    /// Whether `/metrics` is shown to everybody, instead of those with the admin token.
    pub has_public_metrics: bool,
    /// Where to listen; port 0 is a free one, which is the default, on the loopback interface.
    pub address: SocketAddr,
    /// How much clients may use.
    pub limits: ServiceLimits,
    /// Applies what clients upload; none: they cannot.
    pub writes: Option<Arc<WritePath>>,
    /// What the process does on a storage that several of them use; none if it is the only one.
    pub processes: Option<Processes>,
}

impl ServiceOptions {
    /// A service that accepts no token yet, on a free port of the loopback interface.
    pub fn new(source: Arc<dyn Source>, open_store: OpenStore, config: impl Into<String>) -> Self {
        Self {
            source,
            open_store,
            config: config.into(),
            keys: Keys::new(),
            audiences: Vec::new(),
            admin_token: None,
            has_public_metrics: false,
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            limits: ServiceLimits::default(),
            writes: None,
            processes: None,
        }
    }
}

/// How much clients may use.
#[derive(Clone, Debug)]
pub struct ServiceLimits {
    /// Sync streams at the same time.
    pub max_connections: usize,
    /// Streams that read the storage at the same time. The others wait for their turn, without a thread.
    pub max_reads: usize,
    /// Requests for checkpoints at the same time; as many more may wait.
    pub max_checkpoint_requests: usize,
    /// Buckets of one stream.
    pub max_buckets: usize,
    /// Entries of parameter indexes that the buckets of one stream may depend on.
    pub max_parameter_results: usize,
    /// Bytes of a request's body.
    pub max_body: usize,
    /// Bytes of an upload. A client cannot divide a transaction, so what a row may have should fit.
    pub max_upload: usize,
    /// How long a client may take to send the head of a request.
    pub header_timeout: Duration,
    /// How long it may take to send the body.
    pub body_timeout: Duration,
    /// A client that takes no byte for this long is disconnected.
    pub stall_timeout: Duration,
    /// Time between keep-alive lines, ± 10 %.
    pub keep_alive: Duration,
    /// How long `GET /write-checkpoint.json` waits.
    pub checkpoint_wait: Duration,
    /// The longest time over which many streams switch to a new configuration, so that they do not all read at once.
    pub activation_spread: Duration,
    /// How long streams may take to end when the service stops.
    pub stop_timeout: Duration,
}

impl Default for ServiceLimits {
    fn default() -> Self {
        Self {
            max_connections: 1000,
            max_reads: 10,
            max_checkpoint_requests: 100,
            max_buckets: 10_000,
            max_parameter_results: 100_000,
            max_body: 1024 * 1024,
            max_upload: 16 * 1024 * 1024,
            header_timeout: Duration::from_secs(30),
            body_timeout: Duration::from_secs(30),
            stall_timeout: Duration::from_secs(60),
            keep_alive: Duration::from_secs(20),
            checkpoint_wait: Duration::from_secs(50),
            activation_spread: Duration::from_secs(10),
            stop_timeout: Duration::from_secs(10),
        }
    }
}

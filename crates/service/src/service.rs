//! Starting and stopping the service.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;

use axum::Router;
use sync_config::{CompileOptions, Compiled, Diagnostic, Plan, compile};
use sync_engine::source::Source;
use sync_store::PostgresFollower;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task;
use tokio::time::timeout;

use crate::auth::Rules;
use crate::dev::Faults;
use crate::http::{Administrators, App, Gate, Requests, Times, router, serve};
use crate::options::{OpenStore, ServiceOptions};
use crate::processes::{self, Member, Processes, Remote, Teller};
use crate::sync::Hub;
use crate::writer::{self, WriterHandle};

/// Why the service does not start.
#[derive(Debug)]
pub enum StartError {
    /// The configuration has errors; these are all its findings.
    Config(Vec<Diagnostic>),
    /// The write rules have errors; these are all findings in them.
    Writes(Vec<Diagnostic>),
    /// Anything else: what was being done, why it failed, and what to do.
    Other(String),
}

impl fmt::Display for StartError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(diagnostics) => {
                write!(formatter, "The sync configuration has errors:")?;
                for diagnostic in diagnostics {
                    let (code, message, hint) = (diagnostic.code.id(), &diagnostic.message, diagnostic.hint);
                    write!(formatter, "\n{code}: {message} ({hint})")?;
                }
                Ok(())
            }
            Self::Writes(diagnostics) => {
                write!(formatter, "The write rules have {} findings, at least one of them an error.", diagnostics.len())
            }
            Self::Other(message) => formatter.write_str(message),
        }
    }
}

impl std::error::Error for StartError {}

/// Why a configuration is not deployed. The one before stays.
#[derive(Debug)]
pub enum DeployError {
    /// It has errors; these are all its findings.
    Config(Vec<Diagnostic>),
    /// The storage cannot be written, or the service is stopping.
    Other(String),
}

/// How far a configuration is that is being built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BuildProgress {
    /// Rows that were read.
    pub rows: u64,
    /// Tables that are not read to their end.
    pub tables_left: usize,
}

/// Deploys configurations to a running service.
#[derive(Clone)]
pub struct Deployer {
    writer: WriterHandle,
    options: CompileOptions,
}

impl Deployer {
    /// Begins to build a configuration, and returns its warnings. It replaces the one before when it is ready.
    ///
    /// # Errors
    /// It has errors, or the storage cannot be written.
    pub async fn deploy(&self, yaml: String) -> Result<Vec<Diagnostic>, DeployError> {
        let compiled = compile(&yaml, &self.options);
        let Some(plan) = compiled.plan else { return Err(DeployError::Config(compiled.diagnostics)) };
        let deployed = self.writer.deploy(yaml, plan).await;
        deployed.map_err(|error| DeployError::Other(error.description))?;
        Ok(compiled.diagnostics)
    }

    /// Whether this is the configuration that was deployed last.
    pub(crate) fn has(&self, yaml: &str) -> bool {
        let config = self.writer.board.status().config;
        let newest = config.building.map(|building| building.yaml).or(config.active.map(|active| active.yaml));
        newest.is_some_and(|newest| *newest == *yaml)
    }
}

/// A service that runs. Dropping it ends it, too, but nobody then waits for its streams and its storage.
pub struct Service {
    address: SocketAddr,
    deployer: Deployer,
    hub: Arc<Hub>,
    writer: WriterHandle,
    threads: Threads,
    server: task::JoinHandle<()>,
    stop: watch::Sender<bool>,
    stop_timeout: std::time::Duration,
    _guard: Guard,
}

/// What a service for development has beside one for production.
pub(crate) struct Development {
    pub(crate) routes: Router<Arc<App>>,
    pub(crate) faults: Arc<Faults>,
}

/// What a service runs besides tasks.
#[derive(Default)]
struct Threads {
    writer: Option<JoinHandle<()>>,
    follower: Option<PostgresFollower>,
}

/// Has the threads of a service end that is dropped.
struct Guard(Arc<Hub>, WriterHandle);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.close();
        self.1.stop();
    }
}

impl Service {
    /// Starts the service.
    ///
    /// # Errors
    /// The configuration has errors, the storage cannot be opened, or the address is taken.
    pub async fn start(options: ServiceOptions) -> Result<Self, StartError> {
        Self::start_with(options, None).await
    }

    /// Starts the service. One for development has further routes, and without an admin token it can be administered from
    /// this machine.
    pub(crate) async fn start_with(
        options: ServiceOptions,
        development: Option<Development>,
    ) -> Result<Self, StartError> {
        let is_for_development = development.is_some();
        let (routes, faults) = match development {
            Some(Development { routes, faults }) => (routes, Some(faults)),
            None => (Router::default(), None),
        };
        let default_schema = options.source.describe().default_schema;
        let compile_options = CompileOptions { default_schema, ..CompileOptions::default() };
        let is_api = options.processes.as_ref().is_some_and(|processes| !processes.role.may_write());
        let compiled = (!is_api).then(|| compile(&options.config, &compile_options));
        let plan = match compiled {
            Some(Compiled { plan: None, diagnostics }) => return Err(StartError::Config(diagnostics)),
            Some(Compiled { plan: Some(plan), .. }) => Some((options.config, plan)),
            None => None,
        };
        let listener = TcpListener::bind(options.address).await;
        let listener = listener.map_err(|error| StartError::Other(cannot_listen(options.address, &error)))?;
        let address = listener.local_addr().map_err(|error| StartError::Other(error.to_string()))?;
        let limits = options.limits;
        let hub = Arc::new(Hub::new(limits.max_connections, limits.max_reads));
        let source = Arc::clone(&options.source);
        let (writer, threads, member) = match options.processes {
            Some(processes) => {
                join(&processes, source, options.open_store, &hub, plan, &compile_options).map_err(StartError::Other)?
            }
            None => start_alone(source, options.open_store, Arc::clone(&hub), plan).await?,
        };
        let (stop, stopped) = watch::channel(false);
        let stop_timeout = limits.stop_timeout;
        let times = Times { header: limits.header_timeout, stall: limits.stall_timeout, stop: stop_timeout };
        let administrators = match options.admin_token {
            Some(token) => Administrators::Token(token),
            None if is_for_development => Administrators::ThisMachine,
            None => Administrators::Nobody,
        };
        let app = App {
            keys: options.keys,
            rules: Rules { audiences: options.audiences },
            hub: Arc::clone(&hub),
            writer: writer.clone(),
            administrators,
            source: options.source,
            has_public_metrics: options.has_public_metrics,
            checkpoints: Gate::new(limits.max_checkpoint_requests),
            requests: Requests::default(),
            limits,
            compile: compile_options.clone(),
            writes: options.writes,
            member,
            faults,
        };
        let deployer = Deployer { writer: writer.clone(), options: compile_options };
        let server = tokio::spawn(serve(listener, router(Arc::new(app), routes), times, stopped));
        let guard = Guard(Arc::clone(&hub), writer.clone());
        Ok(Self { address, deployer, hub, writer, threads, server, stop, stop_timeout, _guard: guard })
    }

    /// Where the service is reached.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// How far the configuration that is being built is; none if none is.
    pub fn progress(&self) -> Option<BuildProgress> {
        let building = self.writer.board.status().config.building?;
        Some(BuildProgress { rows: building.rows_read, tables_left: building.tables_left })
    }

    /// What deploys configurations to it.
    pub fn deployer(&self) -> Deployer {
        self.deployer.clone()
    }

    /// Waits until clients can sync.
    pub async fn ready(&self) {
        let mut plan = self.hub.plan_changes();
        let _ = plan.wait_for(Option::is_some).await;
    }

    /// Ends all streams and refuses new ones, then stops accepting connections, and ends when what has come is stored.
    pub async fn stop(self) {
        self.hub.close();
        let _ = timeout(self.stop_timeout, self.hub.is_empty()).await;
        let _ = self.stop.send(true);
        let _ = self.server.await;
        self.writer.stop();
        let Threads { writer, follower } = self.threads;
        let ended = task::spawn_blocking(move || {
            let _ = writer.map(JoinHandle::join);
            if let Some(follower) = follower {
                follower.stop();
            }
        });
        let _ = ended.await;
    }
}

type Started = (WriterHandle, Threads, Option<Member>);

/// Starts the only process on a storage.
async fn start_alone(
    source: Arc<dyn Source>,
    open_store: OpenStore,
    hub: Arc<Hub>,
    plan: Option<(String, Plan)>,
) -> Result<Started, StartError> {
    let Some((yaml, plan)) = plan else { return Err(StartError::Other("There is no configuration.".into())) };
    let started = task::spawn_blocking(move || writer::start(source, open_store, hub, &yaml, plan)).await;
    let (writer, thread) = started.map_err(|error| StartError::Other(error.to_string()))?.map_err(StartError::Other)?;
    Ok((writer, Threads { writer: Some(thread), follower: None }, None))
}

/// Starts one of several processes on a storage.
fn join(
    processes: &Processes,
    source: Arc<dyn Source>,
    open_store: OpenStore,
    hub: &Arc<Hub>,
    plan: Option<(String, Plan)>,
    options: &CompileOptions,
) -> Result<Started, String> {
    let desk = processes.desk();
    let (writer, channel) = writer::channel(Some(Remote { desk: desk.clone() }));
    let teller = Teller {
        hub: Arc::clone(hub),
        writer: writer.clone(),
        desk: desk.clone(),
        compile: options.clone(),
        runtime: Handle::current(),
    };
    let follower = Some(processes::follow(&desk, Arc::new(teller))?);
    let thread = plan
        .map(|config| writer::stand_by(source, open_store, desk.clone(), (&writer, channel), config))
        .transpose()?;
    let member = Member { role: processes.role, desk };
    Ok((writer, Threads { writer: thread, follower }, Some(member)))
}

fn cannot_listen(address: SocketAddr, error: &io::Error) -> String {
    let fix = match error.kind() {
        io::ErrorKind::AddrInUse => ": another program uses the port. End it, or choose another port; 0 is a free one",
        io::ErrorKind::PermissionDenied => ": ports below 1024 need privileges. Choose another port",
        io::ErrorKind::AddrNotAvailable => ": this machine does not have the address. 0.0.0.0 is all that it has",
        _ => "",
    };
    format!("Listening on {address}{fix} ({error}).")
}

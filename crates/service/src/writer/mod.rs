//! The writer's thread, and what the rest of the service asks of it.
//!
//! The thread owns the writer of the sync engine and its store. Another thread reads the source's stream. Both block, so
//! they are no tasks.

mod commands;
mod compaction;
mod feed;
mod inbox;
mod publisher;
mod recovery;
mod requests;
mod run;
mod status;
mod trouble;

use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;

use sync_config::Plan;
use sync_engine::live::{ConfigId, ConfigRecord, ConfigState};
use sync_engine::preview::Preview;
use sync_engine::row::SourceTable;
use sync_engine::source::{Source, SourceError, SourceEvent};
use sync_engine::store::OpId;
use sync_engine::writer::{Writer, WriterOptions};
use sync_store::PostgresDesk;
use tokio::sync::oneshot;

use crate::clock;
use crate::error::{ApiError, ErrorKind};
use crate::options::OpenStore;
use crate::processes::{Question, Remote};
use crate::sync::{Hub, shutting_down};

use inbox::{EventSender, Inbox};
use publisher::Publisher;
pub(crate) use status::Board;

/// What the thread gets.
enum Input {
    /// Of the stream with this number.
    Events(u64, Vec<SourceEvent>),
    /// The stream with this number has ended.
    StreamEnded(u64, SourceError),
    Command(Command),
}

/// What the thread is asked to do.
enum Command {
    Deploy { yaml: String, plan: Box<Plan>, reply: Reply<ConfigId> },
    Preview { plan: Box<Plan>, reply: Reply<Box<Preview>> },
    Compact { reply: Reply<()> },
    Reprocess { tables: Tables, reply: Reply<Vec<SourceTable>> },
    Acknowledge(Acknowledge),
    Reach { user: String, reply: Reply<OpId> },
    Stop,
}

type Reply<T> = oneshot::Sender<Result<T, String>>;

/// Which tables are compared with the source.
#[derive(Clone, Debug)]
pub(crate) enum Tables {
    /// Every table that is synced.
    All,
    /// Those of these names, each with or without its schema.
    Named(Vec<String>),
}

impl Tables {
    fn contains(&self, table: &SourceTable) -> bool {
        let is = |name: &String| *name == table.name || *name == format!("{}.{}", table.schema, table.name);
        match self {
            Self::All => true,
            Self::Named(names) => names.iter().any(is),
        }
    }
}

/// A request for a write checkpoint.
struct Acknowledge {
    user: String,
    client: String,
    id: Option<i64>,
    reply: Reply<i64>,
}

/// The writer's thread, or that of another process.
#[derive(Clone)]
pub(crate) struct WriterHandle {
    sender: Sender<Input>,
    pub(crate) board: Arc<Board>,
    remote: Option<Remote>,
}

/// The other half of a handle: what a thread begins with.
pub(crate) struct Channel {
    events: EventSender,
    inbox: Inbox,
}

/// A handle without a thread. With `remote`, another process is asked while this one does not write.
pub(crate) fn channel(remote: Option<Remote>) -> (WriterHandle, Channel) {
    let (sender, events, inbox) = inbox::channel();
    (WriterHandle { sender, board: Arc::default(), remote }, Channel { events, inbox })
}

/// The configuration that was deployed last, unless it has failed.
fn newest(writer: &Writer) -> Option<&ConfigRecord> {
    let lives = |config: &&ConfigRecord| {
        matches!(config.state, ConfigState::Building | ConfigState::Ready | ConfigState::Active)
    };
    writer.configs().filter(lives).max_by_key(|config| config.id)
}

/// Starts the thread, with this configuration. It ends when it is told to stop.
///
/// # Errors
/// The store cannot be opened or read, or the thread cannot be started.
pub(crate) fn start(
    source: Arc<dyn Source>,
    open_store: OpenStore,
    hub: Arc<Hub>,
    yaml: &str,
    plan: Plan,
) -> Result<(WriterHandle, JoinHandle<()>), String> {
    let store = open_store().map_err(|error| format!("Opening the storage: {error}"))?;
    let mut writer =
        Writer::new(store, WriterOptions::default()).map_err(|error| format!("Reading the storage: {error}"))?;
    let is_same = newest(&writer).is_some_and(|config| &*config.yaml == yaml);
    let is_deployed = is_same && writer.is_compiled_alike(&plan);
    if !is_deployed {
        writer.deploy(yaml, plan, clock::now()).map_err(|error| format!("Storing the configuration: {error}"))?;
    }
    let (handle, channel) = channel(None);
    let publisher = Publisher::Here(hub);
    publisher.begin(&writer);
    let edges = edges(source, open_store, publisher, channel, &handle);
    let thread = spawn(move || run::Thread::new(writer, edges).run())?;
    Ok((handle, thread))
}

/// Starts the thread of a process that writes whenever no other one does. It deploys this configuration when it begins to,
/// unless one was deployed since `started_at` (µs since 1970).
///
/// # Errors
/// The thread cannot be started.
pub(crate) fn stand_by(
    source: Arc<dyn Source>,
    open_store: OpenStore,
    desk: PostgresDesk,
    (handle, channel): (&WriterHandle, Channel),
    (yaml, plan): (String, Plan),
) -> Result<JoinHandle<()>, String> {
    let started_at = clock::now();
    let mut edges = edges(source, open_store, Publisher::Everywhere(desk), channel, handle);
    spawn(move || {
        let Ok(mut writer) = edges.open() else { return };
        let is_older = newest(&writer).is_some_and(|config| *config.yaml == yaml || config.times.deployed > started_at);
        if !is_older && let Err(error) = writer.deploy(&yaml, plan, clock::now()) {
            tracing::error!(%error, "storing the configuration");
        }
        edges.publisher.begin(&writer);
        run::Thread::new(writer, edges).run();
    })
}

fn edges(
    source: Arc<dyn Source>,
    open_store: OpenStore,
    publisher: Publisher,
    channel: Channel,
    handle: &WriterHandle,
) -> run::Edges {
    let feed = feed::Feed::new(Arc::clone(&source), channel.events);
    run::Edges::new(source, open_store, publisher, feed, channel.inbox, Arc::clone(&handle.board))
}

fn spawn(run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, String> {
    let thread = std::thread::Builder::new().name("writer".into()).spawn(run);
    thread.map_err(|error| format!("Starting the writer's thread: {error}"))
}

impl WriterHandle {
    /// Begins to build a configuration.
    pub(crate) async fn deploy(&self, yaml: String, plan: Plan) -> Result<ConfigId, ApiError> {
        match self.elsewhere() {
            Some(remote) => {
                let id = remote.ask(&Question::Deploy { yaml }).await?;
                Ok(ConfigId(u32::try_from(id).unwrap_or(u32::MAX)))
            }
            None => self.deploy_here(yaml, plan).await,
        }
    }

    pub(crate) async fn deploy_here(&self, yaml: String, plan: Plan) -> Result<ConfigId, ApiError> {
        self.ask(|reply| Command::Deploy { yaml, plan: Box::new(plan), reply }).await
    }

    /// What deploying a configuration would do. Only the process that writes knows.
    pub(crate) async fn preview(&self, plan: Plan) -> Result<Box<Preview>, ApiError> {
        self.check_is_here()?;
        self.ask(|reply| Command::Preview { plan: Box::new(plan), reply }).await
    }

    /// Compacts the storage until there is nothing left to compact.
    pub(crate) async fn compact(&self) -> Result<(), ApiError> {
        self.check_is_here()?;
        self.ask(|reply| Command::Compact { reply }).await
    }

    /// Begins to compare tables with the source, and gives those that are compared. Only the process that writes can.
    pub(crate) async fn reprocess(&self, tables: Tables) -> Result<Vec<SourceTable>, ApiError> {
        self.check_is_here()?;
        self.ask(|reply| Command::Reprocess { tables, reply }).await
    }

    /// Asks for a write checkpoint, with an id of the client or the next one.
    pub(crate) async fn acknowledge(&self, user: &str, client: &str, id: Option<i64>) -> Result<i64, ApiError> {
        let (user, client) = (user.to_owned(), client.to_owned());
        match self.elsewhere() {
            Some(remote) => remote.ask(&Question::Acknowledge { user, client, id }).await,
            None => self.acknowledge_here(user, client, id).await,
        }
    }

    pub(crate) async fn acknowledge_here(
        &self,
        user: String,
        client: String,
        id: Option<i64>,
    ) -> Result<i64, ApiError> {
        self.ask(|reply| Command::Acknowledge(Acknowledge { user, client, id, reply })).await
    }

    /// Waits for a checkpoint with everything that is in the source now.
    pub(crate) async fn reach(&self, user: &str) -> Result<OpId, ApiError> {
        let user = user.to_owned();
        match self.elsewhere() {
            Some(remote) => remote.ask(&Question::Reach { user }).await,
            None => self.reach_here(user).await,
        }
    }

    pub(crate) async fn reach_here(&self, user: String) -> Result<OpId, ApiError> {
        self.ask(|reply| Command::Reach { user, reply }).await
    }

    /// What is asked while another process writes.
    fn elsewhere(&self) -> Option<&Remote> {
        self.remote.as_ref().filter(|remote| !remote.desk.is_writing())
    }

    fn check_is_here(&self) -> Result<(), ApiError> {
        match self.elsewhere() {
            Some(_) => Err(ApiError::new(
                ErrorKind::Unavailable,
                "Another process of this service writes to its storage. Ask that one.",
            )),
            None => Ok(()),
        }
    }

    /// Has the thread end.
    pub(crate) fn stop(&self) {
        let _ = self.sender.send(Input::Command(Command::Stop));
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, ApiError> {
        let (reply, answer) = oneshot::channel();
        self.sender.send(Input::Command(command(reply))).map_err(|_| shutting_down())?;
        match answer.await {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(message)) => Err(ApiError::new(ErrorKind::Unavailable, message)),
            Err(_) => Err(shutting_down()),
        }
    }
}

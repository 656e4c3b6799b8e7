//! The writer's thread, and what the rest of the service asks of it.
//!
//! The thread owns the writer of the sync engine and its store. Another thread reads the source's stream. Both block, so
//! they are no tasks.

mod compaction;
mod feed;
mod inbox;
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
use sync_engine::source::{Source, SourceError, SourceEvent};
use sync_engine::store::OpId;
use sync_engine::writer::{Writer, WriterOptions};
use tokio::sync::oneshot;

use crate::clock;
use crate::error::{ApiError, ErrorKind};
use crate::options::OpenStore;
use crate::sync::{Hub, shutting_down};

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
    Acknowledge(Acknowledge),
    Reach { user: String, reply: Reply<OpId> },
    Stop,
}

type Reply<T> = oneshot::Sender<Result<T, String>>;

/// A request for a write checkpoint.
struct Acknowledge {
    user: String,
    client: String,
    id: Option<i64>,
    reply: Reply<i64>,
}

/// The writer's thread.
#[derive(Clone)]
pub(crate) struct WriterHandle {
    sender: Sender<Input>,
    pub(crate) board: Arc<Board>,
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
    let is_deployed = newest(&writer).is_some_and(|config| &*config.yaml == yaml);
    if !is_deployed {
        writer.deploy(yaml, plan, clock::now()).map_err(|error| format!("Storing the configuration: {error}"))?;
    }
    let (sender, events, inbox) = inbox::channel();
    let board = Arc::new(Board::default());
    hub.begin(writer.readers(), writer.active_plan());
    let feed = feed::Feed::new(Arc::clone(&source), events);
    let edges = run::Edges::new(source, open_store, hub, feed, inbox, Arc::clone(&board));
    let thread = run::Thread::new(writer, edges);
    let joined = std::thread::Builder::new().name("writer".into()).spawn(move || thread.run());
    let joined = joined.map_err(|error| format!("Starting the writer's thread: {error}"))?;
    Ok((WriterHandle { sender, board }, joined))
}

impl WriterHandle {
    /// Begins to build a configuration.
    pub(crate) async fn deploy(&self, yaml: String, plan: Plan) -> Result<ConfigId, ApiError> {
        self.ask(|reply| Command::Deploy { yaml, plan: Box::new(plan), reply }).await
    }

    /// Asks for a write checkpoint, with an id of the client or the next one.
    pub(crate) async fn acknowledge(&self, user: &str, client: &str, id: Option<i64>) -> Result<i64, ApiError> {
        let (user, client) = (user.to_owned(), client.to_owned());
        self.ask(|reply| Command::Acknowledge(Acknowledge { user, client, id, reply })).await
    }

    /// Waits for a checkpoint with everything that is in the source now.
    pub(crate) async fn reach(&self, user: &str) -> Result<OpId, ApiError> {
        let user = user.to_owned();
        self.ask(|reply| Command::Reach { user, reply }).await
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

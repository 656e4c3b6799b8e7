//! The client's thread: a runtime for the network, on which nothing blocks.

use std::io;
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::thread::JoinHandle;

use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::shared::Shared;
use crate::sync::session;
use crate::upload;

/// What the app wants.
enum Command {
    Connect,
    /// Answers when the stream is closed.
    Disconnect(mpsc::SyncSender<()>),
    Close,
}

/// The thread.
pub(crate) struct Background {
    commands: UnboundedSender<Command>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Background {
    pub(crate) fn start(shared: Arc<Shared>) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (commands, received) = unbounded_channel();
        let thread = std::thread::Builder::new().name("rowtide-client".into()).spawn(move || {
            runtime.block_on(serve(shared, received));
            // What the app's own code still does there is not waited for.
            runtime.shutdown_background();
        })?;
        Ok(Self { commands, thread: Mutex::new(Some(thread)) })
    }

    pub(crate) fn connect(&self) {
        let _ = self.commands.send(Command::Connect);
    }

    pub(crate) fn disconnect(&self) {
        let (done, answer) = mpsc::sync_channel(1);
        if self.commands.send(Command::Disconnect(done)).is_ok() {
            let _ = answer.recv();
        }
    }

    /// Ends the thread. Gives whether it was running.
    pub(crate) fn close(&self) -> bool {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return false };
        let _ = self.commands.send(Command::Close);
        let _ = thread.join();
        true
    }
}

/// A session that is running.
struct Running {
    stop: CancellationToken,
    session: tokio::task::JoinHandle<()>,
}

impl Running {
    async fn end(self) {
        self.stop.cancel();
        let _ = self.session.await;
    }
}

async fn serve(shared: Arc<Shared>, mut commands: UnboundedReceiver<Command>) {
    let uploads = tokio::spawn(upload::run(Arc::clone(&shared)));
    let mut running: Option<Running> = None;
    while let Some(command) = commands.recv().await {
        match command {
            Command::Connect if running.is_some() => {}
            Command::Connect => {
                let stop = CancellationToken::new();
                let session = tokio::spawn(session(Arc::clone(&shared), stop.clone()));
                running = Some(Running { stop, session });
            }
            Command::Disconnect(done) => {
                if let Some(running) = running.take() {
                    running.end().await;
                }
                let _ = done.send(());
            }
            Command::Close => break,
        }
    }
    if let Some(running) = running.take() {
        running.end().await;
    }
    shared.uploads.end();
    let _ = timeout(shared.options.timing.upload_grace, uploads).await;
}

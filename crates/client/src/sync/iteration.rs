//! One iteration: a connection attempt, from `start` until the stream is closed.

use std::sync::Arc;

use rusqlite::types::Value;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Event, StreamTrouble, stream};
use crate::backoff::Backoff;
use crate::database::Failure;
use crate::instruction::{Instruction, LogLine};
use crate::lines::Line;
use crate::shared::Shared;
use crate::status::Tracker;

/// How an iteration has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The app has disconnected.
    Stopped,
    /// The next one is to begin at once, without showing a disconnect.
    Hidden,
    /// The next one is to begin after a pause.
    Failed,
}

/// What lasts from one iteration to the next.
pub(super) struct Memory {
    pub(super) backoff: Backoff,
    /// Shown as connected, although a new stream is being opened.
    pub(super) is_hiding: bool,
    /// What is shown as the error is over when the service answers.
    error_ends_with_connection: bool,
}

impl Memory {
    pub(super) fn new(backoff: Backoff) -> Self {
        Self { backoff, is_hiding: false, error_ends_with_connection: true }
    }
}

/// An iteration that is running.
pub(super) struct Iteration<'a> {
    shared: &'a Arc<Shared>,
    memory: &'a mut Memory,
    stop: &'a CancellationToken,
    queue: UnboundedSender<Event>,
    events: UnboundedReceiver<Event>,
    /// The stream, and questions for tokens. They end with the iteration.
    tasks: JoinSet<()>,
    tracker: Tracker,
    is_refreshing: bool,
    end: Option<End>,
}

impl<'a> Iteration<'a> {
    pub(super) fn new(shared: &'a Arc<Shared>, memory: &'a mut Memory, stop: &'a CancellationToken) -> Self {
        let (queue, events) = unbounded_channel();
        Self {
            shared,
            memory,
            stop,
            queue,
            events,
            tasks: JoinSet::new(),
            tracker: Tracker::default(),
            is_refreshing: false,
            end: None,
        }
    }

    /// Runs until the stream is closed.
    pub(super) async fn run(mut self) -> End {
        // First of all, so that nothing is missed that changes after the extension has read it.
        self.shared.set_iteration(Some(self.queue.clone()));
        self.call("start", self.shared.start_options().into()).await;
        let end = loop {
            if let Some(end) = self.end {
                break end;
            }
            let event = tokio::select! {
                biased;
                () = self.stop.cancelled() => None,
                event = self.events.recv() => event,
            };
            match event {
                Some(event) => self.handle(event).await,
                None => {
                    self.call("stop", Value::Null).await;
                    break End::Stopped;
                }
            }
        };
        self.shared.set_iteration(None);
        self.tasks.shutdown().await;
        if end != End::Hidden {
            self.memory.is_hiding = false;
            self.shared.status.update(|status| {
                (status.connected, status.connecting, status.downloading) = (false, false, None);
                status.waits_for_upload = false;
                status.failures += u32::from(end == End::Failed);
            });
        }
        end
    }

    async fn handle(&mut self, event: Event) {
        match event {
            Event::Line(Line::Text(text), _permit) => self.call("line_text", text.into()).await,
            Event::Line(Line::Binary(document), _permit) => self.call("line_binary", document.into()).await,
            Event::Established => {
                self.connected();
                self.call("connection", "established".to_owned().into()).await;
            }
            Event::Ended(trouble) => {
                if let Some(trouble) = trouble {
                    self.fail(trouble);
                }
                self.call("connection", "end".to_owned().into()).await;
            }
            Event::TokenRefreshed => self.call("refreshed_token", Value::Null).await,
            Event::Seed(id) => {
                self.call("seed_checkpoint_request_id", id.into()).await;
                self.shared.uploads.wake.notify_one();
            }
            Event::CompletedUpload => self.call("completed_upload", Value::Null).await,
            Event::Subscriptions => {
                self.call("update_subscriptions", self.shared.streams.json().into()).await;
            }
        }
    }

    /// Calls the extension, and then does what it asks for.
    async fn call(&mut self, command: &'static str, payload: Value) {
        match self.shared.database.control(command, payload).await {
            Ok(instructions) => self.execute(instructions),
            Err(failure) => self.call_failed(command, failure).await,
        }
    }

    async fn call_failed(&mut self, command: &'static str, failure: Failure) {
        match failure {
            Failure::Closed => self.end = Some(End::Stopped),
            // The event has come after the end.
            Failure::NoIteration => self.end = self.end.or(Some(End::Failed)),
            failure => {
                if matches!(failure, Failure::NotPrepared(_)) {
                    let _ = self.shared.database.prepare_again().await;
                }
                let message = match failure {
                    Failure::Protocol(message) => format!("the service has sent what cannot be used: {message}"),
                    other => format!("the database fails: {other}"),
                };
                self.fail(StreamTrouble::Content(message));
                self.tasks.abort_all();
                if command != "stop" {
                    let stopped = self.shared.database.control("stop", Value::Null).await;
                    self.execute(stopped.unwrap_or_default());
                }
                self.end = Some(End::Failed);
            }
        }
    }

    /// Shows what instructions say, all at once, and then carries them out.
    fn execute(&mut self, instructions: Vec<Instruction>) {
        let hides = |instruction: &Instruction| matches!(instruction, Instruction::Close { hide_disconnect: true });
        if instructions.iter().any(hides) {
            // The status before the end of the stream already says that it is not connected.
            self.memory.is_hiding = self.shared.status.current().0.connected;
        }
        let is_hiding = self.memory.is_hiding;
        let tracker = &mut self.tracker;
        let mut others = Vec::new();
        self.shared.status.update(|status| {
            for instruction in instructions {
                match instruction {
                    Instruction::Status(raw) => tracker.apply(raw, status),
                    Instruction::DidCompleteSync => {
                        status.checkpoints += 1;
                        (status.failures, status.refused, status.download_error) = (0, false, None);
                        status.waits_for_upload = false;
                        others.push(Instruction::DidCompleteSync);
                    }
                    Instruction::Delayed => {
                        status.waits_for_upload = true;
                        others.push(Instruction::Delayed);
                    }
                    other => others.push(other),
                }
            }
            if is_hiding {
                (status.connected, status.connecting) = (true, false);
            }
        });
        let mut warning = None;
        for instruction in others {
            self.carry_out(instruction, &mut warning);
        }
    }

    fn carry_out(&mut self, instruction: Instruction, warning: &mut Option<String>) {
        match instruction {
            Instruction::Log(line) => log(line, warning),
            Instruction::Establish(establish) => {
                self.tasks.spawn(stream::read(Arc::clone(self.shared), establish, self.queue.clone()));
            }
            Instruction::FetchCredentials { did_expire: true } => self.shared.service.credentials.forget_any(),
            Instruction::FetchCredentials { did_expire: false } => self.refresh_token(),
            Instruction::Close { hide_disconnect: true } => self.end = Some(End::Hidden),
            Instruction::Close { hide_disconnect: false } => {
                self.end = Some(End::Failed);
                // The extension says why it closes a stream: a checksum is wrong.
                if let Some(warning) = warning.take() {
                    self.fail(StreamTrouble::Content(warning));
                }
            }
            Instruction::DidCompleteSync => self.memory.backoff.reset(),
            Instruction::Delayed => self.shared.uploads.wake.notify_one(),
            Instruction::Status(_) => {}
        }
    }
}

/// Logs what the extension says, and keeps warnings.
fn log(LogLine { severity, line }: LogLine, warning: &mut Option<String>) {
    match severity.as_str() {
        "WARNING" => {
            tracing::warn!("{line}");
            *warning = Some(line);
        }
        "INFO" => tracing::info!("{line}"),
        _ => tracing::debug!("{line}"),
    }
}

/// What events mean for the next iteration, and for what is shown.
impl Iteration<'_> {
    /// The service answers.
    fn connected(&mut self) {
        self.memory.is_hiding = false;
        if self.memory.error_ends_with_connection {
            self.shared.status.update(|status| (status.download_error, status.refused) = (None, false));
        }
        self.shared.uploads.hurry.notify_one();
    }

    /// Asks the app for a token, while the stream goes on with the old one.
    fn refresh_token(&mut self) {
        if std::mem::replace(&mut self.is_refreshing, true) {
            return;
        }
        let (service, queue) = (Arc::clone(&self.shared.service), self.queue.clone());
        self.tasks.spawn(async move {
            match service.credentials.refresh().await {
                Ok(true) => {
                    let _ = queue.send(Event::TokenRefreshed);
                }
                // Without another one the stream ends when the token does.
                Ok(false) => tracing::debug!("the app has no newer token"),
                Err(trouble) => tracing::warn!("{trouble}"),
            }
        });
    }

    /// Shows what is wrong.
    fn fail(&mut self, trouble: StreamTrouble) {
        let (message, is_refusal, ends_with_connection) = match trouble {
            StreamTrouble::Connection(trouble) => (trouble.message, trouble.is_refusal, true),
            StreamTrouble::Content(message) => (message, false, false),
        };
        tracing::warn!("{message}");
        self.memory.error_ends_with_connection = ends_with_connection;
        self.shared.status.update(|status| {
            status.download_error = Some(message);
            status.refused = is_refusal;
        });
    }
}

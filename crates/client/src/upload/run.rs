//! The upload loop: takes whole transactions from the queue, sends them, takes the results, and has the last one acknowledged.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;

use super::batch::Link;
use super::{Batch, TransactionResult, Upload};
use crate::backoff::Backoff;
use crate::database::{self, Acknowledged, Applied, Failure, Next};
use crate::lock::Held;
use crate::options::Mode;
use crate::service::Trouble;
use crate::shared::Shared;
use crate::sync::Event;

/// Who wakes the loop, and when it may run.
pub(crate) struct Uploads {
    /// The queue may have changed.
    pub(crate) wake: Arc<Notify>,
    /// The service answers again: what has failed can be tried now.
    pub(crate) hurry: Notify,
    active: watch::Sender<Option<Active>>,
    ended: CancellationToken,
}

/// A session in which this process uploads.
#[derive(Clone)]
pub(crate) struct Active {
    pub(crate) stop: CancellationToken,
    pub(crate) lock: Arc<Held>,
}

/// How a run has ended.
enum Outcome {
    /// There is nothing to do until something changes.
    Done,
    /// To be tried again after the delay of failures.
    Failed,
    /// The backend has said when.
    After(Duration),
}

/// Why a run cannot go on.
enum Stop {
    /// The app has disconnected.
    Disconnected,
    /// This is wrong.
    Failed(String),
    /// Until then there is nothing to do.
    Wait(Outcome),
}

impl Uploads {
    pub(crate) fn new() -> Self {
        Self {
            wake: Arc::default(),
            hurry: Notify::new(),
            active: watch::Sender::new(None),
            ended: CancellationToken::new(),
        }
    }

    /// Begins to upload, and ends.
    pub(crate) fn activate(&self, active: Option<Active>) {
        self.active.send_replace(active);
    }

    /// Ends the loop.
    pub(crate) fn end(&self) {
        self.ended.cancel();
    }
}

/// Uploads in one session after another.
pub(crate) async fn run(shared: Arc<Shared>) {
    let mut sessions = shared.uploads.active.subscribe();
    while !shared.uploads.ended.is_cancelled() {
        let active = sessions.borrow_and_update().clone();
        if let Some(active) = active.filter(|active| !active.stop.is_cancelled()) {
            Run { shared: &shared, stop: active.stop, _lock: active.lock }.session().await;
        } else {
            tokio::select! {
                () = shared.uploads.ended.cancelled() => {}
                _ = sessions.changed() => {}
            }
        }
    }
}

/// The loop in one session.
struct Run<'a> {
    shared: &'a Arc<Shared>,
    stop: CancellationToken,
    /// Kept until an upload that is running is done.
    _lock: Arc<Held>,
}

impl Run<'_> {
    async fn session(&self) {
        let timing = &self.shared.options.timing;
        let mut backoff = Backoff::new(timing);
        while !self.stop.is_cancelled() {
            let started = Instant::now();
            let uploads = &self.shared.uploads;
            // What was written up to now is seen in the queue: it is no reason to look again, for instance at what the app has to
            // decide about.
            pin!(uploads.wake.notified()).enable();
            let outcome = self.once(&mut backoff).await;
            let next = async {
                match outcome {
                    Outcome::Done => uploads.wake.notified().await,
                    Outcome::Failed => tokio::select! {
                        () = sleep(backoff.delay()) => {}
                        () = uploads.hurry.notified() => {}
                    },
                    Outcome::After(delay) => sleep(delay).await,
                }
                sleep_until(started + timing.upload_throttle).await;
            };
            tokio::select! {
                () = self.stop.cancelled() => {}
                () = next => {}
            }
        }
    }

    /// Uploads everything, and has it acknowledged.
    async fn once(&self, backoff: &mut Backoff) -> Outcome {
        let result = self.upload_all(backoff).await;
        let status = &self.shared.status;
        status.update(|status| status.uploading = false);
        match result {
            Ok(()) => {
                backoff.reset();
                status.update(|status| (status.upload_error, status.upload_failures) = (None, 0));
                Outcome::Done
            }
            Err(Stop::Wait(outcome)) => outcome,
            Err(Stop::Disconnected) => Outcome::Done,
            Err(Stop::Failed(message)) => {
                tracing::warn!("upload: {message}");
                status.update(|status| {
                    status.upload_error = Some(message);
                    status.upload_failures += 1;
                });
                Outcome::Failed
            }
        }
    }

    async fn upload_all(&self, backoff: &mut Backoff) -> Result<(), Stop> {
        let shared = self.shared;
        // Counting reads all of the queue, so it is done once. What is written meanwhile counts the next time.
        let queued = shared.database.run(database::queued).await?;
        shared.status.update(|status| status.queued = queued);
        loop {
            let next = shared.database.run(Next::read).await?;
            if next.transactions.is_empty() {
                shared.status.update(|status| {
                    status.queued = 0;
                    status.blocked_by = None;
                });
                return self.acknowledge(&next.client_id).await;
            }
            let Some(upload) = shared.options.upload.clone() else { return Err(Stop::Wait(Outcome::Done)) };
            if self.stop.is_cancelled() {
                return Err(Stop::Disconnected);
            }
            self.send(upload, next).await?;
            backoff.reset();
        }
    }

    /// Sends a batch. This is not given up when the app disconnects: its results are stored whenever they come.
    async fn send(&self, upload: Arc<dyn Upload>, next: Next) -> Result<(), Stop> {
        let shared = self.shared;
        shared.status.update(|status| status.uploading = true);
        let link = Link { service: Arc::clone(&shared.service), runtime: Handle::current() };
        let ids: Vec<String> = next.transactions.iter().map(|transaction| transaction.id.clone()).collect();
        let sizes: Vec<usize> = next.transactions.iter().map(|transaction| transaction.operations.len()).collect();
        let batch = Batch::new(next, link);
        let sent = tokio::task::spawn_blocking(move || upload.upload(&batch)).await;
        let results = match sent {
            Ok(Ok(results)) => results,
            Ok(Err(error)) => return Err(Stop::Failed(error.to_string())),
            Err(_) => return Err(Stop::Failed("the app's upload has failed".into())),
        };
        if results.len() != ids.len() {
            let (results, transactions) = (results.len(), ids.len());
            return Err(Stop::Failed(format!("the upload gave {results} results for {transactions} transactions")));
        }
        let why_later = results.iter().find_map(TransactionResult::why_later);
        let applied = shared.database.run(move |connection| Applied::store(connection, &ids, &results)).await?;
        let entries: usize = sizes.iter().take(applied.left_the_queue).sum();
        shared.status.update(|status| {
            status.rejected += applied.rejected as u64;
            status.queued = status.queued.saturating_sub(entries as u64);
            status.blocked_by.clone_from(&applied.blocked_by);
            status.upload_error.clone_from(&why_later);
            if applied.left_the_queue > 0 {
                status.upload_failures = 0;
            }
        });
        if applied.blocked_by.is_some() {
            return Err(Stop::Wait(Outcome::Done));
        }
        if let Some(delay) = applied.retry_after_ms {
            return Err(Stop::Wait(Outcome::After(Duration::from_millis(delay))));
        }
        if applied.left_the_queue == 0 {
            let why = why_later.unwrap_or_else(|| "the backend has applied none of the transactions".into());
            return Err(Stop::Failed(why));
        }
        Ok(())
    }

    /// Has the service asked for a checkpoint with everything that was uploaded. It is asked for, too, if an earlier process
    /// has ended between an upload and this.
    async fn acknowledge(&self, client_id: &str) -> Result<(), Stop> {
        let shared = self.shared;
        if let Some(before) = shared.database.run(database::unacknowledged).await? {
            let id = tokio::select! {
                () = self.stop.cancelled() => return Err(Stop::Disconnected),
                id = self.request_id(client_id) => id?,
            };
            let stored = shared.database.run(move |connection| database::acknowledge(connection, before, &id)).await?;
            if stored == Acknowledged::WrittenMeanwhile {
                shared.uploads.wake.notify_one();
                return Ok(());
            }
        }
        shared.tell(Event::CompletedUpload);
        Ok(())
    }

    async fn request_id(&self, client_id: &str) -> Result<String, Stop> {
        let shared = self.shared;
        match shared.options.mode {
            Mode::Legacy => Ok(shared.service.write_checkpoint(client_id).await?),
            Mode::Requests => {
                let id = match shared.database.run(database::next_request_id).await {
                    // The answer of the service wakes this loop.
                    Err(Failure::NoIteration | Failure::NotSeeded) => return Err(Stop::Wait(Outcome::Done)),
                    other => other?,
                };
                shared.service.request_checkpoint_with(client_id, id).await?;
                Ok(id.to_string())
            }
        }
    }
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Closed => Self::Disconnected,
            other => Self::Failed(other.to_string()),
        }
    }
}

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Self {
        Self::Failed(trouble.message)
    }
}

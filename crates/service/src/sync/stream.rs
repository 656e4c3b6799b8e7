//! One sync stream: steps of its connection, written with backpressure.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Bytes;
use sync_engine::connection::{Connection, EndReason, Step};
use sync_engine::lines::{Encoding, Line};
use sync_engine::live::LivePlan;
use tokio::task::spawn_blocking;

use super::chunks::{ChunkSender, Chunks, body};
use super::counters::add;
use super::hub::Hub;
use super::seat::{ClientInfo, Seat};
use crate::clock;
use crate::error::{ApiError, ErrorKind};

/// Lines are collected up to about this size before they are sent.
const CHUNK_SIZE: usize = 64 * 1024;

/// How much later each further stream may switch to a new configuration.
const SPREAD_PER_STREAM: Duration = Duration::from_millis(10);

/// What a stream is made of.
pub(crate) struct Opening {
    pub(crate) connection: Connection,
    pub(crate) seat: Seat,
    pub(crate) client: ClientInfo,
    pub(crate) encoding: Encoding,
    /// A client that takes nothing for this long is disconnected.
    pub(crate) stall_timeout: Duration,
    /// The longest time over which streams switch to a new configuration.
    pub(crate) activation_spread: Duration,
}

/// A stream whose first lines are known.
pub(crate) struct Opened {
    driver: Driver,
    first: Vec<u8>,
    next: Next,
}

/// Everything that a stream needs.
struct Driver {
    opening: Opening,
    /// The plan that requests are evaluated with.
    plan: Arc<LivePlan>,
    /// Another one, and when it is taken.
    later: Option<(i64, Arc<LivePlan>)>,
    operations: usize,
    bytes: usize,
    since: Instant,
}

/// What comes after some lines.
enum Next {
    /// More lines.
    Continue,
    /// Nothing until this time in µs since 1970, or until there is mail.
    Wait(i64),
    /// Nothing.
    End(EndReason),
    /// Nothing, as the service stops or opens its storage again.
    Close,
}

/// How a stream has ended.
enum Ended {
    Complete(&'static str),
    Cut(&'static str),
}

/// Reads the first lines.
///
/// # Errors
/// What is answered instead of a stream.
pub(crate) async fn open(opening: Opening) -> Result<Opened, ApiError> {
    let hub = opening.seat.hub();
    let plan = Arc::clone(&opening.seat.plan);
    opening.seat.note_ask(opening.connection.ask());
    let driver = Driver { opening, plan, later: None, operations: 0, bytes: 0, since: Instant::now() };
    let (driver, first, next) = read(driver, &hub).await.ok_or_else(|| {
        ApiError::new(ErrorKind::Internal, "The service has failed while reading its storage. Its log says why.")
    })?;
    match next {
        // Nothing is sent yet, so the client can be told.
        Next::End(reason) if first.is_empty() || !reason.is_clean() => Err(refusal(&reason)),
        next => Ok(Opened { driver, first, next }),
    }
}

/// The next lines and what comes after them, read by a thread that may block. None if it has panicked.
async fn read(mut driver: Driver, hub: &Hub) -> Option<(Driver, Vec<u8>, Next)> {
    let _permit = Seat::may_read(hub).await;
    let read = spawn_blocking(move || {
        let mut lines = Vec::new();
        let next = driver.advance(&mut lines);
        (driver, lines, next)
    });
    read.await.ok()
}

/// Why there is no stream at all.
fn refusal(reason: &EndReason) -> ApiError {
    match reason {
        EndReason::LimitExceeded(message) => ApiError::new(ErrorKind::TooManyBuckets, message.as_str()),
        EndReason::Store(error) => {
            tracing::error!(%error, "reading the storage for a new stream");
            ApiError::new(ErrorKind::Internal, "The service cannot read its storage. Its log says why.")
        }
        EndReason::TokenExpired => ApiError::new(ErrorKind::Expired, "The token has expired. Fetch a new one."),
        EndReason::ConfigurationChanged => {
            ApiError::new(ErrorKind::Unavailable, "The sync configuration is changing. Connect again.")
        }
    }
}

impl Opened {
    /// Has the stream written by a task; what it writes is the body of the answer.
    pub(crate) fn start(self) -> Chunks {
        let (sender, chunks) = body();
        let client = &self.driver.opening.client;
        tracing::info!(
            user = &*client.user,
            client = client.client_id.as_deref(),
            user_agent = &*client.user_agent,
            "sync stream opened"
        );
        tokio::spawn(self.run(sender));
        chunks
    }

    async fn run(self, sender: ChunkSender) {
        let Some((driver, ended)) = self.send(&sender).await else {
            tracing::error!("the thread of a sync stream has failed");
            return sender.cut();
        };
        let reason = match ended {
            Ended::Complete(reason) => reason,
            Ended::Cut(reason) => {
                sender.cut();
                reason
            }
        };
        let Driver { opening, operations, bytes, since, .. } = driver;
        tracing::info!(
            user = &*opening.client.user,
            client = opening.client.client_id.as_deref(),
            user_agent = &*opening.client.user_agent,
            operations,
            bytes,
            seconds = since.elapsed().as_secs(),
            reason,
            "sync stream closed"
        );
    }

    /// Sends lines until the end. None if a thread has panicked.
    async fn send(self, sender: &ChunkSender) -> Option<(Driver, Ended)> {
        let Self { mut driver, first: mut lines, mut next } = self;
        let hub = driver.opening.seat.hub();
        loop {
            if let Some(ended) = driver.give(std::mem::take(&mut lines), sender, &hub).await {
                return Some((driver, ended));
            }
            if let Some(ended) = driver.rest(next, sender).await {
                return Some((driver, ended));
            }
            (driver, lines, next) = read(driver, &hub).await?;
        }
    }
}

const LEFT: Ended = Ended::Complete("the client has left");

impl Driver {
    /// Gives lines to the client, who may take their time.
    async fn give(&mut self, lines: Vec<u8>, sender: &ChunkSender, hub: &Hub) -> Option<Ended> {
        if lines.is_empty() {
            return None;
        }
        self.bytes += lines.len();
        self.opening.client.progress.bytes(lines.len());
        add(&hub.counters.bytes_sent, lines.len());
        tokio::select! {
            sent = sender.chunks.send(Bytes::from(lines)) => sent.is_err().then_some(LEFT),
            () = tokio::time::sleep(self.opening.stall_timeout) => {
                Some(Ended::Cut("the client took nothing for too long"))
            }
            () = self.opening.seat.gone() => Some(Ended::Complete("the storage is opened again")),
        }
    }

    /// Waits until there may be more lines.
    async fn rest(&mut self, next: Next, sender: &ChunkSender) -> Option<Ended> {
        if let Next::Wait(_) = next {
            self.opening.client.progress.rest(self.opening.connection.buckets(), clock::now());
        }
        Some(match next {
            Next::Continue => return None,
            Next::Wait(until) => tokio::select! {
                () = self.opening.seat.mail() => return None,
                () = tokio::time::sleep(clock::until(until)) => return None,
                () = sender.chunks.closed() => LEFT,
            },
            Next::Close => Ended::Complete("the service has ended the stream"),
            Next::End(EndReason::TokenExpired) => Ended::Complete("the token has expired"),
            Next::End(EndReason::ConfigurationChanged) => Ended::Complete("the configuration has changed"),
            Next::End(EndReason::LimitExceeded(_)) => Ended::Cut("the stream has exceeded a limit"),
            Next::End(EndReason::Store(error)) => {
                tracing::error!(%error, "reading the storage for a stream");
                Ended::Cut("the storage cannot be read")
            }
        })
    }

    /// Appends lines until there are enough for a chunk, or no more for now.
    fn advance(&mut self, lines: &mut Vec<u8>) -> Next {
        let mut mail = self.opening.seat.take();
        if mail.is_closing {
            return Next::Close;
        }
        mail.wake.plan = self.due_plan(mail.wake.plan);
        let Opening { connection, seat, encoding, client, .. } = &mut self.opening;
        connection.wake(mail.wake);
        loop {
            if connection.take_interest_change() {
                seat.register(connection);
            }
            match connection.next(&*seat.readers, mail.newest.as_ref(), clock::now()) {
                Step::Line(line) => {
                    client.progress.line(&line, clock::now);
                    if let Line::Data { operations, .. } = &line {
                        self.operations += operations.len();
                        add(&seat.hub().counters.operations_sent, operations.len());
                    }
                    if let Err(error) = encoding.write(&line, lines) {
                        tracing::error!(%error, "writing a line");
                        return Next::Close;
                    }
                }
                Step::Wait { until } => {
                    return Next::Wait(self.later.as_ref().map_or(until, |(at, _)| until.min(*at)));
                }
                Step::End(reason) => return Next::End(reason),
            }
            if lines.len() >= CHUNK_SIZE {
                return Next::Continue;
            }
        }
    }

    /// The plan to switch to now. The more streams there are, the later some of them switch.
    fn due_plan(&mut self, told: Option<Arc<LivePlan>>) -> Option<Arc<LivePlan>> {
        let now = clock::now();
        if let Some(plan) = told {
            // The same again says that not all changes are known, which is urgent.
            if Arc::ptr_eq(&plan, &self.plan) {
                return Some(plan);
            }
            let seat = &self.opening.seat;
            let streams = u32::try_from(seat.hub().connections().saturating_sub(1)).unwrap_or(u32::MAX);
            let longest = SPREAD_PER_STREAM.saturating_mul(streams).min(self.opening.activation_spread);
            // A part of it that differs from stream to stream: multiples of the golden ratio are spread evenly.
            let part = (seat.opened as u32).wrapping_mul(0x9e37_79b9);
            let delay = longest.mul_f64(f64::from(part) / f64::from(u32::MAX));
            self.later = Some((now.saturating_add(i64::try_from(delay.as_micros()).unwrap_or(0)), plan));
        }
        let (_, plan) = self.later.take_if(|(at, _)| *at <= now)?;
        self.plan = Arc::clone(&plan);
        Some(plan)
    }
}

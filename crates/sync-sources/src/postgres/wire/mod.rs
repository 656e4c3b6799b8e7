//! The replication connection: a thread receives what the server sends, and tells it how far that was stored, however long
//! nobody takes anything.
//!
//! It is our own, over the authentication of `postgres-protocol` and TLS as all other connections have it. No other client
//! that does logical replication has both without a second implementation of cryptography.

mod connection;
mod frames;
mod queue;

use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use pg_connect::{Failure, Target};

use super::place::Lsn;
use connection::{Connection, Received, broken, refused};
pub(crate) use frames::Frame;
use queue::{Batch, MAX_FRAMES, Pushed, Queue};

/// How long a read waits, and so how soon the server learns what was stored.
const TICK: Duration = Duration::from_millis(500);

/// How often the server is told even if nothing was stored, and asked for an answer.
const STATUS_EVERY: Duration = Duration::from_secs(10);

/// The server answers every status. If it is silent for so long, the connection is dead.
const MAX_SILENCE: Duration = Duration::from_secs(60);

/// Settings that the texts of values depend on, as those of [`pg_connect::SESSION`].
const PARAMETERS: &[(&str, &str)] = &[
    ("application_name", "rowtide stream"),
    ("client_encoding", "UTF8"),
    ("datestyle", "ISO, YMD"),
    ("intervalstyle", "postgres"),
    ("timezone", "UTC"),
    ("extra_float_digits", "1"),
    ("bytea_output", "hex"),
    ("search_path", "pg_catalog"),
];

/// Microseconds from 1970 to 2000, where the server's times begin.
pub(crate) const EPOCH_2000: i64 = 946_684_800_000_000;

/// What to stream.
pub(crate) struct Start<'s> {
    pub(crate) slot: &'s str,
    pub(crate) publication: &'s str,
    /// Where to begin; 0 is where the slot was last confirmed.
    pub(crate) from: Lsn,
    /// Whether the server can send messages that were made by `pg_logical_emit_message`.
    pub(crate) has_messages: bool,
    /// How far the stream was stored. It may grow.
    pub(crate) stored: Arc<AtomicU64>,
}

/// A stream that is being received. It ends when this is dropped.
pub(crate) struct Replication {
    queue: Arc<Queue>,
    socket: TcpStream,
    thread: Option<JoinHandle<()>>,
}

impl Replication {
    pub(crate) fn start(target: &Target, start: Start<'_>) -> Result<Self, Failure> {
        let mut connection = Connection::open(target, PARAMETERS)?;
        let messages = if start.has_messages { ", messages 'true'" } else { "" };
        // The server splits the list of publications at commas, and reads names as SQL does.
        let publication = format!("\"{}\"", start.publication.replace('"', "\"\"")).replace('\'', "''");
        connection.start(&format!(
            "START_REPLICATION SLOT \"{}\" LOGICAL {} (proto_version '1', publication_names '{publication}'{messages})",
            start.slot, start.from
        ))?;
        let tcp = connection.tcp();
        let socket = tcp.set_read_timeout(Some(TICK)).and_then(|()| tcp.try_clone());
        let socket = socket.map_err(|error| broken(error.to_string()))?;
        let queue = Arc::new(Queue::default());
        let mut receiver = Receiver { connection, queue: Arc::clone(&queue), status: Status::new(start.stored) };
        let thread = std::thread::Builder::new().name("replication".into()).spawn(move || {
            let Err(failure) = receiver.run() else { return };
            receiver.queue.end(failure);
        });
        let thread = thread.map_err(|error| broken(error.to_string()))?;
        Ok(Self { queue, socket, thread: Some(thread) })
    }

    /// What has come next; empty if nothing came in time.
    ///
    /// # Errors
    /// The stream has ended.
    pub(crate) fn receive(&self, wait: Duration) -> Result<Vec<Frame>, Failure> {
        self.queue.pop(wait)
    }
}

impl Drop for Replication {
    fn drop(&mut self) {
        self.queue.close();
        let _ = self.socket.shutdown(Shutdown::Both);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the thread works with.
struct Receiver {
    connection: Connection,
    queue: Arc<Queue>,
    status: Status,
}

impl Receiver {
    /// Runs until nobody takes anything any more.
    fn run(&mut self) -> Result<(), Failure> {
        let mut heard_at = Instant::now();
        loop {
            loop {
                let (batch, wants_answer) = self.batch()?;
                self.status.is_wanted |= wants_answer;
                self.status.send(&mut self.connection)?;
                if batch.frames.is_empty() {
                    break;
                }
                let mut pushed = self.queue.push(batch, TICK);
                while let Pushed::Full(batch) = pushed {
                    self.status.send(&mut self.connection)?;
                    pushed = self.queue.push(batch, TICK);
                }
                if let Pushed::Closed = pushed {
                    return Ok(());
                }
            }
            match self.connection.receive()? {
                Received::Some => heard_at = Instant::now(),
                Received::Nothing if heard_at.elapsed() > MAX_SILENCE => {
                    return Err(broken("the server does not answer any more"));
                }
                Received::Nothing => {}
            }
        }
    }

    /// What has come completely, and whether the server wants an answer.
    fn batch(&mut self) -> Result<(Batch, bool), Failure> {
        let mut batch = Batch::default();
        let mut wants_answer = false;
        while batch.frames.len() < MAX_FRAMES {
            let Some(answer) = self.connection.next()? else { break };
            match answer.kind {
                b'd' => {
                    if let Some((frame, wants)) = frames::frame(&answer.payload) {
                        batch.bytes += answer.payload.len();
                        batch.frames.push(frame);
                        wants_answer |= wants;
                    }
                }
                // What came before the error is taken first.
                b'E' if batch.frames.is_empty() => return Err(refused(&answer.payload)),
                b'E' => {
                    let _ = self.queue.push(batch, TICK);
                    return Err(refused(&answer.payload));
                }
                b'c' => return Err(broken("the server has ended the stream")),
                _ => {}
            }
        }
        Ok((batch, wants_answer))
    }
}

/// What the server was told.
struct Status {
    stored: Arc<AtomicU64>,
    told: u64,
    told_at: Option<Instant>,
    asked_at: Option<Instant>,
    is_wanted: bool,
}

impl Status {
    fn new(stored: Arc<AtomicU64>) -> Self {
        Self { stored, told: 0, told_at: None, asked_at: None, is_wanted: false }
    }

    /// Tells the server how far the stream was stored, if it is time.
    fn send(&mut self, connection: &mut Connection) -> Result<(), Failure> {
        let stored = self.stored.load(Ordering::Acquire);
        let is_older = |at: Option<Instant>, than: Duration| at.is_none_or(|at| at.elapsed() >= than);
        let asks = is_older(self.asked_at, STATUS_EVERY);
        let has_news = stored > self.told && is_older(self.told_at, TICK);
        if !(asks || has_news || self.is_wanted) {
            return Ok(());
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now = i64::try_from(now.as_micros()).unwrap_or_default().saturating_sub(EPOCH_2000);
        connection.write(&frames::status(Lsn(stored), now, asks))?;
        let now = Instant::now();
        (self.told, self.told_at, self.is_wanted) = (stored, Some(now), false);
        if asks {
            self.asked_at = Some(now);
        }
        Ok(())
    }
}

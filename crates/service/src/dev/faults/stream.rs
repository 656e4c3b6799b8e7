//! What faults do to the lines of one stream, on their way from the task that writes them to the client.

use std::collections::VecDeque;
use std::future::pending;
use std::io;
use std::time::Duration;

use axum::body::Bytes;
use sync_engine::lines::Encoding;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_stream::StreamExt;

use super::Lasting;
use super::line::{self, Kind};
use crate::sync::{ChunkSender, Chunks};

/// Bytes for each second of a stream that is slow, and how many of them go at once.
const SLOW_RATE: u32 = 2_000;
const SLOW_PIECE: usize = 200;

/// How long a cut waits for a line to happen in.
const CUT_WAIT: Duration = Duration::from_secs(1);

/// What is given right before the connection is closed is not sent. So this is the time for sending it.
const FLUSH: Duration = Duration::from_millis(50);

/// How much is taken from the writing task without being sent, which then waits. It ends the stream if that lasts.
const MOST_WAITING: usize = 4 * 1024 * 1024;

/// What a stream is told to do once.
#[derive(Clone, Copy, Debug)]
pub(super) enum Order {
    /// End in the middle of the next line.
    Cut,
    /// Say that the token has expired, and end.
    Expire,
    /// Have a wrong checksum in the next line that has one.
    Checksum,
}

/// How a stream ends.
enum End {
    /// Completely.
    Whole,
    /// As if the connection were lost.
    Cut,
}

/// What a stream waits for.
enum Event {
    Order(Order),
    /// Of lasting faults.
    Changed,
    /// The time has come.
    Cut,
    /// The client takes more.
    Room,
    /// Of the source; none at its end.
    Chunk(Option<io::Result<Bytes>>),
}

/// A stream with faults.
pub(super) struct FaultyStream {
    source: Chunks,
    client: ChunkSender,
    encoding: Encoding,
    /// The transport sends lines, not bytes: half of one cannot be sent.
    is_framed: bool,
    lasting: watch::Receiver<Lasting>,
    orders: mpsc::UnboundedReceiver<Order>,
    waiting: Waiting,
    /// How the source has ended.
    ended: Option<End>,
    /// When the stream is cut, if it is to be.
    cut_at: Option<Instant>,
    /// Whether the next checksum is to be wrong.
    wrong_checksum: bool,
    /// When a slow connection takes more.
    free_at: Instant,
}

/// Lines on their way.
#[derive(Default)]
struct Waiting {
    /// The rest of a line whose beginning is sent.
    begun: Bytes,
    lines: VecDeque<Bytes>,
    bytes: usize,
    /// Whether the first line is a checkpoint that is held back, and so is everything after it but keep-alives.
    is_held: bool,
}

impl FaultyStream {
    pub(super) fn new(
        source: Chunks,
        client: ChunkSender,
        (encoding, is_framed): (Encoding, bool),
        lasting: watch::Receiver<Lasting>,
        orders: mpsc::UnboundedReceiver<Order>,
    ) -> Self {
        Self {
            source,
            client,
            encoding,
            is_framed,
            lasting,
            orders,
            waiting: Waiting::default(),
            ended: None,
            cut_at: None,
            wrong_checksum: false,
            free_at: Instant::now(),
        }
    }

    /// Passes lines on until the end.
    pub(super) async fn run(mut self) {
        let end = loop {
            if self.lasting().offline {
                break End::Cut;
            }
            self.waiting.hold(self.lasting().checkpoints_delayed, self.encoding);
            if let Some(end) = self.ended.take_if(|_| self.waiting.is_done()) {
                break end;
            }
            match self.step().await {
                Ok(()) => {}
                Err(end) => break end,
            }
        };
        if let End::Cut = end {
            self.client.cut();
        }
    }

    /// Waits for one thing, and does it.
    async fn step(&mut self) -> Result<(), End> {
        let (has_more, takes_more) =
            (self.waiting.has_sendable(self.encoding), self.ended.is_none() && self.waiting.bytes < MOST_WAITING);
        let (free_at, cut_at) = (self.free_at, self.cut_at);
        let client = &self.client.chunks;
        let room = async {
            sleep_until(free_at).await;
            client.reserve().await.map(drop)
        };
        let cut = async {
            match cut_at {
                Some(at) => sleep_until(at).await,
                None => pending().await,
            }
        };
        let event = tokio::select! {
            biased;
            Some(order) = self.orders.recv() => Event::Order(order),
            Ok(()) = self.lasting.changed() => Event::Changed,
            () = cut => Event::Cut,
            Ok(()) = room, if has_more => Event::Room,
            chunk = self.source.next(), if takes_more => Event::Chunk(chunk),
            () = client.closed() => return Err(End::Whole),
        };
        match event {
            Event::Order(order) => return self.obey(order),
            Event::Changed => self.free_at = Instant::now(),
            Event::Cut => {
                let line = line::keep_alive(i64::from(u32::MAX), self.encoding);
                return self.cut_in(&line).await;
            }
            Event::Room => return self.send().await,
            Event::Chunk(chunk) => self.take(chunk),
        }
        Ok(())
    }

    fn lasting(&self) -> Lasting {
        *self.lasting.borrow()
    }

    fn obey(&mut self, order: Order) -> Result<(), End> {
        match order {
            Order::Cut if !self.waiting.begun.is_empty() => return Err(End::Cut),
            Order::Cut => self.cut_at = Some(Instant::now() + CUT_WAIT),
            Order::Checksum => self.wrong_checksum = true,
            Order::Expire => {
                self.waiting.replace(line::keep_alive(0, self.encoding));
                self.ended = Some(End::Whole);
            }
        }
        Ok(())
    }

    /// Notes what the source has given.
    fn take(&mut self, chunk: Option<io::Result<Bytes>>) {
        match chunk {
            Some(Ok(mut chunk)) => {
                self.waiting.bytes = self.waiting.bytes.saturating_add(chunk.len());
                while !chunk.is_empty() {
                    self.waiting.lines.push_back(line::first(&mut chunk, self.encoding));
                }
            }
            Some(Err(_)) => self.ended = Some(End::Cut),
            None => self.ended = Some(End::Whole),
        }
    }

    /// Sends the next line, or a piece of it.
    async fn send(&mut self) -> Result<(), End> {
        if self.waiting.begun.is_empty() {
            let Some(line) = self.waiting.next(self.encoding) else { return Ok(()) };
            if self.cut_at.is_some() {
                return self.cut_in(&line).await;
            }
            self.waiting.begun = self.with_faults(line);
        }
        let is_slow = self.lasting().slow;
        let rest = &mut self.waiting.begun;
        let length = if is_slow && !self.is_framed { SLOW_PIECE.min(rest.len()) } else { rest.len() };
        let piece = rest.split_to(length);
        if is_slow {
            let bytes = u32::try_from(piece.len()).unwrap_or(u32::MAX);
            self.free_at = Instant::now() + Duration::from_secs(1) * bytes / SLOW_RATE;
        }
        self.pass(piece).await
    }

    fn with_faults(&mut self, line: Bytes) -> Bytes {
        if !self.wrong_checksum || line::kind(&line, self.encoding) != Kind::Checkpoint {
            return line;
        }
        match line::with_wrong_checksum(&line, self.encoding) {
            Some(wrong) => {
                self.wrong_checksum = false;
                wrong
            }
            None => line,
        }
    }

    /// Ends the stream in the middle of a line.
    async fn cut_in(&mut self, line: &Bytes) -> Result<(), End> {
        // A client that takes nothing does not see the half line, but the stream ends at once all the same.
        if !self.is_framed && self.client.chunks.try_send(line.slice(..line.len() / 2)).is_ok() {
            let _ = timeout(FLUSH, self.client.chunks.reserve_many(self.client.chunks.max_capacity())).await;
            sleep(FLUSH).await;
        }
        Err(End::Cut)
    }

    async fn pass(&self, piece: Bytes) -> Result<(), End> {
        self.client.chunks.send(piece).await.map_err(|_| End::Whole)
    }
}

impl Waiting {
    /// Begins to hold back checkpoints, or no longer does.
    fn hold(&mut self, is_delayed: bool, encoding: Encoding) {
        let next = self.lines.front();
        self.is_held =
            is_delayed && (self.is_held || next.is_some_and(|line| line::kind(line, encoding) == Kind::Checkpoint));
    }

    /// Whether there is nothing more to send, or nothing that may be sent.
    fn is_done(&self) -> bool {
        self.begun.is_empty() && (self.lines.is_empty() || self.is_held)
    }

    fn has_sendable(&self, encoding: Encoding) -> bool {
        !self.begun.is_empty() || self.place(encoding).is_some()
    }

    /// Which line is next.
    fn place(&self, encoding: Encoding) -> Option<usize> {
        if self.is_held {
            return self.lines.iter().position(|line| line::kind(line, encoding) == Kind::KeepAlive);
        }
        (!self.lines.is_empty()).then_some(0)
    }

    fn next(&mut self, encoding: Encoding) -> Option<Bytes> {
        let line = self.lines.remove(self.place(encoding)?)?;
        self.bytes = self.bytes.saturating_sub(line.len());
        Some(line)
    }

    /// Sends this in place of everything that has not begun.
    fn replace(&mut self, line: Bytes) {
        self.lines.clear();
        self.bytes = line.len();
        self.lines.push_back(line);
        self.is_held = false;
    }
}

//! One WebSocket: messages in and out, times, and the end.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use super::document::{Format, Identity};
use super::frame::{self, ErrorCode};
use super::session::{Action, Session};
use super::stream::{self, Asked};
use crate::auth::{User, bearer};
use crate::error::ApiError;
use crate::http::App;

/// Frames of streams that wait for the socket.
const WAITING: usize = 2;

/// More than any client needs of one stream; a semaphore cannot count without end, least of all on processors of 32 bits.
const MAX_GRANTED: usize = Semaphore::MAX_PERMITS / 2;

/// Why a connection ends.
enum End {
    /// The client has gone.
    Gone,
    /// The session has ended it, and has said why.
    Said,
    /// For a reason that the client is told.
    Because(ErrorCode, &'static str),
}

struct Socket {
    socket: WebSocket,
    app: Arc<App>,
    session: Session,
    user_agent: String,
    user: Option<User>,
    streams: HashMap<u32, Running>,
    tasks: JoinSet<u32>,
    frames: mpsc::Sender<Vec<u8>>,
    times: Times,
}

struct Running {
    granted: Arc<Semaphore>,
    task: AbortHandle,
}

/// When something is due.
struct Times {
    /// The client has to have said something by then.
    silence: Instant,
    /// The next keep-alive of the service.
    keep_alive: Option<Instant>,
    /// A connection without streams ends then.
    idle: Option<Instant>,
}

/// Serves a connection until its end.
pub(super) async fn serve(socket: WebSocket, app: Arc<App>, user_agent: String) {
    let (frames, mut waiting) = mpsc::channel(WAITING);
    let header = app.limits.header_timeout;
    let mut closing = app.hub.closing();
    let mut own = Socket {
        session: Session::new(app.limits.max_body),
        socket,
        app,
        user_agent,
        user: None,
        streams: HashMap::new(),
        tasks: JoinSet::new(),
        frames,
        times: Times { silence: Instant::now() + header, keep_alive: None, idle: None },
    };
    let end = own.run(&mut waiting, &mut closing).await;
    // The streams see that nobody takes their lines.
    own.tasks.abort_all();
    let code = match end {
        End::Gone => return,
        End::Said => close_code::NORMAL,
        End::Because(code, message) => {
            let _ = own.send(frame::error(0, code, message)).await;
            if code == ErrorCode::ConnectionClose { close_code::AWAY } else { close_code::NORMAL }
        }
    };
    let close = Message::Close(Some(CloseFrame { code, reason: "".into() }));
    let _ = timeout(own.app.limits.stall_timeout, own.socket.send(close)).await;
}

impl Socket {
    async fn run(&mut self, waiting: &mut mpsc::Receiver<Vec<u8>>, closing: &mut watch::Receiver<bool>) -> End {
        loop {
            let is_closing = *closing.borrow();
            if is_closing && self.session.is_idle() && waiting.is_empty() {
                return End::Because(ErrorCode::ConnectionClose, "PSYNC_S2003: The service is shutting down.");
            }
            let due = self.times.next();
            let stepped = tokio::select! {
                message = self.socket.recv() => match message {
                    Some(Ok(message)) => self.received(message).await,
                    Some(Err(_)) | None => Err(End::Gone),
                },
                Some(frame) = waiting.recv() => self.send(frame).await,
                Some(ended) = self.tasks.join_next(), if !self.tasks.is_empty() => {
                    // All that it had to say is waiting by now.
                    while let Ok(frame) = waiting.try_recv() {
                        if let Err(end) = self.send(frame).await {
                            return end;
                        }
                    }
                    self.ended(ended.ok());
                    Ok(())
                }
                () = sleep_until(due) => self.due(Instant::now()).await,
                _ = closing.changed(), if !is_closing => Ok(()),
            };
            if let Err(end) = stepped {
                return end;
            }
        }
    }

    /// Sends a frame. A client that takes nothing is gone.
    async fn send(&mut self, frame: Vec<u8>) -> Result<(), End> {
        let sent = self.socket.send(Message::Binary(Bytes::from(frame)));
        match timeout(self.app.limits.stall_timeout, sent).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) | Err(_) => Err(End::Gone),
        }
    }

    async fn received(&mut self, message: Message) -> Result<(), End> {
        if let Some(agreed) = self.session.agreed() {
            self.times.silence = Instant::now() + agreed.lifetime;
        }
        let message = match message {
            Message::Binary(message) => message,
            Message::Text(_) => return Err(End::Because(ErrorCode::Connection, "messages must be binary")),
            Message::Ping(_) | Message::Pong(_) => return Ok(()),
            Message::Close(_) => return Err(End::Gone),
        };
        for action in self.session.received(message) {
            self.act(action).await?;
        }
        Ok(())
    }

    async fn act(&mut self, action: Action) -> Result<(), End> {
        match action {
            Action::Send(frame) => self.send(frame).await?,
            Action::Close => return Err(End::Said),
            Action::Check(metadata) => {
                if let Err(error) = self.check(&metadata).await {
                    self.send(frame::error(0, ErrorCode::RejectedSetup, &stream::text(&error))).await?;
                    return Err(End::Said);
                }
                let agreed = self.session.agreed().map(|agreed| (agreed.lifetime, agreed.keep_alive));
                let (lifetime, keep_alive) = agreed.unwrap_or_default();
                let now = Instant::now();
                let idle = Some(now + self.app.limits.header_timeout);
                self.times = Times { silence: now + lifetime, keep_alive: Some(now + keep_alive), idle };
            }
            Action::Open { stream, initial, metadata, data } => self.open(stream, initial, &metadata, data),
            Action::Grant { stream, more } => {
                if let Some(running) = self.streams.get(&stream)
                    && running.granted.available_permits() < MAX_GRANTED
                {
                    running.granted.add_permits(MAX_GRANTED.min(more as usize));
                }
            }
            Action::Cancel(stream) => {
                if let Some(running) = self.streams.remove(&stream) {
                    running.task.abort();
                }
                self.rest();
            }
        }
        Ok(())
    }

    /// Who the client is.
    async fn check(&mut self, metadata: &[u8]) -> Result<(), ApiError> {
        let format = self.session.agreed().map_or(Format::Json, |agreed| agreed.metadata);
        let json = format.to_json(metadata).map_err(|error| ApiError::validation(&[format!("/setup: {error}")]))?;
        let identity: Identity = serde_json::from_slice(&json)
            .map_err(|_| ApiError::validation(&["/setup: the metadata must be {token, user_agent}".into()]))?;
        let token = bearer(identity.token.as_deref())?;
        self.user = Some(self.app.user_of(token).await?);
        if let Some(user_agent) = identity.user_agent {
            self.user_agent = user_agent;
        }
        Ok(())
    }

    fn open(&mut self, stream: u32, initial: u32, metadata: &[u8], data: Bytes) {
        let (Some(user), Some(agreed)) = (self.user.clone(), self.session.agreed()) else { return };
        self.times.idle = None;
        let granted = Arc::new(Semaphore::new(MAX_GRANTED.min(initial as usize)));
        let asked = Asked {
            app: Arc::clone(&self.app),
            stream,
            target: agreed.metadata.to_json(metadata),
            data,
            format: agreed.data,
            user,
            user_agent: self.user_agent.clone(),
            granted: Arc::clone(&granted),
            frames: self.frames.clone(),
        };
        let task = self.tasks.spawn(stream::run(asked));
        self.streams.insert(stream, Running { granted, task });
    }

    /// A task has ended; one that was aborted has no number.
    fn ended(&mut self, stream: Option<u32>) {
        if let Some(stream) = stream {
            self.session.ended(stream);
            self.streams.remove(&stream);
        }
        self.rest();
    }

    /// A connection that has no stream any more does not stay for long.
    fn rest(&mut self) {
        if self.session.is_idle() && self.times.idle.is_none() {
            self.times.idle = Some(Instant::now() + self.app.limits.header_timeout);
        }
    }

    async fn due(&mut self, now: Instant) -> Result<(), End> {
        if self.times.silence <= now {
            let message = match self.session.agreed() {
                Some(_) => "the client was silent for longer than its lifetime",
                None => "no setup has come in time",
            };
            return Err(End::Because(ErrorCode::Connection, message));
        }
        if self.times.idle.is_some_and(|idle| idle <= now) {
            return Err(End::Because(ErrorCode::ConnectionClose, "the connection has no stream"));
        }
        if self.times.keep_alive.is_some_and(|at| at <= now) {
            let pause = self.session.agreed().map_or(Duration::MAX, |agreed| agreed.keep_alive);
            self.times.keep_alive = now.checked_add(pause);
            self.send(frame::keep_alive(true, b"")).await?;
        }
        Ok(())
    }
}

impl Times {
    fn next(&self) -> Instant {
        [self.keep_alive, self.idle].into_iter().flatten().fold(self.silence, Instant::min)
    }
}

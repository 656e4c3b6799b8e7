//! A client that speaks RSocket frame by frame.

use bson::{Document, doc};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use crate::support::{Running, soon};

/// A connection.
pub(crate) struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

/// What comes from the service.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Received {
    Next(u32, Vec<u8>),
    Complete(u32),
    /// Of a stream, or of the connection; with its code.
    Error(u32, u32, String),
    KeepAlive {
        respond: bool,
        data: Vec<u8>,
    },
    /// The WebSocket is closed, with its code.
    Closed(Option<u16>),
}

/// How a client begins.
pub(crate) struct Setup<'a> {
    pub(crate) keep_alive: u32,
    pub(crate) lifetime: u32,
    pub(crate) mime: &'a str,
    pub(crate) metadata: Vec<u8>,
}

impl Setup<'_> {
    /// As the published SDK begins, with a token.
    pub(crate) fn of(token: &str) -> Self {
        let metadata = format!(r#"{{"token":"Token {token}","user_agent":"powersync-js/1.3.0"}}"#).into_bytes();
        Self { keep_alive: 20_000, lifetime: 90_000, mime: "application/json", metadata }
    }

    fn frame(&self) -> Vec<u8> {
        let mut frame = vec![0, 0, 0, 0, 5, 0, 0, 1, 0, 0];
        frame.extend(self.keep_alive.to_be_bytes());
        frame.extend(self.lifetime.to_be_bytes());
        for name in [self.mime, self.mime] {
            frame.push(u8::try_from(name.len()).unwrap());
            frame.extend(name.as_bytes());
        }
        frame.extend(&u32::try_from(self.metadata.len()).unwrap().to_be_bytes()[1..]);
        frame.extend(&self.metadata);
        frame
    }
}

/// A frame that asks for a stream.
pub(crate) fn request(stream: u32, initial: u32, metadata: &[u8], data: &[u8]) -> Vec<u8> {
    let mut frame = stream.to_be_bytes().to_vec();
    frame.extend([0x19, 0]);
    frame.extend(initial.to_be_bytes());
    frame.extend(&u32::try_from(metadata.len()).unwrap().to_be_bytes()[1..]);
    frame.extend(metadata);
    frame.extend(data);
    frame
}

impl Client {
    /// Only the WebSocket.
    pub(crate) async fn open(running: &Running) -> Self {
        Self::open_at(&running.url("/sync/stream")).await
    }

    async fn open_at(url: &str) -> Self {
        Self(soon(connect_async(url.replace("http:", "ws:"))).await.unwrap().0)
    }

    pub(crate) async fn begin(running: &Running, setup: &Setup<'_>) -> Self {
        Self::begin_at(&running.url("/sync/stream"), setup).await
    }

    pub(crate) async fn begin_at(url: &str, setup: &Setup<'_>) -> Self {
        let mut client = Self::open_at(url).await;
        client.send(setup.frame()).await;
        client
    }

    /// As a user, as the published SDK does it.
    pub(crate) async fn of(running: &Running, user: &str) -> Self {
        Self::begin(running, &Setup::of(&crate::support::token(user, 3600))).await
    }

    pub(crate) async fn send(&mut self, frame: Vec<u8>) {
        self.message(Message::Binary(frame.into())).await;
    }

    pub(crate) async fn message(&mut self, message: Message) {
        soon(self.0.send(message)).await.unwrap();
    }

    /// Asks for a stream of BSON lines.
    pub(crate) async fn ask(&mut self, stream: u32, initial: u32, mut body: Value) {
        body["binary_data"] = true.into();
        self.send(request(stream, initial, br#"{"path":"/sync/stream"}"#, body.to_string().as_bytes())).await;
    }

    pub(crate) async fn grant(&mut self, stream: u32, more: u32) {
        let mut frame = stream.to_be_bytes().to_vec();
        frame.extend([0x20, 0]);
        frame.extend(more.to_be_bytes());
        self.send(frame).await;
    }

    pub(crate) async fn cancel(&mut self, stream: u32) {
        let mut frame = stream.to_be_bytes().to_vec();
        frame.extend([0x24, 0]);
        self.send(frame).await;
    }

    pub(crate) async fn keep_alive(&mut self, data: &[u8]) {
        self.send([&[0, 0, 0, 0, 0x0c, 0x80, 0, 0, 0, 0, 0, 0, 0, 0], data].concat()).await;
    }

    /// The next frame.
    pub(crate) async fn receive(&mut self) -> Received {
        loop {
            let message = match soon(self.0.next()).await {
                Some(Ok(message)) => message,
                Some(Err(_)) | None => return Received::Closed(None),
            };
            let bytes = match message {
                Message::Binary(bytes) => bytes,
                Message::Close(frame) => return Received::Closed(frame.map(|frame| frame.code.into())),
                _ => continue,
            };
            let number = |at: usize| u32::from_be_bytes(bytes[at..at + 4].try_into().unwrap());
            let (stream, head) = (number(0), u16::from_be_bytes([bytes[4], bytes[5]]));
            let rest = bytes[6..].to_vec();
            return match (head >> 10, head & 0x3ff) {
                (0x0a, 0x20) => Received::Next(stream, rest),
                (0x0a, 0x40) => Received::Complete(stream),
                (0x0b, 0) => Received::Error(stream, number(6), String::from_utf8(rest[4..].to_vec()).unwrap()),
                (0x03, flags) => Received::KeepAlive { respond: flags == 0x80, data: rest[8..].to_vec() },
                other => panic!("an unexpected frame {other:x?}"),
            };
        }
    }

    /// The next line of a stream, as JSON.
    pub(crate) async fn line(&mut self, stream: u32) -> Value {
        match self.receive().await {
            Received::Next(number, line) if number == stream => {
                let document: Document = bson::deserialize_from_slice(&line).unwrap();
                serde_json::to_value(document).unwrap()
            }
            other => panic!("no line of stream {stream}: {other:?}"),
        }
    }

    /// Lines of a stream until a checkpoint is complete.
    pub(crate) async fn checkpoint(&mut self, stream: u32) -> Vec<Value> {
        let mut lines = Vec::new();
        loop {
            lines.push(self.line(stream).await);
            if lines.last().unwrap().get("checkpoint_complete").is_some() {
                return lines;
            }
        }
    }

    /// The error that ends the connection.
    pub(crate) async fn refused(&mut self) -> (u32, String) {
        match self.receive().await {
            Received::Error(0, code, message) => {
                let closed = self.receive().await;
                assert!(matches!(closed, Received::Closed(_)), "{closed:?}");
                (code, message)
            }
            other => panic!("no error of the connection: {other:?}"),
        }
    }
}

/// The same as BSON.
pub(crate) fn metadata(token: &str) -> Vec<u8> {
    doc! {"token": format!("Bearer {token}"), "user_agent": "bson"}.to_vec().unwrap()
}

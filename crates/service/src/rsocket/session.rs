//! What the frames of a client mean: the state of a connection, without its socket.

use std::collections::HashMap;
use std::time::Duration;

use axum::body::Bytes;

use super::document::Format;
use super::frame::{self, ErrorCode, Frame, Malformed, Payload, Setup};

/// The longest time that a client may be silent.
const MAX_LIFETIME: Duration = Duration::from_secs(600);

/// The most streams of a connection at the same time. A client has one.
const MAX_STREAMS: usize = 100;

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Action {
    /// A frame for the client.
    Send(Vec<u8>),
    /// The metadata of the setup say who the client is.
    Check(Bytes),
    /// A stream is asked for.
    Open { stream: u32, initial: u32, metadata: Bytes, data: Bytes },
    /// The client takes more of a stream.
    Grant { stream: u32, more: u32 },
    /// The client does not want a stream any more.
    Cancel(u32),
    /// The connection is over, after what was to be sent.
    Close,
}

/// The state of a connection.
#[derive(Debug)]
pub(super) struct Session {
    /// The most bytes of a request, together with its parts.
    max_request: usize,
    /// None before the setup.
    setup: Option<Agreed>,
    streams: HashMap<u32, Stream>,
}

/// What the setup has agreed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Agreed {
    /// Time between keep-alives.
    pub(super) keep_alive: Duration,
    /// How long the client may be silent.
    pub(super) lifetime: Duration,
    /// How metadata are written.
    pub(super) metadata: Format,
    /// How requests and lines are written.
    pub(super) data: Format,
}

#[derive(Debug)]
enum Stream {
    /// Parts of its request are missing.
    Parts { initial: u32, metadata: Vec<u8>, data: Vec<u8> },
    /// It was opened.
    Open,
}

impl Session {
    pub(super) fn new(max_request: usize) -> Self {
        Self { max_request, setup: None, streams: HashMap::new() }
    }

    /// What was agreed on; none before the setup.
    pub(super) fn agreed(&self) -> Option<Agreed> {
        self.setup
    }

    /// Whether there is no stream.
    pub(super) fn is_idle(&self) -> bool {
        self.streams.is_empty()
    }

    /// A stream has ended by itself.
    pub(super) fn ended(&mut self, stream: u32) {
        self.streams.remove(&stream);
    }

    /// What a message of the client means.
    pub(super) fn received(&mut self, message: Bytes) -> Vec<Action> {
        let frame = match Frame::decode(message) {
            Ok(frame) => frame,
            Err(Malformed(message)) => {
                let code = if self.setup.is_none() { ErrorCode::InvalidSetup } else { ErrorCode::Connection };
                return refused(code, message);
            }
        };
        if self.setup.is_none() {
            return match frame {
                Frame::Setup(setup) => self.begin(setup),
                Frame::Resume => refused(ErrorCode::RejectedResume, "connections cannot be resumed"),
                _ => refused(ErrorCode::InvalidSetup, "the first frame must be a setup"),
            };
        }
        match frame {
            Frame::Setup(_) | Frame::Resume => refused(ErrorCode::Connection, "the connection has begun already"),
            Frame::KeepAlive { respond: true, data } => vec![Action::Send(frame::keep_alive(false, &data))],
            Frame::RequestStream { stream, initial, payload } => self.requested(stream, initial, payload),
            Frame::OtherRequest(stream) => {
                vec![Action::Send(frame::error(stream, ErrorCode::Rejected, "only streams can be requested"))]
            }
            Frame::RequestN { stream, more } => match self.streams.get_mut(&stream) {
                Some(Stream::Open) => vec![Action::Grant { stream, more }],
                Some(Stream::Parts { initial, .. }) => {
                    *initial = initial.saturating_add(more);
                    Vec::new()
                }
                // It has ended meanwhile.
                None => Vec::new(),
            },
            Frame::Cancel(stream) | Frame::Error { stream } if stream != 0 => match self.streams.remove(&stream) {
                Some(Stream::Open) => vec![Action::Cancel(stream)],
                _ => Vec::new(),
            },
            Frame::Error { .. } => vec![Action::Close],
            Frame::Payload { stream, payload } => self.continued(stream, payload),
            Frame::KeepAlive { .. } | Frame::Cancel(_) | Frame::Ignored => Vec::new(),
        }
    }

    fn begin(&mut self, setup: Setup) -> Vec<Action> {
        if setup.major != 1 {
            return refused(ErrorCode::UnsupportedSetup, "only version 1 of RSocket is supported");
        }
        if setup.has_lease || setup.has_resume {
            return refused(ErrorCode::UnsupportedSetup, "leases and resuming are not supported");
        }
        let formats = Format::of_type(&setup.metadata_type).zip(Format::of_type(&setup.data_type));
        let Some((metadata, data)) = formats else {
            let message = "metadata and data must be application/bson or application/json";
            return refused(ErrorCode::UnsupportedSetup, message);
        };
        let of_ms = |ms: u32| Duration::from_millis(ms.into()).min(MAX_LIFETIME);
        let (keep_alive, lifetime) = (of_ms(setup.keep_alive), of_ms(setup.lifetime));
        self.setup = Some(Agreed { keep_alive, lifetime, metadata, data });
        vec![Action::Check(setup.metadata)]
    }

    fn requested(&mut self, stream: u32, initial: u32, payload: Payload) -> Vec<Action> {
        // Streams of clients have odd numbers.
        if stream.is_multiple_of(2) || self.streams.contains_key(&stream) {
            return refused(ErrorCode::Connection, "the number of a stream cannot be used");
        }
        if self.streams.len() >= MAX_STREAMS {
            let message = "the connection has too many streams";
            return vec![Action::Send(frame::error(stream, ErrorCode::Rejected, message))];
        }
        let begun = Stream::Parts { initial, metadata: Vec::new(), data: Vec::new() };
        self.streams.insert(stream, begun);
        self.continued(stream, payload)
    }

    /// Another part of a request.
    fn continued(&mut self, stream: u32, payload: Payload) -> Vec<Action> {
        let Some(Stream::Parts { initial, metadata, data }) = self.streams.get_mut(&stream) else {
            // Payloads for streams that have ended.
            return Vec::new();
        };
        let parts = [metadata.len(), data.len(), payload.metadata.len(), payload.data.len()];
        if parts.into_iter().fold(0, usize::saturating_add) > self.max_request {
            self.streams.remove(&stream);
            let message = format!("PSYNC_S2001: the request is larger than {} bytes", self.max_request);
            return vec![Action::Send(frame::error(stream, ErrorCode::Invalid, &message))];
        }
        metadata.extend(&payload.metadata);
        data.extend(&payload.data);
        if payload.follows {
            return Vec::new();
        }
        let (initial, metadata, data) = (*initial, std::mem::take(metadata), std::mem::take(data));
        self.streams.insert(stream, Stream::Open);
        vec![Action::Open { stream, initial, metadata: metadata.into(), data: data.into() }]
    }
}

/// An error of the connection, which ends it.
fn refused(code: ErrorCode, message: &str) -> Vec<Action> {
    vec![Action::Send(frame::error(0, code, message)), Action::Close]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn setup_frame(flags: u16, major: u8, data_type: &str) -> Bytes {
        let mut frame = vec![0, 0, 0, 0];
        frame.extend((0x0500 | flags).to_be_bytes());
        frame.extend([0, major, 0, 0, 0, 0, 0x4e, 0x20, 0, 0, 0x75, 0x30]);
        if flags & 0x80 != 0 {
            frame.extend([0, 1, b'r']);
        }
        for name in ["application/json", data_type] {
            frame.push(u8::try_from(name.len()).unwrap());
            frame.extend(name.as_bytes());
        }
        frame.extend([0, 0, 2]);
        frame.extend(b"{}");
        frame.into()
    }

    fn begun() -> Session {
        let mut session = Session::new(10);
        let actions = session.received(setup_frame(0, 1, "application/bson"));
        assert_eq!(actions, [Action::Check(Bytes::from_static(b"{}"))]);
        session
    }

    fn request(stream: u8, follows: bool, data: &[u8]) -> Bytes {
        let flags = if follows { 0x80 } else { 0 };
        [&[0, 0, 0, stream, 0x18, flags, 0, 0, 0, 2], data].concat().into()
    }

    fn part(stream: u8, follows: bool, data: &[u8]) -> Bytes {
        [&[0, 0, 0, stream, 0x28, if follows { 0x80 } else { 0 }], data].concat().into()
    }

    /// The code of the error that ends the connection.
    fn code(actions: &[Action]) -> Option<u32> {
        match actions {
            [Action::Send(frame), Action::Close] => Some(u32::from_be_bytes(frame[6..10].try_into().unwrap())),
            _ => None,
        }
    }

    #[test]
    fn a_setup_is_agreed_on_or_refused() {
        let agreed = begun().agreed().unwrap();
        assert_eq!((agreed.keep_alive, agreed.lifetime), (Duration::from_secs(20), Duration::from_secs(30)));
        assert_eq!((agreed.metadata, agreed.data), (Format::Json, Format::Bson));
        for (frame, expected) in [
            (setup_frame(0x40, 1, "application/bson"), 2),
            (setup_frame(0x80, 1, "application/bson"), 2),
            (setup_frame(0, 2, "application/bson"), 2),
            (setup_frame(0, 1, "text/plain"), 2),
            (Bytes::from_static(b"\0\0\0\0\x34\0"), 4),
            (request(1, false, b""), 1),
            (Bytes::from_static(b"\0"), 1),
        ] {
            let mut session = Session::new(10);
            assert_eq!(code(&session.received(frame.clone())), Some(expected), "{frame:?}");
            assert!(session.agreed().is_none());
        }
        assert_eq!(code(&begun().received(setup_frame(0, 1, "application/bson"))), Some(0x101));
    }

    #[test]
    fn a_request_can_come_in_parts() {
        let mut session = begun();
        assert_eq!(session.received(request(1, true, b"ab")), []);
        assert_eq!(session.received(Bytes::from_static(b"\0\0\0\x01\x20\0\0\0\0\x05")), []);
        assert_eq!(session.received(part(1, true, b"cd")), []);
        let opened = session.received(part(1, false, b"ef"));
        let data = Bytes::from_static(b"abcdef");
        assert_eq!(opened, [Action::Open { stream: 1, initial: 7, metadata: Bytes::new(), data }]);
        // Too large together: only this stream is refused.
        assert_eq!(session.received(request(3, true, b"12345678")), []);
        let refused = session.received(part(3, false, b"9ab"));
        assert!(matches!(&refused[..], [Action::Send(frame)] if frame.ends_with(b"10 bytes")), "{refused:?}");
        assert_eq!(session.received(part(3, false, b"")), []);
        assert!(!session.is_idle());
        session.ended(1);
        assert!(session.is_idle());
    }

    #[test]
    fn streams_are_granted_and_cancelled() {
        let mut session = begun();
        session.received(request(1, false, b""));
        let more = session.received(Bytes::from_static(b"\0\0\0\x01\x20\0\0\0\0\x05"));
        assert_eq!(more, [Action::Grant { stream: 1, more: 5 }]);
        assert_eq!(session.received(Bytes::from_static(b"\0\0\0\x01\x24\0")), [Action::Cancel(1)]);
        // What was on the way is no error.
        assert_eq!(session.received(Bytes::from_static(b"\0\0\0\x01\x24\0")), []);
        assert_eq!(session.received(Bytes::from_static(b"\0\0\0\x01\x20\0\0\0\0\x05")), []);
        for number in [0, 2, 5] {
            let mut session = begun();
            session.received(request(5, false, b""));
            assert_eq!(code(&session.received(request(number, false, b""))), Some(0x101), "{number}");
        }
        let other = session.received(Bytes::from_static(b"\0\0\0\x07\x10\0"));
        assert!(matches!(&other[..], [Action::Send(_)]), "another kind of request is refused alone");
        let mut many = begun();
        for number in 0..u8::try_from(MAX_STREAMS).unwrap() {
            many.received(request(number * 2 + 1, false, b""));
        }
        assert!(matches!(&many.received(request(203, false, b""))[..], [Action::Send(_)]));
    }

    #[test]
    fn keep_alives_are_answered() {
        let mut session = begun();
        let answer = session.received(Bytes::from_static(b"\0\0\0\0\x0c\x80\0\0\0\0\0\0\0\0hi"));
        assert_eq!(answer, [Action::Send(frame::keep_alive(false, b"hi"))]);
        assert_eq!(session.received(Bytes::from_static(b"\0\0\0\0\x0c\0\0\0\0\0\0\0\0\0hi")), []);
    }

    #[test]
    fn any_messages_are_understood_or_refused() {
        let mut state = 3_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize
        };
        for _ in 0..300 {
            let mut session = begun();
            for _ in 0..200 {
                let mut message: Vec<u8> = (0..random() % 24).map(|_| random() as u8).collect();
                let head = [0, 0, 0, (random() % 6) as u8, ((random() % 16) as u8 * 4) | (random() % 2) as u8];
                for (byte, known) in message.iter_mut().zip(head) {
                    *byte = known;
                }
                session.received(message.into());
            }
            assert!(session.streams.len() <= MAX_STREAMS);
        }
    }
}

//! Opens a replication connection: TLS, authentication, and the command that starts the stream.

use std::io::{ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use pg_connect::{Failure, Target, TlsMode};
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{ChannelBinding, SCRAM_SHA_256, ScramSha256};
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, StreamOwned};

use super::frames::error_fields;

/// How long one write may take.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);

pub(super) enum Socket {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(socket) => socket.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, buffer: &[u8]) -> std::io::Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(buffer),
            Self::Tls(socket) => socket.write(buffer),
        }
    }

    fn flush(&mut self) -> std::io::Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(socket) => socket.flush(),
        }
    }
}

/// A connection, and what was received and not read yet.
pub(super) struct Connection {
    pub(super) socket: Socket,
    buffer: Vec<u8>,
    /// Where the next message begins.
    at: usize,
}

/// A message of the server.
pub(super) struct Answer {
    pub(super) kind: u8,
    pub(super) payload: Vec<u8>,
}

/// What came of reading.
pub(super) enum Received {
    Some,
    /// Nothing in the time that the socket waits.
    Nothing,
}

impl Connection {
    pub(super) fn open(target: &Target, parameters: &[(&str, &str)]) -> Result<Self, Failure> {
        let socket = connect(target)?;
        let mut connection = Self { socket: encrypt(target, socket)?, buffer: Vec::new(), at: 0 };
        connection.send(None, &startup(target, parameters))?;
        connection.authenticate(target)?;
        Ok(connection)
    }

    /// The socket below TLS.
    pub(super) fn tcp(&self) -> &TcpStream {
        match &self.socket {
            Socket::Plain(socket) => socket,
            Socket::Tls(socket) => &socket.sock,
        }
    }

    /// Runs the command that starts the stream.
    pub(super) fn start(&mut self, command: &str) -> Result<(), Failure> {
        self.send(Some(b'Q'), &text(command))?;
        loop {
            let answer = self.answer()?;
            match answer.kind {
                b'W' => return Ok(()),
                b'E' => return Err(refused(&answer.payload)),
                b'Z' => return Err(broken("the server has not started the stream")),
                _ => {}
            }
        }
    }

    /// Sends a message; the first of a connection has no kind.
    fn send(&mut self, kind: Option<u8>, payload: &[u8]) -> Result<(), Failure> {
        let length = u32::try_from(payload.len() + 4).map_err(|_| broken("a message is too long"))?;
        let kind = kind.as_slice();
        self.write(&[kind, &length.to_be_bytes(), payload].concat())
    }

    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.socket.write_all(bytes).and_then(|()| self.socket.flush()).map_err(|error| broken(error.to_string()))
    }

    /// Waits for the next message.
    fn answer(&mut self) -> Result<Answer, Failure> {
        loop {
            if let Some(answer) = self.next()? {
                return Ok(answer);
            }
            if let Received::Nothing = self.receive()? {
                return Err(broken("the server does not answer"));
            }
        }
    }

    /// The next message, if all of it has come.
    pub(super) fn next(&mut self) -> Result<Option<Answer>, Failure> {
        let rest = self.buffer.get(self.at..).unwrap_or_default();
        let Some((&kind, after)) = rest.split_first() else { return Ok(None) };
        let Some((length, after)) = after.split_first_chunk::<4>() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        let length = length.checked_sub(4).ok_or_else(|| broken("a message has no length"))?;
        let Some(payload) = after.get(..length) else { return Ok(None) };
        let payload = payload.to_vec();
        self.at += length + 5;
        Ok(Some(Answer { kind, payload }))
    }

    /// Receives more.
    pub(super) fn receive(&mut self) -> Result<Received, Failure> {
        self.buffer.drain(..self.at);
        self.at = 0;
        let mut chunk = [0; 64 * 1024];
        match self.socket.read(&mut chunk) {
            Ok(0) => Err(broken("the server has closed the connection")),
            Ok(count) => {
                self.buffer.extend_from_slice(chunk.get(..count).unwrap_or_default());
                Ok(Received::Some)
            }
            Err(error) if is_nothing(error.kind()) => Ok(Received::Nothing),
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(Received::Some),
            Err(error) => Err(broken(error.to_string())),
        }
    }

    fn authenticate(&mut self, target: &Target) -> Result<(), Failure> {
        loop {
            let answer = self.answer()?;
            match answer.kind {
                b'R' => self.authentication(target, &answer.payload)?,
                b'E' => return Err(refused(&answer.payload)),
                b'Z' => return Ok(()),
                _ => {}
            }
        }
    }

    fn authentication(&mut self, target: &Target, payload: &[u8]) -> Result<(), Failure> {
        let (code, rest) = payload.split_first_chunk::<4>().ok_or_else(|| broken("a message is cut"))?;
        match u32::from_be_bytes(*code) {
            0 => Ok(()),
            3 => self.send(Some(b'p'), &text(&target.password)),
            5 => {
                let salt = rest.first_chunk::<4>().ok_or_else(|| broken("a message is cut"))?;
                let hash = md5_hash(target.user.as_bytes(), target.password.as_bytes(), *salt);
                self.send(Some(b'p'), &text(&hash))
            }
            10 => self.scram(target, rest),
            _ => Err(setup("the server wants a kind of authentication that is not supported: use scram-sha-256")),
        }
    }

    fn scram(&mut self, target: &Target, mechanisms: &[u8]) -> Result<(), Failure> {
        if !mechanisms.split(|byte| *byte == 0).any(|mechanism| mechanism == SCRAM_SHA_256.as_bytes()) {
            return Err(setup("the server does not offer SCRAM-SHA-256"));
        }
        let wrong = |error: std::io::Error| setup(format!("authentication: {error}"));
        let mut scram = ScramSha256::new(target.password.as_bytes(), ChannelBinding::unsupported());
        let length = u32::try_from(scram.message().len()).unwrap_or_default();
        let first = [text(SCRAM_SHA_256).as_slice(), &length.to_be_bytes(), scram.message()].concat();
        self.send(Some(b'p'), &first)?;
        scram.update(&self.sasl(11)?).map_err(wrong)?;
        let last = scram.message().to_vec();
        self.send(Some(b'p'), &last)?;
        scram.finish(&self.sasl(12)?).map_err(wrong)
    }

    /// The data of a step of the authentication.
    fn sasl(&mut self, step: u32) -> Result<Vec<u8>, Failure> {
        let answer = self.answer()?;
        match (answer.kind, answer.payload.split_first_chunk::<4>()) {
            (b'E', _) => Err(refused(&answer.payload)),
            (b'R', Some((code, data))) if u32::from_be_bytes(*code) == step => Ok(data.to_vec()),
            _ => Err(broken("the server answers something else to an authentication")),
        }
    }
}

fn connect(target: &Target) -> Result<TcpStream, Failure> {
    let addresses = (target.host.as_str(), target.port).to_socket_addrs().map_err(|error| broken(error.to_string()))?;
    let mut last = broken("the name of the server has no address");
    for address in addresses {
        match TcpStream::connect_timeout(&address, target.connect_timeout) {
            Ok(socket) => {
                let set = socket.set_nodelay(true).and_then(|()| socket.set_write_timeout(Some(WRITE_TIMEOUT)));
                let set = set.and_then(|()| socket.set_read_timeout(Some(target.connect_timeout)));
                set.map_err(|error| broken(error.to_string()))?;
                return Ok(socket);
            }
            Err(error) => last = broken(error.to_string()),
        }
    }
    Err(last)
}

fn encrypt(target: &Target, mut socket: TcpStream) -> Result<Socket, Failure> {
    /// Asks whether the server can do TLS.
    const REQUEST: [u8; 8] = [0, 0, 0, 8, 4, 210, 22, 47];
    let Some(config) = target.tls_config().map_err(setup)? else { return Ok(Socket::Plain(socket)) };
    let mut answer = [0];
    let asked = socket.write_all(&REQUEST).and_then(|()| socket.read_exact(&mut answer));
    asked.map_err(|error| broken(error.to_string()))?;
    if answer != *b"S" {
        return match target.tls {
            TlsMode::Disable | TlsMode::Prefer => Ok(Socket::Plain(socket)),
            TlsMode::Require | TlsMode::VerifyFull => Err(setup("the server has no TLS, and sslmode requires it")),
        };
    }
    let name = ServerName::try_from(target.host.clone()).map_err(|_| setup("the host is no name for TLS"))?;
    let mut tls = ClientConnection::new(config, name).map_err(|error| setup(format!("TLS: {error}")))?;
    while tls.is_handshaking() {
        tls.complete_io(&mut socket).map_err(|error| broken(format!("TLS: {error}")))?;
    }
    Ok(Socket::Tls(Box::new(StreamOwned::new(tls, socket))))
}

/// The first message, of protocol version 3.0.
fn startup(target: &Target, parameters: &[(&str, &str)]) -> Vec<u8> {
    let mut payload = vec![0, 3, 0, 0];
    let own = [("user", target.user.as_str()), ("database", target.database.as_str()), ("replication", "database")];
    for (name, value) in own.iter().chain(parameters) {
        payload.extend(text(name));
        payload.extend(text(value));
    }
    payload.push(0);
    payload
}

/// A text that ends with a zero byte.
fn text(text: &str) -> Vec<u8> {
    let mut bytes: Vec<u8> = text.bytes().filter(|byte| *byte != 0).collect();
    bytes.push(0);
    bytes
}

fn is_nothing(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// The server has answered an error.
pub(super) fn refused(payload: &[u8]) -> Failure {
    let (code, message) = error_fields(payload);
    let is_transient = code.as_deref().is_some_and(pg_connect::is_transient_code);
    Failure { code, message, is_transient, is_disconnected: true }
}

/// The connection cannot be used; another one perhaps.
pub(super) fn broken(message: impl Into<String>) -> Failure {
    Failure { code: None, message: message.into(), is_transient: true, is_disconnected: true }
}

/// Somebody has to change something.
fn setup(message: impl Into<String>) -> Failure {
    Failure { code: None, message: message.into(), is_transient: false, is_disconnected: true }
}

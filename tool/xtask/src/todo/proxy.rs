//! Stands between programs and the service, and makes a token expire: the service itself gives none that lives for seconds.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use anyhow::{Context, Result, ensure};

use super::program::LIMIT;
use super::scenario::Request;

pub(super) struct Proxy {
    pub(super) url: String,
    /// Requests of tokens and streams as they come.
    requests: Receiver<Request>,
}

impl Proxy {
    /// The first stream that is opened through it begins with a line that says in how many seconds the token expires.
    pub(super) fn new(service: &str, seconds: u32) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen")?;
        let url = format!("http://{}", listener.local_addr()?);
        let service = service.trim_start_matches("http://").to_owned();
        let (sender, requests) = channel();
        thread::spawn(move || {
            let is_first = Arc::new(AtomicBool::new(true));
            for client in listener.incoming().map_while(Result::ok) {
                // A connection that fails is closed, and the program connects again.
                let _ = connect(client, &service, seconds, &is_first, &sender);
            }
        });
        Ok(Self { url, requests })
    }

    /// Waits for the next request.
    pub(super) fn next_must_be(&self, expected: Request) -> Result<()> {
        let request = self.requests.recv_timeout(LIMIT).with_context(|| format!("no request came: {expected:?}"))?;
        ensure!(request == expected, "{request:?} was requested, not {expected:?}");
        Ok(())
    }
}

fn connect(
    client: TcpStream,
    service: &str,
    seconds: u32,
    is_first: &Arc<AtomicBool>,
    requests: &Sender<Request>,
) -> std::io::Result<()> {
    let server = TcpStream::connect(service)?;
    let (from_client, from_server) = (client.try_clone()?, server.try_clone()?);
    let (is_first, requests) = (Arc::clone(is_first), requests.clone());
    let must_add = Arc::new(AtomicBool::new(false));
    let adds = Arc::clone(&must_add);
    thread::spawn(move || {
        copy(from_client, server, |bytes| {
            let request = String::from_utf8_lossy(&bytes);
            // At the end of a part nobody waits for requests any more.
            if request.contains("GET /dev/token") {
                let _ = requests.send(Request::Token);
            }
            if request.contains("POST /sync/stream") {
                let _ = requests.send(Request::Stream);
                if is_first.swap(false, Ordering::SeqCst) {
                    adds.store(true, Ordering::SeqCst);
                }
            }
            // A line can be put only into a stream that is not compressed.
            request.replace("accept-encoding", "x-not-accepting").into_bytes()
        })
    });
    thread::spawn(move || {
        copy(from_server, client, |bytes| {
            let has_head = bytes.windows(4).any(|end| end == b"\r\n\r\n");
            if has_head && must_add.swap(false, Ordering::SeqCst) { with_line(&bytes, seconds) } else { bytes }
        })
    });
    Ok(())
}

/// Copies until one of the two is closed.
fn copy(mut from: TcpStream, mut to: TcpStream, change: impl Fn(Vec<u8>) -> Vec<u8>) {
    let mut buffer = [0; 65536];
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        if to.write_all(&change(buffer.get(..count).unwrap_or_default().to_vec())).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// The head of an answer, then a line as a chunk, then the rest.
fn with_line(answer: &[u8], seconds: u32) -> Vec<u8> {
    let line = format!("{{\"token_expires_in\":{seconds}}}\n");
    let chunk = format!("{:x}\r\n{line}\r\n", line.len());
    let end = answer.windows(4).position(|end| end == b"\r\n\r\n").map_or(answer.len(), |start| start + 4);
    let (head, rest) = answer.split_at(end);
    [head, chunk.as_bytes(), rest].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_is_the_first_chunk() {
        let answer = with_line(b"HTTP/1.1 200 OK\r\n\r\n2\r\na\n\r\n", 5);
        assert_eq!(answer, b"HTTP/1.1 200 OK\r\n\r\n17\r\n{\"token_expires_in\":5}\n\r\n2\r\na\n\r\n");
    }
}

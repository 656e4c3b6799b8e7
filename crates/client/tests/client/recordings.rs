//! Streams that the published service has sent, fed through the client as a network would.

use std::io::Read;
use std::sync::Mutex;

use bytes::Bytes;
use rowtide_client::{Body, BoxFuture, Client, Encoding, Network, NetworkError, Options, Request, Response};
use rowtide_driver::stream::Line;
use rowtide_testkit::recordings::{Recording, recordings};
use rowtide_testkit::scenario::LineEncoding;
use rusqlite::Connection;

use crate::support::{PATIENCE, impatient};

/// Answers the first request for a stream with a recording in small pieces, and later ones never.
struct Replay(Mutex<Option<Response>>);

impl Network for Replay {
    fn send(&self, request: Request) -> BoxFuture<'static, Result<Response, NetworkError>> {
        assert!(request.url.ends_with("/sync/stream"), "{}", request.url);
        let response = self.0.lock().unwrap().take();
        Box::pin(async {
            match response {
                Some(response) => Ok(response),
                None => std::future::pending().await,
            }
        })
    }
}

struct Pieces {
    bytes: Bytes,
    size: usize,
}

impl Body for Pieces {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, NetworkError>> {
        let piece = self.bytes.split_to(self.size.min(self.bytes.len()));
        Box::pin(async move { Ok((!piece.is_empty()).then_some(piece)) })
    }
}

/// All rows, whichever tables they are in.
fn rows(connection: &Connection) -> Vec<String> {
    let mut statement =
        connection.prepare("SELECT type || ' ' || id || ' ' || data FROM ps_untyped ORDER BY 1").unwrap();
    statement.query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// The rows of a recording whose lines are given to the extension one after another, until it closes the stream.
fn replayed(lines: Vec<Line>) -> Vec<String> {
    let connection = Connection::open_in_memory().unwrap();
    let call = |command: &str, payload: rusqlite::types::Value| -> String {
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        let sql = "SELECT powersync_control(?, ?)";
        let answer = connection.query_row(sql, (command, payload), |row| row.get(0)).unwrap();
        connection.execute_batch("COMMIT").unwrap();
        answer
    };
    connection.execute_batch("BEGIN IMMEDIATE; SELECT powersync_init(); COMMIT").unwrap();
    call("start", rusqlite::types::Value::Null);
    for line in lines {
        let answer = match line {
            Line::Text(text) => call("line_text", text.into()),
            Line::Binary(document) => call("line_binary", document.into()),
        };
        if answer.contains("CloseSyncStream") {
            break;
        }
    }
    rows(&connection)
}

fn through_a_client(recording: &Recording, encoding: LineEncoding, size: usize) -> Option<Vec<String>> {
    let (kind, client_encoding) = match encoding {
        LineEncoding::Text => ("application/x-ndjson", Encoding::Json),
        LineEncoding::Binary => ("application/vnd.powersync.bson-stream", Encoding::Bson),
    };
    let file = recording.file(encoding)?;
    let mut bytes = std::fs::read(&file).unwrap();
    if file.extension().is_some_and(|extension| extension == "gz") {
        let mut plain = Vec::new();
        flate2::read::MultiGzDecoder::new(bytes.as_slice()).read_to_end(&mut plain).unwrap();
        bytes = plain;
    }
    let response = Response {
        status: 200,
        content_type: Some(kind.to_owned()),
        body: Box::new(Pieces { bytes: bytes.into(), size }),
    };
    let folder = tempfile::tempdir().unwrap();
    let options = Options::new(folder.path().join("app.db"), "http://recorded.example")
        .token(|| Ok("token".to_owned()))
        .encoding(client_encoding)
        .timing(impatient())
        .network(Replay(Mutex::new(Some(response))));
    let client = Client::open(options).unwrap();
    client.connect();
    // The stream has ended, or was closed because it continues what this client does not have.
    client.wait_until(|status| status.failures > 0, PATIENCE).unwrap();
    let connection = client.connection().unwrap();
    Some(rows(&connection))
}

#[test]
#[cfg_attr(not(recorded_data), ignore = "needs POWERSYNC_INTEROP_DATA")]
fn recordings_give_the_rows_that_a_replay_gives() {
    rowtide_client::load_extension().unwrap();
    let (mut streams, mut seen) = (0, 0);
    for recording in recordings() {
        for (encoding, size) in [(LineEncoding::Text, 1_000), (LineEncoding::Binary, 777)] {
            let Some(lines) = recording.lines(encoding) else { continue };
            let expected = replayed(lines);
            let found = through_a_client(&recording, encoding, size).unwrap();
            assert_eq!(found, expected, "{} {encoding:?}", recording.name);
            streams += 1;
            seen += found.len();
        }
    }
    assert!(streams > 20 && seen > 1000, "{streams} streams with {seen} rows");
}

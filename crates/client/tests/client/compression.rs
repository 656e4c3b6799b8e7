//! Streams that are compressed: what has arrived is used before the frame is complete, which a stream never is.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;

use flate2::write::GzEncoder;
use rowtide_client::Options;

use crate::support::{Device, impatient};

const SCHEMA: &str = r#"{"tables": [{"name": "lists", "columns": [{"name": "name", "type": "text"}]}]}"#;

const LINES: [&str; 3] = [
    r#"{"checkpoint":{"last_op_id":"1","buckets":[{"bucket":"a","checksum":7,"count":1}],"streams":[]}}"#,
    r#"{"data":{"bucket":"a","data":[{"op_id":"1","op":"PUT","object_type":"lists","object_id":"l1","subkey":"s","checksum":7,"data":"{\"name\":\"one\"}"}]}}"#,
    r#"{"checkpoint_complete":{"last_op_id":"1"}}"#,
];

/// Reads a request: its head.
fn request(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
        head += &line;
    }
    reader.take(length).read_to_end(&mut Vec::new()).unwrap();
    head
}

/// Compresses one line after another, each so that it can be read at once.
trait Encoder {
    fn encode(&mut self, line: &str) -> Vec<u8>;
}

impl Encoder for GzEncoder<Vec<u8>> {
    fn encode(&mut self, line: &str) -> Vec<u8> {
        self.write_all(line.as_bytes()).unwrap();
        self.flush().unwrap();
        std::mem::take(self.get_mut())
    }
}

impl Encoder for zstd::Encoder<'static, Vec<u8>> {
    fn encode(&mut self, line: &str) -> Vec<u8> {
        self.write_all(line.as_bytes()).unwrap();
        self.flush().unwrap();
        std::mem::take(self.get_mut())
    }
}

fn syncs(name: &'static str, mut encoder: Box<dyn Encoder + Send>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (heads, head) = mpsc::channel();
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        heads.send(request(&stream)).unwrap();
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: application/x-ndjson\r\ncontent-encoding: {name}\r\n\
             transfer-encoding: chunked\r\n\r\n"
        );
        stream.write_all(answer.as_bytes()).unwrap();
        for line in LINES {
            let chunk = encoder.encode(&format!("{line}\n"));
            stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes()).unwrap();
            stream.write_all(&[&chunk, b"\r\n".as_slice()].concat()).unwrap();
        }
        // The stream stays open until the client goes.
        let _ = stream.read(&mut [0]);
    });
    let folder = tempfile::tempdir().unwrap();
    let options = Options::new(folder.path().join("app.db"), url)
        .schema(SCHEMA)
        .token(|| Ok("token".to_owned()))
        .timing(impatient());
    let device = Device::open(options).synced();
    assert_eq!(device.text("SELECT name FROM lists"), "one");
    assert!(device.client.status().connected);
    let head = head.recv().unwrap().to_ascii_lowercase();
    let accepts = head.lines().find(|line| line.starts_with("accept-encoding:")).unwrap();
    assert!(accepts.contains(name), "{accepts}");
    device.client.disconnect();
    serving.join().unwrap();
}

#[test]
fn gzip_is_read_as_it_comes() {
    syncs("gzip", Box::new(GzEncoder::new(Vec::new(), flate2::Compression::default())));
}

#[test]
fn zstd_is_read_as_it_comes() {
    syncs("zstd", Box::new(zstd::Encoder::new(Vec::new(), 3).unwrap()));
}

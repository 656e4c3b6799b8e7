//! All scenarios, each on its own file, and closes in the middle of things: what `cargo xtask memcheck` runs under
//! valgrind. It fails like a test if a session does not go as it should.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::PathBuf;

use rowtide_testkit::Host;
use rowtide_testkit::library::repository;
use rowtide_testkit::scenario::{LineEncoding, run};
use serde_json::{Value, json};

fn main() {
    let directory = repository().join("tests/scenarios");
    let mut files: Vec<PathBuf> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    for (index, file) in files.iter().enumerate() {
        let scenario: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let encoding = if index % 2 == 0 { LineEncoding::Text } else { LineEncoding::Binary };
        let directory = tempfile::tempdir().unwrap();
        run(&scenario, encoding, directory.path()).unwrap_or_else(|problem| panic!("{}: {problem}", file.display()));
    }
    close_in_the_middle();
    println!("{} scenarios, and closes in the middle of sessions", files.len());
}

/// Closes connections after errors, in the middle of a checkpoint, of a transaction, and with hooks installed.
fn close_in_the_middle() {
    let schema = json!({ "tables": [{ "name": "lists", "columns": [{ "name": "name", "type": "text" }] }] });
    let row =
        json!({ "op_id": "1", "op": "PUT", "object_type": "lists", "object_id": "l", "checksum": 1, "data": "{}" });
    for stage in 0..6 {
        let host = Host::open_in_memory();
        host.replace_schema(&schema);
        host.value("SELECT powersync_update_hooks('install')");
        host.control("start", ());
        if stage >= 1 {
            host.line(&json!({ "checkpoint": { "last_op_id": "1", "buckets": [{ "bucket": "a", "checksum": 1 }] } }));
        }
        if stage >= 2 {
            host.line(&json!({ "data": { "bucket": "a", "data": [row] } }));
            host.control_error("line_text", "{\"data\":{\"bucket\":\"\\u0061\",\"data\":[{}]}}");
            host.control_error("line_binary", b"\x05\0\0\0".as_slice());
        }
        if stage >= 3 {
            host.execute("BEGIN");
            host.execute("INSERT INTO lists (id, name) VALUES ('w', 'mine')");
            host.error("UPDATE lists SET id = NULL");
        }
        if stage == 4 {
            host.error("SELECT powersync_control('line_text', '{')");
            host.execute("ROLLBACK");
        }
        if stage == 5 {
            host.execute("COMMIT");
        }
        host.try_close().unwrap();
    }
}

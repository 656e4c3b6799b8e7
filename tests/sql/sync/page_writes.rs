//! How many pages SQLite writes and reads when downloaded rows are published, with the cache that SDKs set and with
//! SQLite's default: a page that leaves the cache before all its changes are made is written again and again.

use std::fmt::Write;

use rowtide_driver::pages;
use rowtide_testkit::{Host, invariants};
use serde_json::{Value, json};

/// `PRAGMA cache_size`: 50 MB, and SQLite's default of 2 MB.
const CACHES: [i64; 2] = [-51200, -2000];

const ROWS: usize = 50_000;
const BUCKETS: usize = 10;
const OPERATIONS_PER_LINE: usize = 1000;

/// A client on a file, and a service whose checksums are all 0, as clients only add them up.
struct Client {
    host: Host,
    last_op_id: usize,
    _directory: tempfile::TempDir,
}

/// A random UUID; the same one for a number each time.
fn row_id(number: usize) -> String {
    let mut state = number as u64 ^ 0x9e37_79b9_7f4a_7c15;
    let mut next = || {
        // The finalizer of MurmurHash3.
        state = (state ^ state >> 33).wrapping_mul(0xff51_afd7_ed55_8ccd);
        state = (state ^ state >> 33).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        state ^= state >> 33;
        state
    };
    let (high, low) = (next(), next());
    format!(
        "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
        high >> 32,
        high & 0xffff,
        low >> 52,
        low & 0xfff,
        low >> 4 & 0xffff_ffff_ffff
    )
}

fn table(number: usize) -> &'static str {
    if number.is_multiple_of(4) { "lists" } else { "items" }
}

fn bucket(number: usize) -> String {
    format!("bucket{number}")
}

#[derive(Clone, Copy)]
enum Change {
    Put(&'static str),
    Remove,
}

impl Client {
    /// A client that knows no rows yet.
    fn new(cache: i64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let host = Host::open(directory.path().join("client.db"));
        host.execute(&format!("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA cache_size = {cache}"));
        host.initialize();
        let columns: Vec<Value> = (0..9).map(|column| json!({"name": format!("c{column}"), "type": "text"})).collect();
        host.replace_schema(&json!({"tables": [
            {"name": "items", "columns": columns}, {"name": "lists", "columns": columns},
        ]}));
        host.control("start", ());
        Client { host, last_op_id: 0, _directory: directory }
    }

    /// Downloads a change of each of these rows, in the order in which they come, and gives the pages that are written
    /// when it is published.
    fn publish(&mut self, rows: impl Iterator<Item = usize>, change: Change) -> u64 {
        let rows: Vec<usize> = rows.collect();
        self.host.control("line_text", self.checkpoint(&rows));
        for number in 0..BUCKETS {
            let of_bucket: Vec<usize> = rows.iter().copied().filter(|row| row % BUCKETS == number).collect();
            for rows in of_bucket.chunks(OPERATIONS_PER_LINE) {
                let line = self.data(number, rows, change);
                self.host.control("line_text", line);
            }
        }
        self.complete()
    }

    fn complete(&self) -> u64 {
        let before = pages::written(self.host.connection());
        let complete = format!(r#"{{"checkpoint_complete":{{"last_op_id":"{}"}}}}"#, self.last_op_id);
        let instructions = self.host.control("line_text", complete);
        assert!(instructions.to_string().contains("DidCompleteSync"), "{instructions}");
        pages::written(self.host.connection()) - before
    }

    /// A checkpoint with all buckets, after operations for these rows.
    fn checkpoint(&self, rows: &[usize]) -> String {
        self.checkpoint_of(0..BUCKETS, self.last_op_id + rows.len())
    }

    fn checkpoint_of(&self, buckets: std::ops::Range<usize>, last_op_id: usize) -> String {
        let buckets: Vec<Value> = buckets.map(|number| json!({"bucket": bucket(number), "checksum": 0})).collect();
        json!({"checkpoint": {"last_op_id": last_op_id.to_string(), "buckets": buckets}}).to_string()
    }

    fn data(&mut self, number: usize, rows: &[usize], change: Change) -> String {
        let mut entries = String::new();
        for row in rows {
            self.last_op_id += 1;
            let (separator, op_id) = (if entries.is_empty() { "" } else { "," }, self.last_op_id);
            let (table, id) = (table(*row), row_id(*row));
            let (operation, data) = match change {
                Change::Put(text) => ("PUT", json!(content(*row, text)).to_string()),
                Change::Remove => ("REMOVE", "null".to_owned()),
            };
            write!(
                entries,
                r#"{separator}{{"op_id":"{op_id}","op":"{operation}","object_type":"{table}","object_id":"{id}","checksum":0,"subkey":"{table}/{id}","data":{data}}}"#
            )
            .unwrap();
        }
        format!(r#"{{"data":{{"bucket":"{}","data":[{entries}]}}}}"#, bucket(number))
    }
}

/// About 350 bytes of JSON.
fn content(row: usize, text: &str) -> String {
    let columns: Vec<String> = (0..9).map(|column| format!(r#""c{column}":"{text}{row:025}""#)).collect();
    format!("{{{}}}", columns.join(","))
}

/// `count` rows, scattered over all of them.
fn scattered(count: usize) -> impl Iterator<Item = usize> {
    // A prime number, so that none comes twice.
    (0..count).map(|number| number * 7919 % ROWS)
}

#[track_caller]
fn assert_pages(what: &str, cache: i64, pages: u64, rows: usize, most_per_row: f64) {
    let per_row = pages as f64 / rows as f64;
    println!("{what} with a cache of {cache}: {pages} pages, {per_row:.3} for a row");
    assert!(per_row <= most_per_row, "{what} with a cache of {cache}: {pages} pages, {per_row:.3} for a row");
}

#[test]
fn each_page_is_written_about_once() {
    for cache in CACHES {
        let mut client = Client::new(cache);
        let pages = client.publish(0..ROWS, Change::Put("a"));
        assert_pages("the first rows", cache, pages, ROWS, 0.014);
        let pages = client.publish(scattered(500), Change::Put("b"));
        assert_pages("scattered changes", cache, pages, 500, 2.1);
        let pages = client.publish(scattered(5000), Change::Put("c"));
        assert_pages("many scattered changes", cache, pages, 5000, 1.7);
        let pages = client.publish(scattered(500), Change::Remove);
        assert_pages("scattered removals", cache, pages, 500, 2.7);
        client.host.control("line_text", client.checkpoint_of(0..2, client.last_op_id));
        let pages = client.complete();
        // Their operations are gone before, with a tenth of what those wrote when they had the data.
        assert_pages("rows of removed buckets", cache, pages, ROWS, 0.13);
        invariants::assert_consistent(&client.host);
    }
}

#[test]
fn a_small_bucket_is_published_without_reading_a_large_table() {
    const NEW_ROWS: usize = 150;
    let mut client = Client::new(-2000);
    client.publish(0..ROWS, Change::Put("a"));
    let rows: Vec<usize> = (ROWS..ROWS + NEW_ROWS).collect();
    client.host.control("line_text", client.checkpoint_of(0..BUCKETS + 1, client.last_op_id + NEW_ROWS));
    let line = client.data(BUCKETS, &rows, Change::Put("a"));
    client.host.control("line_text", line);
    // The cache is emptied.
    client.host.execute("PRAGMA shrink_memory");
    let before = pages::read(client.host.connection());
    client.complete();
    let read = pages::read(client.host.connection()) - before;
    println!("{read} pages are read");
    assert!(read <= 3 * NEW_ROWS as u64, "{read} pages were read");
    invariants::assert_consistent(&client.host);
}

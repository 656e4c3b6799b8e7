//! Rows are published in the order of their operations or in that of their ids, depending on how much is pending and on
//! the size of SQLite's cache: what is stored and shown then is the same.

use std::collections::BTreeMap;

use rowtide_testkit::Host;
use rowtide_testkit::invariants::assert_consistent;
use rowtide_testkit::random::Random;
use rowtide_testkit::service::Service;
use serde_json::{Value, json};

/// `PRAGMA cache_size`: one in which the indexes fit, and one in which they never do.
const CACHES: [i64; 2] = [-51200, -1000];

/// Changes per round: few, fewer than a bulk, and enough for one. Of the latter, some meet as many settled operations, some
/// many more.
const CHANGES: [usize; 5] = [3000, 1500, 40, 400, 1200];

/// What is stored, by names and op ids instead of the ids of stored operations, which need not be the same.
const STORED: [&str; 7] = [
    "SELECT id, data FROM ps_data__a ORDER BY id",
    "SELECT id, data FROM ps_data__b ORDER BY id",
    "SELECT type, id, data FROM ps_untyped ORDER BY type, id",
    "SELECT name, last_applied_op, last_op, add_checksum, op_checksum, count_at_last, count_since_last, settled
        FROM ps_buckets ORDER BY name",
    "SELECT bucket.name, op_id, row_type, row_id, subkey,
        coalesce(data, powersync_operation_data(row_type, row_id, ps_operations.id)), hash, removed FROM ps_operations
        JOIN ps_buckets AS bucket ON bucket.id = ps_operations.id >> 34 & 0x3fffff
        ORDER BY bucket.name, op_id",
    // Those whose data are in the row have no entry, which depends on the size of the cache.
    "SELECT entry.row_type, entry.row_id, op_id FROM ps_row_operations AS entry
        JOIN ps_operations AS operation ON operation.id = operation
      UNION ALL SELECT row_type, row_id, op_id FROM ps_operations WHERE data IS NULL AND removed <> 1 ORDER BY 1, 2, 3",
    "SELECT DISTINCT row_type, row_id FROM ps_updated_rows ORDER BY row_type, row_id",
];

/// Clients of one service that receive the same, each with a cache of another size.
struct Clients {
    random: Random,
    service: Service,
    hosts: Vec<Host>,
    /// Up to which operation the buckets were sent.
    sent: BTreeMap<String, i64>,
}

fn host(cache: i64) -> Host {
    let host = Host::open_in_memory();
    host.execute(&format!("PRAGMA cache_size = {cache}"));
    let columns = json!([{"name": "n", "type": "integer"}]);
    let tables = ["a", "b"].map(|name| json!({"name": name, "columns": columns}));
    host.replace_schema(&json!({"tables": tables}));
    host
}

impl Clients {
    fn new(seed: u64) -> Self {
        let mut service = Service::new();
        for priority in 0..4 {
            service.bucket(&format!("bucket{priority}")).priority = priority;
        }
        let hosts: Vec<Host> = CACHES.into_iter().map(host).collect();
        let clients = Self { random: Random::new(seed), service, hosts, sent: BTreeMap::new() };
        clients.connect();
        clients
    }

    fn connect(&self) {
        for host in &self.hosts {
            host.control("start", ());
        }
    }

    fn compare(&self) {
        for sql in STORED {
            let tables: Vec<Value> = self.hosts.iter().map(|host| host.table(sql)).collect();
            if tables[0] != tables[1] {
                let rows = |table: usize| tables[table].as_array().unwrap();
                let only = |table: usize, other: usize| rows(table).iter().find(|row| !rows(other).contains(row));
                panic!("{sql}: {:?} and {:?}", only(0, 1), only(1, 0));
            }
        }
    }

    fn change(&mut self, changes: usize, rows: usize) {
        for _ in 0..changes {
            let bucket = format!("bucket{}", self.random.below(4));
            let row_type = ["a", "b", "unknown"][self.random.below(3)];
            let number = self.random.below(rows);
            // The keys of some rows fill what is sorted at once.
            let row_id = if number.is_multiple_of(5) {
                format!("{}{number}", "long ".repeat(500))
            } else {
                format!("r{number}")
            };
            let subkey = [None, Some("s"), Some("t")][self.random.below(3)];
            if self.random.chance(75) {
                let data = json!({"n": self.random.below(5)}).to_string();
                self.service.put_text(&bucket, row_type, &row_id, subkey, &data);
            } else {
                self.service.remove_subkey(&bucket, row_type, &row_id, subkey);
            }
        }
        let bucket = format!("bucket{}", self.random.below(4));
        match self.random.below(6) {
            0 => self.service.compact(&bucket),
            1 => self.service.clear_start(&bucket),
            2 => {
                let priority = self.service.buckets.remove(&bucket).map_or(3, |bucket| bucket.priority);
                self.sent.remove(&bucket);
                self.service.bucket(&bucket).priority = priority;
                // The client is to notice that it is another one: a checkpoint without it.
                let kept = self.service.buckets.remove(&bucket);
                self.sync();
                self.service.buckets.extend(kept.map(|kept| (bucket, kept)));
            }
            3 => {
                for host in &self.hosts {
                    host.control("stop", ());
                    host.transaction("SELECT powersync_trigger_resync(0)", []);
                }
                self.connect();
            }
            _ => {}
        }
    }

    fn feed(&self, line: &Value) {
        let line = line.to_string();
        for host in &self.hosts {
            let told = host.control("line_text", line.as_str()).to_string();
            let warns = told.matches("WARNING").count() > told.matches("rows of type unknown").count();
            assert!(!warns && !told.contains("CloseSyncStream"), "{line:.300} gave {told}");
        }
    }

    /// Sends a checkpoint, and compares what is stored after each of its parts.
    fn sync(&mut self) {
        self.feed(&self.service.checkpoint());
        for priority in 0..4 {
            let names: Vec<String> = self
                .service
                .buckets
                .iter()
                .filter(|(_, bucket)| bucket.priority == priority)
                .map(|(name, _)| name.clone())
                .collect();
            for name in names {
                let after = self.sent.insert(name.clone(), self.service.last_op_id).unwrap_or(0);
                self.feed(&self.service.data(&name, after));
            }
            let is_last = priority == 3;
            let line = if is_last { self.service.complete() } else { self.service.partial_complete(priority) };
            self.feed(&line);
            self.compare();
        }
        self.hosts.iter().for_each(assert_consistent);
        let shown = "SELECT 'a', id, data FROM ps_data__a UNION ALL SELECT 'b', id, data FROM ps_data__b
            UNION ALL SELECT type, id, data FROM ps_untyped ORDER BY 1, 2";
        let expected = self.service.rows().into_iter().map(|((row_type, id), data)| json!([row_type, id, data]));
        assert_eq!(self.hosts[0].table(shown), Value::from_iter(expected));
    }
}

#[test]
fn random_sessions_are_stored_alike() {
    for seed in 0..4 {
        let mut clients = Clients::new(seed);
        for changes in CHANGES {
            clients.change(changes, if seed % 2 == 0 { 300 } else { 3000 });
            clients.sync();
        }
    }
}

#[test]
fn more_changes_than_are_collected_at_once() {
    const ROWS: usize = 27_000;
    let mut clients = Clients::new(1);
    for number in 0..ROWS {
        let bucket = format!("bucket{}", number % 4);
        clients.service.put_text(&bucket, "a", &format!("r{number}"), None, "{}");
    }
    clients.sync();
    // Two changes for each: the older operation goes, and the REMOVE.
    for number in (0..ROWS).filter(|number| number % 100 != 0) {
        clients.service.remove(&format!("bucket{}", number % 4), "a", &format!("r{number}"));
    }
    clients.sync();
    assert_eq!(clients.hosts[1].value("SELECT count(*) FROM ps_operations"), ROWS / 100);
}

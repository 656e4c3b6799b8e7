//! Random sync sessions against the model service: whatever is stored, superseded, removed, compacted, moved between
//! buckets, interrupted, delivered twice or carried through an older on-disk format, a complete checkpoint shows
//! exactly what the service has.

use std::collections::BTreeMap;

use rowtide_testkit::Host;
use rowtide_testkit::invariants::assert_consistent;
use rowtide_testkit::random::Random;
use rowtide_testkit::service::Service;
use serde_json::{Value, json};

/// Sessions run by the test; each is a seed.
const SESSIONS: u64 = 150;
/// One in this many sessions is a large one.
const LARGE_SESSIONS: u64 = 25;
/// Changes per round at most, in small and large sessions. Large ones publish by walking all rows.
const CHANGES: (usize, usize) = (12, 4000);
/// Rounds of changes and syncing in a session.
const ROUNDS: usize = 12;

/// A client with its connection to the service.
struct Session {
    random: Random,
    service: Service,
    host: Host,
    /// Up to which operation the service sent each bucket on this connection.
    sent: BTreeMap<String, i64>,
    /// The buckets of the checkpoint sent last on this connection, by name with what was said of them; None before.
    announced: Option<BTreeMap<String, Value>>,
    next_bucket: usize,
    changes: usize,
}

impl Session {
    fn new(seed: u64) -> Self {
        let host = Host::open_in_memory();
        let columns = json!([{"name": "n", "type": "integer"}]);
        let tables = ["a", "b"].map(|name| json!({"name": name, "columns": columns}));
        host.replace_schema(&json!({"tables": tables}));
        let random = Random::new(seed);
        let mut session = Self {
            random,
            service: Service::new(),
            host,
            sent: BTreeMap::new(),
            announced: None,
            next_bucket: 0,
            changes: CHANGES.0,
        };
        if seed.is_multiple_of(LARGE_SESSIONS) {
            session.changes = CHANGES.1;
        }
        for _ in 0..3 {
            session.add_bucket();
        }
        session
    }

    fn add_bucket(&mut self) {
        self.next_bucket += 1;
        let priority = self.random.below(4) as i64;
        self.service.bucket(&format!("bucket{}", self.next_bucket)).priority = priority;
    }

    fn any_bucket(&mut self) -> String {
        let index = self.random.below(self.service.buckets.len());
        self.service.buckets.keys().nth(index).unwrap().clone()
    }

    fn change(&mut self) {
        for _ in 0..self.random.below(self.changes) {
            let bucket = self.any_bucket();
            let row_type = ["a", "b", "unknown"][self.random.below(3)];
            let row_id = ["1", "2", "3", "4", "x/y"][self.random.below(5)];
            let subkey = [None, Some("s"), Some("t")][self.random.below(3)];
            if self.random.chance(70) {
                let n = self.random.below(4);
                self.service.put_text(&bucket, row_type, row_id, subkey, &json!({"id": row_id, "n": n}).to_string());
            } else {
                self.service.remove_subkey(&bucket, row_type, row_id, subkey);
            }
        }
        let bucket = self.any_bucket();
        match self.random.below(20) {
            0..3 => self.service.compact(&bucket),
            3..6 => self.service.clear_start(&bucket),
            6 if self.service.buckets.len() > 1 => {
                self.service.buckets.remove(&bucket);
            }
            7 | 8 => self.add_bucket(),
            9 => self.rename(&bucket),
            _ => {}
        }
    }

    /// A new definition: the same rows under another bucket name, with other operation ids and subkeys.
    fn rename(&mut self, bucket: &str) {
        let old = self.service.buckets.remove(bucket).unwrap();
        self.next_bucket += 1;
        let name = format!("bucket{}", self.next_bucket);
        self.service.bucket(&name).priority = old.priority;
        for operation in rowtide_testkit::service::current(&old.operations) {
            if let rowtide_testkit::service::Action::Put(data) = &operation.action {
                self.service.put_text(&name, &operation.row_type, &operation.row_id, Some("renamed"), data);
            }
        }
    }

    fn feed(&mut self, line: &Value) -> Value {
        let result = self.host.control("line_text", line.to_string());
        let text = result.to_string();
        let warns = text.matches("WARNING").count() > text.matches("rows of type unknown").count();
        assert!(!warns && !text.contains("CloseSyncStream"), "{line} gave {text}");
        result
    }

    fn connect(&mut self) {
        if self.random.chance(10) {
            // Another library took the file back and forth.
            self.host.control("stop", ());
            self.host.transaction("SELECT powersync_test_migration(14)", []);
            self.host.transaction("SELECT powersync_init()", []);
        }
        let instructions = self.host.control("start", ());
        let request = instructions.as_array().unwrap().iter().find_map(|i| i.get("EstablishSyncStream")).unwrap();
        self.sent.clear();
        for bucket in request["request"]["buckets"].as_array().unwrap() {
            let after = bucket["after"].as_str().unwrap().parse().unwrap();
            self.sent.insert(bucket["name"].as_str().unwrap().to_owned(), after);
        }
        self.announced = None;
    }

    /// The line that announces the service's present state.
    fn announce(&mut self) {
        let line = self.service.checkpoint();
        let described = line["checkpoint"]["buckets"].as_array().unwrap();
        let now: BTreeMap<String, Value> =
            described.iter().map(|bucket| (bucket["bucket"].as_str().unwrap().to_owned(), bucket.clone())).collect();
        let line = match &self.announced {
            None => line,
            Some(before) => {
                let updated: Vec<&str> = now
                    .iter()
                    .filter(|(name, bucket)| before.get(*name) != Some(bucket))
                    .map(|(name, _)| name.as_str())
                    .collect();
                let removed: Vec<&str> =
                    before.keys().filter(|name| !now.contains_key(*name)).map(String::as_str).collect();
                self.service.checkpoint_diff(&updated, &removed)
            }
        };
        self.sent.retain(|name, _| now.contains_key(name));
        self.announced = Some(now);
        self.feed(&line);
    }

    /// Sends the data of the buckets of one priority, in random pieces. False if the connection breaks on the way.
    fn send_data(&mut self, priority: i64, may_break: bool) -> bool {
        let buckets: Vec<String> =
            self.service.buckets.iter().filter(|(_, b)| b.priority == priority).map(|(name, _)| name.clone()).collect();
        for bucket in buckets {
            let after = self.sent.get(&bucket).copied().unwrap_or(0);
            let mut line = self.service.data(&bucket, after);
            let entries = line["data"]["data"].as_array().unwrap().clone();
            let mut rest = entries.as_slice();
            while !rest.is_empty() {
                if may_break && self.random.chance(5) {
                    return false;
                }
                let (piece, remaining) = rest.split_at(1 + self.random.below(rest.len()));
                rest = remaining;
                line["data"]["data"] = piece.into();
                self.feed(&line);
                if self.random.chance(5) {
                    self.feed(&line);
                }
                let last = piece.last().unwrap()["op_id"].as_str().unwrap().parse().unwrap();
                self.sent.insert(bucket.clone(), last);
            }
        }
        true
    }

    /// Syncs to the service's present state. False if the connection broke on the way.
    fn sync(&mut self, may_break: bool) -> bool {
        if self.announced.is_none() || self.random.chance(25) {
            self.connect();
        }
        self.announce();
        for priority in 0..4 {
            if !self.send_data(priority, may_break) {
                if self.random.chance(50) {
                    self.announced = None;
                }
                return false;
            }
            if priority < 3 && self.random.chance(60) {
                let line = self.service.partial_complete(priority);
                self.feed(&line);
            }
        }
        let line = self.service.complete();
        let result = self.feed(&line);
        assert!(result.to_string().contains("DidCompleteSync"), "{result}");
        for name in self.service.buckets.keys() {
            self.sent.insert(name.clone(), self.service.last_op_id);
        }
        true
    }

    fn shown(&self) -> BTreeMap<(String, String), String> {
        let rows = self.host.rows(
            "SELECT 'a', id, data FROM ps_data__a UNION ALL SELECT 'b', id, data FROM ps_data__b
             UNION ALL SELECT type, id, data FROM ps_untyped",
        );
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        rows.iter().map(|row| ((text(&row[0]), text(&row[1])), text(&row[2]))).collect()
    }
}

fn run(seed: u64) {
    let mut session = Session::new(seed);
    for _ in 0..ROUNDS {
        session.change();
        if session.random.chance(20) {
            // As many operations as end a region, without their number.
            session.host.execute("UPDATE ps_checkpoint SET region_size = 1 << 40");
        }
        if session.sync(true) {
            assert_eq!(session.shown(), session.service.rows());
            assert_consistent(&session.host);
        }
    }
    // Whatever was interrupted, the next undisturbed checkpoint shows everything.
    assert!(session.sync(false));
    assert_eq!(session.shown(), session.service.rows());
    assert_consistent(&session.host);
}

#[test]
fn complete_checkpoints_show_what_the_service_has() {
    for seed in 1..=SESSIONS {
        let outcome = std::panic::catch_unwind(|| run(seed));
        assert!(outcome.is_ok(), "seed {seed}");
    }
}

//! Local writes of a client, their uploads, and how the client learns that they have arrived.

use rowtide_testkit::random::Random;
use serde_json::Value as Json;

use crate::client::Client;
use crate::world::{Change, Row, World, columns};

/// Where a client is between its writes and their acknowledgement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Uploads {
    /// Where the iteration wants to count checkpoint requests from, until the service was asked.
    pub(crate) seed: Option<i64>,
    /// Whether the counter of checkpoint requests is known.
    pub(crate) is_seeded: bool,
    pub(crate) asked: Asked,
    pub(crate) uploaded: u64,
}

/// What the service was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Asked {
    #[default]
    Nothing,
    /// Where to count from.
    Seed { seed: i64 },
    /// A checkpoint, after so many queued entries.
    Checkpoint { sequence: i64 },
}

/// A local write is not uploaded, or not acknowledged.
const UNKNOWN: i64 = i64::MAX;

impl Client {
    /// Writes some rows locally.
    pub(crate) fn write(&mut self, random: &mut Random) {
        let shown = self.shown();
        let mut statements = String::from("BEGIN IMMEDIATE;");
        for _ in 0..1 + random.below(3) {
            let table = ["lists", "todos", "members"][random.below(3)];
            let id = format!("{}{}", &table[..1], random.below(10));
            let key = (table, id.clone());
            let [first, second] = match table {
                "lists" => [("owner", user(random)), ("name", word(random))],
                "todos" => [("list_id", list(random)), ("text", word(random))],
                _ => [("list_id", list(random)), ("user_id", user(random))],
            };
            let is_there = shown.contains_key(&key) && !self.written.contains(&key);
            statements.push_str(&match random.below(4) {
                0 if is_there => format!("DELETE FROM {table} WHERE id = '{id}';"),
                _ if is_there => format!("UPDATE {table} SET {} = '{}' WHERE id = '{id}';", second.0, second.1),
                _ if self.written.contains(&key) => continue,
                _ => format!(
                    "INSERT INTO {table}(id, {}, {}) VALUES ('{id}', '{}', '{}');",
                    first.0, second.0, first.1, second.1
                ),
            });
            self.written.insert(key);
        }
        statements.push_str("COMMIT");
        self.host.execute(&statements);
    }

    /// Uploads the oldest transaction; sometimes the answer is lost, and it is uploaded again later.
    pub(crate) fn upload(&mut self, world: &mut World, is_answer_lost: bool) -> bool {
        let entries = self.host.rows(
            "SELECT id, data FROM ps_crud WHERE tx_id = (SELECT tx_id FROM ps_crud ORDER BY id LIMIT 1) ORDER BY id",
        );
        let Some(last) = entries.last().map(|entry| entry[0].as_i64().expect("a number")) else { return false };
        let mut changes = Vec::new();
        for entry in &entries {
            let entry: Json = serde_json::from_str(entry[1].as_str().expect("text")).expect("JSON");
            changes.extend(change(&entry, world, &changes));
        }
        self.own = world.commit(&changes);
        if !is_answer_lost {
            self.host.transaction(&format!("DELETE FROM ps_crud WHERE id <= {last}"), ());
            self.uploads.uploaded += 1;
        }
        true
    }

    fn number(&self, sql: &str) -> Option<i64> {
        self.host.value(sql).as_i64()
    }

    /// How many entries were ever queued.
    fn sequence(&self) -> i64 {
        self.number("SELECT seq FROM sqlite_sequence WHERE name = 'ps_crud'").unwrap_or(0)
    }

    fn is_queue_empty(&self) -> bool {
        self.number("SELECT EXISTS (SELECT 1 FROM ps_crud)") == Some(0)
    }

    /// Whether local writes wait for anything.
    pub(crate) fn is_uploading(&self) -> bool {
        let waits =
            "SELECT EXISTS (SELECT 1 FROM ps_kv WHERE key = 'target_checkpoint_request_id' AND value > coalesce(
            (SELECT value FROM ps_kv WHERE key = 'last_seen_checkpoint_request_id'), 0))";
        !self.is_queue_empty() || self.uploads.asked != Asked::Nothing || self.number(waits) == Some(1)
    }

    /// Whether the service is to be asked where to count from.
    pub(crate) fn wants_seed(&mut self) -> Option<i64> {
        if self.uploads.asked != Asked::Nothing || !self.is_iterating {
            return None;
        }
        let seed = self.uploads.seed.take()?;
        self.uploads.asked = Asked::Seed { seed };
        Some(seed)
    }

    /// Whether the service is to be asked for a checkpoint that has all writes; with which id, if the client counts.
    pub(crate) fn wants_checkpoint(&mut self) -> Option<Option<i64>> {
        let target = "SELECT value FROM ps_kv WHERE key = 'target_checkpoint_request_id'";
        let is_unknown = self.host.value(target).as_i64() == Some(UNKNOWN);
        if self.uploads.asked != Asked::Nothing || !is_unknown || !self.is_queue_empty() {
            return None;
        }
        let sequence = self.sequence();
        let id = if self.setup.has_requests {
            if !self.is_iterating || !self.uploads.is_seeded {
                return None;
            }
            Some(self.host.control("next_checkpoint_request_id", ()).as_i64().expect("an id"))
        } else {
            None
        };
        self.uploads.asked = Asked::Checkpoint { sequence };
        Some(id)
    }

    /// The service has answered; none if it could not.
    pub(crate) fn answered(&mut self, answer: Option<i64>) {
        let asked = std::mem::take(&mut self.uploads.asked);
        let Some(id) = answer else {
            if let Asked::Seed { seed } = asked {
                self.uploads.seed = Some(seed);
            }
            return;
        };
        match asked {
            Asked::Nothing => {}
            Asked::Seed { .. } if self.is_iterating => {
                self.host.control("seed_checkpoint_request_id", id);
                self.uploads.is_seeded = true;
            }
            Asked::Seed { .. } => {}
            Asked::Checkpoint { sequence } => {
                if !self.is_queue_empty() || self.sequence() != sequence {
                    return;
                }
                self.host.control("target_checkpoint_request_id", id);
                if self.is_iterating {
                    self.control("completed_upload", ());
                }
            }
        }
    }
}

/// What an uploaded entry changes in the source: nothing if it updates a row that is gone.
fn change(entry: &Json, world: &World, earlier: &[Change]) -> Option<Change> {
    let name = entry["type"].as_str().expect("a table");
    let (table, _) = crate::world::TABLES.into_iter().find(|(table, _)| *table == name).expect("a table of the source");
    let id = entry["id"].as_str().expect("an id").to_owned();
    let is_same = |change: &&Change| match change {
        Change::Put { table: other, row, .. } => *other == table && row["id"] == id.as_str(),
        Change::Delete { table: other, id: its } => *other == table && *its == id,
        _ => false,
    };
    let before = match earlier.iter().rev().find(is_same) {
        Some(Change::Put { row, .. }) => Some(row.clone()),
        Some(_) => None,
        None => world.now()[table].get(&id).cloned(),
    };
    let mut row: Row = match entry["op"].as_str() {
        Some("PUT") => Row::from([("id", Json::from(id))]),
        Some("PATCH") => before?,
        _ => return before.map(|_| Change::Delete { table, id }),
    };
    for (name, value) in entry["data"].as_object().into_iter().flatten() {
        let column = columns(table).iter().find(|column| *column == name).expect("a column of the source");
        match value {
            Json::Null => drop(row.remove(column)),
            value => drop(row.insert(column, value.clone())),
        }
    }
    Some(Change::Put { table, row, unsent: Vec::new() })
}

pub(crate) const USERS: [&str; 3] = ["ann", "bob", "cas"];

pub(crate) fn user(random: &mut Random) -> String {
    USERS[random.below(3)].to_owned()
}

pub(crate) fn list(random: &mut Random) -> String {
    format!("l{}", random.below(10))
}

pub(crate) fn word(random: &mut Random) -> String {
    let words = ["red", "blue", "a longer text than the others, so that it looks large", ""];
    words[random.below(4)].to_owned()
}

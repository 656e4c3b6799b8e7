//! The source: rows of about 200 bytes, each in one bucket, and members who see buckets.

use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Result;
use cpu_time::ProcessTime;
use fastrand::Rng;
use rusqlite::{Connection, params};

use crate::Stage;

/// Each group is a bucket.
pub(crate) const CONFIG: &str = "
config: {edition: 3}
streams:
  items:
    auto_subscribe: true
    query: SELECT * FROM items WHERE group_id IN (SELECT group_id FROM members WHERE user_id = auth.user_id())
";

const TABLES: &str = "
CREATE TABLE items(
    id TEXT PRIMARY KEY, group_id TEXT NOT NULL, title TEXT, note TEXT, done INTEGER, created_at TEXT
);
CREATE TABLE members(id TEXT PRIMARY KEY, user_id TEXT NOT NULL, group_id TEXT NOT NULL);
";

/// Sees all groups.
pub(crate) const ALL: &str = "all";

/// Sees a tenth of the groups.
pub(crate) const SOME: &str = "some";

/// The source's file, and what is in it.
pub(crate) struct Data {
    pub(crate) path: PathBuf,
    pub(crate) connection: Connection,
    /// Ids of rows, in random order.
    pub(crate) ids: Vec<String>,
    pub(crate) groups: usize,
    random: Rng,
}

/// A user who sees one group.
pub(crate) fn user_of(group: usize) -> String {
    format!("user-{group}")
}

pub(crate) fn group_id(group: usize) -> String {
    format!("group-{group}")
}

/// The two rows of a group that are always written together.
pub(crate) fn pair_of(group: usize) -> [String; 2] {
    [format!("pair-{group}-a"), format!("pair-{group}-b")]
}

/// Now, in µs since 1970.
pub(crate) fn now() -> u64 {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl Data {
    /// Writes the rows of the beginning.
    pub(crate) fn create(stage: &Stage<'_>) -> Result<Self> {
        let path = stage.folder.path().join("source.db");
        let connection = Connection::open(&path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "NORMAL")?;
        connection.execute_batch(TABLES)?;
        let groups = stage.scaled(1000, 20).min(1000);
        let mut data = Self { path, connection, ids: Vec::new(), groups, random: Rng::with_seed(7) };
        data.connection.execute_batch("BEGIN")?;
        for group in 0..groups {
            data.add_group(group)?;
        }
        // The pairs count, too.
        for _ in 0..stage.scaled(200_000, 1000).saturating_sub(2 * groups) {
            data.insert()?;
        }
        data.connection.execute_batch("COMMIT")?;
        Ok(data)
    }

    /// How many rows there were at the beginning, apart from members.
    pub(crate) fn count(&self) -> usize {
        self.ids.len() + 2 * self.groups
    }

    fn add_group(&mut self, group: usize) -> Result<()> {
        let mut users = vec![ALL.to_owned(), user_of(group)];
        if group < self.groups / 10 {
            users.push(SOME.to_owned());
        }
        let name = group_id(group);
        for user in users {
            let id = format!("{user}-{group}");
            self.connection.prepare_cached("INSERT INTO members VALUES (?1, ?2, ?3)")?.execute((id, user, &name))?;
        }
        for id in pair_of(group) {
            self.write(&id, &name)?;
        }
        Ok(())
    }

    /// A new row of a random group.
    pub(crate) fn insert(&mut self) -> Result<()> {
        let id = uuid(&mut self.random);
        let group = group_id(self.random.usize(..self.groups));
        self.write(&id, &group)?;
        self.ids.push(id);
        Ok(())
    }

    fn write(&mut self, id: &str, group: &str) -> Result<()> {
        let (title, note) = (text(&mut self.random, 20), text(&mut self.random, 45));
        let mut insert = self.connection.prepare_cached("INSERT INTO items VALUES (?1, ?2, ?3, ?4, ?5, ?6)")?;
        insert.execute(params![id, group, title, note, 0, "2026-01-02T03:04:05.678Z"])?;
        Ok(())
    }

    /// Changes a row that was written as number `index`.
    pub(crate) fn update(&mut self, index: usize, done: i64) -> Result<()> {
        let id = self.ids.get(index % self.ids.len().max(1));
        self.connection.prepare_cached("UPDATE items SET done = ?2 WHERE id = ?1")?.execute((id, done))?;
        Ok(())
    }

    /// CPU time of SQLite for copying all rows into another file with one statement, and for reading them with one.
    pub(crate) fn copy(&self, stage: &Stage<'_>) -> Result<(Duration, Duration)> {
        let path = stage.folder.path().join("copy.db");
        let connection = Connection::open(&self.path)?;
        connection.execute("ATTACH ?1 AS copy", [path.to_string_lossy()])?;
        connection.execute_batch(
            "PRAGMA copy.journal_mode = WAL; PRAGMA cache_size = -65536; PRAGMA copy.cache_size = -65536;
            CREATE TABLE copy.items(id TEXT PRIMARY KEY, group_id, title, note, done, created_at);",
        )?;
        let watch = ProcessTime::now();
        connection.execute_batch("INSERT INTO copy.items SELECT * FROM main.items")?;
        let copied = watch.elapsed();
        let watch = ProcessTime::now();
        let read =
            "SELECT sum(length(id) + length(group_id) + length(title) + length(note) + done + length(created_at))
            FROM copy.items";
        connection.query_row(read, [], |row| row.get::<_, i64>(0))?;
        let read = watch.elapsed();
        drop(connection);
        std::fs::remove_file(path)?;
        Ok((copied, read))
    }
}

/// Some words.
pub(crate) fn text(random: &mut Rng, length: usize) -> String {
    std::iter::repeat_with(|| if random.u8(..6) == 0 { ' ' } else { random.lowercase() }).take(length).collect()
}

pub(crate) fn uuid(random: &mut Rng) -> String {
    let hex = format!("{:032x}", random.u128(..));
    let mut id = String::with_capacity(36);
    for (at, digit) in hex.chars().enumerate() {
        if [8, 12, 16, 20].contains(&at) {
            id.push('-');
        }
        id.push(digit);
    }
    id
}

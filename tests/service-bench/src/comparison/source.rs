//! The PostgreSQL database that both services replicate from.

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use pg_connect::Target;
use pg_connect::postgres::{Client, Statement};

use crate::Stage;
use crate::data::{ALL, group_id, text, user_of, uuid};

const TABLES: &str = "
CREATE TABLE IF NOT EXISTS items(
    id TEXT PRIMARY KEY, group_id TEXT NOT NULL, title TEXT, note TEXT, done INTEGER, created_at TEXT
);
CREATE TABLE IF NOT EXISTS members(id TEXT PRIMARY KEY, user_id TEXT NOT NULL, group_id TEXT NOT NULL);
";

pub(super) struct Source {
    client: Client,
    insert: Statement,
    update: Statement,
    random: Rng,
    pub(super) groups: usize,
    ids: Vec<String>,
    marks: usize,
}

impl Source {
    /// Connects, and makes the tables, and the publication that both services use.
    pub(super) fn open(url: &str) -> Result<Self> {
        let target = Target::parse(url).map_err(anyhow::Error::msg)?;
        let mut client = target.connect("rowtide-service-bench").context("connecting to the database of --source")?;
        client.batch_execute(TABLES).context("making the tables")?;
        let known = client.query_opt("SELECT FROM pg_publication WHERE pubname = 'powersync'", &[])?;
        if known.is_none() {
            client.batch_execute("CREATE PUBLICATION powersync FOR ALL TABLES")?;
        }
        let (insert, update) = (client.prepare(INSERT)?, client.prepare(UPDATE)?);
        Ok(Self { client, insert, update, random: Rng::with_seed(7), groups: 0, ids: Vec::new(), marks: 0 })
    }

    /// Writes the rows of the beginning.
    pub(super) fn fill(&mut self, stage: &Stage<'_>) -> Result<()> {
        let rows: i64 =
            self.client.query_one("SELECT (SELECT count(*) FROM items) + (SELECT count(*) FROM members)", &[])?.get(0);
        ensure!(rows == 0, "the tables items and members have {rows} rows: compare with an empty database");
        self.groups = stage.scaled(1000, 20).min(1000);
        let mut transaction = self.client.transaction()?;
        for group in 0..self.groups {
            for user in [ALL.to_owned(), user_of(group)] {
                let row = [format!("{user}-{group}"), user, group_id(group)];
                transaction.execute("INSERT INTO members VALUES ($1, $2, $3)", &[&row[0], &row[1], &row[2]])?;
            }
        }
        transaction.commit()?;
        let count = stage.scaled(200_000, 1000);
        (0..count / 1000).try_for_each(|_| self.write(1000, 0))
    }

    /// How many items there are.
    pub(super) fn count(&self) -> usize {
        self.ids.len() + self.marks
    }

    /// Inserts and changes as many rows each, in one transaction.
    pub(super) fn write(&mut self, inserts: usize, updates: usize) -> Result<()> {
        let changed: Vec<String> = if self.ids.is_empty() {
            Vec::new()
        } else {
            (0..updates).filter_map(|_| self.ids.get(self.random.usize(..self.ids.len())).cloned()).collect()
        };
        let [mut ids, mut groups, mut titles, mut notes] = [(); 4].map(|()| Vec::with_capacity(inserts));
        for _ in 0..inserts {
            ids.push(uuid(&mut self.random));
            groups.push(group_id(self.random.usize(..self.groups.max(1))));
            titles.push(text(&mut self.random, 20));
            notes.push(text(&mut self.random, 45));
        }
        let mut transaction = self.client.transaction()?;
        transaction.execute(&self.insert, &[&ids, &groups, &titles, &notes])?;
        if !changed.is_empty() {
            transaction.execute(&self.update, &[&changed])?;
        }
        transaction.commit()?;
        self.ids.extend(ids);
        Ok(())
    }

    /// Has the database wait for its disk after each transaction, or not: what is measured is how fast others follow many of
    /// them, and not how fast it is.
    pub(super) fn sync_each(&mut self, is_synced: bool) -> Result<()> {
        let setting = if is_synced { "on" } else { "off" };
        Ok(self.client.batch_execute(&format!("SET synchronous_commit = {setting}"))?)
    }

    /// Writes a row that all clients see, with this note, and gives its id.
    pub(super) fn mark(&mut self, note: &str) -> Result<String> {
        self.marks += 1;
        let id = format!("mark-{}", self.marks);
        self.client.execute("INSERT INTO items VALUES ($1, $2, '', $3, 0, '')", &[&id, &group_id(0), &note])?;
        Ok(id)
    }
}

const INSERT: &str = "INSERT INTO items
    SELECT id, group_id, title, note, 0, '2026-01-02T03:04:05.678Z'
    FROM unnest($1::text[], $2::text[], $3::text[], $4::text[]) AS t(id, group_id, title, note)";

const UPDATE: &str = "UPDATE items SET done = done + 1 WHERE id = ANY($1::text[])";

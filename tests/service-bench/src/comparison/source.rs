//! The PostgreSQL database that both services replicate from.

use anyhow::{Context, Result, ensure};
use fastrand::Rng;
use pg_connect::Target;
use pg_connect::postgres::{Client, Statement, Transaction};

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
    random: Rng,
    pub(super) groups: usize,
    ids: Vec<String>,
    marks: usize,
}

impl Source {
    pub(super) fn connect(url: &str) -> Result<Self> {
        let target = Target::parse(url).map_err(anyhow::Error::msg)?;
        let client = target.connect("rowtide-service-bench").context("connecting to the database of --source")?;
        Ok(Self { client, random: Rng::with_seed(7), groups: 0, ids: Vec::new(), marks: 0 })
    }

    /// Makes the tables, and the publication that both services use.
    pub(super) fn prepare(&mut self) -> Result<()> {
        self.client.batch_execute(TABLES).context("making the tables")?;
        let known = self.client.query_opt("SELECT FROM pg_publication WHERE pubname = 'powersync'", &[])?;
        if known.is_none() {
            self.client.batch_execute("CREATE PUBLICATION powersync FOR ALL TABLES")?;
        }
        Ok(())
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
        let statement = transaction.prepare(INSERT)?;
        for _ in 0..stage.scaled(200_000, 1000) {
            self.ids.push(insert(&mut transaction, &statement, &mut self.random, self.groups)?);
        }
        transaction.commit()?;
        Ok(())
    }

    /// How many items there are.
    pub(super) fn count(&self) -> usize {
        self.ids.len() + self.marks
    }

    /// A transaction that inserts and changes as many rows each.
    pub(super) fn write(&mut self, inserts: usize, updates: usize) -> Result<()> {
        let mut transaction = self.client.transaction()?;
        let statement = transaction.prepare(INSERT)?;
        for _ in 0..inserts {
            self.ids.push(insert(&mut transaction, &statement, &mut self.random, self.groups)?);
        }
        let update = transaction.prepare("UPDATE items SET done = done + 1 WHERE id = $1")?;
        for _ in 0..updates {
            let id = self.random.usize(..self.ids.len().max(1));
            if let Some(id) = self.ids.get(id) {
                transaction.execute(&update, &[id])?;
            }
        }
        transaction.commit()?;
        Ok(())
    }

    /// Writes a row that all clients see, with this note, and gives its id.
    pub(super) fn mark(&mut self, note: &str) -> Result<String> {
        self.marks += 1;
        let id = format!("mark-{}", self.marks);
        self.client.execute("INSERT INTO items VALUES ($1, $2, '', $3, 0, '')", &[&id, &group_id(0), &note])?;
        Ok(id)
    }
}

const INSERT: &str = "INSERT INTO items VALUES ($1, $2, $3, $4, 0, '2026-01-02T03:04:05.678Z')";

/// Inserts a row of a random group with the statement [`INSERT`], and gives its id.
fn insert(transaction: &mut Transaction<'_>, insert: &Statement, random: &mut Rng, groups: usize) -> Result<String> {
    let id = uuid(random);
    let (group, title, note) = (group_id(random.usize(..groups.max(1))), text(random, 20), text(random, 45));
    transaction.execute(insert, &[&id, &group, &title, &note])?;
    Ok(id)
}

//! `rowtide demo`: a sync, a local write, and how the two meet.

use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rowtide_driver::stream::Lines;
use rusqlite::types::Value as SqlValue;

use crate::progress::Progress;
use crate::session::Session;
use crate::table;

/// Shows a sync, a local write, and how the two meet, with data that come with this program.
#[derive(clap::Args)]
pub(crate) struct Demo {
    /// Keeps the database in this file, which must not exist yet [default: a database in memory]
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
}

const SCHEMA: &str = r#"{"tables": [
    {"name": "lists", "columns": [{"name": "name", "type": "text"}, {"name": "owner", "type": "text"}]},
    {"name": "todos", "columns": [
        {"name": "list_id", "type": "text"}, {"name": "description", "type": "text"},
        {"name": "done", "type": "integer"}, {"name": "estimate", "type": "real"}]}
]}"#;

/// What the service sends, in three parts; see `demo/README.md`.
const DOWNLOAD: &str = include_str!("../demo/1-download.ndjson");
const CHANGE: &str = include_str!("../demo/2-change.ndjson");
const ACKNOWLEDGEMENT: &str = include_str!("../demo/3-acknowledgement.ndjson");

const LISTS: &str = "SELECT lists.name AS list, owner, count(*) AS todos, sum(done) AS done, sum(estimate) AS days
    FROM lists JOIN todos ON list_id = lists.id GROUP BY lists.id ORDER BY lists.id";
const TODOS: &str =
    "SELECT id, description, done FROM todos WHERE id IN ('todo-001', 'todo-002', 'todo-new') ORDER BY id";
const QUEUE: &str = "SELECT id, tx_id AS \"transaction\", data FROM ps_crud ORDER BY id";
const GATE: &str = "WITH state AS (SELECT
        (SELECT count(*) FROM ps_crud) AS queued,
        (SELECT CAST(value AS INTEGER) FROM ps_kv WHERE key = 'target_checkpoint_request_id') AS target,
        (SELECT CAST(value AS INTEGER) FROM ps_kv WHERE key = 'last_seen_checkpoint_request_id') AS seen)
    SELECT CASE WHEN queued = 0 AND coalesce(target, 0) <= coalesce(seen, 0) THEN 'open' ELSE 'closed' END AS gate,
        queued AS \"queued writes\",
        CASE target WHEN 9223372036854775807 THEN 'not known yet' ELSE coalesce(target, 'none') END AS \"waits for upload\",
        coalesce(seen, 'none') AS \"acknowledged upload\" FROM state";

impl Demo {
    pub(crate) fn run(&self) -> Result<()> {
        if let Some(file) = &self.db
            && file.exists()
        {
            bail!("{} exists already; the demo needs a new file", file.display());
        }
        let demo = Stage { session: Session::open(self.db.as_deref())? };
        demo.download()?;
        demo.write_locally()?;
        demo.meet()?;
        demo.upload()?;
        if let Some(file) = &self.db {
            println!(
                "\nThe database is in {0}; look into it with: rowtide query {0} 'SELECT * FROM lists'",
                file.display()
            );
        }
        Ok(())
    }
}

/// The demo, with one function for each thing it shows.
struct Stage {
    session: Session,
}

impl Stage {
    fn download(&self) -> Result<()> {
        self.session.prepare(Some(SCHEMA))?;
        self.session.control("start", SqlValue::Null)?;
        heading("1. The service sends 5 lists and 600 todos");
        self.feed(DOWNLOAD)?;
        self.show(LISTS)
    }

    fn write_locally(&self) -> Result<()> {
        heading("2. The app writes, online or not: each change is queued for upload in the same transaction");
        self.session.connection().execute_batch(
            "BEGIN;
             INSERT INTO todos (id, list_id, description, done, estimate)
                VALUES ('todo-new', 'list-1', 'Try the demo', 0, 0.25);
             UPDATE todos SET description = 'Done offline', done = 1 WHERE id = 'todo-002';
             COMMIT",
        )?;
        self.show(QUEUE)
    }

    fn meet(&self) -> Result<()> {
        heading(
            "3. Somebody else changes todo-001: it is downloaded, but waits behind the gate, so that nothing\n   overwrites local writes that the service does not know yet",
        );
        self.feed(CHANGE)?;
        self.show(GATE)?;
        self.show(TODOS)
    }

    fn upload(&self) -> Result<()> {
        heading("4. The app uploads its queue, and the service acknowledges it: the gate opens, all changes show");
        self.session.connection().execute_batch("DELETE FROM ps_crud")?;
        self.session.control("target_checkpoint_request_id", 1)?;
        self.session.control("completed_upload", SqlValue::Null)?;
        self.feed(ACKNOWLEDGEMENT)?;
        self.show(GATE)?;
        self.show(TODOS)?;
        self.session.control("stop", SqlValue::Null)?;
        Ok(())
    }

    /// Feeds a part of the recording, slowly enough to watch where somebody may be watching.
    fn feed(&self, part: &str) -> Result<()> {
        let pause = if std::io::stderr().is_terminal() { Duration::from_millis(25) } else { Duration::ZERO };
        let mut progress = Progress::new();
        for line in Lines::new(part.as_bytes())? {
            let instructions = self.session.feed(line?).context("the demo's recording was refused")?;
            progress.follow(&instructions);
            std::thread::sleep(pause);
        }
        progress.finish();
        println!(
            "{} operations received, {} checkpoints published, {} delayed",
            progress.operations(),
            progress.checkpoints,
            progress.delayed
        );
        Ok(())
    }

    fn show(&self, sql: &str) -> Result<()> {
        if let Some(table) = table::render(&mut self.session.connection().prepare(sql)?, [])? {
            println!("{table}");
        }
        Ok(())
    }
}

fn heading(text: &str) {
    println!("\n{text}\n");
}

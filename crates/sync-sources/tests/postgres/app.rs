//! A database, an app that writes to it, and a follower.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use pg_connect::postgres::Client;
use pg_server::{Database, Server};
use sync_config::{Settings, TablePattern};
use sync_engine::row::{RowKey, SourceTable};
use sync_engine::source::{Source, SourceError};
use sync_sources::postgres::PostgresSource;

use crate::follower::{Content, Follower, Row, State, patterns_in, row};

pub(crate) struct App {
    pub(crate) database: Database,
    pub(crate) client: Client,
    pub(crate) source: Arc<PostgresSource>,
    pub(crate) follower: Follower,
}

pub(crate) fn patterns(names: &[&str]) -> Vec<TablePattern> {
    patterns_in("public", names)
}

pub(crate) fn follower(names: &[&str], state: State) -> Follower {
    let mut follower = Follower::new(patterns(names), state);
    follower.wait = Duration::from_millis(200);
    follower.reads_new_tables = true;
    follower
}

impl App {
    /// `sql` creates tables; those with these names are followed.
    pub(crate) fn new(names: &[&str], sql: &str) -> Self {
        Self::on(&Server::shared(), names, sql)
    }

    pub(crate) fn on(server: &Arc<Server>, names: &[&str], sql: &str) -> Self {
        let database = server.database();
        let mut client = database.client();
        // What was committed is soon in the log that the stream reads, also without waiting for the disk.
        client.batch_execute("ALTER SYSTEM SET wal_writer_delay = '10ms'").unwrap();
        client.batch_execute("SELECT pg_reload_conf()").unwrap();
        client.batch_execute(sql).unwrap();
        // Slots of one server have different names, also in different databases.
        let source = open(&database);
        let mut follower = follower(names, State::default());
        follower.start(&*source).unwrap();
        let mut app = Self { database, client, source, follower };
        app.check();
        app
    }

    pub(crate) fn run(&mut self, sql: &str) {
        self.client.batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    /// Whether the follower has what the tables have.
    pub(crate) fn check(&mut self) {
        self.follower.catch_up(&*self.source).unwrap();
        let stored = self.stored().unwrap();
        let followed = self.follower.content();
        assert_eq!(followed.keys().collect::<Vec<_>>(), stored.keys().collect::<Vec<_>>());
        for (name, rows) in &stored {
            assert_eq!(followed[name], *rows, "{name}");
        }
    }

    pub(crate) fn check_after(&mut self, sql: &str) {
        self.run(sql);
        self.check();
    }

    /// The rows of all tables that the follower knows, as a snapshot gives them.
    pub(crate) fn stored(&self) -> Result<Content, SourceError> {
        let tables = self.follower.state.tables.values();
        tables.map(|known| Ok((known.table.name.clone(), rows(&*self.source, &known.table)?))).collect()
    }

    /// Goes on until something is so.
    pub(crate) fn until(&mut self, is_so: impl Fn(&Follower) -> bool) {
        for _ in 0..300 {
            if is_so(&self.follower) {
                return;
            }
            self.follower.step().unwrap();
        }
        panic!("it does not come");
    }

    /// Another process goes on where this one has ended.
    pub(crate) fn restart(&mut self) {
        self.source = open(&self.database);
        self.follower.start(&*self.source).unwrap();
    }

    /// As [`App::restart`], and nothing may be lost.
    pub(crate) fn resume(&mut self) {
        let lost = self.follower.lost;
        self.restart();
        assert_eq!(self.follower.lost, lost, "the position is lost");
    }

    pub(crate) fn one<T: for<'a> pg_connect::postgres::types::FromSql<'a>>(&mut self, sql: &str) -> T {
        self.client.query_one(sql, &[]).unwrap().get(0)
    }
}

/// A source whose slot has the database's name.
pub(crate) fn open(database: &Database) -> Arc<PostgresSource> {
    let url = format!("{}&slot={}", database.url(), database.name());
    Arc::new(PostgresSource::open(&url).unwrap())
}

/// All rows of a table.
pub(crate) fn rows(source: &dyn Source, table: &SourceTable) -> Result<BTreeMap<Vec<u8>, Row>, SourceError> {
    let mut all = BTreeMap::new();
    let mut after = None;
    let columns: Vec<String> = table.columns.iter().map(|column| column.name.clone()).collect();
    loop {
        let chunk = source.snapshot_chunk(table, after.as_deref(), 500)?;
        for values in &chunk.rows {
            let values = |settings: Settings| values.iter().map(move |value| value.to_value(&settings).unwrap());
            let (plain, shown): (Vec<_>, Vec<_>) =
                values(Settings::default()).zip(values(Settings::of_edition(3))).unzip();
            let key: Vec<_> = table.key.iter().map(|at| plain[*at].clone()).collect();
            all.insert(RowKey::new(&key).0, row(&columns, &shown));
        }
        after = chunk.next;
        if after.is_none() {
            return Ok(all);
        }
    }
}

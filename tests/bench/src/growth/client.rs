//! A client of given sizes: its database, and the service that it is connected to.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::database::{Cache, Database};
use crate::rows::{Rows, quoted};
use crate::service::{OPERATIONS_PER_LINE, Service, data};

/// The stream of which all buckets are.
const STREAM: &str = r#"[{"name":"stream","is_default":false,"errors":[]}]"#;

/// Rows in a checkpoint while the client is built: large clients have not got all in one.
const ROWS_PER_CHECKPOINT: usize = 50_000;

/// What can be varied.
#[derive(Debug, Clone)]
pub(crate) struct Sizes {
    /// Rows that were downloaded.
    pub rows: usize,
    /// Buckets; those above the number of rows are empty.
    pub buckets: usize,
    /// Columns of each table.
    pub columns: usize,
    /// Bytes of text in a row, in all columns together.
    pub row_bytes: usize,
    /// Subscriptions of a stream. The buckets belong to one after the other in turn.
    pub subscriptions: usize,
    /// Local writes that wait for their upload; with any, downloads are not published.
    pub queued: usize,
    /// Tables. The rows belong to one after the other in turn.
    pub tables: usize,
}

impl Default for Sizes {
    fn default() -> Self {
        Sizes { rows: 1_000, buckets: 10, columns: 10, row_bytes: 300, subscriptions: 1, queued: 0, tables: 10 }
    }
}

/// A client that has synced.
#[derive(Debug)]
pub(super) struct Client {
    /// The library to be measured.
    pub library: PathBuf,
    /// The database file; nobody has it open.
    pub path: PathBuf,
    /// How large it is.
    pub sizes: Sizes,
    /// The schema.
    pub schema: String,
    /// What has been synced.
    pub service: Service,
    random: Rows,
    /// How many rows were made up to now.
    made: usize,
}

impl Client {
    /// Builds the database.
    ///
    /// # Errors
    /// What SQLite reports.
    pub(super) fn build(library: &Path, path: &Path, sizes: Sizes) -> Result<Self> {
        let mut client = Client {
            library: library.to_owned(),
            path: path.to_owned(),
            schema: schema(&sizes),
            service: Service::with_streams(STREAM),
            random: Rows::new(1),
            made: 0,
            sizes,
        };
        for number in 0..client.sizes.buckets {
            let subscription = number % client.sizes.subscriptions;
            client.service.add_bucket(&bucket(number), 3, &format!(r#"[{{"sub":{subscription}}}]"#));
        }
        let database = client.open()?;
        client.subscribe(&database)?;
        client.download(&database)?;
        client.write(&database)?;
        database.checkpoint()?;
        Ok(client)
    }

    /// Opens the database, and does what SDKs do first.
    ///
    /// # Errors
    /// What SQLite reports.
    pub(super) fn open(&self) -> Result<Database> {
        let database = Database::open(&self.path, &self.library, Cache::Large)?;
        database.initialize()?;
        database.replace_schema(&self.schema)?;
        Ok(database)
    }

    /// New content for a row of the first table, another one each time: its bucket, and the entry of a data line.
    pub(super) fn change_row(&mut self, round: usize) -> (String, String) {
        self.made += 1;
        let number = round * self.sizes.tables % self.sizes.rows;
        let bucket = bucket(number % self.sizes.buckets);
        let content = self.json(number, self.made);
        let entry = self.service.put(&mut self.random, &bucket, &table_name(0), &row_id(number), &content);
        (bucket, entry)
    }

    /// The text of one column, of which `salt` is a part.
    pub(super) fn column_text(&self, salt: usize) -> String {
        let mut text = salt.to_string();
        let length = (self.sizes.row_bytes / self.sizes.columns).max(1);
        text.extend(std::iter::repeat_n('x', length.saturating_sub(text.len())));
        text
    }

    fn json(&self, number: usize, salt: usize) -> String {
        let text = quoted(&self.column_text(salt));
        let columns = (0..self.sizes.columns).map(|column| format!(",\"{}\":{text}", column_name(column)));
        format!("{{\"id\":\"{}\"{}}}", row_id(number), columns.collect::<String>())
    }

    fn table(&self, row: usize) -> String {
        table_name(row % self.sizes.tables)
    }

    fn subscribe(&self, database: &Database) -> Result<()> {
        database.in_transaction(|connection| {
            let mut subscribe = connection.prepare("SELECT powersync_control('subscriptions', ?)")?;
            for number in 0..self.sizes.subscriptions {
                let stream = format!(r#"{{"subscribe":{{"stream":{{"name":"stream","params":{{"n":{number}}}}}}}}}"#);
                subscribe.query_row([stream], |_| Ok(()))?;
            }
            Ok(())
        })
    }

    fn download(&mut self, database: &Database) -> Result<()> {
        database.start(None)?;
        database.text_line(&self.service.checkpoint())?;
        database.complete(&self.service.complete())?;
        for first in (0..self.sizes.rows).step_by(ROWS_PER_CHECKPOINT) {
            let last = (first + ROWS_PER_CHECKPOINT).min(self.sizes.rows);
            let used = self.sizes.buckets.min(last - first);
            let mut buckets: Vec<(String, Vec<String>)> = Vec::new();
            for turn in 0..used {
                let number = (first + turn) % self.sizes.buckets;
                let rows: Vec<usize> = (first + turn..last).step_by(used).collect();
                let entries = rows.into_iter().map(|row| self.new_row(row, number)).collect();
                buckets.push((bucket(number), entries));
            }
            let names: Vec<String> = buckets.iter().map(|(name, _)| name.clone()).collect();
            database.text_line(&self.service.diff(&names))?;
            for (name, entries) in &buckets {
                for chunk in entries.chunks(OPERATIONS_PER_LINE) {
                    database.text_line(&data(name, chunk, false))?;
                }
            }
            database.complete(&self.service.complete())?;
        }
        Ok(())
    }

    fn new_row(&mut self, number: usize, bucket_number: usize) -> String {
        let content = self.json(number, number);
        let table = self.table(number);
        self.service.put(&mut self.random, &bucket(bucket_number), &table, &row_id(number), &content)
    }

    fn write(&self, database: &Database) -> Result<()> {
        database.in_transaction(|connection| {
            let sql = format!("INSERT INTO {}(id, {}) VALUES (?, ?)", table_name(0), column_name(0));
            let mut insert = connection.prepare(&sql)?;
            for number in 0..self.sizes.queued {
                insert.execute((format!("queued{number}"), "x"))?;
            }
            Ok(())
        })
    }
}

/// The name of a table.
pub(super) fn table_name(number: usize) -> String {
    format!("table{number:03}")
}

/// The name of a column.
pub(super) fn column_name(number: usize) -> String {
    format!("c{number:03}")
}

/// The id of a downloaded row. The ids are in no order, like those of real rows.
pub(super) fn row_id(number: usize) -> String {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    format!("{:016x}", (number as u64).wrapping_mul(ODD))
}

fn bucket(number: usize) -> String {
    format!("bucket[\"{}\"]", row_id(number))
}

fn schema(sizes: &Sizes) -> String {
    let columns: Vec<String> =
        (0..sizes.columns).map(|column| format!(r#"{{"name":"{}","type":"text"}}"#, column_name(column))).collect();
    let columns = columns.join(",");
    let tables: Vec<String> =
        (0..sizes.tables).map(|table| format!(r#"{{"name":"{}","columns":[{columns}]}}"#, table_name(table))).collect();
    format!(r#"{{"tables":[{}]}}"#, tables.join(","))
}

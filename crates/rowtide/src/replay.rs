//! `rowtide replay`: feeds a recorded sync stream to a database.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use rowtide_driver::stream::Lines;
use rusqlite::types::Value as SqlValue;
use serde_json::{Value, json};

use crate::exit::usage;
use crate::output::{self, Grid, Progress, count, counted};
use crate::session::Session;

/// Feeds a recorded sync stream to a database and reports the result.
///
/// The stream is the body of a service's answer: JSON lines or BSON documents, also compressed with gzip. Each line is a
/// transaction, as with an SDK.
#[derive(clap::Args)]
pub(crate) struct Replay {
    /// The database file, made if it does not exist [default: a database in memory]
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
    /// A file with the app's schema as JSON; without one all rows go to the table ps_untyped
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// Prints JSON
    #[arg(long)]
    json: bool,
    /// The recorded stream; `-` is standard input
    stream: PathBuf,
}

/// Counts the rows of every type, in whichever table they are.
const ROW_COUNTS: &str = "SELECT type, count(*) FROM ps_untyped GROUP BY type";

/// What was fed.
#[derive(Default)]
struct Fed {
    lines: u64,
    bytes: u64,
    took: Duration,
}

impl Fed {
    fn per_second(&self, number: u64) -> f64 {
        number as f64 / self.took.as_secs_f64().max(1e-9)
    }
}

impl Replay {
    pub(crate) fn run(&self) -> Result<()> {
        let name = self.stream.display().to_string();
        let lines = Lines::new(open(&self.stream)?).with_context(|| format!("{name}: reading its beginning"))?;
        let schema = self.schema.as_deref().map(crate::serve::read_file).transpose()?;
        let session = Session::open(self.db.as_deref())?;
        session.prepare(schema.as_deref()).context("Applying the schema")?;
        session.control("start", SqlValue::Null)?;
        let mut progress = Progress::new();
        let fed = feed(&session, lines, &mut progress);
        progress.finish();
        let fed = fed.with_context(|| name)?;
        session.control("stop", SqlValue::Null)?;
        let tables = row_counts(&session)?;
        if self.json {
            println!("{}", to_json(&fed, &progress, &tables));
        } else {
            print(&fed, &progress, &tables);
        }
        Ok(())
    }
}

fn open(stream: &Path) -> Result<Box<dyn Read>> {
    if stream.as_os_str() == "-" {
        return Ok(Box::new(io::stdin()));
    }
    let file = File::open(stream).map_err(|error| usage(format!("Opening {}: {error}", stream.display())))?;
    Ok(Box::new(file))
}

/// Feeds all lines. The time is that of reading the stream and of the calls, not of opening the database.
fn feed(session: &Session, mut lines: Lines<'_>, progress: &mut Progress) -> Result<Fed> {
    let started = Instant::now();
    let mut fed = Fed::default();
    while let Some(line) = lines.next() {
        let line = line?;
        let at = lines.position();
        fed.lines += 1;
        fed.bytes += line.len() as u64;
        let instructions = session.feed(line).with_context(|| format!("line {} at byte {}", at.line, at.offset))?;
        if progress.follow(&instructions) == output::Outcome::Closed {
            bail!("line {} at byte {}: the extension closed the stream", at.line, at.offset);
        }
    }
    fed.took = started.elapsed();
    Ok(fed)
}

/// The rows of each type.
fn row_counts(session: &Session) -> Result<Vec<(String, u64)>> {
    let connection = session.connection();
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 'ps_data__*' ORDER BY name";
    let tables: rusqlite::Result<Vec<String>> = connection.prepare(names)?.query_map([], |row| row.get(0))?.collect();
    let mut sql = ROW_COUNTS.to_owned();
    for table in tables? {
        let (literal, name) = (table.replace('\'', "''"), table.replace('"', "\"\""));
        sql += &format!(" UNION ALL SELECT substr('{literal}', 10), count(*) FROM \"{name}\"");
    }
    let mut statement = connection.prepare(&format!("{sql} ORDER BY 1"))?;
    let counts = statement.query_map([], |row| Ok((row.get(0)?, row.get::<_, i64>(1)?.unsigned_abs())))?;
    Ok(counts.collect::<rusqlite::Result<_>>()?)
}

fn print(fed: &Fed, progress: &Progress, tables: &[(String, u64)]) {
    let operations = progress.operations();
    println!(
        "{} ({}) with {} in {:.2} s: {} operations/s",
        counted(fed.lines, "line"),
        output::bytes(fed.bytes),
        counted(operations, "operation"),
        fed.took.as_secs_f64(),
        count(fed.per_second(operations).round() as u64)
    );
    println!("{} published, {} delayed by local data", counted(progress.checkpoints, "checkpoint"), progress.delayed);
    if !tables.is_empty() {
        let mut grid = Grid::new(&["table", "rows"]);
        for (name, rows) in tables {
            grid.row([name.clone(), count(*rows)]);
        }
        print!("{grid}");
    }
}

fn to_json(fed: &Fed, progress: &Progress, tables: &[(String, u64)]) -> Value {
    let tables: Vec<Value> = tables.iter().map(|(name, rows)| json!({"name": name, "rows": rows})).collect();
    json!({
        "lines": fed.lines, "bytes": fed.bytes, "operations": progress.operations(),
        "seconds": fed.took.as_secs_f64(), "operations_per_second": fed.per_second(progress.operations()),
        "checkpoints": {"published": progress.checkpoints, "delayed": progress.delayed}, "tables": tables,
    })
}

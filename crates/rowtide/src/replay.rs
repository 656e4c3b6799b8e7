//! `rowtide replay`: feeds a recorded sync stream to a database.

use std::fs::File;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use rowtide_driver::stream::Lines;
use rusqlite::types::Value as SqlValue;

use crate::progress::{Outcome, Progress};
use crate::session::Session;
use crate::table;

/// Feeds a recorded sync stream to a database and reports the result.
///
/// The stream is the body of a service's answer: JSON lines or BSON documents, also compressed with gzip.
#[derive(clap::Args)]
pub(crate) struct Replay {
    /// The database file, made if it does not exist [default: a database in memory]
    #[arg(long, value_name = "FILE")]
    db: Option<PathBuf>,
    /// A file with the app's schema as JSON; without one all rows go to the table ps_untyped
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// The recorded stream
    stream: PathBuf,
}

/// Counts the rows of every type, in whichever table they are.
const ROW_COUNTS: &str = "SELECT type AS \"table\", count(*) AS rows FROM ps_untyped GROUP BY type";

impl Replay {
    pub(crate) fn run(&self) -> Result<()> {
        let file = File::open(&self.stream).with_context(|| format!("cannot open {}", self.stream.display()))?;
        let lines = Lines::new(file).with_context(|| format!("cannot read {}", self.stream.display()))?;
        let schema = match &self.schema {
            Some(path) => {
                Some(std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?)
            }
            None => None,
        };
        let session = Session::open(self.db.as_deref())?;
        session.prepare(schema.as_deref())?;
        session.control("start", SqlValue::Null)?;
        let mut progress = Progress::new();
        let fed = feed(&session, lines, &mut progress);
        progress.finish();
        let (count, bytes) = fed.with_context(|| self.stream.display().to_string())?;
        session.control("stop", SqlValue::Null)?;
        println!(
            "{count} lines ({bytes} bytes) with {} operations in {:.2} s: {:.0} rows/s",
            progress.operations(),
            progress.elapsed().as_secs_f64(),
            progress.rate()
        );
        println!("{} checkpoints published, {} delayed by local data", progress.checkpoints, progress.delayed);
        print_row_counts(&session)
    }
}

/// Feeds all lines; gives their number and bytes.
fn feed(session: &Session, lines: Lines<'_>, progress: &mut Progress) -> Result<(u64, u64)> {
    let (mut count, mut bytes) = (0, 0);
    for line in lines {
        let line = line?;
        let offset = bytes;
        count += 1;
        bytes += line.len() as u64;
        let instructions =
            session.feed(line).with_context(|| format!("line {count} (after {offset} bytes of lines)"))?;
        if progress.follow(&instructions) == Outcome::Closed {
            bail!("the extension closed the stream at line {count}");
        }
    }
    Ok((count, bytes))
}

fn print_row_counts(session: &Session) -> Result<()> {
    let connection = session.connection();
    let names = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 'ps_data__*' ORDER BY name";
    let tables: rusqlite::Result<Vec<String>> = connection.prepare(names)?.query_map([], |row| row.get(0))?.collect();
    let mut sql = ROW_COUNTS.to_owned();
    for table in tables? {
        let (literal, name) = (table.replace('\'', "''"), table.replace('"', "\"\""));
        sql += &format!(" UNION ALL SELECT substr('{literal}', 10), count(*) FROM \"{name}\"");
    }
    if let Some(counts) = table::render(&mut connection.prepare(&format!("{sql} ORDER BY 1"))?, [])? {
        println!("{counts}");
    }
    Ok(())
}

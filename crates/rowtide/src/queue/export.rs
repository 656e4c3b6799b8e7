//! `rowtide queue export`.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::PathBuf;

use anyhow::{Context, Result};

use super::read;
use super::transaction::{Transaction, rejected, waiting};
use crate::exit::{Outcome, usage};
use crate::output::counted;

/// Writes the queue and the rejected transactions as JSON, one line for each transaction.
///
/// With the values that were written: to save local writes before a file is deleted, or to send them to somebody.
#[derive(clap::Args)]
pub(crate) struct Export {
    /// The database file
    file: PathBuf,
    /// A new file for the lines [default: standard output]
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
}

impl Export {
    pub(crate) fn run(&self) -> Result<Outcome> {
        let database = read(&self.file)?;
        let rejected = rejected(&database, None)?;
        let (waiting, more) = waiting(&database, i64::MAX)?;
        let all = waiting.iter().map(|each| ("waiting", each)).chain(rejected.iter().map(|each| ("rejected", each)));
        match &self.output {
            None => write(std::io::stdout().lock(), all).context("Writing to standard output")?,
            Some(path) => {
                // Not over a file that is there: it may be the only copy of something.
                let file =
                    File::create_new(path).map_err(|error| usage(format!("Making {}: {error}", path.display())))?;
                write(file, all).with_context(|| format!("Writing {}", path.display()))?;
                let number = counted((waiting.len() + rejected.len()) as u64, "transaction");
                println!("{number} written to {}", path.display());
            }
        }
        if more {
            eprintln!("error: The rest of the queue cannot be read: see `rowtide inspect --verify`.");
            return Ok(Outcome::Problem);
        }
        Ok(Outcome::Fine)
    }
}

fn write<'a>(output: impl Write, all: impl Iterator<Item = (&'static str, &'a Transaction)>) -> std::io::Result<()> {
    let mut output = BufWriter::new(output);
    for (state, transaction) in all {
        let mut line = transaction.to_json();
        if let Some(members) = line.as_object_mut() {
            members.insert("state".to_owned(), state.into());
        }
        writeln!(output, "{line}")?;
    }
    output.flush()
}

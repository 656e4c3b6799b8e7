//! How costs grow: varies one size of a client at a time, and measures operations that should cost what they change,
//! not what is stored.
//!
//! For every size a separate process builds the client, then runs each operation several times: some times for its
//! CPU time, and some times for what is the same in every run: SQLite's virtual machine steps and pages written.

mod client;
mod exponent;
mod operations;
mod report;

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use serde_json::Value;
use tool_support::document;

use crate::child;
use client::Client;
pub(crate) use client::Sizes;

/// Which sizes are varied.
#[derive(Args)]
pub(crate) struct Options {
    /// The library to be measured
    #[arg(long, value_name = "LIBRARY")]
    library: PathBuf,
    /// Only these sizes, of: rows, buckets, columns, row-bytes, subscriptions, queue, tables
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    size: Vec<String>,
    /// Leaves out sizes above this one
    #[arg(long, value_name = "NUMBER", default_value_t = usize::MAX)]
    limit: usize,
    /// Puts the tables into this Markdown file, in place of those there
    #[arg(long, value_name = "FILE")]
    document: Option<PathBuf>,
}

/// One client to be built and measured.
#[derive(Args)]
pub(crate) struct Point {
    #[arg(long)]
    library: PathBuf,
    #[arg(long)]
    database: PathBuf,
    #[arg(long)]
    size: String,
    #[arg(long)]
    number: usize,
}

/// A size that is varied.
struct Study {
    name: &'static str,
    numbers: &'static [usize],
    set: fn(&mut Sizes, usize),
    /// Operations that may grow in proportion, as they read, write or report that much.
    proportional: &'static [&'static str],
}

const STUDIES: &[Study] = &[
    Study {
        name: "rows",
        numbers: &[10_000, 100_000, 1_000_000, 2_000_000],
        set: |sizes, number| sizes.rows = number,
        proportional: &[],
    },
    Study {
        name: "buckets",
        numbers: &[10, 100, 1_000, 10_000, 100_000],
        set: |sizes, number| (sizes.buckets, sizes.rows) = (number, number.max(1_000)),
        proportional: &["start", "checkpoint"],
    },
    Study {
        name: "columns",
        numbers: &[5, 20, 50, 100, 200],
        set: |sizes, number| sizes.columns = number,
        proportional: &["open", "schema", "data", "complete", "insert", "update", "delete"],
    },
    Study {
        name: "row-bytes",
        numbers: &[100, 1_000, 10_000, 100_000],
        set: |sizes, number| sizes.row_bytes = number,
        proportional: &["data", "complete", "insert", "update", "delete"],
    },
    Study {
        name: "subscriptions",
        numbers: &[1, 10, 100, 1_000],
        set: |sizes, number| sizes.subscriptions = number,
        proportional: &["start", "checkpoint", "diff", "data", "complete"],
    },
    Study {
        name: "queue",
        numbers: &[1, 10, 100, 1_000, 10_000, 100_000],
        set: |sizes, number| sizes.queued = number,
        proportional: &[],
    },
    Study {
        name: "tables",
        numbers: &[10, 50, 100, 500],
        set: |sizes, number| sizes.tables = number,
        proportional: &["open", "schema"],
    },
];

/// The costs of one study: for every number those of each operation, as [`operations::measure`] gives them.
struct Measured {
    study: &'static Study,
    numbers: Vec<usize>,
    costs: Vec<Value>,
}

/// Varies the sizes and prints a table for each.
///
/// # Errors
/// If a client cannot be built or measured.
pub(crate) fn run(options: &Options) -> Result<()> {
    for name in &options.size {
        ensure!(STUDIES.iter().any(|study| study.name == name), "there is no size {name:?}");
    }
    let chosen = |study: &&Study| options.size.is_empty() || options.size.iter().any(|name| name == study.name);
    let mut measured = Vec::new();
    for study in STUDIES.iter().filter(chosen) {
        measured.push(measure_study(study, options)?);
        println!("\n{}", measured.last().map(report::details).unwrap_or_default());
    }
    let text = report::exponents(&measured);
    println!("\n{text}");
    match &options.document {
        Some(path) => document::replace(path, "growth", &text),
        None => Ok(()),
    }
}

/// Builds and measures one client, and prints its costs as JSON.
///
/// # Errors
/// What SQLite reports.
pub(crate) fn run_point(point: &Point) -> Result<()> {
    let study = STUDIES.iter().find(|study| study.name == point.size).context("there is no such size")?;
    let mut sizes = Sizes::default();
    (study.set)(&mut sizes, point.number);
    let mut client = Client::build(&point.library, &point.database, sizes)?;
    println!("{}", operations::measure(&mut client)?);
    Ok(())
}

fn measure_study(study: &'static Study, options: &Options) -> Result<Measured> {
    let mut measured = Measured { study, numbers: Vec::new(), costs: Vec::new() };
    for number in study.numbers.iter().copied().filter(|number| *number <= options.limit) {
        eprintln!("{} = {number}", study.name);
        measured.numbers.push(number);
        measured.costs.push(start(study, number, &options.library)?);
    }
    Ok(measured)
}

/// Builds and measures one client in its own process, and gives the costs.
fn start(study: &Study, number: usize, library: &Path) -> Result<Value> {
    let directory = tempfile::tempdir().context("cannot create a directory for the database")?;
    let (database, text) = (directory.path().join("client.db"), number.to_string());
    let mut arguments: Vec<&OsStr> = ["growth-point", "--size", study.name, "--number", &text].map(OsStr::new).into();
    arguments.extend([OsStr::new("--library"), library.as_os_str(), OsStr::new("--database"), database.as_os_str()]);
    let printed = child::run(&format!("{} = {number}", study.name), &arguments)?;
    serde_json::from_str(&printed).with_context(|| format!("this is no JSON: {printed}"))
}

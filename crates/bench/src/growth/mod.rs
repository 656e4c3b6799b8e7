//! How costs grow: varies one size of a client at a time, and measures operations that should cost what they change,
//! not what is stored.
//!
//! For every size a process of its own builds the client, then runs each operation several times: some times for its
//! CPU time, and some times for what is the same in every run: SQLite's virtual machine steps and pages written.

mod client;
mod exponent;
mod operations;

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use serde_json::Value;

use crate::document;
use client::Client;
pub use client::Sizes;

/// Which sizes are varied.
#[derive(Args)]
pub struct Options {
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
pub struct Point {
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

/// The units in which costs are measured, with what a table shows of each.
const UNITS: [(&str, &str); 3] = [("seconds", "CPU µs"), ("steps", "steps"), ("pages", "pages")];

/// Varies the sizes and prints a table for each.
///
/// # Errors
/// If a client cannot be built or measured.
pub fn run(options: &Options) -> Result<()> {
    for name in &options.size {
        ensure!(STUDIES.iter().any(|study| study.name == name), "there is no size {name:?}");
    }
    let chosen = |study: &&Study| options.size.is_empty() || options.size.iter().any(|name| name == study.name);
    let mut text = String::new();
    for study in STUDIES.iter().filter(chosen) {
        let table = measure_study(study, options)?;
        println!("\n{table}");
        text.push_str(&table);
        text.push('\n');
    }
    match &options.document {
        Some(path) => document::replace(path, "growth", &text),
        None => Ok(()),
    }
}

/// Builds and measures one client, and prints its costs as JSON.
///
/// # Errors
/// What SQLite reports.
pub fn run_point(point: &Point) -> Result<()> {
    let study = STUDIES.iter().find(|study| study.name == point.size).context("there is no such size")?;
    let mut sizes = Sizes::default();
    (study.set)(&mut sizes, point.number);
    let mut client = Client::build(&point.library, &point.database, sizes)?;
    println!("{}", operations::measure(&mut client)?);
    Ok(())
}

fn measure_study(study: &Study, options: &Options) -> Result<String> {
    let numbers: Vec<usize> = study.numbers.iter().copied().filter(|number| *number <= options.limit).collect();
    let mut points = Vec::new();
    for number in &numbers {
        eprintln!("{} = {number}", study.name);
        points.push(start(study, *number, &options.library)?);
    }
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    let mut header = vec![study.name.to_owned(), "unit".to_owned()];
    header.extend(numbers.iter().map(usize::to_string));
    header.extend(["exponent", "should be"].map(str::to_owned));
    table.set_header(header);
    for operation in operations::NAMES {
        for (unit, label) in UNITS {
            let values: Vec<f64> =
                points.iter().filter_map(|point| point.get(operation)?.get(unit)?.as_f64()).collect();
            table.add_row(line(study, operation, label, &numbers, &values));
        }
    }
    table.column_iter_mut().skip(2).for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    Ok(format!("{table}\n"))
}

fn line(study: &Study, operation: &str, label: &str, numbers: &[usize], values: &[f64]) -> Vec<String> {
    let shown = |value: &f64| match label {
        "CPU µs" => format!("{:.1}", value * 1e6),
        _ => format!("{value}"),
    };
    let mut cells = vec![operation.to_owned(), label.to_owned()];
    cells.extend(values.iter().map(shown));
    cells.resize(2 + numbers.len(), "-".to_owned());
    cells.push(exponent::fit(numbers, values).map_or_else(|| "-".to_owned(), |exponent| format!("{exponent:.2}")));
    cells.push(if study.proportional.contains(&operation) { "≤ 1" } else { "0" }.to_owned());
    cells
}

/// Runs this program once more, for one number, and gives the costs.
fn start(study: &Study, number: usize, library: &Path) -> Result<Value> {
    let directory = tempfile::tempdir().context("cannot create a directory for the database")?;
    let program = std::env::current_exe().context("cannot find this program")?;
    let output = Command::new(program)
        .args(["growth-point", "--size", study.name, "--number", &number.to_string()])
        .arg("--library")
        .arg(library)
        .arg("--database")
        .arg(directory.path().join("client.db"))
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start this program")?;
    ensure!(output.status.success(), "{} = {number} failed ({})", study.name, output.status);
    let printed = String::from_utf8(output.stdout)?;
    serde_json::from_str(&printed).with_context(|| format!("this is no JSON: {printed}"))
}

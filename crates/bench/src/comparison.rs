//! Runs workloads, each measurement in a process of its own, and lays the results out as a table.
//!
//! With two libraries their measurements alternate, and the order is flipped each round, so that what else happens on
//! the machine hits both alike. Of several rounds the smallest figure counts: everything that disturbs makes it larger.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};

use crate::child;
use crate::document;
use crate::goals;
use crate::workloads::{self, WORKLOADS, Workload};

/// What is compared, and how often.
#[derive(Args)]
pub struct Options {
    /// The library to be measured
    #[arg(long, value_name = "LIBRARY", required = true)]
    library: Option<PathBuf>,
    /// Another library, which does the same in turn with the first
    #[arg(long, value_name = "LIBRARY")]
    against: Option<PathBuf>,
    /// Only these workloads
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    workload: Vec<String>,
    /// Rounds; the smallest figure of all counts
    #[arg(long, default_value_t = 3)]
    runs: usize,
    /// Multiplies the numbers of rows and buckets
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Writes all figures of all rounds to this file
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Puts the table into this Markdown file, in place of the one there
    #[arg(long, value_name = "FILE")]
    document: Option<PathBuf>,
}

/// All rounds of one workload; one list for each library.
struct Rounds {
    workload: &'static Workload,
    libraries: Vec<Vec<Value>>,
}

/// Runs the workloads and prints the table.
///
/// # Errors
/// If a measurement fails, or the two libraries do not end with the same data; the other workloads are in the table.
pub fn run(options: &Options) -> Result<()> {
    let library = options.library.as_deref().context("--library is missing")?;
    let libraries: Vec<&Path> = std::iter::once(library).chain(options.against.as_deref()).collect();
    let chosen: Vec<&Workload> = match options.workload.as_slice() {
        [] => WORKLOADS.iter().collect(),
        names => names.iter().map(|name| workloads::find(name)).collect::<Result<_>>()?,
    };
    let (mut results, mut failures) = (Vec::new(), Vec::new());
    for workload in chosen {
        match measure_rounds(workload, &libraries, options) {
            Ok(rounds) => results.push(rounds),
            // The others are measured all the same: it takes long.
            Err(error) => failures.push(format!("{error:#}")),
        }
    }
    let text = report(&results, &libraries, options)?;
    println!("\n{text}");
    if let Some(path) = &options.json {
        std::fs::write(path, to_json(&results).to_string())
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    if let Some(path) = &options.document {
        document::replace(path, "comparison", &text)?;
    }
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

fn measure_rounds(workload: &'static Workload, libraries: &[&Path], options: &Options) -> Result<Rounds> {
    let directory = tempfile::tempdir().context("cannot create a directory for the databases")?;
    let prepared = |side: usize| directory.path().join(format!("prepared{side}.db"));
    if workload.prepare.is_some() {
        for (side, library) in libraries.iter().enumerate() {
            start(workload, library, &prepared(side), options.scale, true)?;
        }
    }
    let mut rounds = Rounds { workload, libraries: vec![Vec::new(); libraries.len()] };
    for round in 0..options.runs.max(1) {
        let mut order: Vec<(usize, &&Path)> = libraries.iter().enumerate().collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for (side, library) in order {
            let database = directory.path().join(format!("{round}-{side}.db"));
            if workload.prepare.is_some() {
                std::fs::copy(prepared(side), &database).context("cannot copy the prepared database")?;
            }
            let printed = start(workload, library, &database, options.scale, false)?;
            let result = serde_json::from_str(&printed).with_context(|| format!("this is no JSON: {printed}"))?;
            std::fs::remove_file(&database).context("cannot remove a database")?;
            rounds.libraries.get_mut(side).context("every library has its list")?.push(result);
        }
    }
    eprintln!("{}: {}", workload.name, rounds.summary());
    let mut contents = rounds.libraries.iter().flatten().map(|result| &result["content"]);
    let first = contents.next();
    ensure!(contents.all(|other| Some(other) == first), "{}: the libraries end with different data", workload.name);
    Ok(rounds)
}

/// Measures or prepares in a process of its own, and gives what that prints.
fn start(workload: &Workload, library: &Path, database: &Path, scale: f64, prepare: bool) -> Result<String> {
    let scale = scale.to_string();
    let mut arguments: Vec<&OsStr> = ["measure", "--workload", workload.name, "--scale", &scale].map(OsStr::new).into();
    arguments.extend([OsStr::new("--library"), library.as_os_str(), OsStr::new("--database"), database.as_os_str()]);
    if prepare {
        arguments.push(OsStr::new("--prepare"));
    }
    child::run(&format!("{} with {}", workload.name, library.display()), &arguments)
}

impl Rounds {
    /// The names of the figures: the parts of the workload, and what is measured of all.
    fn figures(&self) -> Vec<String> {
        let parts = self.libraries.first().and_then(|rounds| rounds.first()).map(|result| &result["seconds"]);
        let mut names: Vec<String> =
            parts.and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name.clone()).collect();
        names.extend(["written", "memory", "file"].map(str::to_owned));
        names
    }

    /// The smallest value of a figure in all rounds of one library: seconds, or megabytes.
    fn smallest(&self, side: usize, figure: &str) -> Option<f64> {
        const MEGABYTE: f64 = 1e6;
        let value = |result: &Value| match figure {
            "written" | "memory" | "file" => result[figure].as_f64().map(|bytes| bytes / MEGABYTE),
            part => result["seconds"].get(part)?.as_f64(),
        };
        self.libraries.get(side)?.iter().filter_map(value).reduce(f64::min)
    }

    /// Progress for a human: the time of the first figure that stands for the whole.
    fn summary(&self) -> String {
        let figures = self.figures();
        let main = figures.iter().find(|name| *name == "total").or(figures.first()).cloned().unwrap_or_default();
        let times = (0..self.libraries.len()).filter_map(|side| self.smallest(side, &main));
        let times: Vec<String> = times.map(|seconds| format!("{seconds:.3} s")).collect();
        format!("{main} {}", times.join(" against "))
    }
}

fn report(results: &[Rounds], libraries: &[&Path], options: &Options) -> Result<String> {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    let mut header = vec!["workload", "figure", "unit", "ours"];
    if libraries.len() > 1 {
        header.extend(["theirs", "theirs ÷ ours", "at least", "aim"]);
    }
    table.set_header(&header);
    for rounds in results {
        for figure in rounds.figures() {
            table.add_row(line(rounds, &figure, libraries.len()));
        }
    }
    for column in table.column_iter_mut().skip(3) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let sizes: Vec<String> = libraries
        .iter()
        .map(|library| std::fs::metadata(library).map(|file| format!("{} bytes", file.len())))
        .collect::<Result<_, _>>()
        .context("cannot look at a library")?;
    let rounds = options.runs.max(1);
    Ok(format!(
        "CPU seconds and megabytes, the smallest of {rounds} rounds at scale {}; SQLite {}. Library: {}.\n\n{table}\n",
        options.scale,
        rusqlite::version(),
        sizes.join(" against "),
    ))
}

fn line(rounds: &Rounds, figure: &str, libraries: usize) -> Vec<String> {
    let (unit, digits) = if ["written", "memory", "file"].contains(&figure) { ("MB", 1) } else { ("s", 4) };
    let number = |value: Option<f64>, digits| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"));
    let ours = rounds.smallest(0, figure);
    let mut cells = vec![rounds.workload.name.to_owned(), figure.to_owned(), unit.to_owned(), number(ours, digits)];
    if libraries > 1 {
        let theirs = rounds.smallest(1, figure);
        let ratio = ours.zip(theirs).filter(|(ours, _)| *ours > 0.0).map(|(ours, theirs)| theirs / ours);
        let goal = goals::find(rounds.workload.name, figure);
        cells.extend([number(theirs, digits), number(ratio, 2)]);
        cells.extend(
            [goal.as_ref().map(|goal| goal.at_least), goal.map(|goal| goal.aim)]
                .map(|limit| limit.map_or_else(String::new, |limit| format!("{limit}"))),
        );
    }
    cells
}

fn to_json(results: &[Rounds]) -> Value {
    let workloads = results.iter().map(|rounds| (rounds.workload.name.to_owned(), json!(rounds.libraries)));
    Value::Object(workloads.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(seconds: f64, written: u64) -> Value {
        json!({ "seconds": { "total": seconds }, "written": written, "memory": 1e6, "file": 4e6, "content": "x" })
    }

    fn rounds() -> Rounds {
        let ours = vec![result(0.75, 2_000_000), result(0.5, 3_000_000)];
        let theirs = vec![result(2.0, 8_000_000), result(2.5, 8_000_000)];
        Rounds { workload: workloads::find("init_json").unwrap(), libraries: vec![ours, theirs] }
    }

    #[test]
    fn the_smallest_figures_are_compared_with_the_goals() {
        let rounds = rounds();
        assert_eq!(rounds.figures(), ["total", "written", "memory", "file"]);
        assert_eq!(line(&rounds, "total", 2), ["init_json", "total", "s", "0.5000", "2.0000", "4.00", "2.7", "3.2"]);
        assert_eq!(line(&rounds, "written", 2), ["init_json", "written", "MB", "2.0", "8.0", "4.00", "3.3", "4"]);
        assert_eq!(line(&rounds, "memory", 2), ["init_json", "memory", "MB", "1.0", "1.0", "1.00", "1", "1"]);
        assert_eq!(line(&rounds, "total", 1), ["init_json", "total", "s", "0.5000"]);
    }

    #[test]
    fn a_figure_that_is_not_known_is_left_out() {
        let mut rounds = rounds();
        rounds.libraries[1][0]["written"] = Value::Null;
        rounds.libraries[1][1]["written"] = Value::Null;
        assert_eq!(line(&rounds, "written", 2), ["init_json", "written", "MB", "2.0", "-", "-", "3.3", "4"]);
    }
}

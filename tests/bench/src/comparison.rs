//! Runs workloads, each measurement in its own process, and lays the results out as a table.
//!
//! Each workload runs with the page cache that most SDKs set, and with SQLite's default, which other hosts leave: what
//! fits the first may be written to the file again and again with the second.
//!
//! With two libraries their measurements alternate, and the order is flipped each round, so that what else happens on
//! the machine hits both alike. Of several rounds the smallest figure counts: everything that disturbs makes it larger.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Args;
use comfy_table::{CellAlignment, Table, presets};
use serde_json::{Value, json};
use tool_support::document;

use crate::child;
use crate::database::Cache;
use crate::goals;
use crate::workloads::{self, WORKLOADS, Workload};

/// What is compared, and how often.
#[derive(Args)]
pub(crate) struct Options {
    /// The library to be measured
    #[arg(long, value_name = "LIBRARY", required = true)]
    library: Option<PathBuf>,
    /// Another library, which does the same in turn with the first
    #[arg(long, value_name = "LIBRARY")]
    against: Option<PathBuf>,
    /// Only these workloads
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    workload: Vec<String>,
    /// With SQLite's page cache of these sizes
    #[arg(long, value_enum, value_delimiter = ',', default_values = ["50MB", "2MB"])]
    cache: Vec<Cache>,
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

/// All rounds of one workload with one size of the cache; one list for each library.
struct Rounds {
    workload: &'static Workload,
    cache: Cache,
    libraries: Vec<Vec<Value>>,
}

/// Runs the workloads and prints the table.
///
/// # Errors
/// If a measurement fails, or the two libraries do not end with the same data; the other workloads are in the table.
pub(crate) fn run(options: &Options) -> Result<()> {
    let library = options.library.as_deref().context("--library is missing")?;
    let libraries: Vec<&Path> = std::iter::once(library).chain(options.against.as_deref()).collect();
    let chosen: Vec<&Workload> = match options.workload.as_slice() {
        [] => WORKLOADS.iter().collect(),
        names => names.iter().map(|name| workloads::find(name)).collect::<Result<_>>()?,
    };
    let (mut results, mut failures) = (Vec::new(), Vec::new());
    for workload in chosen {
        // The others are measured all the same: it takes long.
        let measured = measure_workload(workload, &libraries, options, &mut results);
        failures.extend(measured.err().map(|error| format!("{error:#}")));
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

/// Measures a workload with each size of the cache, and adds to the results.
fn measure_workload(
    workload: &'static Workload,
    libraries: &[&Path],
    options: &Options,
    results: &mut Vec<Rounds>,
) -> Result<()> {
    let directory = tempfile::tempdir().context("cannot create a directory for the databases")?;
    if workload.prepare.is_some() {
        for (side, library) in libraries.iter().enumerate() {
            let run = Run { workload, library, scale: options.scale, cache: Cache::Large };
            run.start(&prepared(directory.path(), side), true)?;
        }
    }
    for cache in &options.cache {
        results.push(measure_rounds(workload, *cache, libraries, options, directory.path())?);
    }
    Ok(())
}

/// The database that a workload begins with, for the library of this number.
fn prepared(directory: &Path, side: usize) -> PathBuf {
    directory.join(format!("prepared{side}.db"))
}

fn measure_rounds(
    workload: &'static Workload,
    cache: Cache,
    libraries: &[&Path],
    options: &Options,
    directory: &Path,
) -> Result<Rounds> {
    let mut rounds = Rounds { workload, cache, libraries: vec![Vec::new(); libraries.len()] };
    for round in 0..options.runs.max(1) {
        let mut order: Vec<(usize, &&Path)> = libraries.iter().enumerate().collect();
        if round % 2 == 1 {
            order.reverse();
        }
        for (side, library) in order {
            let database = directory.join(format!("{round}-{side}.db"));
            if workload.prepare.is_some() {
                std::fs::copy(prepared(directory, side), &database).context("cannot copy the prepared database")?;
            }
            let printed = Run { workload, library, scale: options.scale, cache }.start(&database, false)?;
            let result = serde_json::from_str(&printed).with_context(|| format!("this is no JSON: {printed}"))?;
            std::fs::remove_file(&database).context("cannot remove a database")?;
            rounds.libraries.get_mut(side).context("every library has its list")?.push(result);
        }
    }
    eprintln!("{} with {}: {}", workload.name, cache.name(), rounds.summary());
    let mut contents = rounds.libraries.iter().flatten().map(|result| &result["content"]);
    let first = contents.next();
    ensure!(contents.all(|other| Some(other) == first), "{}: the libraries end with different data", workload.name);
    Ok(rounds)
}

/// One run of a workload.
struct Run<'r> {
    workload: &'r Workload,
    library: &'r Path,
    scale: f64,
    cache: Cache,
}

impl Run<'_> {
    /// Measures or prepares in its own process, and gives what that prints.
    fn start(&self, database: &Path, prepare: bool) -> Result<String> {
        let (name, library, scale) = (self.workload.name, self.library, self.scale.to_string());
        let mut arguments: Vec<&OsStr> =
            ["measure", "--workload", name, "--scale", &scale, "--cache", self.cache.name()].map(OsStr::new).into();
        arguments.extend([
            OsStr::new("--library"),
            library.as_os_str(),
            OsStr::new("--database"),
            database.as_os_str(),
        ]);
        if prepare {
            arguments.push(OsStr::new("--prepare"));
        }
        child::run(&format!("{name} with {}", library.display()), &arguments)
    }
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

    /// The fewest pages written by a part in all rounds of one library; None for what is no part.
    fn fewest_pages(&self, side: usize, part: &str) -> Option<u64> {
        self.libraries.get(side)?.iter().filter_map(|result| result["pages"].get(part)?.as_u64()).min()
    }

    /// Progress for a human: the time of the first figure for the whole.
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
    let mut header = vec!["workload", "cache", "figure", "unit", "ours"];
    if libraries.len() > 1 {
        header.extend(["theirs", "theirs ÷ ours", "at least", "aim", "pages", "their pages", "ours ÷ theirs"]);
    } else {
        header.push("pages");
    }
    table.set_header(&header);
    for rounds in results {
        for figure in rounds.figures() {
            table.add_row(line(rounds, &figure, libraries.len()));
        }
    }
    for column in table.column_iter_mut().skip(4) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    let sizes: Vec<String> = libraries
        .iter()
        .map(|library| std::fs::metadata(library).map(|file| format!("{} bytes", file.len())))
        .collect::<Result<_, _>>()
        .context("cannot look at a library")?;
    let rounds = options.runs.max(1);
    Ok(format!(
        "CPU seconds, megabytes and pages written, the smallest of {rounds} rounds at scale {}; SQLite {}. Library: {}.\n\n{table}\n",
        options.scale,
        rusqlite::version(),
        sizes.join(" against "),
    ))
}

fn line(rounds: &Rounds, figure: &str, libraries: usize) -> Vec<String> {
    let (unit, digits) = if ["written", "memory", "file"].contains(&figure) { ("MB", 1) } else { ("s", 4) };
    let number = |value: Option<f64>, digits| value.map_or_else(|| "-".to_owned(), |value| format!("{value:.digits$}"));
    let ours = rounds.smallest(0, figure);
    let mut cells: Vec<String> = [rounds.workload.name, rounds.cache.name(), figure, unit].map(str::to_owned).into();
    cells.push(number(ours, digits));
    let our_pages = rounds.fewest_pages(0, figure);
    let pages = |pages: Option<u64>| pages.map_or_else(String::new, |pages| pages.to_string());
    if libraries == 1 {
        cells.push(pages(our_pages));
    } else {
        let theirs = rounds.smallest(1, figure);
        let ratio = ours.zip(theirs).filter(|(ours, _)| *ours > 0.0).map(|(ours, theirs)| theirs / ours);
        let goal = goals::find(rounds.workload.name, figure);
        cells.extend([number(theirs, digits), number(ratio, 2)]);
        cells.extend(
            [goal.as_ref().map(|goal| goal.at_least), goal.map(|goal| goal.aim)]
                .map(|limit| limit.map_or_else(String::new, |limit| format!("{limit}"))),
        );
        let their_pages = rounds.fewest_pages(1, figure);
        let ratio = our_pages.zip(their_pages).filter(|(_, theirs)| *theirs > 0);
        let ratio = ratio.map_or_else(String::new, |(ours, theirs)| format!("{:.2}", ours as f64 / theirs as f64));
        cells.extend([pages(our_pages), pages(their_pages), ratio]);
    }
    cells
}

fn to_json(results: &[Rounds]) -> Value {
    let mut workloads = serde_json::Map::new();
    for rounds in results {
        let by_cache = workloads.entry(rounds.workload.name).or_insert_with(|| json!({}));
        if let Some(by_cache) = by_cache.as_object_mut() {
            by_cache.insert(rounds.cache.name().to_owned(), json!(rounds.libraries));
        }
    }
    workloads.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn result(seconds: f64, written: u64, pages: u64) -> Value {
        json!({
            "seconds": { "total": seconds }, "pages": { "total": pages },
            "written": written, "memory": 1e6, "file": 4e6, "content": "x"
        })
    }

    fn rounds() -> Rounds {
        let ours = vec![result(0.75, 2_000_000, 600), result(0.5, 3_000_000, 500)];
        let theirs = vec![result(2.0, 8_000_000, 1000), result(2.5, 8_000_000, 1000)];
        let workload = workloads::find("init_json").unwrap();
        Rounds { workload, cache: Cache::Default, libraries: vec![ours, theirs] }
    }

    fn cells(rounds: &Rounds, figure: &str, libraries: usize) -> String {
        line(rounds, figure, libraries).join(" ")
    }

    #[test]
    fn the_smallest_figures_are_compared_with_the_goals() {
        let rounds = rounds();
        assert_eq!(rounds.figures(), ["total", "written", "memory", "file"]);
        assert_eq!(cells(&rounds, "total", 2), "init_json 2MB total s 0.5000 2.0000 4.00 5 6 500 1000 0.50");
        assert_eq!(cells(&rounds, "written", 2), "init_json 2MB written MB 2.0 8.0 4.00 6 7   ");
        assert_eq!(cells(&rounds, "memory", 2), "init_json 2MB memory MB 1.0 1.0 1.00 1 1   ");
        assert_eq!(cells(&rounds, "total", 1), "init_json 2MB total s 0.5000 500");
    }

    #[test]
    fn a_figure_that_is_not_known_is_left_out() {
        let mut rounds = rounds();
        for round in [0, 1] {
            rounds.libraries[1][round]["written"] = Value::Null;
            rounds.libraries[1][round]["pages"]["total"] = Value::Null;
        }
        assert_eq!(cells(&rounds, "written", 2), "init_json 2MB written MB 2.0 - - 6 7   ");
        assert_eq!(cells(&rounds, "total", 2), "init_json 2MB total s 0.5000 2.0000 4.00 5 6 500  ");
    }

    #[test]
    fn results_are_kept_apart_by_cache() {
        let large = Rounds { cache: Cache::Large, ..rounds() };
        let both = to_json(&[large, rounds()]);
        assert_eq!(both["init_json"]["50MB"], both["init_json"]["2MB"]);
        assert_eq!(both["init_json"]["2MB"][1][0]["pages"]["total"], 1000);
    }
}

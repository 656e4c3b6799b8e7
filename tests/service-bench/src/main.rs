//! `rowtide-service-bench`: measures the sync service, and checks that it does no more than it has to.
//!
//! Most figures are of the program `rowtide`, which runs as a process of its own, with a SQLite file as its source and
//! another one as its storage. This process writes rows and is all of the clients. Counts are always checked; times are not.
#![forbid(unsafe_code)]

mod client;
mod comparison;
mod data;
mod deployment;
mod figures;
mod idle;
mod latency;
mod program;
mod replication;
mod serving;
mod transactions;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use tempfile::TempDir;
use tool_support::document;

use data::Data;
use figures::Figures;

#[derive(Parser)]
#[command(name = "rowtide-service-bench", version, about = "Measures the sync service")]
struct Arguments {
    /// The program `rowtide`
    #[arg(long, value_name = "FILE")]
    program: PathBuf,
    /// The program as it is shipped, for its size, memory and start; the other one is built for speed
    #[arg(long, value_name = "FILE")]
    shipped: Option<PathBuf>,
    /// Rounds; the best figure of all counts
    #[arg(long, default_value_t = 1)]
    runs: usize,
    /// Multiplies the numbers of rows, buckets, clients and transactions
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// Puts the table into this Markdown file, in place of the one there
    #[arg(long, value_name = "FILE")]
    document: Option<PathBuf>,
    #[command(flatten)]
    against: comparison::Against,
}

/// What all measurements of a round share.
struct Stage<'a> {
    program: &'a Path,
    scale: f64,
    folder: TempDir,
}

impl Stage<'_> {
    /// A number at this scale, but no less than `least`.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "small")]
    fn scaled(&self, number: usize, least: usize) -> usize {
        ((number as f64 * self.scale) as usize).max(least)
    }
}

fn main() -> ExitCode {
    match run(&Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: &Arguments) -> Result<()> {
    ensure!(arguments.runs > 0, "--runs must be at least 1");
    if arguments.against.print_config {
        comparison::prepare(&arguments.against)?;
        println!("{}", data::CONFIG.trim_start());
        return Ok(());
    }
    if arguments.against.against.is_some() {
        let stage = Stage { program: &arguments.program, scale: arguments.scale, folder: temporary_folder()? };
        let table = comparison::run(&arguments.against, &stage)?;
        println!("\n{table}");
        return arguments.document.as_ref().map_or(Ok(()), |path| document::replace(path, "storages", &table));
    }
    let mut figures = Figures::default();
    for number in 1..=arguments.runs {
        eprintln!("round {number} of {}", arguments.runs);
        round(arguments, &mut figures)?;
    }
    let text = format!(
        "The best of {} rounds at scale {}; SQLite {}.\n\n{}",
        arguments.runs,
        arguments.scale,
        rusqlite::version(),
        figures.table()
    );
    println!("\n{text}");
    arguments.document.as_ref().map_or(Ok(()), |path| document::replace(path, "service", &text))
}

fn round(arguments: &Arguments, figures: &mut Figures) -> Result<()> {
    let stage = Stage { program: &arguments.program, scale: arguments.scale, folder: temporary_folder()? };
    program::measure_start(arguments.shipped.as_deref().unwrap_or(&arguments.program), &stage, figures)?;
    let mut data = Data::create(&stage)?;
    let (copied, read) = data.copy(&stage)?;
    let program = replication::measure_initial(&stage, &data, copied, figures)?;
    let bytes = serving::measure(&program, &data, read, figures)?;
    replication::measure_storage(&stage, &data, bytes, figures)?;
    transactions::measure(&stage, &program, &mut data, figures)?;
    latency::measure_program(&stage, &program, &data, figures)?;
    idle::measure(&stage, &program, &data, figures)?;
    replication::measure_rebuild(&stage, program, &data, figures)?;
    latency::measure_in_memory(&stage, figures)?;
    latency::measure_during_build(&stage, figures)?;
    deployment::measure(&stage, figures)
}

fn temporary_folder() -> Result<TempDir> {
    tempfile::Builder::new().prefix("rowtide-bench-").tempdir().context("creating a temporary folder")
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Arguments::command().debug_assert();
    }
}

//! `rowtide-bench`: measures the library, alone or against another one.
//!
//! `cargo xtask bench` builds the library and this program, and runs it.
#![forbid(unsafe_code)]

mod child;
mod comparison;
mod database;
mod goals;
mod growth;
mod measurement;
mod rows;
mod service;
mod workloads;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

/// Measures the PowerSync SQLite extension.
#[derive(Parser)]
#[command(name = "rowtide-bench", version, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    comparison: comparison::Options,
}

#[derive(Subcommand)]
enum Command {
    /// Varies one size of a client at a time, and measures how the costs of operations grow
    Growth(growth::Options),
    /// Builds and measures one client; `growth` starts this
    #[command(hide = true)]
    GrowthPoint(growth::Point),
    /// Runs one workload in this process and prints what was measured as JSON; the other commands start this one
    #[command(hide = true)]
    Measure(Measure),
}

#[derive(Args)]
struct Measure {
    #[arg(long)]
    library: PathBuf,
    #[arg(long)]
    workload: String,
    #[arg(long)]
    database: PathBuf,
    #[arg(long)]
    scale: f64,
    #[arg(long)]
    cache: database::Cache,
    /// Only makes the database that the workload begins with
    #[arg(long)]
    prepare: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.command {
        None => comparison::run(&arguments.comparison),
        Some(Command::Growth(options)) => growth::run(&options),
        Some(Command::GrowthPoint(point)) => growth::run_point(&point),
        Some(Command::Measure(command)) => measure(command),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn measure(command: Measure) -> Result<()> {
    let workload = workloads::find(&command.workload)?;
    let (scale, cache) = (command.scale, command.cache);
    let stage = workloads::Stage { library: command.library, database: command.database, scale, cache };
    if let (true, Some(prepare)) = (command.prepare, workload.prepare) {
        return prepare(&stage);
    }
    let (database, measurement) = (workload.run)(&stage)?;
    println!("{}", measurement.end(database.connection(), &stage.database)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Arguments::command().debug_assert();
    }
}

//! The program behind `cargo xtask converge` and `cargo xtask soak`.
#![forbid(unsafe_code)]

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Parser, Subcommand};
use rowtide_convergence::campaign::{Limit, replay, run_many};
use rowtide_convergence::processes::{self, Plan};
use rowtide_convergence::{concurrent, soak, worker};

#[derive(Parser)]
#[command(name = "rowtide-convergence", about = "Random sessions of a model service and several clients")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Runs random sessions
    Sessions {
        /// Seed of the first
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Number of sessions
        #[arg(long, default_value_t = 1000)]
        count: u64,
        /// Minutes to go on for, instead of a number of sessions
        #[arg(long)]
        minutes: Option<f64>,
    },
    /// Runs the session in a file
    Replay {
        /// As a failing session is printed
        file: PathBuf,
    },
    /// Runs several processes on one file
    Processes {
        /// Of the random choices
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Transactions of each writer
        #[arg(long, default_value_t = 200)]
        transactions: u64,
    },
    /// One long session, in which memory and files must not grow
    Soak {
        /// Seed of the session
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Rounds of 150 actions, after each of which everybody converges
        #[arg(long, default_value_t = 1000)]
        rounds: usize,
        /// Minutes to go on for, instead of a number of rounds
        #[arg(long)]
        minutes: Option<f64>,
    },
    /// One of those processes
    #[command(hide = true)]
    Worker {
        /// The database
        file: PathBuf,
    },
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Command::Sessions { seed, count, minutes } => sessions(seed, count, minutes),
        Command::Replay { file } => replay(&file).map(|counts| println!("converged: {counts:?}")),
        Command::Processes { seed, transactions } => several_processes(seed, transactions),
        Command::Soak { seed, rounds, minutes } => soak(seed, rounds, minutes),
        Command::Worker { file } => worker::serve(Path::new(&file)).map_err(|error| error.to_string()),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn sessions(seed: u64, count: u64, minutes: Option<f64>) -> Result<(), String> {
    let limit = match minutes {
        Some(minutes) => Limit::Time(Duration::from_secs_f64(minutes * 60.0)),
        None => Limit::Sessions(count),
    };
    let counts = run_many(seed, limit).map_err(|failure| failure.to_string())?;
    println!(
        "{} random sessions converged: {} steps, {} checkpoints published, {} processes killed, {} checkpoints put off and \
         {} iterations ended for another one on the file; {} checkpoints published around local writes, {} rejected \
         transactions tried again, {} clients replaced by copies",
        counts.sessions,
        counts.actions,
        counts.published,
        counts.kills,
        counts.put_off,
        counts.ends,
        counts.around,
        counts.retried,
        counts.replaced
    );
    Ok(())
}

fn several_processes(seed: u64, transactions: u64) -> Result<(), String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let plan = Plan { program, seed, writers: 3, transactions };
    let report = processes::run(&plan, directory.path())?;
    println!(
        "6 processes on one file: {} local transactions, {} checkpoints published ({} seen by a reader), {} calls refused as \
         busy, {} processes killed",
        report.transactions, report.published, report.seen, report.refused, report.kills
    );
    for latency in [[0, 0], [0, 150], [150, 150]] {
        let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
        let plan = concurrent::Plan {
            program: plan.program.clone(),
            latency: latency.map(Duration::from_millis),
            rows: 6000,
            heartbeats: 20,
            changes: 10,
            writes: 10,
        };
        let report = concurrent::run(&plan, directory.path())?;
        println!(
            "2 processes at the same time, {latency:?} ms from the service: {:?} streams opened, {:?} operations received of \
             {}, {} rows published, {} local transactions arrived",
            report.streams, report.received, report.operations, report.published, report.arrived
        );
    }
    Ok(())
}

fn soak(seed: u64, rounds: usize, minutes: Option<f64>) -> Result<(), String> {
    let limit = match minutes {
        Some(minutes) => soak::Limit::Time(Duration::from_secs_f64(minutes * 60.0)),
        None => soak::Limit::Rounds(rounds),
    };
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let report = soak::run(seed, limit, directory.path())?;
    println!(
        "{} steps, everybody converged {} times: {} kB allocated, {} MB resident, {} kB of files, and no more than before",
        report.counts.actions,
        report.counts.sessions,
        report.after.allocated >> 10,
        report.after.resident >> 20,
        report.after.files >> 10
    );
    Ok(())
}

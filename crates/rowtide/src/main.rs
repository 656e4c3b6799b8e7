//! `rowtide`: the sync service, its configurations, and what shows and checks the extension without an app or a server.

mod config;
mod demo;
mod dev;
mod diagnostics;
mod exit;
mod extension;
mod grid;
mod logs;
mod progress;
mod query;
mod replay;
mod running;
mod serve;
mod session;
mod table;
mod token;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::exit::{Outcome, Usage};

/// Syncs a database to SQLite files in apps: a sync service, and tools around it.
#[derive(Parser)]
#[command(name = "rowtide", version, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  rowtide dev                                a sync service with a small todo app, ready to be tried
  rowtide serve --config sync.yaml --source sqlite:app.db
  rowtide config check sync.yaml             what is wrong with a sync configuration, and where
  rowtide demo                               a sync, a local write and its upload
  rowtide replay stream.ndjson               feeds a recorded stream to a database in memory
  rowtide query demo.db 'SELECT * FROM todos LIMIT 5'

Exit codes: 0 fine, 1 something is wrong with the data or the service, 2 wrong usage.";

#[derive(Subcommand)]
enum Command {
    Dev(dev::DevArguments),
    Serve(serve::Serve),
    Token(token::Token),
    /// Checks and explains sync configurations
    #[command(subcommand)]
    Config(config::Config),
    Demo(demo::Demo),
    Replay(replay::Replay),
    Query(query::Query),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if !matches!(arguments.command, Command::Serve(_) | Command::Dev(_)) {
        // A reader that has seen enough, as `head`, ends the program silently. A service outlives the reader of its output.
        sigpipe::reset();
    }
    let result = match arguments.command {
        Command::Dev(command) => command.run(),
        Command::Serve(command) => command.run(),
        Command::Token(command) => command.run(),
        Command::Config(command) => command.run(),
        Command::Demo(command) => with_extension(|| command.run()),
        Command::Replay(command) => with_extension(|| command.run()),
        Command::Query(command) => with_extension(|| command.run()),
    };
    match result {
        Ok(outcome) => outcome.into(),
        Err(error) => {
            eprintln!("error: {error:#}");
            if error.is::<Usage>() { Outcome::Usage } else { Outcome::Problem }.into()
        }
    }
}

/// Only where databases of apps are opened: the service's own do without.
fn with_extension(command: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<Outcome> {
    extension::load_into_new_connections()?;
    command().map(|()| Outcome::Fine)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Arguments::command().debug_assert();
    }
}

//! `rowtide`: the sync service, its configurations, and what shows and checks the extension without an app or a server.

mod admin;
mod config;
mod confirm;
mod database;
mod dead_letters;
mod demo;
mod dev;
mod diagnostics;
mod exit;
mod explain;
mod hint;
mod inspect;
mod logs;
mod member;
mod output;
mod queue;
mod replay;
mod running;
mod serve;
mod session;
mod shell;
mod sync;
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
  rowtide demo                               two devices sync, go offline and come back
  rowtide dev                                a sync service with a small todo app, ready to be tried
  rowtide serve --config sync.yaml --source sqlite:app.db
  rowtide inspect app.db                     why an app's database does not get data
  rowtide explain app.db todos todo-1        why a row is there, or not
  rowtide shell app.db 'SELECT * FROM todos LIMIT 5'
  rowtide config check sync.yaml             what is wrong with a sync configuration, and where
  rowtide sync --url http://127.0.0.1:8080 --dev-user alice app.db

Exit codes: 0 fine, 1 something is wrong with the data or the service, 2 wrong usage.";

#[derive(Subcommand)]
enum Command {
    Demo(demo::Demo),
    Dev(dev::DevArguments),
    Serve(serve::Serve),
    Sync(sync::Sync),
    Inspect(inspect::Inspect),
    Explain(explain::Explain),
    Shell(shell::Shell),
    #[command(subcommand)]
    Queue(queue::Queue),
    /// Lists, shows, replays and discards writes that a service has refused
    #[command(subcommand)]
    DeadLetters(dead_letters::DeadLetters),
    Replay(replay::Replay),
    /// Checks and explains sync configurations
    #[command(subcommand)]
    Config(config::Config),
    Token(token::Token),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let has_network =
        matches!(arguments.command, Command::Serve(_) | Command::Dev(_) | Command::Sync(_) | Command::Demo(_));
    if !has_network {
        // A reader that has seen enough, as `head`, ends the program silently. Not where a connection that is closed would do
        // the same: these commands see for themselves that nobody reads any more.
        sigpipe::reset();
    }
    let result = match arguments.command {
        Command::Demo(command) => with_extension(|| command.run()),
        Command::Dev(command) => command.run(),
        Command::Serve(command) => command.run(),
        Command::Sync(command) => with_extension(|| command.run()),
        Command::Inspect(command) => with_extension(|| command.run()),
        Command::Explain(command) => with_extension(|| command.run()),
        Command::Shell(command) => with_extension(|| command.run()),
        Command::Queue(command) => with_extension(|| command.run()),
        Command::DeadLetters(command) => command.run(),
        Command::Replay(command) => with_extension(|| command.run().map(|()| Outcome::Fine)),
        Command::Config(command) => command.run(),
        Command::Token(command) => command.run(),
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
fn with_extension(command: impl FnOnce() -> anyhow::Result<Outcome>) -> anyhow::Result<Outcome> {
    rowtide_client::load_extension()?;
    command()
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Arguments::command().debug_assert();
    }
}

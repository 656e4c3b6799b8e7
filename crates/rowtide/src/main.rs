//! `rowtide`: shows and checks the extension on the command line, without an app or a server.

mod demo;
mod extension;
mod progress;
mod query;
mod replay;
mod session;
mod table;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Tries out the PowerSync SQLite extension without an app or a server.
///
/// The extension turns an SQLite database into a synced copy of server-side data. Apps use it through an SDK; this
/// program plays the part of the SDK, so that you can watch the extension work, feed it recorded sync streams, and look
/// into databases that use its functions.
#[derive(Parser)]
#[command(name = "rowtide", version, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "Examples:
  rowtide demo                               a small sync, a local write and its upload, step by step
  rowtide demo --db demo.db                  the same, kept in a file that you can look into
  rowtide replay stream.ndjson               feeds a recorded stream to a database in memory
  rowtide replay --db app.db stream.bson.gz  … to a database file
  rowtide query demo.db 'SELECT * FROM todos LIMIT 5'";

#[derive(Subcommand)]
enum Command {
    /// Shows a sync, a local write, and how the two meet, with data that come with this program
    Demo(demo::Demo),
    /// Feeds a recorded sync stream to a database and reports the result
    Replay(replay::Replay),
    /// Runs SQL on a database file with the extension loaded, and prints the rows as a table
    Query(query::Query),
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = extension::load_into_new_connections().and_then(|()| match arguments.command {
        Command::Demo(command) => command.run(),
        Command::Replay(command) => command.run(),
        Command::Query(command) => command.run(),
    });
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Arguments::command().debug_assert();
    }
}

//! The shell on a terminal: lines that are edited, with a history.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};
use etcetera::{BaseStrategy, choose_base_strategy};
use rusqlite::InterruptHandle;
use rustyline::config::Configurer;
use rustyline::error::ReadlineError;
use rustyline::{Config, DefaultEditor};

use super::commands::Next;
use super::session::{Session, report};
use super::splitter::Splitter;

const PROMPT: &str = "rowtide> ";
const CONTINUED: &str = "    ...> ";

/// How many lines of history are kept.
const KEPT: usize = 10_000;

/// Reads and runs until the end. Errors are shown, and do not end it.
pub(super) fn run(session: &mut Session) -> Result<()> {
    session.settings.bail = false;
    let config = Config::builder().history_ignore_space(true).auto_add_history(false).build();
    let mut editor = DefaultEditor::with_config(config).context("Preparing the terminal")?;
    editor.set_max_history_size(KEPT).context("Preparing the history")?;
    let history = history();
    if let Some(history) = &history {
        // There is none at first.
        let _ = editor.load_history(history);
    }
    interrupt_on_ctrl_c(session.connection().get_interrupt_handle())?;
    greet(session)?;
    let mut splitter = Splitter::default();
    let mut typed = String::new();
    loop {
        let prompt = if splitter.is_between() { PROMPT } else { CONTINUED };
        match editor.readline(prompt) {
            Ok(line) => {
                if !typed.is_empty() {
                    typed.push('\n');
                }
                typed += &line;
                let next = take(session, &mut splitter, &line);
                if splitter.is_between() {
                    // A whole statement is one entry.
                    let _ = editor.add_history_entry(std::mem::take(&mut typed));
                }
                if next == Next::Quit {
                    break;
                }
            }
            Err(ReadlineError::Interrupted) => {
                splitter.clear();
                typed.clear();
            }
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(error).context("Reading from the terminal"),
        }
    }
    if let Some(history) = &history
        && let Err(error) = editor.save_history(history)
    {
        eprintln!("The history was not stored in {}: {error}", history.display());
    }
    Ok(())
}

/// Runs what a line completes.
fn take(session: &mut Session, splitter: &mut Splitter, line: &str) -> Next {
    if splitter.is_between() && line.trim_start().starts_with('.') {
        return session.command(line).unwrap_or_else(|error| {
            report(&format!("{error:#}"));
            Next::Continue
        });
    }
    splitter.push(line);
    while let Some(statement) = splitter.next() {
        session.typed(&statement);
    }
    Next::Continue
}

fn greet(session: &Session) -> Result<()> {
    let connection = session.connection();
    let access = if connection.is_readonly(rusqlite::MAIN_DB)? { ", only read (--write changes it)" } else { "" };
    let sqlite = rusqlite::version();
    println!("rowtide {}, SQLite {sqlite}: {}{access}", env!("CARGO_PKG_VERSION"), session.path().display());
    println!("Statements end with a semicolon; .help lists commands, .quit ends.");
    Ok(())
}

/// Where the history is kept, in the user's folder for state.
fn history() -> Option<PathBuf> {
    let folders = choose_base_strategy().ok()?;
    let folder = folders.state_dir().unwrap_or_else(|| folders.data_dir()).join("rowtide");
    fs::create_dir_all(&folder).ok()?;
    Some(folder.join("shell-history"))
}

/// While a statement runs, Ctrl-C ends the statement, not the program. While somebody types, the editor has the key.
fn interrupt_on_ctrl_c(statement: InterruptHandle) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("Preparing for Ctrl-C")?;
    // From here on, and not from when the thread runs: until then Ctrl-C would end the program.
    let entered = runtime.enter();
    let signal = signal().context("Preparing for Ctrl-C");
    drop(entered);
    let mut signal = signal?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            while signal.recv().await.is_some() {
                statement.interrupt();
            }
        });
    });
    Ok(())
}

#[cfg(unix)]
fn signal() -> std::io::Result<tokio::signal::unix::Signal> {
    tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt())
}

#[cfg(windows)]
fn signal() -> std::io::Result<tokio::signal::windows::CtrlC> {
    tokio::signal::windows::ctrl_c()
}

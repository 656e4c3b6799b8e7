//! `cargo xtask hosts`: runs the artefacts of `target/dist`, each in a small C program on its processor (emulated where it
//! is another than this machine's) with the newest SQLite: all scenarios of `tests/scenarios`. The program is run as it is.

mod c_program;
mod program;
mod static_image;
pub(crate) mod table;
pub(crate) mod web;
mod wine;

use anyhow::{Context, Result, ensure};

use c_program::Program;
use table::{HOSTS, Host};
use tool_support::process;

/// Runs the hosts whose names contain one of the words, or all of them without; says which are skipped and why.
///
/// # Errors
/// Which failed; also if none was run, or if all are required and one was skipped.
pub(crate) fn run(only: &[String], require_all: bool) -> Result<()> {
    let (mut passed, mut skipped, mut failed) = (0, 0, Vec::new());
    let fits = |name: &str| only.is_empty() || only.iter().any(|word| name.contains(word.as_str()));
    let mut run = |name: &str, obstacle: Option<String>, run: &dyn Fn() -> Result<()>| match obstacle {
        Some(obstacle) => {
            println!("SKIPPED {name}: {obstacle}");
            skipped += 1;
        }
        None => match run() {
            Ok(()) => passed += 1,
            Err(error) => failed.push(format!("{name}: {error:#}")),
        },
    };
    for host in HOSTS.iter().filter(|host| fits(host.name)) {
        run(host.name, host.obstacle(), &|| run_one(host));
    }
    for host in web::HOSTS.iter().filter(|host| fits(host.name)) {
        run(host.name, host.obstacle(), &|| host.run());
    }
    for host in program::HOSTS.iter().filter(|host| fits(host.name)) {
        run(host.name, host.obstacle(), &|| host.run());
    }
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    ensure!(passed > 0, "no host was run");
    ensure!(!require_all || skipped == 0, "{skipped} hosts were skipped");
    Ok(())
}

/// Has the scenarios run by a program for that host.
fn run_one(host: &Host) -> Result<()> {
    println!("{}", host.name);
    let program = Program::build(host).context("cannot build the program")?;
    let mut command = process::cargo(&["run", "--quiet", "--package", "rowtide-testkit", "--bin", "scenarios", "--"]);
    command.arg("scenario.db").args(program.command_line()?).envs(program.environment()?);
    process::run(&mut command)
}

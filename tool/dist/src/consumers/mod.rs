//! `cargo xtask consumers`: uses the packages for this machine as an application would: installs them into empty
//! environments, builds programs with them, and runs these.

mod c;
mod dart;
mod npm;
mod program;
mod rust;
mod wheel;

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::packages;
use crate::packages::distribution::Distribution;
use tool_support::{examples, process};

/// What came of a consumer.
pub(crate) enum Outcome {
    /// Everything that it tries works.
    Works,
    /// A program that it needs is not installed here: which one, and what installs it.
    Skipped(String),
}

/// A kind of application: its name, and what tries it in its own directory.
type Consumer = (&'static str, fn(&Distribution, &Path) -> Result<Outcome>);

const CONSUMERS: &[Consumer] = &[
    ("npm", npm::check),
    ("python", wheel::check),
    ("npm-program", program::check_npm),
    ("python-program", program::check_wheel),
    ("c", c::check),
    ("dart", dart::check),
    ("rust", rust::check),
];

/// Consumers that take long to build and are tried only when they are named.
const SLOW_CONSUMERS: &[Consumer] = &[("rust-sdk", rust::check_sdk)];

/// Makes the packages for this machine and tries all consumers, or those that are named; or takes the packages that are
/// shipped, which have been made before.
///
/// # Errors
/// Names the consumer that failed.
pub(crate) fn run(only: &[String], shipped: bool) -> Result<()> {
    let consumers = selected(only)?;
    let distribution = if shipped {
        Distribution::complete()
    } else {
        let distribution = Distribution::of_host()?;
        packages::write(&distribution)?;
        distribution
    };
    for (name, consumer) in consumers {
        let place = directory(&distribution, name)?;
        match consumer(&distribution, &place).with_context(|| format!("the consumer {name} failed"))? {
            Outcome::Works => println!("{name}: works"),
            Outcome::Skipped(why) => println!("{name}: SKIPPED: {why}"),
        }
    }
    Ok(())
}

fn selected(only: &[String]) -> Result<Vec<Consumer>> {
    if only.is_empty() {
        return Ok(CONSUMERS.to_vec());
    }
    let find = |wanted: &String| {
        let found = CONSUMERS.iter().chain(SLOW_CONSUMERS).find(|(name, _)| name == wanted);
        found.copied().with_context(|| format!("there is no consumer {wanted}"))
    };
    only.iter().map(find).collect()
}

/// Where a consumer works; what it has built there before may still be there.
fn directory(distribution: &Distribution, name: &str) -> Result<PathBuf> {
    let place = distribution.directory.with_file_name("consumers").join(name);
    std::fs::create_dir_all(&place).with_context(|| format!("cannot make {}", place.display()))?;
    Ok(place)
}

/// Writes the one example of a package's README to `file`, and returns its code.
fn write_example(readme: &str, file: &Path) -> Result<String> {
    let text = std::fs::read_to_string(process::repository().join(readme))?;
    let [example] =
        <[_; 1]>::try_from(examples::examples(&text)).ok().with_context(|| format!("{readme}: not one example"))?;
    std::fs::write(file, &example.code)?;
    Ok(example.code)
}

/// A program that is started in a directory.
fn in_place(program: &str, arguments: &[&str], place: &Path) -> Command {
    let mut command = process::program(program, arguments);
    command.current_dir(place);
    command
}

/// Whether a program can be started: it knows `--version`.
fn is_installed(program: &str) -> bool {
    process::program(program, &["--version"]).output().is_ok_and(|output| output.status.success())
}

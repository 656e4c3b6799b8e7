//! `cargo xtask consumers`: uses the packages for this machine as an application would: installs them into empty
//! environments, builds programs with them, and runs these.

mod c;
mod dart;
mod npm;
mod wheel;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::bundles;
use crate::bundles::distribution::Distribution;
use crate::process;

/// What came of a consumer.
pub enum Outcome {
    /// Everything that it tries works.
    Works,
    /// A program that it needs is not installed here: which one, and what installs it.
    Skipped(String),
}

/// A kind of application: its name, and what tries it in a directory of its own.
type Consumer = (&'static str, fn(&Distribution, &Path) -> Result<Outcome>);

const CONSUMERS: &[Consumer] = &[("npm", npm::check), ("python", wheel::check), ("c", c::check), ("dart", dart::check)];

/// Makes the packages for this machine and tries all consumers, or those that are named.
///
/// # Errors
/// Names the consumer that failed.
pub fn run(only: &[String]) -> Result<()> {
    if let Some(unknown) = only.iter().find(|name| !CONSUMERS.iter().any(|(known, _)| known == name)) {
        bail!("there is no consumer {unknown}");
    }
    let distribution = Distribution::of_host()?;
    bundles::write(&distribution)?;
    for (name, consumer) in CONSUMERS {
        if !only.is_empty() && !only.iter().any(|wanted| wanted == name) {
            continue;
        }
        let place = empty_directory(&distribution, name)?;
        match consumer(&distribution, &place).with_context(|| format!("the consumer {name} failed"))? {
            Outcome::Works => println!("{name}: works"),
            Outcome::Skipped(why) => println!("{name}: SKIPPED: {why}"),
        }
    }
    Ok(())
}

fn empty_directory(distribution: &Distribution, name: &str) -> Result<PathBuf> {
    let place = distribution.directory.join("consumers").join(name);
    std::fs::create_dir_all(&place).with_context(|| format!("cannot make {}", place.display()))?;
    Ok(place)
}

/// Whether a program can be started: it knows `--version`.
fn is_installed(program: &str) -> bool {
    process::program(program, &["--version"]).output().is_ok_and(|output| output.status.success())
}

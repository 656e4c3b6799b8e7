//! The libraries that become an XCFramework: for each of its directories one, universal if it is for several
//! processors.

use std::collections::BTreeMap;
use std::fs::create_dir_all;
use std::path::PathBuf;

use anyhow::Result;

use crate::package::target::{TARGETS, Target};
use crate::package::{distribution, framework_binary, universal};
use tool_support::process::repository;

/// The framework's binary, and that of every slice.
const FRAMEWORK: &str = "powersync-sqlite-core";

/// Where they go, each into its own directory.
pub(crate) fn directory() -> PathBuf {
    repository().join("target/package/slices")
}

/// The targets of each slice, by its name.
pub(crate) fn all() -> BTreeMap<&'static str, Vec<&'static Target>> {
    let mut slices: BTreeMap<&str, Vec<&Target>> = BTreeMap::new();
    for target in TARGETS {
        if let Some(slice) = target.slice {
            slices.entry(slice).or_default().push(target);
        }
    }
    slices
}

/// The library of one target, as it is in a slice: the framework's, or the static one.
pub(crate) fn part(target: &Target) -> PathBuf {
    if target.is_loadable { framework_binary(target) } else { distribution().join(target.static_name()) }
}

/// Makes those for which the libraries of all processors are there. Others are removed.
///
/// # Errors
/// If a file cannot be read or written.
pub(crate) fn join() -> Result<()> {
    for (slice, targets) in all() {
        let directory = directory().join(slice);
        if directory.exists() {
            std::fs::remove_dir_all(&directory)?;
        }
        if !targets.iter().all(|target| part(target).is_file()) {
            continue;
        }
        let mut contents = Vec::new();
        for target in &targets {
            contents.push((universal::processor(target.linker_architecture)?, std::fs::read(part(target))?));
        }
        let is_loadable = targets.iter().all(|target| target.is_loadable);
        let name = if is_loadable { FRAMEWORK.to_owned() } else { format!("lib{FRAMEWORK}.a") };
        let content = match contents.as_slice() {
            [(_, only)] => only.clone(),
            several => universal::join(several)?,
        };
        create_dir_all(&directory)?;
        std::fs::write(directory.join(name), content)?;
    }
    Ok(())
}

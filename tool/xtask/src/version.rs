//! `cargo xtask version`: one version everywhere: manifests, lock file and changelog.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

use tool_support::process::{self, repository};

/// The version that all packages of the workspace share.
const CURRENT: &str = env!("CARGO_PKG_VERSION");

/// Checks that everything names the version of the workspace's manifest.
///
/// # Errors
/// Says which place names another one.
pub(crate) fn check() -> Result<()> {
    check_range(CURRENT)?;
    // Fails if the lock file does not have the manifest's version.
    process::output(&mut process::cargo(&["metadata", "--locked", "--no-deps", "--format-version=1"]))?;
    let changelog = read("CHANGELOG.md")?;
    let newest = newest_in_changelog(&changelog)?;
    ensure!(newest == CURRENT, "CHANGELOG.md begins with {newest}, the manifest has {CURRENT}");
    for (file, line) in lines_in_other_manifests(CURRENT) {
        ensure!(read(file)?.lines().any(|found| found == line), "{file} has no line {line:?}");
    }
    println!("version {CURRENT} everywhere");
    Ok(())
}

/// Writes a new version into manifest, lock file and changelog.
///
/// # Errors
/// If SDKs would not accept the version, or a file is not as expected.
pub(crate) fn bump(new: &str) -> Result<()> {
    check_range(new)?;
    replace_once("Cargo.toml", &format!("version = \"{CURRENT}\""), &format!("version = \"{new}\""))?;
    let changelog = read("CHANGELOG.md")?;
    let newest = newest_in_changelog(&changelog)?;
    if newest != new {
        let old_heading = format!("\n## {newest}");
        replace_once("CHANGELOG.md", &old_heading, &format!("\n## {new}\n{old_heading}"))?;
    }
    for ((file, old), (_, new)) in lines_in_other_manifests(CURRENT).into_iter().zip(lines_in_other_manifests(new)) {
        replace_once(file, &old, &new)?;
    }
    process::run(&mut process::cargo(&["update", "--workspace", "--offline", "--quiet"]))?;
    println!("{CURRENT} is now {new}; say in CHANGELOG.md what is new");
    Ok(())
}

/// Lines with the version in manifests that are no Cargo's; all other packages get it when they are made.
fn lines_in_other_manifests(version: &str) -> Vec<(&'static str, String)> {
    vec![("dart/pubspec.yaml", format!("version: {version}"))]
}

/// SDKs require at least 0.5.2 and less than 0.6.0; ours starts at 0.5.100
/// (docs/reference/functions.md#powersync_rs_version).
fn check_range(version: &str) -> Result<()> {
    let patch = version.strip_prefix("0.5.").and_then(|patch| patch.parse::<u32>().ok());
    match patch {
        Some(patch) if patch >= 100 => Ok(()),
        _ => bail!("version {version} is not 0.5.N with N from 100 on, which is what SDKs accept"),
    }
}

fn newest_in_changelog(text: &str) -> Result<&str> {
    let heading = text.lines().find_map(|line| line.strip_prefix("## ")).context("CHANGELOG.md has no heading")?;
    Ok(heading.split_whitespace().next().unwrap_or_default())
}

fn read(file: &str) -> Result<String> {
    std::fs::read_to_string(repository().join(file)).with_context(|| format!("cannot read {file}"))
}

fn replace_once(file: &str, old: &str, new: &str) -> Result<()> {
    let text = read(file)?;
    ensure!(text.matches(old).count() == 1, "{file} does not have exactly one {old:?}");
    std::fs::write(Path::new(repository()).join(file), text.replacen(old, new, 1))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_versions_that_sdks_accept() {
        for good in ["0.5.100", "0.5.101", "0.5.2000"] {
            assert!(check_range(good).is_ok(), "{good}");
        }
        for bad in ["0.5.4", "0.6.0", "1.0.0", "0.5.100-beta", "0.5", ""] {
            assert!(check_range(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_newest_version_is_the_first_heading() {
        assert_eq!(newest_in_changelog("# Changes\n\n## 0.5.101 (unreleased)\n\n## 0.5.100\n").unwrap(), "0.5.101");
        assert!(newest_in_changelog("# Changes\n").is_err());
    }
}

//! `cargo xtask package --check-reproducible`: builds everything a second time, from a copy of the sources at another
//! path, with another home of Cargo, another target directory and another time zone, and compares all that was made.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::package::{What, difference, distribution};
use crate::packages::tree::Tree;
use tool_support::process::{self, repository};

/// Where the second build happens; its length is another one than that of usual paths.
const PLACE: &str = "target/package/again";

/// The variable that gives the library its commit, as its build script reads it.
const COMMIT: &str = "POWERSYNC_GIT_HASH";

/// Builds what is selected again, and compares it with what is in `target/dist`.
///
/// # Errors
/// Lists what differs and where; also if the second build fails.
pub(crate) fn check(what: What, only: &[String]) -> Result<()> {
    let place = repository().join(PLACE);
    if place.exists() {
        std::fs::remove_dir_all(&place)?;
    }
    let sources = place.join("sources of the same commit");
    copy_sources(&sources)?;
    println!("once more, in {}", sources.display());
    build(&place, &sources, what, only)?;
    let (first, second) = (Tree::from_directory(&distribution())?, Tree::from_directory(&sources.join("target/dist"))?);
    ensure!(!second.is_empty(), "the second build made nothing");
    compare(first, &second, what == What::Program || !only.is_empty())?;
    println!("{} files are the same", second.iter().count());
    std::fs::remove_dir_all(&place)?;
    Ok(())
}

/// Fails if the two builds differ. Where a part was built again, the first may have more.
fn compare(mut first: Tree, second: &Tree, is_part: bool) -> Result<()> {
    if is_part {
        first.retain(|path| second.node(path).is_some() && path != crate::package::checksums::FILE);
    }
    let mut second = second.clone();
    if is_part {
        second.retain(|path| path != crate::package::checksums::FILE);
    }
    let differences = difference::of_trees(&first, &second);
    ensure!(differences.is_empty(), "not reproducible:\n{}", differences.join("\n"));
    Ok(())
}

/// Copies what git knows of, as it is now, and new files that it does not ignore.
fn copy_sources(place: &Path) -> Result<()> {
    let mut list = process::program("git", &["ls-files", "-z", "--cached", "--others", "--exclude-standard"]);
    let files = process::output(&mut list).context("cannot list the sources")?;
    for file in files.split('\0').filter(|file| repository().join(file).is_file()) {
        let copy = place.join(file);
        std::fs::create_dir_all(copy.parent().unwrap_or(place))?;
        std::fs::copy(repository().join(file), &copy).with_context(|| format!("cannot copy {file}"))?;
    }
    Ok(())
}

fn build(place: &Path, sources: &Path, what: What, only: &[String]) -> Result<()> {
    let mut command = process::cargo(&["run", "--quiet", "--locked", "--package", "xtask", "--", "package"]);
    command.current_dir(sources).env("CARGO_TARGET_DIR", place.join("build"));
    command.env("TZ", "Pacific/Kiritimati").env("SOURCE_DATE_EPOCH", "1");
    // The copy is no repository, which could give the library its commit.
    if std::env::var_os(COMMIT).is_none()
        && let Ok(commit) = process::output(&mut process::program("git", &["rev-parse", "--verify", "HEAD"]))
    {
        command.env(COMMIT, commit.get(..8).unwrap_or(&commit));
    }
    if let Some(home) = cargo_home(place)? {
        command.env("CARGO_HOME", home);
    }
    if what == What::Program {
        command.arg("program").args(only.is_empty().then_some("--all"));
    }
    if !only.is_empty() {
        command.arg("--only").arg(only.join(","));
    }
    process::run(&mut command).context("the second build failed")
}

/// Another home for Cargo, with links to what the first has downloaded. The sources of crates are unpacked again, for
/// compilers see through links.
#[cfg(unix)]
fn cargo_home(place: &Path) -> Result<Option<PathBuf>> {
    let (home, first) = (place.join("home of cargo"), process::cargo_home()?);
    std::fs::create_dir_all(home.join("registry"))?;
    for name in ["registry/index", "registry/cache", "git", "config.toml"] {
        if first.join(name).exists() {
            std::os::unix::fs::symlink(first.join(name), home.join(name))?;
        }
    }
    Ok(Some(home))
}

/// Windows lets only some users make links; there the home stays the same.
#[cfg(not(unix))]
fn cargo_home(_: &Path) -> Result<Option<PathBuf>> {
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree(files: &[(&str, &str)]) -> Tree {
        let mut tree = Tree::default();
        for (path, content) in files {
            tree.add(path, *content);
        }
        tree
    }

    #[test]
    fn builds_of_everything_have_the_same_files() {
        let first = tree(&[("a.so", "1"), ("b.so", "2"), ("SHA256SUMS", "1 2")]);
        assert!(compare(first.clone(), &first, false).is_ok());
        assert!(compare(first.clone(), &tree(&[("a.so", "1"), ("SHA256SUMS", "1 2")]), false).is_err());
        assert!(compare(first, &tree(&[("a.so", "1"), ("b.so", "2"), ("SHA256SUMS", "1")]), false).is_err());
    }

    #[test]
    fn of_a_part_only_the_files_that_were_built_again_count() {
        let first = tree(&[("a.so", "1"), ("b.so", "2"), ("SHA256SUMS", "1 2")]);
        assert!(compare(first.clone(), &tree(&[("a.so", "1"), ("SHA256SUMS", "1")]), true).is_ok());
        assert!(compare(first.clone(), &tree(&[("a.so", "2"), ("SHA256SUMS", "1")]), true).is_err());
        assert!(compare(first, &tree(&[("c.so", "2")]), true).is_err());
    }
}

//! What package managers take, made from the libraries in a distribution, as a part of `cargo xtask package`.
//!
//! Each kind of package is a step; it uses the libraries that are there, and says which are missing. The same libraries
//! give the same bytes. `cargo xtask verify` reads everything back and checks it.

pub(crate) mod aar;
pub(crate) mod c;
pub(crate) mod distribution;
pub(crate) mod mach_o;
pub(crate) mod maven;
pub(crate) mod npm;
pub(crate) mod platform;
pub(crate) mod publisher;
#[cfg(test)]
pub(crate) mod testing;
pub(crate) mod tree;
pub(crate) mod web;
pub(crate) mod wheel;
pub(crate) mod xcframework;

use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::verify::budget;
use distribution::Distribution;

/// Writes one kind of package.
type Step = (&'static str, fn(&Distribution) -> Result<()>);

const STEPS: &[Step] = &[
    ("npm packages", npm::write),
    ("Python wheels", wheel::write),
    ("npm package for browsers", web::write),
    ("npm packages with the program", npm::write_program),
    ("Python wheels with the program", wheel::write_program),
    ("archives for C", c::write),
    ("Android archive", aar::write),
    ("Maven repository", maven::write),
    ("XCFramework", xcframework::write),
];

/// Writes all kinds of packages again. One that lacks a library is not made, which is said; one that fails does not
/// keep the others from being made.
///
/// # Errors
/// Lists the kinds that failed.
pub(crate) fn write(distribution: &Distribution) -> Result<()> {
    remove_earlier(&distribution.directory)?;
    let mut failed = Vec::new();
    for (name, step) in STEPS {
        println!("-- {name}");
        failed.extend(step(distribution).err().map(|problem| format!("cannot make the {name}: {problem:#}")));
    }
    ensure!(failed.is_empty(), "{}", failed.join("\n"));
    Ok(())
}

/// Removes the packages of an earlier build, so that none is taken for one that cannot be made now.
fn remove_earlier(directory: &Path) -> Result<()> {
    for entry in std::fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if entry.file_type()?.is_dir() {
            if [maven::DIRECTORY, xcframework::DIRECTORY].contains(&name.as_str()) {
                std::fs::remove_dir_all(entry.path())?;
            }
        } else if check_of(&name).is_some() || xcframework::DESCRIPTIONS.contains(&name.as_str()) {
            std::fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Reads back all packages of a distribution and checks them.
///
/// # Errors
/// Names the first one that is not as it should be.
pub(crate) fn check(distribution: &Distribution) -> Result<()> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&distribution.directory)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    for name in names {
        let path = distribution.directory.join(&name);
        let Some(check) = check_of(&name) else { continue };
        budget::check(&path).with_context(|| name.clone())?;
        check(&name, &std::fs::read(&path)?, distribution.version).with_context(|| name.clone())?;
        println!("package   {name}");
    }
    maven::check(distribution)
}

/// Checks a file of the given name and content, which should be of the given version.
type Check = fn(&str, &[u8], &str) -> Result<()>;

/// The check for a file; None if it is no package.
fn check_of(name: &str) -> Option<Check> {
    let checks: [(&str, Check); 5] = [
        (".tgz", |name, bytes, version| {
            npm::check(bytes, version)?;
            if name.starts_with(web::NAME) { web::check(bytes) } else { Ok(()) }
        }),
        (".whl", |name, bytes, _| wheel::check(name, bytes)),
        (".tar.gz", |name, bytes, _| c::check(name.trim_end_matches(".tar.gz"), bytes)),
        (".aar", |_, bytes, version| aar::check(bytes, version)),
        (".xcframework.zip", |_, bytes, version| xcframework::check_archive(bytes, version)),
    ];
    checks.into_iter().find(|(end, _)| name.ends_with(end)).map(|(_, check)| check)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_of_an_earlier_build_do_not_stay() {
        let directory = tempfile::tempdir().unwrap();
        let place = |name: &str| directory.path().join(name);
        let stale = ["a.aar", "a-1-py3-none-any.whl", "powersync-sqlite-core-0.5.99.tgz", "Package.swift"];
        for name in stale.iter().chain(&["libpowersync_x64.linux.so", "powersync.h"]) {
            std::fs::write(place(name), "").unwrap();
        }
        for name in ["maven", "powersync-sqlite-core.xcframework", "debug"] {
            std::fs::create_dir(place(name)).unwrap();
        }
        remove_earlier(directory.path()).unwrap();
        assert!(stale.iter().all(|name| !place(name).exists()));
        assert!(!place("maven").exists() && !place("powersync-sqlite-core.xcframework").exists());
        assert!(["libpowersync_x64.linux.so", "powersync.h", "debug"].iter().all(|name| place(name).exists()));
    }

    /// A library that is no library keeps the wheels and archives from being made as little as a missing one does.
    #[test]
    fn one_kind_that_fails_does_not_keep_others_from_being_made() {
        let directory = tempfile::tempdir().unwrap();
        let library = directory.path().join("libpowersync_x64.linux.so");
        std::fs::write(directory.path().join("libpowersync_x64.linux.a"), "no archive").unwrap();
        std::fs::write(library, "library").unwrap();
        let problem = write(&Distribution::in_directory(directory.path())).unwrap_err().to_string();
        assert!(problem.starts_with("cannot make the archives for C") && !problem.contains('\n'), "{problem}");
        let wheels = std::fs::read_dir(directory.path())
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".whl"));
        assert_eq!(wheels.count(), 1);
    }

    #[test]
    fn packages_are_distinguished_from_other_files() {
        let directory = tempfile::tempdir().unwrap();
        let distribution = Distribution::in_directory(directory.path());
        let is_good = |name: &str| {
            std::fs::write(directory.path().join(name), "no package").unwrap();
            let result = check(&distribution);
            std::fs::remove_file(directory.path().join(name)).unwrap();
            result.is_ok()
        };
        assert!(is_good("libpowersync_x64.linux.so"));
        assert!(is_good("SHA256SUMS"));
        for name in ["a.tgz", "a-1-py3-none-any.whl", "powersync-c-1.tar.gz", "a.aar", "a.xcframework.zip"] {
            assert!(!is_good(name), "{name}");
        }
    }
}

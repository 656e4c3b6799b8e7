//! Tells the library what it is built from: `POWERSYNC_SOURCES`, a hash of the sources of this crate and of the crates
//! `json` and `protocol`, and `POWERSYNC_GIT_HASH`, the first eight characters of the commit. The latter is not set where the
//! sources are not in their own repository; a packager may set it instead.
//!
//! And compresses the SQL that runs rarely: see `build/sql.rs`.

#[path = "build/sql.rs"]
mod sql;

use std::io::Result;
use std::path::{Path, PathBuf};
use std::process::Command;

const COMMIT: &str = "POWERSYNC_GIT_HASH";

fn main() -> Result<()> {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=build");
    let package = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    for directory in source_directories(&package) {
        println!("cargo::rerun-if-changed={}", directory.display());
    }
    let out = PathBuf::from(std::env::var_os("OUT_DIR").unwrap_or_default());
    sql::pack(&package.join("sql"), &out)?;
    println!("cargo::rustc-env=POWERSYNC_SOURCES={:016x}", sources_hash(&source_directories(&package))?);
    tell_commit();
    Ok(())
}

/// Where the sources are that decide what the library does. A packaged crate does not have those of the others,
/// whose versions say it all then.
pub(crate) fn source_directories(package: &Path) -> Vec<PathBuf> {
    let directories =
        [package.join("src"), package.join("sql"), package.join("../json/src"), package.join("../protocol/src")];
    directories.into_iter().filter(|directory| directory.is_dir()).collect()
}

/// A hash (64-bit FNV-1a) of the names and contents of all files in `directories`, independent of where these are.
pub(crate) fn sources_hash(directories: &[PathBuf]) -> Result<u64> {
    let mut hash = 0xcbf2_9ce4_8422_2325;
    let mut add = |bytes: &[u8]| {
        // Line ends may be those of the system that checked the sources out.
        for byte in bytes.iter().filter(|byte| **byte != b'\r') {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
    };
    for directory in directories {
        for file in files(directory)? {
            let name = file.strip_prefix(directory).unwrap_or(&file);
            name.iter().for_each(|part| add(part.as_encoded_bytes()));
            // No UTF-8 text has this byte.
            add(&[0xff]);
            add(&std::fs::read(&file)?);
            add(&[0xff]);
        }
    }
    Ok(hash)
}

/// All files below `directory`, in an order that does not depend on the file system.
fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = std::fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    let mut all = Vec::new();
    for path in paths {
        if path.is_dir() { all.extend(files(&path)?) } else { all.push(path) }
    }
    Ok(all)
}

fn tell_commit() {
    println!("cargo::rerun-if-env-changed={COMMIT}");
    if std::env::var_os(COMMIT).is_some() || git(&["rev-parse", "--show-prefix"]).as_deref() != Some("crates/core/") {
        return;
    }
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo::rerun-if-changed={log}");
    }
    if let Some(hash) = git(&["rev-parse", "--verify", "HEAD"]).as_deref().and_then(|hash| hash.get(..8)) {
        println!("cargo::rustc-env={COMMIT}={hash}");
    }
}

/// What git prints, None if it fails or is not there.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

//! Tells the library which commit it is built from: `POWERSYNC_GIT_HASH`, eight characters. Not set where the sources
//! are not in their own repository; a packager may set it instead.

use std::process::Command;

const VARIABLE: &str = "POWERSYNC_GIT_HASH";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    if std::env::var_os(VARIABLE).is_some() || git(&["rev-parse", "--show-prefix"]).as_deref() != Some("crates/core/") {
        return;
    }
    if let Some(log) = git(&["rev-parse", "--git-path", "logs/HEAD"]) {
        println!("cargo::rerun-if-changed={log}");
    }
    if let Some(hash) = git(&["rev-parse", "--verify", "HEAD"]).as_deref().and_then(|hash| hash.get(..8)) {
        println!("cargo::rustc-env={VARIABLE}={hash}");
    }
}

/// What git prints, None if it fails or is not there.
fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

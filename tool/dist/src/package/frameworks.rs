//! Apple's frameworks that dependencies name for the linker, but that the program uses nothing of.
//!
//! Zig has what describes the system's own library only, so descriptions of the others are written here, without names in
//! them: the linker accepts these, leaves the frameworks out of the program, and still refuses it if something of one is used.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Both are named for what finds out the computer's name; the PostgreSQL client asks for the user's name only.
const NAMES: &[&str] = &["CoreFoundation", "SystemConfiguration"];

/// Writes the descriptions, and gives the linker's options that have it find them.
///
/// # Errors
/// If they cannot be written.
pub(super) fn options(place: &Path) -> Result<Vec<String>> {
    for name in NAMES {
        let folder = framework(place, name);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join(format!("{name}.tbd")), description(name))
            .with_context(|| format!("cannot write {}", folder.display()))?;
    }
    Ok(vec![format!("-Clink-arg=-F{}", place.display()), "-Clink-arg=-Wl,-dead_strip_dylibs".to_owned()])
}

fn framework(place: &Path, name: &str) -> PathBuf {
    place.join(format!("{name}.framework"))
}

/// The text from which a linker knows a library that is not there.
fn description(name: &str) -> String {
    format!(
        "--- !tapi-tbd\ntbd-version: 4\ntargets: [ x86_64-macos, arm64-macos ]\n\
         install-name: '/System/Library/Frameworks/{name}.framework/Versions/A/{name}'\n...\n"
    )
}

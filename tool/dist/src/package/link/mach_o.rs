//! Linking for Apple's systems.

use anyhow::{Context, Result};

use super::{ENTRY_POINT, Link};
use tool_support::process;

/// What Apple's C library is asked for; on x86-64, compilers call `bzero` by its name with underscores.
const C_FUNCTIONS: &str = "_bcmp, _bzero, ___bzero, _memcmp, _memcpy, _memmove, _memset, _strlen, dyld_stub_binder";

/// Links with an ad-hoc signature, and writes a map of all functions' addresses next to it: what a debugger needs to
/// name the functions in a report of a crash.
pub(super) fn loadable(link: &Link<'_>, install_name: &str) -> Result<()> {
    let apple = link.target.platform.apple().context("not a platform of Apple's")?;
    let architecture = link.target.linker_architecture;
    let targets = format!("{architecture}-{}", apple.name);
    let stub = format!(
        "--- !tapi-tbd\ntbd-version: 4\ntargets: [ {targets} ]\ninstall-name: /usr/lib/libSystem.B.dylib\n\
         exports:\n  - targets: [ {targets} ]\n    symbols: [ {C_FUNCTIONS} ]\n...\n",
    );
    link.write("libSystem.tbd", &stub)?;
    // Relative names, for the map has those of all inputs.
    std::fs::copy(link.archive, link.scratch.join("powersync.a"))?;
    let mut linker = link.toolchain.linker("darwin");
    linker.current_dir(link.scratch);
    linker.args(["-dylib", "-arch", architecture, "-platform_version", apple.name, link.target.minimum, apple.sdk]);
    linker.args(["-install_name", install_name, "-exported_symbol", &format!("_{ENTRY_POINT}")]);
    linker.args(["-dead_strip", "-adhoc_codesign", "-x", "-S", "-map", "powersync.map"]);
    linker.args(["-u", &format!("_{ENTRY_POINT}"), "powersync.a", "libSystem.tbd", "-o", "powersync.dylib"]);
    process::run(&mut linker)?;
    std::fs::copy(link.scratch.join("powersync.map"), link.debug_file(".map"))?;
    std::fs::copy(link.scratch.join("powersync.dylib"), link.output)?;
    Ok(())
}

//! Linking for Linux and Android.

use std::path::PathBuf;

use anyhow::Result;

use super::{DISCARD, ENTRY_POINT, Link};
use crate::package::target::Platform;
use tool_support::process;

/// What Android's C library is asked for. On Linux these are found in whatever process loads the library, which is why
/// that needs no C library by name.
const C_FUNCTIONS: &[&str] = &["memcmp", "memcpy", "memmove", "memset", "strlen"];

/// The unwinder's functions; the last two are those of 32-bit ARM.
const UNWINDER: &[&str] =
    &["rust_eh_personality", "_Unwind_Resume", "__aeabi_unwind_cpp_pr0", "__aeabi_unwind_cpp_pr1"];

/// The largest pages that Android has: libraries for smaller ones only are refused on devices with these.
const ANDROID_PAGE_SIZE: &str = "max-page-size=16384";

/// Links, and moves the debug information to a separate file.
pub(super) fn loadable(link: &Link<'_>) -> Result<()> {
    let exports = link.write("exports.map", &format!("{{ global: {ENTRY_POINT}; local: *; }};\n"))?;
    let whole = link.scratch.join("whole.so");
    let mut linker = link.toolchain.linker("gnu");
    linker.args(["-shared", "-m", link.target.linker_architecture, "-soname", "libpowersync.so"]);
    // Both: Android before API level 23 reads only the older one.
    linker.args(["--hash-style=both", "--build-id=sha1", "--gc-sections", "--icf=all", "-O2"]);
    linker.args(["-z", "relro", "-z", "now", "-z", "noexecstack"]);
    // As in the build script of the loadable library: the prebuilt `core` mentions the unwinder.
    linker.args(UNWINDER.iter().map(|name| format!("--defsym={name}=0")));
    linker.args(["--no-eh-frame-hdr", "-T", DISCARD]);
    linker.arg("--version-script").arg(exports).args(["-u", ENTRY_POINT]).arg(link.archive);
    if link.target.platform == Platform::Android {
        linker.args(["-z", "defs", "-z", ANDROID_PAGE_SIZE]).arg(android_c_library(link)?);
    }
    process::run(linker.arg("-o").arg(&whole))?;

    let debug = link.debug_file(".debug");
    let objcopy = |arguments: &[&str]| link.toolchain.objcopy(arguments);
    process::run(objcopy(&["--only-keep-debug"]).arg(&whole).arg(&debug))?;
    let mut link_to_debug = std::ffi::OsString::from("--add-gnu-debuglink=");
    link_to_debug.push(&debug);
    process::run(objcopy(&["--strip-all"]).arg(link_to_debug).arg(&whole).arg(link.output))
}

/// A library that has nothing but the names of those functions: all that the linker wants to see of Android's.
fn android_c_library(link: &Link<'_>) -> Result<PathBuf> {
    let (empty, library) = (link.write("empty", "")?, link.scratch.join("libc.so"));
    let mut linker = link.toolchain.linker("gnu");
    linker.args(["-shared", "-m", link.target.linker_architecture, "-soname", "libc.so", "-b", "binary"]).arg(empty);
    linker.args(C_FUNCTIONS.iter().map(|name| format!("--defsym={name}=0"))).arg("-o").arg(&library);
    process::run(&mut linker)?;
    Ok(library)
}

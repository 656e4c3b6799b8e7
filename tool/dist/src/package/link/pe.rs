//! Linking for Windows, without its SDK.

use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{ENTRY_POINT, Link};
use crate::package::toolchain::Toolchain;
use tool_support::process;

/// What a compiler for 32-bit x86 leaves to functions: divisions of 64-bit numbers. Every process has them in its
/// `ntdll.dll`.
const X86_DEFINITIONS: &str =
    "LIBRARY ntdll.dll\nEXPORTS\n _aulldiv\n _aullrem\n _aulldvrm\n _allmul\n _alldiv\n _allrem\n";

/// Links, and puts the debug information next to it.
pub(super) fn loadable(link: &Link<'_>) -> Result<()> {
    let machine = link.target.linker_architecture;
    let underscore = if machine == "x86" { "_" } else { "" };
    let debug_file = link.output.with_extension("pdb");
    let debug_name = Path::new(debug_file.file_name().unwrap_or_default());
    let mut linker = link.toolchain.linker("link");
    linker.current_dir(link.scratch);
    linker.args(["/dll", "/noentry", "/nodefaultlib", "/opt:ref", "/opt:icf", "/debug"]);
    // Nothing of the time and the place of linking.
    linker.args(["/brepro", "/pdbsourcepath:C:\\powersync"]).arg(format!("/pdbaltpath:{}", debug_name.display()));
    linker.arg(format!("/machine:{machine}")).arg(format!("/export:{ENTRY_POINT}"));
    // Objects that use floating point ask for this marker of the C runtime library, of which nothing reads it.
    linker.arg(format!("/alternatename:{underscore}_fltused={underscore}{ENTRY_POINT}"));
    std::fs::copy(link.archive, link.scratch.join("powersync.lib"))?;
    linker.arg("powersync.lib");
    if machine == "x86" {
        linker.arg("/safeseh:no").arg(ntdll(link.toolchain, link)?);
    }
    linker.args(["/out:powersync.dll", "/implib:import.lib", "/pdb:powersync.pdb"]);
    process::run(&mut linker)?;
    std::fs::copy(link.scratch.join("powersync.dll"), link.output)?;
    std::fs::copy(link.scratch.join("powersync.pdb"), link.debug.join(debug_name))?;
    Ok(())
}

/// The import library of `ntdll.dll` for 32-bit x86.
fn ntdll(toolchain: &Toolchain, link: &Link<'_>) -> Result<PathBuf> {
    link.write("ntdll.def", X86_DEFINITIONS)?;
    let mut librarian = toolchain.linker("link");
    librarian.current_dir(link.scratch);
    process::run(librarian.args(["/lib", "/def:ntdll.def", "/machine:x86", "/out:ntdll.lib"]))?;
    Ok(PathBuf::from("ntdll.lib"))
}

//! A static library for Windows or Apple's systems becomes one that can be mapped, in the way in which it becomes a part of
//! an app: LLD links it, and leaves the functions of SQLite and of the C library to be found when it is used.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};
use object::read::archive::ArchiveFile;
use object::{Object, ObjectSymbol};

use crate::package::target::{Format, Target};
use crate::package::toolchain::Toolchain;
use crate::package::{ENTRY_POINT, ENTRY_POINTS};
use tool_support::process;

/// Links the static library of a target.
///
/// # Errors
/// If it cannot be linked, or is for a system whose libraries are not mapped.
pub(super) fn link(target: &Target, library: &Path, output: &Path) -> Result<()> {
    let toolchain = Toolchain::find()?;
    let mut linker = match target.platform.format() {
        Format::MachO => mach_o(&toolchain, target, output)?,
        Format::Pe => pe(&toolchain, target, library, output)?,
        Format::Elf | Format::Wasm => bail!("libraries for {} are not mapped", target.triple),
    };
    process::run(linker.arg(library))
}

fn mach_o(toolchain: &Toolchain, target: &Target, output: &Path) -> Result<Command> {
    let apple = target.platform.apple().context("not a platform of Apple's")?;
    let mut linker = toolchain.linker("darwin");
    linker.args(["-dylib", "-arch", target.linker_architecture]);
    linker.args(["-platform_version", apple.name, target.minimum, apple.sdk]);
    linker.args(["-undefined", "dynamic_lookup", "-dead_strip", "-all_load"]);
    // Relocations as the libraries that ship have them, which the loader knows.
    linker.arg("-no_fixup_chains");
    for name in ENTRY_POINTS {
        linker.args(["-exported_symbol", &format!("_{name}")]);
    }
    linker.arg("-o").arg(output);
    Ok(linker)
}

/// On Windows, what is found later has to be in an import library.
fn pe(toolchain: &Toolchain, target: &Target, library: &Path, output: &Path) -> Result<Command> {
    let machine = format!("/machine:{}", target.linker_architecture);
    let underscore = if target.linker_architecture == "x86" { "_" } else { "" };
    let plain = |name: &String| name.strip_prefix(underscore).unwrap_or(name).to_owned();
    let content = std::fs::read(library)?;
    let mut imports: Vec<String> = undefined(&content)?.iter().map(plain).collect();
    imports.retain(|name| name != FLOATING_POINT);
    let directory = output.parent().context("an image is in a directory")?;
    let definitions = format!("LIBRARY program.exe\nEXPORTS\n {}\n", imports.join("\n "));
    std::fs::write(directory.join("imports.def"), definitions)?;
    let mut librarian = toolchain.linker("link");
    librarian.current_dir(directory).args(["/lib", "/def:imports.def", "/out:imports.lib", &machine]);
    process::run(&mut librarian)?;

    let mut linker = toolchain.linker("link");
    linker.current_dir(directory).args(["/dll", "/noentry", "/nodefaultlib", "/opt:ref", "/safeseh:no", &machine]);
    linker.arg(format!("/alternatename:{underscore}{FLOATING_POINT}={underscore}{ENTRY_POINT}"));
    linker.args(ENTRY_POINTS.iter().map(|name| format!("/export:{name}")));
    let mut argument = OsString::from("/out:");
    argument.push(output);
    linker.arg(argument).args(["/implib:unused.lib", "imports.lib"]);
    Ok(linker)
}

/// A marker that objects with floating-point numbers ask of the C library; nothing reads it.
const FLOATING_POINT: &str = "_fltused";

/// The names that the members of a static library do not find in each other.
fn undefined(archive: &[u8]) -> Result<BTreeSet<String>> {
    let (mut undefined, mut defined) = (BTreeSet::new(), BTreeSet::new());
    for member in ArchiveFile::parse(archive)?.members() {
        let object = object::File::parse(member?.data(archive)?)?;
        for symbol in object.symbols().filter(ObjectSymbol::is_global) {
            let names = if symbol.is_undefined() { &mut undefined } else { &mut defined };
            names.insert(symbol.name()?.to_owned());
        }
    }
    Ok(undefined.difference(&defined).cloned().collect())
}

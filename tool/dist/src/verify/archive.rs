//! Static libraries.

use std::collections::BTreeSet;
use std::path::Path;

use anyhow::{Result, bail, ensure};
use object::read::archive::ArchiveFile;
use object::{Architecture, File, Object, ObjectSymbol, SymbolScope};

use crate::package::target::{Format, Target};
use crate::package::{ENTRY_POINTS, FROM_C_LIBRARY};

/// What the compiler asks of the program, other than functions: a marker, and on 32-bit x86 with Windows arithmetic.
const WINDOWS: &[&str] = &["_fltused", "_aulldiv", "_aullrem", "_aulldvrm", "_allmul", "_alldiv", "_allrem"];

/// What linkers for ELF make themselves; 32-bit x86 finds its constants from there.
const ELF: &[&str] = &["_GLOBAL_OFFSET_TABLE_"];

/// What wasm-ld makes itself: the stack pointer and tables, which have no names in objects but those of their imports.
const WASM: &[&str] = &["", "__stack_pointer", "__indirect_function_table", "__linear_memory"];

/// Checks that programs see the entry points, and have to bring SQLite and nothing else but a C library.
pub(super) fn check(target: &Target, path: &Path) -> Result<()> {
    let content = std::fs::read(path)?;
    super::says_nothing_of_places(&content)?;
    let archive = ArchiveFile::parse(content.as_slice())?;
    let indexed = archive.symbols()?.into_iter().flatten().filter_map(|symbol| Some(symbol.ok()?.name().to_vec()));
    let indexed: BTreeSet<String> =
        indexed.map(|name| plain(target, &String::from_utf8_lossy(&name)).to_owned()).collect();
    for name in ENTRY_POINTS {
        ensure!(indexed.contains(*name), "the index of the archive lacks {name}");
    }
    let (mut visible, mut defined, mut undefined) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for member in archive.members() {
        let object = File::parse(member?.data(content.as_slice())?)?;
        let expected = architecture(target)?;
        ensure!(object.architecture() == expected, "made for {:?}", object.architecture());
        for symbol in object.symbols().filter(ObjectSymbol::is_global) {
            let name = plain(target, symbol.name()?).to_owned();
            if symbol.is_undefined() {
                undefined.insert(name);
                continue;
            }
            // Functions of the compiler's own library stay in a separate member, where formats let only whole programs
            // hide them.
            if symbol.scope() == SymbolScope::Dynamic || ENTRY_POINTS.contains(&name.as_str()) {
                visible.insert(name.clone());
            }
            defined.insert(name);
        }
    }
    let expected: BTreeSet<String> = ENTRY_POINTS.iter().map(|&name| name.to_owned()).collect();
    if target.platform.format() == Format::Elf {
        ensure!(defined == expected, "visible: {defined:?}, expected {expected:?}");
    }
    ensure!(visible == expected, "visible: {visible:?}, expected {expected:?}");
    let known = |name: &&String| {
        name.starts_with("sqlite3_")
            || defined.contains(*name)
            || FROM_C_LIBRARY.contains(&name.as_str())
            || (target.platform.format() == Format::Pe && WINDOWS.contains(&name.as_str()))
            || (target.platform.format() == Format::Elf && ELF.contains(&name.as_str()))
            || (target.platform.format() == Format::Wasm && WASM.contains(&name.as_str()))
    };
    let others: Vec<&String> = undefined.iter().filter(|name| !known(name)).collect();
    ensure!(others.is_empty(), "undefined symbols: {others:?}");
    Ok(())
}

/// A symbol's name in C.
fn plain<'n>(target: &Target, name: &'n str) -> &'n str {
    let is_decorated = target.platform.format() == Format::MachO
        || (target.platform.format() == Format::Pe && target.architecture == "x86");
    if is_decorated { name.strip_prefix('_').unwrap_or(name) } else { name }
}

fn architecture(target: &Target) -> Result<Architecture> {
    Ok(match target.architecture {
        "x64" => Architecture::X86_64,
        "x86" => Architecture::I386,
        "aarch64" => Architecture::Aarch64,
        "arm64_32" => Architecture::Aarch64_Ilp32,
        "armv7" | "armv7k" => Architecture::Arm,
        "riscv64gc" => Architecture::Riscv64,
        "wasm32" => Architecture::Wasm32,
        other => bail!("no architecture is called {other}"),
    })
}

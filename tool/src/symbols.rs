//! `cargo xtask symbols`: the release library exports its entry point and nothing else, and needs no other library.

use anyhow::{Context, Result, ensure};
use object::elf;
use object::read::elf::{Dyn, ElfFile64, FileHeader, Sym};

use crate::library;

const ENTRY_POINT: &str = "sqlite3_powersync_init";

/// Functions that Rust's `core` expects in every process. SQLite itself calls them, so a host always has them, whichever
/// C library it uses: they are found without naming (and requiring) one.
const ALWAYS_THERE: &[&str] = &["bcmp", "memcmp", "memcpy", "memmove", "memset", "strlen"];

/// Names found in a shared library.
#[derive(Debug, Default, PartialEq, Eq)]
struct Names {
    /// Symbols that others can use.
    exported: Vec<String>,
    /// Symbols, other than the ever-present ones, that must be found elsewhere when the library is loaded.
    undefined: Vec<String>,
    /// Libraries that must be loaded first.
    needed: Vec<String>,
}

/// Builds the release library and checks its symbols.
///
/// # Errors
/// If it exports more or less than the entry point, or needs anything.
pub fn check() -> Result<()> {
    let library = library::build()?;
    let content = std::fs::read(&library)?;
    let names = read(&content).with_context(|| format!("cannot read {}", library.display()))?;
    println!("{}: exports {:?}, needs nothing", library.display(), names.exported);
    judge(&names)
}

fn judge(names: &Names) -> Result<()> {
    ensure!(names.exported == [ENTRY_POINT], "exported: {:?}, expected only {ENTRY_POINT}", names.exported);
    ensure!(names.undefined.is_empty(), "undefined symbols: {:?}", names.undefined);
    ensure!(names.needed.is_empty(), "needed libraries: {:?}", names.needed);
    Ok(())
}

fn read(content: &[u8]) -> Result<Names> {
    let file: ElfFile64 = ElfFile64::parse(content).context("not a 64-bit ELF file")?;
    let endian = file.endian();
    let mut names = Names::default();
    let symbols = file.elf_dynamic_symbol_table();
    for symbol in symbols.iter().skip(1) {
        let name = String::from_utf8_lossy(symbol.name(endian, symbols.strings())?).into_owned();
        if symbol.is_undefined(endian) {
            // Weak references may stay unresolved; they do not keep the library from loading.
            if symbol.st_bind() != elf::STB_WEAK && !ALWAYS_THERE.contains(&name.as_str()) {
                names.undefined.push(name);
            }
        } else if !symbol.is_local() {
            names.exported.push(name);
        }
    }
    let sections = file.elf_header().sections(endian, content)?;
    if let Some((entries, strings)) = sections.dynamic(endian, content)? {
        let strings = sections.strings(endian, content, strings)?;
        for entry in entries.iter().filter(|entry| entry.tag(endian) == elf::DT_NEEDED) {
            names.needed.push(String::from_utf8_lossy(entry.string(endian, strings)?).into_owned());
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// This test program itself: it needs the C library and has undefined symbols.
    #[test]
    fn an_ordinary_program_is_no_such_library() {
        let names = read(&std::fs::read(std::env::current_exe().unwrap()).unwrap()).unwrap();
        assert!(names.needed.iter().any(|name| name.starts_with("libc.so")), "{names:?}");
        assert!(names.undefined.iter().any(|name| name == "read"), "{names:?}");
        assert!(judge(&names).is_err());
    }

    #[test]
    fn each_kind_of_name_counts() {
        let exported = vec![ENTRY_POINT.to_owned()];
        let good = || Names { exported: exported.clone(), ..Names::default() };
        assert!(judge(&good()).is_ok());
        assert!(judge(&Names::default()).is_err());
        assert!(judge(&Names { undefined: vec!["x".into()], ..good() }).is_err());
        assert!(judge(&Names { needed: vec!["x".into()], ..good() }).is_err());
        assert!(judge(&Names { exported: vec![ENTRY_POINT.into(), "x".into()], ..Names::default() }).is_err());
    }
}

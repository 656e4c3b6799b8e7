//! Libraries for Linux and Android.

use anyhow::{Context, Result, bail, ensure};
use object::elf::{self, FileHeader32, FileHeader64};
use object::read::elf::{Dyn, ElfFile, FileHeader, ProgramHeader, SectionHeader, Sym};
use object::{Endianness, FileKind};

use super::exports_only_the_entry_point;
use crate::package::FROM_C_LIBRARY;
use crate::package::target::{Platform, Target};

/// What the dynamic linker reads in a library.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    /// The processor.
    pub machine: u16,
    /// Symbols that others can use.
    pub exported: Vec<String>,
    /// Symbols that must be found elsewhere when the library is loaded.
    pub undefined: Vec<String>,
    /// Libraries that must be loaded first.
    pub needed: Vec<String>,
    /// What it calls itself.
    pub name: Option<String>,
    /// The smallest alignment of its segments.
    pub alignment: u64,
    /// Whether it has the older hash table of symbols, and the newer one.
    pub hash_tables: (bool, bool),
    /// What lets faults of the program be used against it: memory that is written and executed, and the like.
    pub dangers: Vec<&'static str>,
}

/// Checks a library that is loaded at run time.
pub(crate) fn check(target: &Target, content: &[u8]) -> Result<()> {
    let found = read(content)?;
    let machine = match target.architecture {
        "x64" => elf::EM_X86_64,
        "x86" => elf::EM_386,
        "aarch64" => elf::EM_AARCH64,
        "armv7" => elf::EM_ARM,
        "riscv64gc" => elf::EM_RISCV,
        other => bail!("no machine is called {other}"),
    };
    ensure!(found.machine == machine.0, "made for machine {}", found.machine);
    ensure!(found.name.as_deref() == Some("libpowersync.so"), "the library calls itself {:?}", found.name);
    ensure!(found.hash_tables == (true, true), "hash tables: {:?}", found.hash_tables);
    let (alignment, page) = (found.alignment, largest_page(target));
    ensure!(alignment >= page && alignment % page == 0, "segments are aligned to {alignment} bytes, not to {page}");
    if target.platform == Platform::Android {
        ensure!(!found.undefined.iter().any(|name| name == "bcmp"), "Android has no bcmp");
    }
    is_self_sufficient(&found, target.platform == Platform::Android)
}

/// The largest pages of the systems that a library is for, in bytes. A library whose segments are aligned to less
/// cannot be loaded there: 16 KiB on Android, 64 KiB with some kernels for 64-bit ARM.
fn largest_page(target: &Target) -> u64 {
    match (target.platform, target.architecture) {
        (Platform::Android, _) => 0x4000,
        (_, "aarch64") => 0x10000,
        _ => 0x1000,
    }
}

/// Checks what holds for any library of ours, also for one that was linked by the system's linker.
pub(crate) fn is_self_sufficient(found: &Contents, may_need_c_library: bool) -> Result<()> {
    exports_only_the_entry_point(&found.exported)?;
    let others: Vec<_> = found.undefined.iter().filter(|name| !FROM_C_LIBRARY.contains(&name.as_str())).collect();
    ensure!(others.is_empty(), "undefined symbols: {others:?}");
    let expected: &[&str] = if may_need_c_library { &["libc.so"] } else { &[] };
    ensure!(found.needed == expected, "needed libraries: {:?}, expected {expected:?}", found.needed);
    ensure!(found.dangers.is_empty(), "{}", found.dangers.join(", "));
    Ok(())
}

/// Reads a shared library of 32 or 64 bits.
pub(crate) fn read(content: &[u8]) -> Result<Contents> {
    match FileKind::parse(content)? {
        FileKind::Elf32 => read_class::<FileHeader32<Endianness>>(content),
        FileKind::Elf64 => read_class::<FileHeader64<Endianness>>(content),
        other => bail!("not an ELF file but {other:?}"),
    }
}

fn read_class<Header: FileHeader<Endian = Endianness>>(content: &[u8]) -> Result<Contents> {
    let file: ElfFile<'_, Header> = ElfFile::parse(content).context("not an ELF file")?;
    let endian = file.endian();
    let mut found = Contents { machine: file.elf_header().e_machine(endian).0, ..Contents::default() };
    let symbols = file.elf_dynamic_symbol_table();
    for symbol in symbols.iter().skip(1) {
        let name = String::from_utf8_lossy(symbol.name(endian, symbols.strings())?).into_owned();
        if !symbol.is_undefined(endian) {
            if !symbol.is_local() {
                found.exported.push(name);
            }
        // Weak references may stay unresolved; they do not keep the library from loading.
        } else if symbol.st_bind() != elf::STB_WEAK {
            found.undefined.push(name);
        }
    }
    read_segments::<Header>(file.elf_header(), content, &mut found)?;
    let sections = file.elf_header().sections(endian, content)?;
    for section in sections.iter() {
        found.hash_tables.0 |= section.sh_type(endian) == elf::SHT_HASH;
        found.hash_tables.1 |= section.sh_type(endian) == elf::SHT_GNU_HASH;
    }
    let mut binds_now = false;
    if let Some((entries, strings)) = sections.dynamic(endian, content)? {
        let strings = sections.strings(endian, content, strings)?;
        let text = |entry: &Header::Dyn| -> Result<String> {
            Ok(String::from_utf8_lossy(entry.string(endian, strings)?).into_owned())
        };
        for entry in entries {
            let has = |flag: u64| entry.val(endian) & flag != 0;
            match entry.tag(endian) {
                elf::DT_NEEDED => found.needed.push(text(entry)?),
                elf::DT_SONAME => found.name = Some(text(entry)?),
                elf::DT_TEXTREL => found.dangers.push("code is relocated"),
                elf::DT_BIND_NOW => binds_now = true,
                elf::DT_FLAGS => {
                    binds_now |= has(elf::DF_BIND_NOW.0);
                    found.dangers.extend(has(elf::DF_TEXTREL.0).then_some("code is relocated"));
                }
                elf::DT_FLAGS_1 => binds_now |= has(elf::DF_1_NOW.0),
                _ => {}
            }
        }
    }
    found.dangers.extend((!binds_now).then_some("functions are bound late, in memory that stays writable"));
    Ok(found)
}

/// Reads what the kernel and the dynamic linker map.
fn read_segments<Header: FileHeader<Endian = Endianness>>(
    header: &Header,
    content: &[u8],
    found: &mut Contents,
) -> Result<()> {
    let endian = header.endian()?;
    let (mut alignments, mut has_stack, mut has_relro) = (Vec::new(), false, false);
    for segment in header.program_headers(endian, content)? {
        let (kind, flags) = (segment.p_type(endian), segment.p_flags(endian));
        if kind == elf::PT_LOAD {
            let alignment: u64 = segment.p_align(endian).into();
            let (address, offset): (u64, u64) = (segment.p_vaddr(endian).into(), segment.p_offset(endian).into());
            let remainder = |number: u64| number.checked_rem(alignment);
            ensure!(
                remainder(address) == remainder(offset),
                "a segment has another remainder in memory than in the file"
            );
            alignments.push(alignment);
            let is_both = flags.contains(elf::PF_W | elf::PF_X);
            found.dangers.extend(is_both.then_some("memory can be written and executed"));
        }
        has_stack |= kind == elf::PT_GNU_STACK && !flags.contains(elf::PF_X);
        has_relro |= kind == elf::PT_GNU_RELRO;
    }
    found.alignment = alignments.into_iter().min().unwrap_or_default();
    found.dangers.extend((!has_stack).then_some("the stack can be executed"));
    found.dangers.extend((!has_relro).then_some("relocated memory stays writable"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::ENTRY_POINT;

    /// This test program itself: it needs the C library and has undefined symbols.
    #[cfg(target_os = "linux")]
    #[test]
    fn an_ordinary_program_is_no_such_library() {
        let found = read(&std::fs::read(std::env::current_exe().unwrap()).unwrap()).unwrap();
        assert!(found.needed.iter().any(|name| name.starts_with("libc.so")), "{found:?}");
        assert!(found.undefined.iter().any(|name| name == "read"), "{found:?}");
        assert!(found.name.is_none() && found.alignment >= 4096 && found.dangers.is_empty(), "{found:?}");
        assert!(is_self_sufficient(&found, false).is_err());
    }

    #[test]
    fn each_kind_of_name_counts() {
        let good = || Contents {
            exported: vec![ENTRY_POINT.to_owned()],
            undefined: vec!["memcpy".to_owned()],
            ..Contents::default()
        };
        let is_good = |contents: Contents| is_self_sufficient(&contents, false).is_ok();
        assert!(is_good(good()));
        assert!(!is_good(Contents::default()));
        assert!(!is_good(Contents { undefined: vec!["x".into()], ..good() }));
        assert!(!is_good(Contents { needed: vec!["libc.so".into()], ..good() }));
        assert!(!is_good(Contents { dangers: vec!["x"], ..good() }));
        assert!(!is_good(Contents { exported: vec![ENTRY_POINT.into(), "x".into()], ..good() }));
        let needs = |library: &str| Contents { needed: vec![library.into()], ..good() };
        assert!(is_self_sufficient(&needs("libc.so"), true).is_ok());
        assert!(is_self_sufficient(&needs("libm.so"), true).is_err());
        assert!(is_self_sufficient(&good(), true).is_err());
    }
}

//! Libraries that the linking of packages makes of one function, for each format, and the damage to them that the
//! checks have to find.

use std::path::PathBuf;

use object::write::{Object, Relocation, StandardSection, Symbol, SymbolSection};
use object::{
    Architecture, BinaryFormat, Endianness, Object as _, ObjectSection as _, RelocationEncoding, RelocationFlags,
    RelocationKind, SymbolFlags, SymbolKind, SymbolScope, elf,
};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use super::{debug, library};
use crate::package::ENTRY_POINT;
use crate::package::LIBRARY_INSTALL_NAME;
use crate::package::link::{self, Link};
use crate::package::target::{Format, TARGETS, Target};
use crate::package::toolchain::Toolchain;

/// A library, linked from an object file that has the entry point and data with an address.
struct Example {
    target: &'static Target,
    content: Vec<u8>,
    path: PathBuf,
    directory: TempDir,
}

impl Example {
    fn new(triple: &str) -> Self {
        let target = TARGETS.iter().find(|target| target.triple == triple).unwrap();
        let directory = tempfile::tempdir().unwrap();
        let (archive, path) = (directory.path().join("input.o"), directory.path().join(target.loadable_name()));
        std::fs::write(&archive, object(target)).unwrap();
        let toolchain = Toolchain::find().unwrap();
        let place = directory.path();
        let link =
            Link { toolchain: &toolchain, target, archive: &archive, scratch: place, output: &path, debug: place };
        link::loadable(&link, LIBRARY_INSTALL_NAME).unwrap();
        Self { target, content: std::fs::read(&path).unwrap(), path, directory }
    }

    /// What the checks say of it after a change.
    fn problem(&self, change: impl FnOnce(&mut Vec<u8>)) -> Option<String> {
        let mut content = self.content.clone();
        change(&mut content);
        library(self.target, &content, LIBRARY_INSTALL_NAME).err().map(|problem| format!("{problem:#}"))
    }

    /// Where a section begins in the file.
    fn section(&self, name: &str) -> usize {
        let file = object::File::parse(self.content.as_slice()).unwrap();
        let section = file.sections().find(|section| section.name().is_ok_and(|found| found == name)).unwrap();
        usize::try_from(section.file_range().unwrap().0).unwrap()
    }

    /// Where some bytes are in the file.
    fn find(&self, bytes: &[u8]) -> usize {
        self.content.windows(bytes.len()).position(|part| part == bytes).unwrap()
    }
}

/// An object file with the entry point, and a variable with the address of that, which has to be relocated.
fn object(target: &Target) -> Vec<u8> {
    let format = match target.platform.format() {
        Format::Elf => BinaryFormat::Elf,
        Format::MachO => BinaryFormat::MachO,
        Format::Pe | Format::Wasm => BinaryFormat::Coff,
    };
    let (architecture, size) = match target.architecture {
        "aarch64" => (Architecture::Aarch64, 64),
        "x86" => (Architecture::I386, 32),
        _ => (Architecture::X86_64, 64),
    };
    let mut object = Object::new(format, architecture, Endianness::Little);
    let text = object.section_id(StandardSection::Text);
    let symbol = object.add_symbol(Symbol {
        name: ENTRY_POINT.into(),
        value: 0,
        size: 0,
        kind: SymbolKind::Text,
        scope: SymbolScope::Dynamic,
        weak: false,
        section: SymbolSection::Undefined,
        flags: SymbolFlags::None,
    });
    object.add_symbol_data(symbol, text, &[0xc3; 64], 4);
    let data = object.section_id(StandardSection::Data);
    let offset = object.append_section_data(data, &[0; 8], 8);
    let flags =
        RelocationFlags::Generic { kind: RelocationKind::Absolute, encoding: RelocationEncoding::Generic, size };
    object.add_relocation(data, Relocation { offset, symbol, addend: 0, flags }).unwrap();
    object.write().unwrap()
}

fn number(content: &[u8], at: usize, size: usize) -> usize {
    let mut digits = [0; 8];
    digits[..size].copy_from_slice(&content[at..at + size]);
    usize::from_le_bytes(digits)
}

fn put(content: &mut [u8], at: usize, value: u32) {
    content[at..at + 4].copy_from_slice(&value.to_le_bytes());
}

/// Changes the program headers of a kind: the number that is a few bytes behind their beginning.
fn put_segments(content: &mut [u8], kind: elf::ProgramType, field: usize, value: u32) {
    let (start, count) = (number(content, 32, 8), number(content, 56, 2));
    let mut changed = 0;
    for header in (start..).step_by(56).take(count) {
        if number(content, header, 4) == kind.0 as usize {
            put(content, header + field, value);
            changed += 1;
        }
    }
    assert!(changed > 0);
}

/// Gives the entries of the dynamic section with a tag another one.
fn put_tag(example: &Example, content: &mut [u8], tag: elf::DynamicTag, other: elf::DynamicTag) {
    let mut entry = example.section(".dynamic");
    while number(content, entry, 8) != usize::try_from(tag.0).unwrap() {
        assert_ne!(number(content, entry, 8), 0, "there is no such entry");
        entry += 16;
    }
    put(content, entry, u32::try_from(other.0).unwrap());
}

#[test]
fn linux_libraries() {
    let example = Example::new("x86_64-unknown-linux-gnu");
    assert_eq!(example.problem(|_| {}), None);
    let says = |expected: &str, change: &dyn Fn(&mut Vec<u8>)| {
        let problem = example.problem(change).unwrap_or_default();
        assert!(problem.contains(expected), "{expected}: {problem:?}");
    };
    let (flags, all) = (4, (elf::PF_R | elf::PF_W | elf::PF_X).0);
    says("the stack can be executed", &|content| put_segments(content, elf::PT_GNU_STACK, flags, all));
    says("the stack can be executed", &|content| put_segments(content, elf::PT_GNU_STACK, 0, 0));
    says("relocated memory stays writable", &|content| put_segments(content, elf::PT_GNU_RELRO, 0, 0));
    says("memory can be written and executed", &|content| put_segments(content, elf::PT_LOAD, flags, all));
    says("another remainder in memory", &|content| put_segments(content, elf::PT_LOAD, 8, 1));
    says("code is relocated", &|content| put_tag(&example, content, elf::DT_HASH, elf::DT_TEXTREL));
    says("calls itself None", &|content| put_tag(&example, content, elf::DT_SONAME, elf::DT_DEBUG));
    says("functions are bound late", &|content| {
        put_tag(&example, content, elf::DT_FLAGS, elf::DT_DEBUG);
        put_tag(&example, content, elf::DT_FLAGS_1, elf::DT_DEBUG);
    });
    says("made for machine", &|content| content[18] = 3);
    says("exported", &|content| content[example.find(ENTRY_POINT.as_bytes())] = b'x');
    let place = format!("{}/source.rs", std::env::home_dir().unwrap().display());
    says("it names", &|content| content.extend(place.as_bytes()));
}

#[test]
fn libraries_need_only_the_c_library_and_only_on_android() {
    let example = Example::new("aarch64-linux-android");
    let removed = example.problem(|content| put_tag(&example, content, elf::DT_NEEDED, elf::DT_DEBUG));
    assert!(removed.is_some_and(|problem| problem.starts_with("needed libraries: []")));
    let other = example.problem(|content| content[example.find(b"libc.so\0") + 3] = b'm');
    assert!(other.is_some_and(|problem| problem.starts_with("needed libraries: [\"libm.so\"]")));
}

#[test]
fn pages_of_other_systems() {
    for (triple, smaller) in [("aarch64-unknown-linux-gnu", 0x4000), ("aarch64-linux-android", 0x1000)] {
        let example = Example::new(triple);
        assert_eq!(example.problem(|_| {}), None, "{triple}");
        let problem = example.problem(|content| put_segments(content, elf::PT_LOAD, 48, smaller));
        assert!(problem.is_some_and(|problem| problem.starts_with("segments are aligned")), "{triple}");
    }
}

#[test]
fn windows_libraries() {
    for triple in ["x86_64-pc-windows-msvc", "aarch64-pc-windows-msvc", "i686-pc-windows-msvc"] {
        let example = Example::new(triple);
        assert_eq!(example.problem(|_| {}), None, "{triple}");
        let header = number(&example.content, 0x3c, 4);
        let (machine, characteristics, flags) = (header + 4, header + 22, header + 24 + 70);
        let sections = header + 24 + number(&example.content, header + 20, 2);
        let says = |expected: &str, change: &dyn Fn(&mut Vec<u8>)| {
            let problem = example.problem(change).unwrap_or_default();
            assert!(problem.contains(expected), "{triple}, {expected}: {problem:?}");
        };
        says("made for machine", &|content| content[machine] ^= 1);
        says("not a DLL", &|content| content[characteristics + 1] &= !0x20);
        says("without protection", &|content| content[flags] &= !0x40);
        says("without protection", &|content| content[flags + 1] &= !0x01);
        if !triple.starts_with("i686") {
            says("low addresses", &|content| content[flags] &= !0x20);
        }
        says("another address", &|content| content[characteristics] |= 1);
        says("written and executed", &|content| content[sections + 39] |= 0xa0);
        let time = example.content[header + 8..header + 12].to_vec();
        let note = example.find(&[time.as_slice(), &[0, 0, 0, 0, 16, 0, 0, 0]].concat());
        says("the time of linking", &|content| content[note + 8] = 0);
        says("exported", &|content| content[example.find(ENTRY_POINT.as_bytes())] = b'x');
    }
}

/// Each says its platform so that simulators are distinguished from devices.
#[test]
fn libraries_of_all_apple_systems() {
    for target in TARGETS.iter().filter(|target| target.is_loadable && target.platform.apple().is_some()) {
        assert_eq!(Example::new(target.triple).problem(|_| {}), None, "{}", target.triple);
    }
}

#[test]
fn apple_libraries() {
    for triple in ["aarch64-apple-darwin", "x86_64-apple-darwin"] {
        let example = Example::new(triple);
        assert_eq!(example.problem(|_| {}), None, "{triple}");
        let says = |expected: &str, change: &dyn Fn(&mut Vec<u8>)| {
            let problem = example.problem(change).unwrap_or_default();
            assert!(problem.contains(expected), "{triple}, {expected}: {problem:?}");
        };
        let text = example.section("__text");
        says("page 0 has another hash", &|content| content[text + 1] ^= 1);
        says("not the end", &|content| content.push(0));
        says("not the end", &|content| content.truncate(content.len() - 1));
        says("made for processor", &|content| content[4] ^= 2);
        says("looked for in all libraries", &|content| {
            content[24] &= !0x80;
            sign(content);
        });
        // The oldest system: in the newer load command, behind the platform; in the older one, which names that itself.
        let minimum = match triple.starts_with("aarch64") {
            true => example.find(&[0x32, 0, 0, 0, 0x20, 0, 0, 0, 1, 0, 0, 0]) + 12,
            false => example.find(&[0x24, 0, 0, 0, 0x10, 0, 0, 0]) + 8,
        };
        says("platform is", &|content| content[minimum + 2] += 1);
        says("calls itself", &|content| content[example.find(LIBRARY_INSTALL_NAME.as_bytes())] = b'x');
        says("not an ad-hoc", &|content| {
            let list = example.find(&[0xfa, 0xde, 0x0c, 0x02]);
            content[list + 15] &= !2;
        });
    }
}

/// Puts the hashes of all pages into the signature again.
fn sign(content: &mut [u8]) {
    let list = content.windows(4).position(|part| part == [0xfa, 0xde, 0x0c, 0x02]).unwrap();
    let field = |at: usize| usize::try_from(u32::from_be_bytes(content[list + at..][..4].try_into().unwrap())).unwrap();
    let (hashes, limit, page) = (field(16), field(32), 1 << content[list + 39]);
    let computed: Vec<u8> = content[..limit].chunks(page).flat_map(Sha256::digest).collect();
    content[list + hashes..][..computed.len()].copy_from_slice(&computed);
}

#[test]
fn debug_information_of_other_libraries() {
    for triple in ["x86_64-unknown-linux-gnu", "x86_64-pc-windows-msvc", "aarch64-apple-darwin"] {
        let example = Example::new(triple);
        let directory = example.directory.path();
        let check = || debug::check(&example.path, &example.content, directory).map_err(|problem| problem.to_string());
        let is_debug = |path: &PathBuf| {
            [".debug", ".pdb", ".dylib.map"].iter().any(|end| path.to_string_lossy().ends_with(end))
                && !path.ends_with("powersync.pdb")
        };
        let file = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).find(is_debug).unwrap();
        let good = std::fs::read(&file).unwrap();
        match triple.starts_with("x86_64-unknown") {
            // Assembled by hand, the library has no lines.
            true => assert_eq!(check(), Err("the debug information has no lines".to_owned())),
            false => assert_eq!(check(), Ok(())),
        }
        let other = String::from_utf8_lossy(&good).replace(&format!("\t[  1] _{ENTRY_POINT}"), "").into_bytes();
        let other = if triple.ends_with("darwin") { other } else { good.iter().rev().copied().collect() };
        std::fs::write(&file, other).unwrap();
        assert!(check().is_err_and(|problem| !problem.contains("no lines")), "{triple}");
        std::fs::remove_file(&file).unwrap();
        assert!(check().is_err_and(|problem| problem.starts_with("no ")), "{triple}");
    }
}

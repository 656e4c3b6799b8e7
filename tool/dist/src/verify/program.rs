//! The program for each system.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use object::macho::{self, MachHeader64};
use object::read::macho::MachOFile;
use object::read::pe::{ImageNtHeaders, ImageOptionalHeader, PeFile64};
use object::{Architecture, Endianness, Object, ObjectKind, ObjectSection, pe};

use super::{budget, elf, mach_o, says_nothing_of_places, signature};
use crate::package::target::{Format, Target};

/// Windows' own libraries that may be needed, which are there on any Windows.
const WINDOWS: &[&str] = &[
    "advapi32.dll",
    "bcrypt.dll",
    "bcryptprimitives.dll",
    "combase.dll",
    "kernel32.dll",
    "msvcrt.dll",
    "ntdll.dll",
    "shell32.dll",
    "user32.dll",
    "userenv.dll",
    "ws2_32.dll",
];

/// Checks a program: for the right processor, with nothing but what each system has, protected, and able to unwind.
pub(super) fn check(target: &Target, path: &Path) -> Result<()> {
    budget::check(path)?;
    of_content(target, &std::fs::read(path)?)
}

fn of_content(target: &Target, content: &[u8]) -> Result<()> {
    let file = object::File::parse(content)?;
    let architecture = match target.architecture {
        "x64" => Architecture::X86_64,
        "aarch64" => Architecture::Aarch64,
        "armv7" => Architecture::Arm,
        _ => Architecture::Riscv64,
    };
    ensure!(file.architecture() == architecture, "made for {:?}", file.architecture());
    let has = |wanted: &str| file.sections().any(|section| section.name().is_ok_and(|name| name.contains(wanted)));
    ensure!(!has("debug_"), "debug information is in the program");
    says_nothing_of_places(content)?;
    match target.platform.format() {
        Format::Elf => {
            // The second is what 32-bit ARM has instead.
            let unwinds = has(".gcc_except_table") || has(".ARM.extab");
            ensure!(unwinds, "a panic would end all of it: there is nothing to unwind with");
            ensure!(!has(".interp"), "it needs the system's loader");
            ensure!(file.kind() == ObjectKind::Dynamic, "it cannot be placed at another address");
            let found = elf::read(content)?;
            ensure!(found.needed.is_empty(), "it needs libraries: {:?}", found.needed);
            ensure!(found.dangers.is_empty(), "{}", found.dangers.join(", "));
            Ok(())
        }
        Format::MachO => {
            ensure!(has("__gcc_except_tab"), "a panic would end all of it: there is nothing to unwind with");
            for_apple(target, content)
        }
        _ => for_windows(content),
    }
}

fn for_apple(target: &Target, content: &[u8]) -> Result<()> {
    let file: MachOFile<'_, MachHeader64<Endianness>> = MachOFile::parse(content)?;
    let found = mach_o::contents(&file, content)?;
    ensure!(file.macho_header().filetype.get(file.endian()) == macho::MH_EXECUTE, "not a program");
    ensure!(found.needed == [mach_o::SYSTEM], "needed libraries: {:?}", found.needed);
    let (_, minimum, _) = found.platform.context("it names no system")?;
    ensure!(minimum == target.minimum, "it is for systems from {minimum} on, not from {}", target.minimum);
    // Without one, nothing is started on 64-bit ARM.
    match found.signature {
        Some(place) => signature::check(content, place),
        None => {
            ensure!(target.architecture != "aarch64", "without a signature");
            Ok(())
        }
    }
}

fn for_windows(content: &[u8]) -> Result<()> {
    let file = PeFile64::parse(content)?;
    let headers = file.nt_headers();
    let characteristics = headers.file_header().characteristics.get(object::LittleEndian);
    ensure!(!characteristics.contains(pe::IMAGE_FILE_DLL), "not a program");
    let flags = headers.optional_header().dll_characteristics();
    let safe = pe::IMAGE_DLLCHARACTERISTICS_NX_COMPAT
        | pe::IMAGE_DLLCHARACTERISTICS_DYNAMIC_BASE
        | pe::IMAGE_DLLCHARACTERISTICS_HIGH_ENTROPY_VA;
    ensure!(flags.contains(safe), "without protection of its memory: {flags:?}");
    for import in file.imports()? {
        let library = String::from_utf8_lossy(import?.library()).to_lowercase();
        // Names of the C runtime's parts, which each Windows has since 10.
        let is_known = WINDOWS.contains(&library.as_str()) || library.starts_with("api-ms-win-");
        ensure!(is_known, "it needs {library}");
    }
    Ok(())
}

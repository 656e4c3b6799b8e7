//! Libraries for Apple's systems.

use std::ops::Range;

use anyhow::{Context, Result, bail, ensure};
use object::macho::{self, MachHeader64};
use object::read::macho::{LoadCommandVariant, MachHeader, MachOFile};
use object::{Endianness, Object};

use super::{exports_only_the_entry_point, signature};
use crate::package::FROM_C_LIBRARY;
use crate::package::target::Target;

/// The only library that is needed: it is in every process.
pub(super) const SYSTEM: &str = "/usr/lib/libSystem.B.dylib";

/// What the dynamic linker reads in a library.
#[derive(Debug, Default)]
pub(super) struct Contents {
    /// What it calls itself.
    name: Option<String>,
    pub(super) needed: Vec<String>,
    /// The platform's number, the oldest system, and the claimed SDK.
    pub(super) platform: Option<(u32, String, String)>,
    /// Where the signature is, from and to which byte.
    pub(super) signature: Option<Range<usize>>,
    has_uuid: bool,
}

/// Checks a library with the install name that it must have.
pub(super) fn check(target: &Target, content: &[u8], install_name: &str) -> Result<()> {
    let apple = target.platform.apple().context("not a platform of Apple's")?;
    let file: MachOFile<'_, MachHeader64<Endianness>> = MachOFile::parse(content)?;
    let endian = file.endian();
    let header = file.macho_header();
    ensure!(header.filetype(endian) == macho::MH_DYLIB, "not a library");
    let processor = match target.linker_architecture {
        "arm64" => macho::CPU_TYPE_ARM64,
        "x86_64" => macho::CPU_TYPE_X86_64,
        other => bail!("no library is made for {other}"),
    };
    ensure!(header.cputype(endian) == processor, "made for processor {:?}", header.cputype(endian));

    let found = contents(&file, content)?;
    ensure!(found.name.as_deref() == Some(install_name), "the library calls itself {:?}", found.name);
    ensure!(found.needed == [SYSTEM], "needed libraries: {:?}", found.needed);
    let expected = (apple.number, target.minimum.to_owned(), apple.sdk.to_owned());
    ensure!(found.platform == Some(expected.clone()), "platform is {:?}, expected {expected:?}", found.platform);
    ensure!(found.has_uuid, "without an identifier");
    signature::check(content, found.signature.context("without a signature")?)?;
    let flags = header.flags(endian);
    ensure!(flags.contains(macho::MH_TWOLEVEL), "imports are looked for in all libraries");
    ensure!(flags.contains(macho::MH_NOUNDEFS), "imports are not assigned to libraries");

    let mut exported = Vec::new();
    for export in file.exports()? {
        exported.push(plain(export?.name().name()));
    }
    exports_only_the_entry_point(&exported)?;
    let mut imported = Vec::new();
    for import in file.imports()? {
        imported.push(plain(import?.name().name()));
    }
    let known = |name: &String| FROM_C_LIBRARY.contains(&name.as_str()) || name == "dyld_stub_binder";
    ensure!(imported.iter().all(known), "imported: {imported:?}");
    Ok(())
}

/// What the dynamic linker reads in a file.
pub(super) fn contents(file: &MachOFile<'_, MachHeader64<Endianness>>, content: &[u8]) -> Result<Contents> {
    read(file.macho_header().load_commands(file.endian(), content, 0)?, file.endian())
}

/// A symbol's name in C.
fn plain(name: Option<&[u8]>) -> String {
    let name = name.unwrap_or_default();
    String::from_utf8_lossy(name.strip_prefix(b"_").unwrap_or(name)).into_owned()
}

fn read(
    mut commands: object::read::macho::LoadCommandIterator<'_, Endianness>,
    endian: Endianness,
) -> Result<Contents> {
    let mut found = Contents::default();
    while let Some(command) = commands.next()? {
        let text = |name| -> Result<String> { Ok(String::from_utf8_lossy(command.string(endian, name)?).into_owned()) };
        match command.variant()? {
            LoadCommandVariant::IdDylib(library) => found.name = Some(text(library.dylib.name)?),
            LoadCommandVariant::Dylib(library) => found.needed.push(text(library.dylib.name)?),
            LoadCommandVariant::Uuid(_) => found.has_uuid = true,
            LoadCommandVariant::BuildVersion(build, _) => {
                let (minimum, sdk) = (version(build.minos.get(endian).0), version(build.sdk.get(endian).0));
                found.platform = Some((build.platform.get(endian).0, minimum, sdk));
            }
            // What older linkers wrote instead; the number is that of the newer command.
            LoadCommandVariant::VersionMin(build) => {
                let number = match command.cmd() {
                    macho::LC_VERSION_MIN_MACOSX => 1,
                    macho::LC_VERSION_MIN_IPHONEOS => 2,
                    macho::LC_VERSION_MIN_TVOS => 3,
                    _ => 4,
                };
                let (minimum, sdk) = (version(build.version.get(endian).0), version(build.sdk.get(endian).0));
                found.platform = Some((number, minimum, sdk));
            }
            LoadCommandVariant::LinkeditData(data) if command.cmd() == macho::LC_CODE_SIGNATURE => {
                let start = usize::try_from(data.dataoff.get(endian))?;
                found.signature = Some(start..start.saturating_add(usize::try_from(data.datasize.get(endian))?));
            }
            LoadCommandVariant::Segment64(segment, _) => {
                let protection = segment.initprot.get(endian);
                let is_both = protection.contains(macho::VM_PROT_WRITE | macho::VM_PROT_EXECUTE);
                ensure!(!is_both, "memory can be written and executed");
            }
            _ => {}
        }
    }
    Ok(found)
}

/// A version as it is written: two bytes for the first number, one for the second, and one that is always zero here.
fn version(number: u32) -> String {
    format!("{}.{}", number >> 16, number >> 8 & 0xff)
}

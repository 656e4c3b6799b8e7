//! Small object files in place of libraries, for tests.

use object::macho::{CPU_SUBTYPE_ARM64_ALL, CPU_TYPE_ARM64, CPU_TYPE_X86_64, FAT_MAGIC, MH_DYLIB, Platform, Version};
use object::write::{MachOBuildVersion, Object};
use object::{Architecture, BinaryFormat, Endianness};

/// An ELF file for a processor.
pub(crate) fn elf(architecture: Architecture) -> Vec<u8> {
    Object::new(BinaryFormat::Elf, architecture, Endianness::Little).write().unwrap()
}

/// A Mach-O library for a platform, by number, from a version of the system on.
pub(crate) fn mach_o(architecture: Architecture, platform: u32, minimum: (u32, u32)) -> Vec<u8> {
    let mut object = Object::new(BinaryFormat::MachO, architecture, Endianness::Little);
    let mut build = MachOBuildVersion::default();
    build.platform = Platform(platform);
    build.minos = Version(minimum.0 << 16 | minimum.1 << 8);
    object.set_macho_build_version(build);
    let mut bytes = object.write().unwrap();
    // The kind of file, after magic number, processor and its subtype.
    bytes[12..16].copy_from_slice(&MH_DYLIB.0.to_le_bytes());
    bytes
}

/// A universal file with parts for arm64, x86_64 and so on, alternately.
pub(crate) fn universal(parts: &[Vec<u8>]) -> Vec<u8> {
    let count = u32::try_from(parts.len()).unwrap();
    let mut header: Vec<u32> = vec![FAT_MAGIC, count];
    let mut offset = 8 + 20 * count;
    for (part, processor) in parts.iter().zip([CPU_TYPE_ARM64, CPU_TYPE_X86_64].iter().cycle()) {
        let size = u32::try_from(part.len()).unwrap();
        header.extend([processor.0, CPU_SUBTYPE_ARM64_ALL.0, offset, size, 0]);
        offset += size;
    }
    let header = header.into_iter().flat_map(u32::to_be_bytes);
    header.chain(parts.iter().flatten().copied()).collect()
}

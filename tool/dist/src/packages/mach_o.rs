//! What libraries for Apple's systems say about themselves: processor, platform, and the oldest system they run on.

use anyhow::{Context, Result, bail, ensure};
use object::macho::{self, CpuType, MachHeader32, MachHeader64};
use object::read::archive::ArchiveFile;
use object::read::macho::{FatArch as _, LoadCommandVariant, MachHeader, MachOFatFile32};
use object::{Endianness, FileKind};

/// One architecture's library, loadable or static.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Image {
    /// As Apple names the processor.
    pub architecture: &'static str,
    /// Number of the platform, as in `LC_BUILD_VERSION`.
    pub platform: u32,
    /// The oldest version of the system.
    pub minimum: (u32, u32),
    /// Whether it is loaded at run time.
    pub is_loadable: bool,
}

/// Reads all architectures of a library.
///
/// # Errors
/// If it is no library for Apple's systems.
pub(crate) fn images(library: &[u8]) -> Result<Vec<Image>> {
    match FileKind::parse(library)? {
        FileKind::MachOFat32 => {
            let file = MachOFatFile32::parse(library)?;
            file.arches().iter().map(|part| image(part.data(library)?)).collect()
        }
        _ => Ok(vec![image(library)?]),
    }
}

fn image(library: &[u8]) -> Result<Image> {
    match FileKind::parse(library)? {
        FileKind::MachO32 => mach_o::<MachHeader32<Endianness>>(library),
        FileKind::MachO64 => mach_o::<MachHeader64<Endianness>>(library),
        FileKind::Archive => {
            let member = ArchiveFile::parse(library)?.members().next().context("an empty static library")??;
            image(member.data(library)?)
        }
        other => bail!("a file of kind {other:?}"),
    }
}

fn mach_o<Header: MachHeader<Endian = Endianness>>(library: &[u8]) -> Result<Image> {
    let header = Header::parse(library, 0)?;
    let endian = header.endian()?;
    let mut commands = header.load_commands(endian, library, 0)?;
    while let Some(command) = commands.next()? {
        let (platform, version) = match command.variant()? {
            LoadCommandVariant::BuildVersion(build, _) => (build.platform.get(endian).0, build.minos.get(endian).0),
            LoadCommandVariant::VersionMin(minimum) => {
                (platform_of(minimum.cmd.get(endian))?, minimum.version.get(endian).0)
            }
            _ => continue,
        };
        return Ok(Image {
            architecture: architecture(header.cputype(endian))?,
            platform,
            minimum: (version >> 16, (version >> 8) & 0xff),
            is_loadable: header.filetype(endian) == macho::MH_DYLIB,
        });
    }
    bail!("it does not say on which systems it runs")
}

/// The platform of the older commands, which had one for each.
fn platform_of(command: macho::LoadCommandType) -> Result<u32> {
    let platforms = [
        (macho::LC_VERSION_MIN_MACOSX, macho::PLATFORM_MACOS),
        (macho::LC_VERSION_MIN_IPHONEOS, macho::PLATFORM_IOS),
        (macho::LC_VERSION_MIN_TVOS, macho::PLATFORM_TVOS),
        (macho::LC_VERSION_MIN_WATCHOS, macho::PLATFORM_WATCHOS),
    ];
    let found = platforms.iter().find(|(known, _)| *known == command);
    found.map(|(_, platform)| platform.0).context("an unknown platform")
}

fn architecture(processor: CpuType) -> Result<&'static str> {
    let names = [
        (macho::CPU_TYPE_ARM64, "arm64"),
        (macho::CPU_TYPE_ARM64_32, "arm64_32"),
        (macho::CPU_TYPE_ARM, "armv7k"),
        (macho::CPU_TYPE_X86_64, "x86_64"),
    ];
    let found = names.iter().find(|(known, _)| *known == processor);
    found.map(|(_, name)| *name).with_context(|| format!("unknown processor {processor:?}"))
}

/// The lowest of the oldest systems of all architectures, which are of one platform, as `12.0`.
///
/// # Errors
/// If there is none, or they are of several platforms.
pub(crate) fn minimum(images: &[Image]) -> Result<String> {
    let lowest = images.iter().min_by_key(|image| image.minimum).context("no architecture")?;
    ensure!(images.iter().all(|image| image.platform == lowest.platform), "architectures of several platforms");
    Ok(format!("{}.{}", lowest.minimum.0, lowest.minimum.1))
}

#[cfg(test)]
mod tests {
    use object::Architecture;

    use super::*;
    use crate::packages::testing::{elf, mach_o, universal};

    #[test]
    fn all_architectures_of_a_universal_file_are_read() {
        let parts = [mach_o(Architecture::Aarch64, 7, (14, 0)), mach_o(Architecture::X86_64, 7, (12, 4))];
        let images = images(&universal(&parts)).unwrap();
        let expected = [("arm64", 7, (14, 0)), ("x86_64", 7, (12, 4))];
        let found: Vec<_> = images.iter().map(|image| (image.architecture, image.platform, image.minimum)).collect();
        assert_eq!(found, expected);
        assert_eq!(minimum(&images).unwrap(), "12.4");
    }

    #[test]
    fn other_files_are_refused() {
        assert!(images(&elf(Architecture::X86_64)).is_err());
        assert!(images(b"").is_err());
        assert!(images(&universal(&[elf(Architecture::X86_64)])).is_err());
    }

    #[test]
    fn one_file_has_one_platform() {
        let parts = [mach_o(Architecture::Aarch64, 2, (14, 0)), mach_o(Architecture::X86_64, 7, (12, 4))];
        assert!(minimum(&images(&universal(&parts)).unwrap()).is_err());
    }
}

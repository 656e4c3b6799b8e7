//! Universal files: images, or static libraries, of several architectures in one, as Apple's systems read them.

use anyhow::{Result, bail};
use object::macho;

/// The alignment of each part, as a power of two: the largest pages that there are.
const ALIGNMENT: u32 = 14;

/// Puts libraries into one file. Of each the processor's type and subtype are given.
///
/// # Errors
/// If they do not fit into such a file, which has 32-bit sizes.
pub(crate) fn join(parts: &[((u32, u32), Vec<u8>)]) -> Result<Vec<u8>> {
    let mut header = Vec::new();
    let count = u32::try_from(parts.len())?;
    header.extend([macho::FAT_MAGIC, count].into_iter().flat_map(u32::to_be_bytes));
    let page = 1_usize << ALIGNMENT;
    let mut offset = page;
    for ((processor, subtype), content) in parts {
        let fields = [*processor, *subtype, u32::try_from(offset)?, u32::try_from(content.len())?, ALIGNMENT];
        header.extend(fields.into_iter().flat_map(u32::to_be_bytes));
        offset = (offset + content.len()).next_multiple_of(page);
    }
    let mut file = header;
    for (_, content) in parts {
        file.resize(file.len().next_multiple_of(page), 0);
        file.extend(content);
    }
    Ok(file)
}

/// Type and subtype of the processor of an architecture of Apple's linker.
///
/// # Errors
/// If it is not known.
pub(crate) fn processor(architecture: &str) -> Result<(u32, u32)> {
    Ok(match architecture {
        "arm64" => (macho::CPU_TYPE_ARM64.0, macho::CPU_SUBTYPE_ARM64_ALL.0),
        "arm64_32" => (macho::CPU_TYPE_ARM64_32.0, macho::CPU_SUBTYPE_ARM64_32_V8.0),
        "armv7k" => (macho::CPU_TYPE_ARM.0, macho::CPU_SUBTYPE_ARM_V7K.0),
        "x86_64" => (macho::CPU_TYPE_X86_64.0, macho::CPU_SUBTYPE_X86_64_ALL.0),
        other => bail!("no processor is called {other}"),
    })
}

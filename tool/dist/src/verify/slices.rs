//! The libraries in the XCFramework are those that were checked one by one.

use anyhow::{Context, Result, ensure};
use object::FileKind;
use object::read::macho::{FatArch as _, MachOFatFile32};

use crate::package::slices;
use crate::packages::distribution::Distribution;
use crate::packages::tree::Tree;
use crate::packages::xcframework::DIRECTORY;

/// Where parts of a universal file may begin, as a power of two: the largest pages that there are.
const ALIGNMENT: u32 = 14;

/// Checks the XCFramework of a distribution, if there is one.
///
/// # Errors
/// If the directory and the archive differ, a library is missing, or it is another one than that of its target.
pub(super) fn check(distribution: &Distribution) -> Result<()> {
    let archive = distribution.directory.join(format!("{DIRECTORY}.zip"));
    if !archive.is_file() {
        return Ok(());
    }
    let packed = Tree::from_zip(&std::fs::read(archive)?)?.below(DIRECTORY)?;
    let tree = Tree::from_directory(&distribution.directory.join(DIRECTORY))?;
    ensure!(tree == packed, "the XCFramework is not what its archive has");
    for (slice, targets) in slices::all() {
        let binary = format!("{slice}/powersync-sqlite-core.framework/");
        let binary = binary + if slice.starts_with("macos") { "Versions/A/" } else { "" } + "powersync-sqlite-core";
        let mut parts = Vec::new();
        for target in targets {
            let path = slices::part(target);
            parts.push(std::fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?);
        }
        has_parts(tree.file(&binary)?, &parts).with_context(|| slice.to_owned())?;
    }
    Ok(())
}

/// The library consists of these parts, or is the only one.
fn has_parts(library: &[u8], parts: &[Vec<u8>]) -> Result<()> {
    if let [only] = parts {
        ensure!(library == only.as_slice(), "another library than that of its target");
        return Ok(());
    }
    ensure!(FileKind::parse(library)? == FileKind::MachOFat32, "not a universal file");
    let file = MachOFatFile32::parse(library)?;
    ensure!(file.arches().len() == parts.len(), "a universal file of {} parts", file.arches().len());
    for (found, part) in file.arches().iter().zip(parts) {
        let (offset, _) = found.file_range();
        ensure!(found.align() == ALIGNMENT && offset % (1 << ALIGNMENT) == 0, "a part is at byte {offset}");
        ensure!(found.data(library)? == part.as_slice(), "another library than that of its target");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use object::Architecture::{Aarch64, X86_64};

    use super::*;
    use crate::package::universal::{join, processor};
    use crate::packages::testing::mach_o;

    #[test]
    fn parts_of_universal_files_are_compared() {
        let parts = [mach_o(Aarch64, 1, (11, 0)), mach_o(X86_64, 1, (10, 12))];
        let named = ["arm64", "x86_64"].map(|name| processor(name).unwrap());
        let library = join(&named.into_iter().zip(parts.clone()).collect::<Vec<_>>()).unwrap();
        has_parts(&library, &parts).unwrap();
        let [first, second] = parts;
        assert!(has_parts(&library, &[second.clone(), first.clone()]).is_err());
        assert!(has_parts(&library, &[first.clone(), second, first.clone()]).is_err());
        assert!(has_parts(&first, std::slice::from_ref(&first)).is_ok());
        assert!(has_parts(&library, &[first]).is_err());
    }
}

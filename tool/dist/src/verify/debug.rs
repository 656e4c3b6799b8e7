//! What debuggers want of each loadable library is next to it, and belongs to exactly that library.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use object::{ExportTarget, File, Object, ObjectSection};

use crate::package::ENTRY_POINT;

/// How a PDB file begins.
const PDB: &[u8] = b"Microsoft C/C++ MSF 7.00\r\n";

/// Checks the file for a library in the directory for such files.
///
/// # Errors
/// If there is none, or it is of another library.
pub(super) fn check(library: &Path, content: &[u8], directory: &Path) -> Result<()> {
    let file = File::parse(content)?;
    let beside = |extension: &str| -> Result<(PathBuf, Vec<u8>)> {
        let mut name = library.file_name().unwrap_or_default().to_owned();
        name.push(extension);
        let path = directory.join(name);
        let bytes = std::fs::read(&path).with_context(|| format!("no debug information in {}", path.display()))?;
        Ok((path, bytes))
    };
    match file.format() {
        object::BinaryFormat::Elf => {
            let (path, debug) = beside(".debug")?;
            dwarf(&file, &path, &debug)
        }
        object::BinaryFormat::MachO => map(&file, &beside(".map")?.1),
        object::BinaryFormat::Pe | object::BinaryFormat::Coff => {
            let path = directory.join(library.with_extension("pdb").file_name().unwrap_or_default());
            let debug = std::fs::read(&path).with_context(|| format!("no {}", path.display()))?;
            pdb(&file, &path, &debug)
        }
        other => bail!("no debug information for {other:?}"),
    }
}

/// DWARF in a file that the library names, with its checksum.
fn dwarf(library: &File<'_>, path: &Path, debug: &[u8]) -> Result<()> {
    let (name, checksum) = library.gnu_debuglink()?.context("the library names no debug information")?;
    let is_named = path.file_name().is_some_and(|file| file.as_encoded_bytes() == name);
    ensure!(is_named, "the library names {}", String::from_utf8_lossy(name));
    let mut sum = flate2::Crc::new();
    sum.update(debug);
    ensure!(sum.sum() == checksum, "the debug information has another checksum than the library says");
    let debug = File::parse(debug)?;
    let identifier = library.build_id()?;
    ensure!(identifier.is_some() && identifier == debug.build_id()?, "the debug information is of another library");
    let lines = debug.section_by_name(".debug_line").context("the debug information has no lines")?;
    ensure!(!lines.data()?.is_empty(), "the debug information has no lines");
    Ok(())
}

/// A list of all functions with their addresses.
fn map(library: &File<'_>, map: &[u8]) -> Result<()> {
    let export = library.exports()?.next().context("it exports nothing")??;
    let ExportTarget::Address { address } = export.target() else { bail!("it exports something without an address") };
    let expected = format!("0x{address:08X}\t");
    let function = format!("] _{ENTRY_POINT}");
    let is_there = |line: &str| line.starts_with(&expected) && line.ends_with(&function);
    ensure!(String::from_utf8_lossy(map).lines().any(is_there), "the map has another address for {ENTRY_POINT}");
    Ok(())
}

/// A file that has the identifier of the library.
fn pdb(library: &File<'_>, path: &Path, debug: &[u8]) -> Result<()> {
    let named = library.pdb_info()?.context("the library names no debug information")?;
    let is_named = path.file_name().is_some_and(|file| file.as_encoded_bytes() == named.path());
    ensure!(is_named, "the library names {}", String::from_utf8_lossy(named.path()));
    ensure!(debug.starts_with(PDB), "not a PDB file");
    let has_identifier = debug.windows(named.guid().len()).any(|part| part == named.guid());
    ensure!(has_identifier, "the debug information is of another library");
    Ok(())
}

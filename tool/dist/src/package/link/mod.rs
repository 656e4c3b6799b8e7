//! Linking a static library to the one that is loaded: what is the same for all formats.

mod elf;
mod mach_o;
mod pe;

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::package::target::{Format, Target};
use crate::package::toolchain::Toolchain;

/// The function that a loadable library exports, the only one.
pub(crate) const ENTRY_POINT: &str = "sqlite3_powersync_init";

/// A linker script, in the repository, that leaves out what only unwinding needs.
pub(crate) const DISCARD: &str = "crates/loadable/discard.ld";

/// One library to be linked.
#[derive(Debug)]
pub(crate) struct Link<'l> {
    pub toolchain: &'l Toolchain,
    pub target: &'l Target,
    /// The static library.
    pub archive: &'l Path,
    /// A directory for what is needed on the way.
    pub scratch: &'l Path,
    /// The library.
    pub output: &'l Path,
    /// Where debug information goes that is not part of the library; its directory exists.
    pub debug: &'l Path,
}

impl Link<'_> {
    /// Writes a file that the linker reads.
    fn write(&self, name: &str, content: &str) -> Result<PathBuf> {
        let path = self.scratch.join(name);
        std::fs::write(&path, content)?;
        Ok(path)
    }

    /// The debug information's file: the name of the library, with something added.
    fn debug_file(&self, extension: &str) -> PathBuf {
        let mut name = self.output.file_name().unwrap_or_default().to_owned();
        name.push(extension);
        self.debug.join(name)
    }
}

/// Links a loadable library. An Apple one that is part of a framework has the given install name.
///
/// # Errors
/// If it cannot be linked.
pub(crate) fn loadable(link: &Link<'_>, install_name: &str) -> Result<()> {
    match link.target.platform.format() {
        Format::Elf => elf::loadable(link),
        Format::MachO => mach_o::loadable(link, install_name),
        Format::Pe => pe::loadable(link),
        Format::Wasm => bail!("WebAssembly has no loadable libraries"),
    }
}

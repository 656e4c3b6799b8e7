//! `cargo xtask symbols`: the release library exports its entry point and nothing else, and needs no other library.

use anyhow::{Context, Result};

use crate::verify::elf;
use tool_support::library;

/// Builds the release library and checks its symbols.
///
/// # Errors
/// If it exports more or less than the entry point, or needs anything.
pub(crate) fn check() -> Result<()> {
    let library = library::build()?;
    let contents =
        elf::read(&std::fs::read(&library)?).with_context(|| format!("cannot read {}", library.display()))?;
    elf::is_self_sufficient(&contents, false)?;
    println!("{}: exports {:?}, needs nothing", library.display(), contents.exported);
    Ok(())
}

//! Copies of the repository's files, where commands change something beside them.

use std::path::Path;

use anyhow::Result;

/// Copies the files of a folder, without the folders in it.
///
/// # Errors
/// If one cannot be read or written.
pub fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

//! `SHA256SUMS`: what `sha256sum --check` reads.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use sha2::{Digest, Sha256};

/// Its name.
pub(crate) const FILE: &str = "SHA256SUMS";

/// Writes the sums of a directory.
///
/// # Errors
/// If a file cannot be read or written.
pub(crate) fn write(directory: &Path) -> Result<()> {
    Ok(std::fs::write(directory.join(FILE), sums(directory)?)?)
}

/// The sums of all files in a directory, but for those in directories below.
///
/// # Errors
/// If a file cannot be read.
pub(crate) fn sums(directory: &Path) -> Result<String> {
    let mut files = Vec::<PathBuf>::new();
    for entry in std::fs::read_dir(directory)? {
        let path = entry?.path();
        if path.is_file() && path.file_name().is_some_and(|name| name != FILE) {
            files.push(path);
        }
    }
    files.sort();
    let mut text = String::new();
    for file in files {
        for byte in Sha256::digest(std::fs::read(&file)?) {
            write!(text, "{byte:02x}")?;
        }
        writeln!(text, "  {}", file.file_name().unwrap_or_default().display())?;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_are_sorted_by_name_and_of_files_only() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::create_dir(directory.path().join("debug")).unwrap();
        std::fs::write(directory.path().join("b"), "abc").unwrap();
        std::fs::write(directory.path().join("a"), "").unwrap();
        for _ in 0..2 {
            write(directory.path()).unwrap();
            let sums = std::fs::read_to_string(directory.path().join(FILE)).unwrap();
            assert_eq!(
                sums,
                "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  a\n\
                 ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  b\n"
            );
        }
    }
}

//! The files of the repository that the checks read.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use rowtide_testkit::library::repository;

/// Directories whose files are made by tools.
const LEFT_OUT: &[&str] = &["target", "node_modules", ".git"];

/// What a text file of ours may end in.
const TEXT: &[&str] = &[
    "md", "txt", "rs", "toml", "js", "mjs", "ts", "html", "json", "jsonl", "c", "h", "py", "dart", "kts", "swift",
    "yml", "yaml", "podspec", "sql", "sh", "ld", "cmake", "supp",
];

/// A text file.
#[derive(Debug, Clone)]
pub struct TextFile {
    /// Path from the top of the repository, with slashes.
    pub path: String,
    /// Its content.
    pub text: String,
}

impl TextFile {
    /// Whether it is a document: Markdown, or the index for language models.
    pub fn is_document(&self) -> bool {
        self.path.ends_with(".md") || self.path == "llms.txt"
    }
}

/// All text files of the repository, by path.
///
/// # Errors
/// A file that cannot be read.
pub fn text_files() -> io::Result<Vec<TextFile>> {
    let mut files = Vec::new();
    visit(repository(), &mut files)?;
    files.sort_by(|left, right| left.path.cmp(&right.path));
    Ok(files)
}

/// The content of the file at `path` from the top of the repository.
///
/// # Errors
/// Names the file that cannot be read.
pub fn read(path: &str) -> io::Result<String> {
    fs::read_to_string(repository().join(path))
        .map_err(|error| io::Error::new(error.kind(), format!("{path}: {error}")))
}

/// Whether there is such a file or directory.
pub fn exists(path: &str) -> bool {
    repository().join(path).exists()
}

fn visit(directory: &Path, files: &mut Vec<TextFile>) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            if !LEFT_OUT.contains(&name.as_str()) {
                visit(&path, files)?;
            }
        } else if is_text(&path) {
            // A file that is no UTF-8 is no text of ours.
            if let Ok(text) = fs::read_to_string(&path) {
                files.push(TextFile { path: from_top(&path), text });
            }
        }
    }
    Ok(())
}

fn is_text(path: &Path) -> bool {
    path.extension().is_some_and(|extension| TEXT.iter().any(|known| extension == *known))
}

fn from_top(path: &Path) -> String {
    let relative: PathBuf = path.strip_prefix(repository()).unwrap_or(path).components().collect();
    relative.to_string_lossy().replace('\\', "/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_tools_are_left_out() {
        let files = text_files().unwrap();
        let has = |path: &str| files.iter().any(|file| file.path == path);
        assert!(has("README.md") && has("tests/project/src/repository.rs") && has("Cargo.toml"));
        assert!(!files.iter().any(|file| file.path.contains("target/") || file.path.contains("node_modules/")));
    }
}

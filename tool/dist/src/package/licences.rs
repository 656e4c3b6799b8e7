//! The licences of what is linked into the program and the libraries, with their texts: most of them want to be where that is.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use super::sbom;
use crate::parts;

/// The name of the file in packages.
pub(crate) const FILE: &str = "THIRD-PARTY-LICENCES.txt";

/// What begins the names of files with licences.
const NAMES: &[&str] = &["license", "licence", "copying", "copyright", "notice", "unlicense"];

/// How many directories deep the sources of C libraries are, within those of a package.
const DEPTH: usize = 3;

/// The text of the MIT licence, for what brings none.
const MIT: &str = "Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation
files (the \"Software\"), to deal in the Software without restriction, including without limitation the rights to use, copy,
modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software
is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED \"AS IS\", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES
OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE
LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
";

/// A line between texts.
const LINE: &str = "\n--------------------------------------------------------------------------------\n\n";

/// A package whose licences are wanted.
struct Package {
    /// Name and version.
    name: String,
    /// The licences, as it names them.
    expression: String,
    /// Its sources.
    directory: PathBuf,
}

/// The MIT licence of something whose package has no text of it.
pub(crate) fn mit(what: &str, holder: &str) -> String {
    format!("{what}\n\nCopyright {holder}\n\n{MIT}")
}

/// The licences of the program: for all systems, so that it is one text.
///
/// # Errors
/// If Cargo cannot be asked, or a file cannot be read.
pub(crate) fn of_program() -> Result<String> {
    // No package of Cargo brings it: the C library that is linked into the program for Linux.
    let musl = mit("musl (in the programs for Linux)", "© 2005-2020 Rich Felker, et al.");
    let own = text("This program contains, beside Rowtide itself:", &packages(sbom::PROGRAM)?, Some(&musl))?;
    Ok(match parts::notices() {
        Some(notices) => format!("{own}{LINE}{notices}"),
        None => own,
    })
}

/// The licences of the libraries.
///
/// # Errors
/// If Cargo cannot be asked, or a file cannot be read.
pub(crate) fn of_libraries() -> Result<String> {
    text("The libraries contain, beside Rowtide itself and parts of Rust's own:", &packages(sbom::LIBRARIES)?, None)
}

/// What is linked and not of this repository.
fn packages(product: &sbom::Product) -> Result<Vec<Package>> {
    let metadata = sbom::metadata()?;
    let packages = sbom::linked(&metadata, product)?;
    packages.into_iter().filter(|package| !package["source"].is_null()).map(read).collect()
}

fn read(package: &Value) -> Result<Package> {
    let member = |name: &str| package[name].as_str().unwrap_or_default();
    let manifest = Path::new(member("manifest_path"));
    Ok(Package {
        name: format!("{} {}", member("name"), member("version")),
        expression: member("license").to_owned(),
        directory: manifest.parent().context("a package is in a directory")?.to_owned(),
    })
}

/// Each licence once, with the packages that have it; before them that of a part which is no package.
fn text(start: &str, packages: &[Package], other: Option<&str>) -> Result<String> {
    let mut text = format!("{start}\n\n");
    let mut owners: BTreeMap<String, BTreeSet<&str>> = BTreeMap::new();
    for package in packages {
        writeln!(text, "{}: {}", package.name, package.expression)?;
        for licence in licences(&package.directory, DEPTH)? {
            owners.entry(licence).or_default().insert(&package.name);
        }
    }
    if let Some(other) = other {
        text += LINE;
        text += other;
    }
    for (licence, names) in owners {
        let names: Vec<&str> = names.into_iter().collect();
        write!(text, "{LINE}{}\n\n{licence}\n", names.join("\n"))?;
    }
    Ok(text)
}

/// The texts in a directory.
fn licences(directory: &Path, depth: usize) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().to_lowercase();
        if entry.file_type()?.is_dir() {
            if depth > 1 {
                found.extend(licences(&entry.path(), depth - 1)?);
            }
        } else if NAMES.iter().any(|start| name.starts_with(start)) && !name.ends_with(".rs") {
            let text = String::from_utf8_lossy(&std::fs::read(entry.path())?).replace("\r\n", "\n");
            found.push(text.trim().to_owned());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_text_is_there_once() {
        let directory = tempfile::tempdir().unwrap();
        let package = |name: &str, file: &str, licence: &str| {
            let place = directory.path().join(name);
            std::fs::create_dir_all(place.join("src/c")).unwrap();
            std::fs::write(place.join(file), licence).unwrap();
            std::fs::write(place.join("src/license.rs"), "code").unwrap();
            Package { name: format!("{name} 1.0.0"), expression: "MIT".to_owned(), directory: place }
        };
        let packages = [
            package("a", "LICENSE-MIT", "one\r\ntext\r\n"),
            package("b", "src/c/COPYING", "one\ntext\n"),
            package("c", "LICENCE", "another"),
        ];
        let text = text("This contains:", &packages, None).unwrap();
        assert!(text.contains("\na 1.0.0\nb 1.0.0\n\none\ntext\n"), "{text}");
        assert!(text.contains("\nc 1.0.0\n\nanother\n"), "{text}");
        assert_eq!(text.matches("one\ntext").count(), 1);
        assert!(!text.contains("code"), "{text}");
    }

    #[test]
    fn those_of_the_libraries_are_fewer() {
        let text = of_libraries().unwrap();
        for part in ["\nhashbrown 0", "\nsiphasher 1", "Apache License"] {
            assert!(text.contains(part), "{part}");
        }
        assert!(!text.contains("musl") && !text.contains("\ntokio"), "{text}");
    }

    #[test]
    fn those_of_the_program_are_found() {
        let text = of_program().unwrap();
        for part in ["\nmusl ", "\nring 0", "\nrusqlite 0", "\ntokio 1", "Apache License", "Tokio Contributors"] {
            assert!(text.contains(part), "{part}");
        }
        assert!(!text.contains("rowtide-core"), "what is in this repository has its own licence");
        assert!(!text.contains("\ntempdir"), "only what is linked counts");
    }
}

//! The Python wheels: the same few lines of Python in each, with the library for one platform.
//!
//! A wheel is a zip file whose name says where it runs, with metadata and a list of all files and their hashes.

use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::packages::distribution::{Distribution, read};
use crate::packages::platform::Platform;
use crate::packages::publisher::Publisher;
use crate::packages::tree::{self, Tree};

/// Where the Python files and the README are.
const SOURCE: &str = "tool/dist/packages/python";

/// The package that programs import, and the project's name with the sign that file names allow.
const PACKAGE: &str = "powersync_sqlite_core";

/// Files of the package.
const FILES: &[&str] = &["__init__.py", "py.typed"];

/// Writes `*.whl`, one for each library that was built.
///
/// # Errors
/// If a file is missing, or what was written is not as it should be.
pub(crate) fn write(distribution: &Distribution) -> Result<()> {
    for (platform, library) in distribution.available(|platform| platform.library) {
        let bytes = wheel(platform, &std::fs::read(library)?, distribution.version)?.to_zip()?;
        let file = file_name(platform, distribution.version);
        check(&file, &bytes).with_context(|| file.clone())?;
        tree::write(&distribution.directory.join(file), &bytes)?;
    }
    Ok(())
}

fn file_name(platform: &Platform, version: &str) -> String {
    format!("{PACKAGE}-{version}-py3-none-{}.whl", platform.wheel)
}

fn wheel(platform: &Platform, library: &[u8], version: &str) -> Result<Tree> {
    let mut tree = Tree::default();
    for file in FILES {
        tree.add(&format!("{PACKAGE}/{file}"), read(format!("{SOURCE}/{PACKAGE}/{file}"))?);
    }
    tree.add(&format!("{PACKAGE}/{}", platform.file), library);
    let information = format!("{PACKAGE}-{version}.dist-info");
    tree.add(&format!("{information}/METADATA"), metadata(version)?);
    tree.add(&format!("{information}/WHEEL"), tags(platform));
    tree.add(&format!("{information}/licenses/LICENSE"), read("LICENSE")?);
    let list = format!("{information}/RECORD");
    let record = record(&tree, &list)?;
    tree.add(&list, record);
    Ok(tree)
}

fn metadata(version: &str) -> Result<String> {
    let (readme, home) = (read(format!("{SOURCE}/README.md"))?, Publisher::of(version)?.home);
    Ok(format!(
        "Metadata-Version: 2.4\n\
         Name: powersync-sqlite-core\n\
         Version: {version}\n\
         Summary: The PowerSync SQLite extension: loads it into sqlite3 and apsw\n\
         License-Expression: Apache-2.0\n\
         License-File: LICENSE\n\
         Requires-Python: >=3.9\n\
         Project-URL: Homepage, {home}\n\
         Description-Content-Type: text/markdown\n\
         \n\
         {readme}"
    ))
}

fn tags(platform: &Platform) -> String {
    let mut text = "Wheel-Version: 1.0\nGenerator: cargo xtask package\nRoot-Is-Purelib: false\n".to_owned();
    for tag in platform.wheel.split('.') {
        text += &format!("Tag: py3-none-{tag}\n");
    }
    text
}

/// The list of all files with their hashes and sizes; only the list itself has none.
fn record(tree: &Tree, list: &str) -> Result<String> {
    let mut text = String::new();
    for (path, _) in tree.iter().filter(|(path, _)| *path != list) {
        let content = tree.file(path)?;
        writeln!(text, "{path},sha256={},{}", URL_SAFE_NO_PAD.encode(Sha256::digest(content)), content.len())?;
    }
    writeln!(text, "{list},,")?;
    Ok(text)
}

/// Checks a wheel as pip will see it: its name and its tags agree, the list of files is right, and it has a library.
///
/// # Errors
/// Says what is wrong.
pub(crate) fn check(file: &str, bytes: &[u8]) -> Result<()> {
    let tree = Tree::from_zip(bytes)?;
    let parts: Vec<&str> = file.strip_suffix(".whl").context("not called .whl")?.split('-').collect();
    let [name, version, python, abi, platforms] = parts.as_slice() else { anyhow::bail!("not the name of a wheel") };
    let information = format!("{name}-{version}.dist-info");
    let wheel = tree.text(&format!("{information}/WHEEL"))?;
    let tags: Vec<&str> = wheel.lines().filter_map(|line| line.strip_prefix("Tag: ")).collect();
    let expected: Vec<String> = platforms.split('.').map(|platform| format!("{python}-{abi}-{platform}")).collect();
    ensure!(tags == expected, "its tags are {tags:?}, its name says {expected:?}");
    ensure!(wheel.contains("Root-Is-Purelib: false\n"), "a wheel with a library is not pure");
    let metadata = tree.text(&format!("{information}/METADATA"))?;
    ensure!(metadata.contains(&format!("\nVersion: {version}\n")), "METADATA has another version");
    let list = format!("{information}/RECORD");
    ensure!(tree.text(&list)? == record(&tree, &list)?, "RECORD is wrong");
    let in_package = |path: &str| path.strip_prefix(&format!("{name}/")).is_some_and(|file| !FILES.contains(&file));
    let libraries: Vec<&str> = tree.iter().map(|(path, _)| path).filter(|path| in_package(path)).collect();
    let [library] = libraries.as_slice() else { anyhow::bail!("it has not one library but {libraries:?}") };
    ensure!(!tree.file(library)?.is_empty(), "{library} is empty");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packages::platform::PLATFORMS;

    #[test]
    fn each_platform_has_a_wheel() {
        for platform in PLATFORMS {
            let bytes = wheel(platform, b"library", "0.5.100").unwrap().to_zip().unwrap();
            check(&file_name(platform, "0.5.100"), &bytes).unwrap();
        }
    }

    #[test]
    fn what_pip_would_refuse_is_found() {
        let linux = PLATFORMS.first().unwrap();
        let good = || wheel(linux, b"library", "0.5.100").unwrap();
        let name = file_name(linux, "0.5.100");
        assert!(check(&name.replace("0.5.100", "0.5.101"), &good().to_zip().unwrap()).is_err());
        assert!(check(&name.replace("2014", "2010"), &good().to_zip().unwrap()).is_err());
        let mut changed = good();
        changed.add("powersync_sqlite_core/libpowersync.so", "another library");
        let problem = check(&name, &changed.to_zip().unwrap()).unwrap_err();
        assert_eq!(problem.to_string(), "RECORD is wrong");
        assert!(check(&name, &wheel(linux, b"", "0.5.100").unwrap().to_zip().unwrap()).is_err());
    }

    /// `python3 -c 'import hashlib, base64; print(base64.urlsafe_b64encode(hashlib.sha256(b"library").digest()))'`
    #[test]
    fn hashes_are_those_of_python() {
        let mut tree = Tree::default();
        tree.add("a", "library");
        let expected = "a,sha256=txjxNU9yRzEuyghtmgJK_l-nF93qWt7d1vErz5RbLow,7\nlist,,\n";
        assert_eq!(record(&tree, "list").unwrap(), expected);
    }
}

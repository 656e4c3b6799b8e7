//! The Python wheels: the same few lines of Python in each, with the library or the program for one platform.
//!
//! A wheel is a zip file whose name says where it runs, with metadata and a list of all files and their hashes.

use std::fmt::Write as _;

use anyhow::{Context, Result, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::package::licences;
use crate::packages::distribution::{Distribution, read};
use crate::packages::platform::Platform;
use crate::packages::publisher::Publisher;
use crate::packages::tree::{self, Node, Tree};

/// A project on PyPI.
struct Project {
    /// Its name, also with the sign that file names allow, which is that of the package that programs import.
    name: &'static str,
    package: &'static str,
    /// Where the Python files and the README are.
    source: &'static str,
    /// Files of the package.
    files: &'static [&'static str],
    /// What it is, in a line.
    summary: &'static str,
    /// The function that the command of the project's name calls, if there is one.
    command: Option<&'static str>,
    /// What differs between the wheels, among the artefacts and inside of the package.
    artefact: fn(&Platform) -> Option<&'static str>,
    file: fn(&Platform) -> &'static str,
}

const LIBRARY: &Project = &Project {
    name: "powersync-sqlite-core",
    package: "powersync_sqlite_core",
    source: "tool/dist/packages/python",
    files: &["__init__.py", "py.typed"],
    summary: "The PowerSync SQLite extension: loads it into sqlite3 and apsw",
    command: None,
    artefact: |platform| Some(platform.library),
    file: |platform| platform.file,
};

const PROGRAM: &Project = &Project {
    name: "rowtide",
    package: "rowtide",
    source: "tool/dist/packages/program/python",
    files: &["__init__.py", "__main__.py", "py.typed"],
    summary: "Rowtide, a sync service for SQLite files in apps: its program, and dev() for tests",
    command: Some("rowtide.__main__:main"),
    artefact: |platform| platform.program,
    file: Platform::program_file,
};

/// Writes `*.whl`, one for each library that was built.
///
/// # Errors
/// If a file is missing, or what was written is not as it should be.
pub(crate) fn write(distribution: &Distribution) -> Result<()> {
    LIBRARY.write(distribution)
}

/// Writes `*.whl`, one for each program that was built.
///
/// # Errors
/// If a file is missing, or what was written is not as it should be.
pub(crate) fn write_program(distribution: &Distribution) -> Result<()> {
    PROGRAM.write(distribution)
}

impl Project {
    fn write(&self, distribution: &Distribution) -> Result<()> {
        let available = distribution.available(self.artefact);
        let has_program = self.command.is_some() && !available.is_empty();
        let licences = has_program.then(licences::of_program).transpose()?;
        for (platform, artefact) in available {
            let content = std::fs::read(artefact)?;
            let bytes = self.wheel(platform, &content, licences.as_deref(), distribution.version)?.to_zip()?;
            let file = self.file_name(platform, distribution.version);
            check(&file, &bytes).with_context(|| file.clone())?;
            tree::write(&distribution.directory.join(file), &bytes)?;
        }
        Ok(())
    }

    fn file_name(&self, platform: &Platform, version: &str) -> String {
        format!("{}-{version}-py3-none-{}.whl", self.package, platform.wheel)
    }

    /// A program has others' code, whose licences are to be with it.
    fn wheel(&self, platform: &Platform, content: &[u8], licences: Option<&str>, version: &str) -> Result<Tree> {
        let mut tree = Tree::default();
        for file in self.files {
            tree.add(&format!("{}/{file}", self.package), read(format!("{}/{}/{file}", self.source, self.package))?);
        }
        let place = format!("{}/{}", self.package, (self.file)(platform));
        let information = format!("{}-{version}.dist-info", self.package);
        if let Some(function) = self.command {
            tree.add_program(&place, content);
            let entry_points = format!("[console_scripts]\n{} = {function}\n", self.name);
            tree.add(&format!("{information}/entry_points.txt"), entry_points);
        } else {
            tree.add(&place, content);
        }
        tree.add(&format!("{information}/METADATA"), self.metadata(licences.is_some(), version)?);
        tree.add(&format!("{information}/WHEEL"), tags(platform));
        tree.add(&format!("{information}/licenses/LICENSE"), read("LICENSE")?);
        if let Some(licences) = licences {
            tree.add(&format!("{information}/licenses/{}", licences::FILE), licences);
        }
        let list = format!("{information}/RECORD");
        let record = record(&tree, &list)?;
        tree.add(&list, record);
        Ok(tree)
    }

    fn metadata(&self, has_others: bool, version: &str) -> Result<String> {
        let (readme, home) = (read(format!("{}/README.md", self.source))?, Publisher::of(version)?.home);
        let others = if has_others { format!("License-File: {}\n", licences::FILE) } else { String::new() };
        Ok(format!(
            "Metadata-Version: 2.4\n\
             Name: {}\n\
             Version: {version}\n\
             Summary: {}\n\
             License-Expression: Apache-2.0\n\
             License-File: LICENSE\n\
             {others}\
             Requires-Python: >=3.9\n\
             Project-URL: Homepage, {home}\n\
             Description-Content-Type: text/markdown\n\
             \n\
             {readme}",
            self.name, self.summary
        ))
    }
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

/// Checks a wheel as pip will see it: its name and its tags agree, the list of files is right, and it has a library, or a
/// program that can be executed.
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
    let project = [LIBRARY, PROGRAM].into_iter().find(|project| project.package == *name);
    let project = project.with_context(|| format!("no project is called {name}"))?;
    let is_native =
        |path: &str| path.strip_prefix(&format!("{name}/")).is_some_and(|file| !project.files.contains(&file));
    let natives: Vec<&str> = tree.iter().map(|(path, _)| path).filter(|path| is_native(path)).collect();
    let [native] = natives.as_slice() else { anyhow::bail!("it has not one library or program but {natives:?}") };
    ensure!(!tree.file(native)?.is_empty(), "{native} is empty");
    if project.command.is_some() {
        ensure!(matches!(tree.node(native), Some(Node::Program(_))), "{native} cannot be executed");
        tree.file(&format!("{information}/entry_points.txt"))?;
        tree.file(&format!("{information}/licenses/{}", licences::FILE))?;
        ensure!(metadata.contains(&format!("\nLicense-File: {}\n", licences::FILE)), "METADATA names not all licences");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packages::platform::PLATFORMS;

    #[test]
    fn each_platform_has_a_wheel() {
        for platform in PLATFORMS {
            let bytes = LIBRARY.wheel(platform, b"library", None, "0.5.100").unwrap().to_zip().unwrap();
            check(&LIBRARY.file_name(platform, "0.5.100"), &bytes).unwrap();
        }
    }

    #[test]
    fn what_pip_would_refuse_is_found() {
        let linux = PLATFORMS.first().unwrap();
        let good = || LIBRARY.wheel(linux, b"library", None, "0.5.100").unwrap();
        let name = LIBRARY.file_name(linux, "0.5.100");
        assert!(check(&name.replace("0.5.100", "0.5.101"), &good().to_zip().unwrap()).is_err());
        assert!(check(&name.replace("2014", "2010"), &good().to_zip().unwrap()).is_err());
        let mut changed = good();
        changed.add("powersync_sqlite_core/libpowersync.so", "another library");
        let problem = check(&name, &changed.to_zip().unwrap()).unwrap_err();
        assert_eq!(problem.to_string(), "RECORD is wrong");
        let empty = LIBRARY.wheel(linux, b"", None, "0.5.100").unwrap();
        assert!(check(&name, &empty.to_zip().unwrap()).is_err());
    }

    #[test]
    fn a_wheel_with_the_program_has_it_executable_with_a_command_and_licences() {
        let linux = PLATFORMS.first().unwrap();
        let name = PROGRAM.file_name(linux, "0.5.100");
        assert!(name.starts_with("rowtide-0.5.100-py3-none-manylinux"), "{name}");
        let good = PROGRAM.wheel(linux, b"program", Some("licences"), "0.5.100").unwrap();
        check(&name, &good.to_zip().unwrap()).unwrap();
        assert_eq!(good.node("rowtide/rowtide"), Some(&Node::Program(b"program".to_vec())));
        let command = good.text("rowtide-0.5.100.dist-info/entry_points.txt").unwrap();
        assert_eq!(command, "[console_scripts]\nrowtide = rowtide.__main__:main\n");
        let mut plain = good;
        plain.add("rowtide/rowtide", "program");
        let problem = check(&name, &plain.to_zip().unwrap()).unwrap_err();
        assert_eq!(problem.to_string(), "rowtide/rowtide cannot be executed");
        let without = PROGRAM.wheel(linux, b"program", None, "0.5.100").unwrap();
        assert!(check(&name, &without.to_zip().unwrap()).is_err());
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

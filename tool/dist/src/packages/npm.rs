//! The npm packages. There are two families: the extension's library, and the program. Each has a package with the functions
//! that applications call, and one for each platform, on which the first depends optionally, so that npm installs only the one
//! that fits.

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};

use crate::package::licences;
use crate::packages::distribution::{Distribution, read};
use crate::packages::platform::{PLATFORMS, Platform};
use crate::packages::publisher::Publisher;
use crate::packages::tree::{self, Node, Tree};

/// A package with functions, and those with what it needs.
pub(crate) struct Family {
    /// Name of the package with the functions.
    pub name: &'static str,
    /// Where its files are.
    source: &'static str,
    /// Its files, other than `package.json`.
    files: &'static [&'static str],
    /// The one of them that can be executed.
    command: Option<&'static str>,
    /// What the other packages have: in words, among the artefacts, and inside of the package.
    what: &'static str,
    artefact: fn(&Platform) -> Option<&'static str>,
    file: fn(&Platform) -> &'static str,
    is_program: bool,
}

pub(crate) const LIBRARY: &Family = &Family {
    name: "powersync-sqlite-core",
    source: "tool/dist/packages/npm",
    files: &["index.js", "index.d.ts", "README.md"],
    command: None,
    what: "library",
    artefact: |platform| Some(platform.library),
    file: |platform| platform.file,
    is_program: false,
};

pub(crate) const PROGRAM: &Family = &Family {
    name: "rowtide",
    source: "tool/dist/packages/program/npm",
    files: &["index.js", "index.d.ts", "program.js", "rowtide.js", "README.md"],
    command: Some("rowtide.js"),
    what: "program",
    artefact: |platform| platform.program,
    file: Platform::program_file,
    is_program: true,
};

/// Writes `*.tgz` with the library: the package with the functions, and one for each library that was built.
///
/// # Errors
/// If a file is missing, or what was written is not as it should be.
pub(crate) fn write(distribution: &Distribution) -> Result<()> {
    LIBRARY.write(distribution)
}

/// Writes `*.tgz` with the program: the package with the functions, and one for each program that was built.
///
/// # Errors
/// If a file is missing, or what was written is not as it should be.
pub(crate) fn write_program(distribution: &Distribution) -> Result<()> {
    PROGRAM.write(distribution)
}

impl Family {
    fn write(&self, distribution: &Distribution) -> Result<()> {
        let version = distribution.version;
        let available = distribution.available(self.artefact);
        // Programs are not built every time.
        let is_wanted = !self.is_program || !available.is_empty();
        let mut packages = if is_wanted { vec![self.main_package(version)?] } else { Vec::new() };
        let licences = (self.is_program && is_wanted).then(licences::of_program).transpose()?;
        for (platform, artefact) in &available {
            let content = std::fs::read(artefact)?;
            packages.push(self.platform_package(platform, &content, licences.as_deref(), version)?);
        }
        for package in packages {
            let bytes = package.to_tar_gz()?;
            check(&bytes, version)?;
            let name = manifest_member(&package, "name")?;
            let file = format!("{name}-{version}.tgz");
            tree::write(&distribution.directory.join(file), &bytes)?;
        }
        Ok(())
    }

    fn main_package(&self, version: &str) -> Result<Tree> {
        let mut tree = Tree::default();
        for file in self.files {
            let content = read(format!("{}/{file}", self.source))?;
            if self.command == Some(file) {
                tree.add_program(&format!("package/{file}"), content);
            } else {
                tree.add(&format!("package/{file}"), content);
            }
        }
        tree.add("package/LICENSE", read("LICENSE")?);
        let mut manifest: Map<String, Value> = serde_json::from_str(&read(format!("{}/package.json", self.source))?)?;
        let platforms = PLATFORMS.iter().filter(|platform| (self.artefact)(platform).is_some());
        let others: Map<String, Value> =
            platforms.map(|platform| (self.platform_name(platform), json!(version))).collect();
        manifest.insert("version".to_owned(), json!(version));
        manifest.insert("homepage".to_owned(), json!(Publisher::of(version)?.home));
        manifest.insert("optionalDependencies".to_owned(), others.into());
        tree.add("package/package.json", serde_json::to_string_pretty(&manifest)?);
        Ok(tree)
    }

    fn platform_package(
        &self,
        platform: &Platform,
        content: &[u8],
        licences: Option<&str>,
        version: &str,
    ) -> Result<Tree> {
        let ((os, cpu), file) = (platform.node, (self.file)(platform));
        let manifest = json!({
            "name": self.platform_name(platform),
            "version": version,
            "description": format!("The {} of {} for {os} on {cpu}", self.what, self.name),
            "license": "Apache-2.0",
            "os": [os],
            "cpu": [cpu],
            "files": [file],
        });
        let mut tree = Tree::default();
        tree.add("package/package.json", serde_json::to_string_pretty(&manifest)?);
        let place = format!("package/{file}");
        if self.is_program {
            tree.add_program(&place, content)
        } else {
            tree.add(&place, content)
        }
        tree.add("package/LICENSE", read("LICENSE")?);
        if let Some(licences) = licences {
            tree.add(&format!("package/{}", licences::FILE), licences);
        }
        Ok(tree)
    }

    /// As the package with the functions puts the name together.
    fn platform_name(&self, platform: &Platform) -> String {
        let (os, cpu) = platform.node;
        format!("{}-{os}-{cpu}", self.name)
    }
}

fn manifest_member(package: &Tree, member: &str) -> Result<String> {
    let manifest: Value = serde_json::from_str(package.text("package/package.json")?)?;
    let value = manifest.get(member).and_then(Value::as_str);
    value.map(str::to_owned).with_context(|| format!("package.json has no {member}"))
}

/// Checks a package as npm will see it: everything is in `package/`, the files that the manifest names are there, and what is
/// to be executed can be.
///
/// # Errors
/// Says what is wrong.
pub(crate) fn check(bytes: &[u8], version: &str) -> Result<()> {
    let package = Tree::from_tar_gz(bytes)?;
    let name = manifest_member(&package, "name")?;
    let outside = package.iter().find(|(path, _)| !path.starts_with("package/")).map(|(path, _)| path);
    ensure!(outside.is_none(), "{name}: {outside:?} is outside of package/");
    let manifest: Value = serde_json::from_str(package.text("package/package.json")?)?;
    let files = manifest.get("files").and_then(Value::as_array).context("package.json names no files")?;
    for file in ["main", "types"].iter().filter_map(|member| manifest.get(member)).chain(files) {
        let file = file.as_str().context("a file's name is text")?;
        let content = package.file(&format!("package/{file}")).with_context(|| name.clone())?;
        ensure!(!content.is_empty(), "{name}: {file} is empty");
    }
    let found = manifest_member(&package, "version")?;
    ensure!(found == version, "{name} has version {found}, not {version}");
    check_program(&package, &name, &manifest, files)
}

fn check_program(package: &Tree, name: &str, manifest: &Value, files: &[Value]) -> Result<()> {
    let commands = manifest.get("bin").and_then(Value::as_object).into_iter().flat_map(|bin| bin.values());
    let is_one_of_platform = name.starts_with(&format!("{}-", PROGRAM.name));
    for file in commands.chain(files.iter().filter(|_| is_one_of_platform)).filter_map(Value::as_str) {
        let is_program = matches!(package.node(&format!("package/{file}")), Some(Node::Program(_)));
        ensure!(is_program, "{name}: {file} cannot be executed");
    }
    if is_one_of_platform {
        package.file(&format!("package/{}", licences::FILE)).with_context(|| name.to_owned())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(package: &Tree) -> Value {
        serde_json::from_str(package.text("package/package.json").unwrap()).unwrap()
    }

    fn library(platform: &Platform, content: &[u8], version: &str) -> Vec<u8> {
        LIBRARY.platform_package(platform, content, None, version).unwrap().to_tar_gz().unwrap()
    }

    #[test]
    fn the_package_with_functions_depends_on_all_libraries() {
        let package = LIBRARY.main_package("0.5.100").unwrap();
        check(&package.to_tar_gz().unwrap(), "0.5.100").unwrap();
        let libraries = manifest(&package)["optionalDependencies"].as_object().unwrap().clone();
        assert_eq!(libraries.len(), PLATFORMS.len());
        assert_eq!(libraries["powersync-sqlite-core-linux-x64"], "0.5.100");
    }

    #[test]
    fn packages_with_a_library_say_where_they_run() {
        let windows = PLATFORMS.iter().find(|platform| platform.library == "powersync_aarch64.dll").unwrap();
        let package = LIBRARY.platform_package(windows, b"library", None, "0.5.100").unwrap();
        check(&package.to_tar_gz().unwrap(), "0.5.100").unwrap();
        assert_eq!(manifest(&package)["os"], json!(["win32"]));
        assert_eq!(manifest(&package)["cpu"], json!(["arm64"]));
        assert_eq!(package.file("package/powersync.dll").unwrap(), b"library");
    }

    #[test]
    fn the_package_with_dev_depends_on_all_programs() {
        let package = PROGRAM.main_package("0.5.100").unwrap();
        check(&package.to_tar_gz().unwrap(), "0.5.100").unwrap();
        let programs = manifest(&package)["optionalDependencies"].as_object().unwrap().clone();
        assert_eq!(programs.len(), PLATFORMS.iter().filter(|platform| platform.program.is_some()).count());
        assert_eq!(programs["rowtide-win32-x64"], "0.5.100");
        assert!(matches!(package.node("package/rowtide.js"), Some(Node::Program(_))));
        let others = manifest(&package)["dependencies"].clone();
        assert!(others.is_null(), "it needs nothing else: {others}");
    }

    #[test]
    fn packages_with_a_program_have_it_executable_and_with_licences() {
        let windows = PLATFORMS.iter().find(|platform| platform.program == Some("rowtide_x64.windows.exe")).unwrap();
        let package = PROGRAM.platform_package(windows, b"program", Some("licences"), "0.5.100").unwrap();
        check(&package.to_tar_gz().unwrap(), "0.5.100").unwrap();
        assert_eq!(package.node("package/rowtide.exe"), Some(&Node::Program(b"program".to_vec())));
        let mut plain = package;
        plain.add("package/rowtide.exe", "program");
        assert!(check(&plain.to_tar_gz().unwrap(), "0.5.100").is_err());
        let without = PROGRAM.platform_package(windows, b"program", None, "0.5.100").unwrap();
        assert!(check(&without.to_tar_gz().unwrap(), "0.5.100").is_err());
    }

    #[test]
    fn a_missing_or_empty_file_is_found() {
        let linux = PLATFORMS.first().unwrap();
        assert!(check(&library(linux, b"", "0.5.100"), "0.5.100").is_err());
        assert!(check(&library(linux, b"library", "0.5.101"), "0.5.100").is_err());
        let mut package = Tree::default();
        package.add("package/package.json", r#"{"name": "x", "version": "0.5.100", "files": ["missing"]}"#);
        assert!(check(&package.to_tar_gz().unwrap(), "0.5.100").is_err());
    }
}

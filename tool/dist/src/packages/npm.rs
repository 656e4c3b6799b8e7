//! The npm packages: one with the functions that applications call, and one with the library for each platform, on
//! which the first depends optionally, so that npm installs only the one that fits.

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};

use crate::packages::distribution::{Distribution, read};
use crate::packages::platform::{PLATFORMS, Platform};
use crate::packages::publisher::Publisher;
use crate::packages::tree::{self, Tree};

/// Where the files of the package with the functions are.
const SOURCE: &str = "tool/dist/packages/npm";

/// Files of the package with the functions, other than `package.json`.
const FILES: &[&str] = &["index.js", "index.d.ts", "README.md"];

/// Name of that package.
pub(crate) const NAME: &str = "powersync-sqlite-core";

/// Writes `*.tgz`: the package with the functions, and one for each library that was built.
///
/// # Errors
/// If a file is missing, or what was written is not as it should be.
pub(crate) fn write(distribution: &Distribution) -> Result<()> {
    let mut packages = vec![main_package(distribution.version)?];
    for (platform, library) in distribution.available(|platform| platform.library) {
        packages.push(platform_package(platform, &std::fs::read(library)?, distribution.version)?);
    }
    for package in packages {
        let bytes = package.to_tar_gz()?;
        check(&bytes, distribution.version)?;
        let name = manifest_member(&package, "name")?;
        let file = format!("{name}-{}.tgz", distribution.version);
        tree::write(&distribution.directory.join(file), &bytes)?;
    }
    Ok(())
}

fn main_package(version: &str) -> Result<Tree> {
    let mut tree = Tree::default();
    for file in FILES {
        tree.add(&format!("package/{file}"), read(format!("{SOURCE}/{file}"))?);
    }
    tree.add("package/LICENSE", read("LICENSE")?);
    let mut manifest: Map<String, Value> = serde_json::from_str(&read(format!("{SOURCE}/package.json"))?)?;
    let libraries: Map<String, Value> =
        PLATFORMS.iter().map(|platform| (platform_name(platform), json!(version))).collect();
    manifest.insert("version".to_owned(), json!(version));
    manifest.insert("homepage".to_owned(), json!(Publisher::of(version)?.home));
    manifest.insert("optionalDependencies".to_owned(), libraries.into());
    tree.add("package/package.json", serde_json::to_string_pretty(&manifest)?);
    Ok(tree)
}

fn platform_package(platform: &Platform, library: &[u8], version: &str) -> Result<Tree> {
    let (os, cpu) = platform.node;
    let manifest = json!({
        "name": platform_name(platform),
        "version": version,
        "description": format!("The library of {NAME} for {os} on {cpu}"),
        "license": "Apache-2.0",
        "os": [os],
        "cpu": [cpu],
        "files": [platform.file],
    });
    let mut tree = Tree::default();
    tree.add("package/package.json", serde_json::to_string_pretty(&manifest)?);
    tree.add(&format!("package/{}", platform.file), library);
    tree.add("package/LICENSE", read("LICENSE")?);
    Ok(tree)
}

/// As `index.js` puts the name together.
fn platform_name(platform: &Platform) -> String {
    let (os, cpu) = platform.node;
    format!("{NAME}-{os}-{cpu}")
}

fn manifest_member(package: &Tree, member: &str) -> Result<String> {
    let manifest: Value = serde_json::from_str(package.text("package/package.json")?)?;
    let value = manifest.get(member).and_then(Value::as_str);
    value.map(str::to_owned).with_context(|| format!("package.json has no {member}"))
}

/// Checks a package as npm will see it: everything is in `package/`, and the files that the manifest names are there.
///
/// # Errors
/// Says what is wrong.
pub(crate) fn check(bytes: &[u8], version: &str) -> Result<()> {
    let package = Tree::from_tar_gz(bytes)?;
    let name = manifest_member(&package, "name")?;
    let outside = package.iter().find(|(path, _)| !path.starts_with("package/"));
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
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_package_with_functions_depends_on_all_libraries() {
        let package = main_package("0.5.100").unwrap();
        check(&package.to_tar_gz().unwrap(), "0.5.100").unwrap();
        let manifest: Value = serde_json::from_str(package.text("package/package.json").unwrap()).unwrap();
        let libraries = manifest["optionalDependencies"].as_object().unwrap();
        assert_eq!(libraries.len(), PLATFORMS.len());
        assert_eq!(libraries["powersync-sqlite-core-linux-x64"], "0.5.100");
    }

    #[test]
    fn packages_with_a_library_say_where_they_run() {
        let windows = PLATFORMS.iter().find(|platform| platform.library == "powersync_aarch64.dll").unwrap();
        let package = platform_package(windows, b"library", "0.5.100").unwrap();
        check(&package.to_tar_gz().unwrap(), "0.5.100").unwrap();
        let manifest: Value = serde_json::from_str(package.text("package/package.json").unwrap()).unwrap();
        assert_eq!(manifest["os"], json!(["win32"]));
        assert_eq!(manifest["cpu"], json!(["arm64"]));
        assert_eq!(package.file("package/powersync.dll").unwrap(), b"library");
    }

    #[test]
    fn a_missing_or_empty_file_is_found() {
        let linux = PLATFORMS.first().unwrap();
        assert!(check(&platform_package(linux, b"", "0.5.100").unwrap().to_tar_gz().unwrap(), "0.5.100").is_err());
        let other = platform_package(linux, b"library", "0.5.101").unwrap();
        assert!(check(&other.to_tar_gz().unwrap(), "0.5.100").is_err());
        let mut package = Tree::default();
        package.add("package/package.json", r#"{"name": "x", "version": "0.5.100", "files": ["missing"]}"#);
        assert!(check(&package.to_tar_gz().unwrap(), "0.5.100").is_err());
    }
}

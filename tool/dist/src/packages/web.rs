//! The npm package for browsers: the side modules, and what stands in for the scripts of the SQLite that the SDK uses.

use anyhow::{Context, Result, ensure};
use serde_json::{Map, Value, json};

use crate::package::licences;
use crate::package::side;
use crate::packages::distribution::{Distribution, read};
use crate::packages::npm;
use crate::packages::publisher::Publisher;
use crate::packages::tree::{self, Tree};

/// Its name.
pub(crate) const NAME: &str = "powersync-sqlite-core-web";

/// Where its files are.
pub(crate) const SOURCE: &str = "tool/dist/packages/web";

/// Its files, other than `package.json` and the side modules.
const FILES: &[&str] = &[
    "README.md",
    "load.mjs",
    "wa-sqlite.mjs",
    "wa-sqlite-async.mjs",
    "wa-sqlite.d.mts",
    "esbuild/wa-sqlite.mjs",
    "esbuild/wa-sqlite-async.mjs",
];

/// The file name of a version's package.
pub(crate) fn file_name(version: &str) -> String {
    format!("{NAME}-{version}.tgz")
}

/// Writes the package, if both modules are there.
///
/// # Errors
/// If a file is missing, or what was written is not as it should be.
pub(crate) fn write(distribution: &Distribution) -> Result<()> {
    let (directory, version) = (&distribution.directory, distribution.version);
    if let Some(missing) = side::ALL.iter().find(|side| !directory.join(side.name()).is_file()) {
        println!("not made, missing: {}", missing.name());
        return Ok(());
    }
    let mut tree = scripts(version)?;
    for module in side::ALL {
        tree.add(&format!("package/{}", module.name()), std::fs::read(directory.join(module.name()))?);
    }
    let bytes = tree.to_tar_gz()?;
    npm::check(&bytes, version)?;
    check(&bytes)?;
    tree::write(&directory.join(file_name(version)), &bytes)
}

/// The package without the modules.
fn scripts(version: &str) -> Result<Tree> {
    let mut tree = Tree::default();
    for file in FILES {
        tree.add(&format!("package/{file}"), read(format!("{SOURCE}/{file}"))?);
    }
    tree.add("package/LICENSE", read("LICENSE")?);
    tree.add(&format!("package/{}", licences::FILE), licences::of_libraries()?);
    let mut manifest: Map<String, Value> = serde_json::from_str(&read(format!("{SOURCE}/package.json"))?)?;
    manifest.insert("version".to_owned(), json!(version));
    manifest.insert("homepage".to_owned(), json!(Publisher::of(version)?.home));
    tree.add("package/package.json", serde_json::to_string_pretty(&manifest)?);
    Ok(tree)
}

/// Checks what npm does not see: the entries that apps name are there, the modules are as they should be, and the versions of
/// what it stands in are exact.
///
/// # Errors
/// Says what is wrong.
pub(crate) fn check(bytes: &[u8]) -> Result<()> {
    let package = Tree::from_tar_gz(bytes)?;
    let manifest: Value = serde_json::from_str(package.text("package/package.json")?)?;
    let exports = manifest.get("exports").and_then(Value::as_object).context("package.json has no exports")?;
    for (name, target) in exports {
        let targets = target.as_object().into_iter().flat_map(Map::values).chain(target.is_string().then_some(target));
        for file in targets.filter_map(Value::as_str) {
            let place = format!("package/{}", file.trim_start_matches("./"));
            package.file(&place).with_context(|| format!("{name} is exported"))?;
        }
    }
    let peers = manifest.get("peerDependencies").and_then(Value::as_object).context("it says not what it fits")?;
    for (name, version) in peers {
        let is_exact = version.as_str().is_some_and(|version| version.chars().all(|c| c.is_ascii_digit() || c == '.'));
        ensure!(is_exact, "{name} {version} is not one version");
    }
    package.file(&format!("package/{}", licences::FILE))?;
    for module in side::ALL {
        crate::verify::side::check(module, package.file(&format!("package/{}", module.name()))?)?;
    }
    Ok(())
}

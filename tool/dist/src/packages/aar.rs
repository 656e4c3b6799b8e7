//! The Android archive (AAR): a zip file with the libraries by ABI, once for apps and once more, with a header, for the
//! native code of apps (prefab).

use anyhow::{Context, Result, ensure};
use object::{Architecture, Object as _};
use serde_json::{Value, json};

use crate::packages::distribution::{Distribution, read};
use crate::packages::tree::{self, Tree};

/// An ABI of Android.
struct Abi {
    /// As Android names it.
    name: &'static str,
    /// The library among the artefacts.
    library: &'static str,
    architecture: Architecture,
}

const ABIS: &[Abi] = &[
    Abi { name: "arm64-v8a", library: "libpowersync_aarch64.android.so", architecture: Architecture::Aarch64 },
    Abi { name: "armeabi-v7a", library: "libpowersync_armv7.android.so", architecture: Architecture::Arm },
    Abi { name: "x86", library: "libpowersync_x86.android.so", architecture: Architecture::I386 },
    Abi { name: "x86_64", library: "libpowersync_x64.android.so", architecture: Architecture::X86_64 },
];

/// The library inside of the archive.
const LIBRARY: &str = "libpowersync.so";

/// Files of the archive that have the same content whatever the version.
const FIXED_FILES: &[(&str, &str)] = &[
    ("AndroidManifest.xml", "android/AndroidManifest.xml"),
    ("prefab/modules/powersync/include/powersync.h", "android/powersync.h"),
    ("META-INF/LICENSE", "LICENSE"),
];

/// What Gradle reads before it takes an archive: nothing in it needs a new version of the plugin or the SDK.
const REQUIREMENTS: &str = "aarFormatVersion=1.0\naarMetadataVersion=1.0\nminCompileSdk=1\n";

/// The oldest API level of Android that the libraries run on.
const API_LEVEL: u32 = 21;

/// The NDK version for prefab: all fit, for the library needs nothing of it.
const NDK: u32 = 21;

/// Name of the archive.
pub(crate) fn name(version: &str) -> String {
    format!("powersync-sqlite-core-{version}.aar")
}

/// Writes the archive, if the libraries of all ABIs are there.
///
/// # Errors
/// If a file is missing, or what was written is not as it should be.
pub(crate) fn write(distribution: &Distribution) -> Result<()> {
    let library = |abi: &&Abi| distribution.directory.join(abi.library);
    let missing: Vec<&str> = ABIS.iter().filter(|abi| !library(abi).is_file()).map(|abi| abi.library).collect();
    if !missing.is_empty() {
        println!("not made, missing: {}", missing.join(", "));
        return Ok(());
    }
    let mut libraries = Vec::new();
    for abi in ABIS {
        libraries.push((abi, std::fs::read(library(&abi))?));
    }
    let bytes = archive(&libraries, distribution.version)?.to_zip()?;
    check(&bytes, distribution.version)?;
    tree::write(&distribution.directory.join(name(distribution.version)), &bytes)
}

fn archive(libraries: &[(&Abi, Vec<u8>)], version: &str) -> Result<Tree> {
    let mut tree = Tree::default();
    for (place, source) in FIXED_FILES {
        tree.add(place, read(source)?);
    }
    tree.add("classes.jar", empty_jar()?);
    tree.add("R.txt", "");
    tree.add("META-INF/com/android/build/gradle/aar-metadata.properties", REQUIREMENTS);
    let package = json!({"schema_version": 2, "name": "powersync_sqlite_core", "version": version, "dependencies": []});
    tree.add("prefab/prefab.json", pretty(&package)?);
    let module = json!({"export_libraries": [], "library_name": "libpowersync", "android": {}});
    tree.add("prefab/modules/powersync/module.json", pretty(&module)?);
    for (abi, library) in libraries {
        tree.add(&format!("jni/{}/{LIBRARY}", abi.name), library.clone());
        let directory = format!("prefab/modules/powersync/libs/android.{}", abi.name);
        let description = json!({"abi": abi.name, "api": API_LEVEL, "ndk": NDK, "stl": "none", "static": false});
        tree.add(&format!("{directory}/abi.json"), pretty(&description)?);
        tree.add(&format!("{directory}/{LIBRARY}"), library.clone());
    }
    Ok(tree)
}

/// An archive of Java classes without classes; Gradle insists on one.
fn empty_jar() -> Result<Vec<u8>> {
    let mut jar = Tree::default();
    jar.add("META-INF/MANIFEST.MF", "Manifest-Version: 1.0\r\n\r\n");
    jar.to_zip()
}

fn pretty(value: &Value) -> Result<String> {
    Ok(serde_json::to_string_pretty(value)? + "\n")
}

/// Checks an archive as Gradle and prefab will read it: the files that they ask for, each library of the ABI under
/// which it is, and the same ones for apps and for native code.
///
/// # Errors
/// Says what is wrong.
pub(crate) fn check(bytes: &[u8], version: &str) -> Result<()> {
    let tree = Tree::from_zip(bytes)?;
    let manifest = tree.text("AndroidManifest.xml")?;
    ensure!(manifest.contains(&format!("minSdkVersion=\"{API_LEVEL}\"")), "the manifest says another API level");
    Tree::from_zip(tree.file("classes.jar")?).context("classes.jar is no zip file")?;
    ensure!(tree.file("R.txt")?.is_empty(), "R.txt lists resources");
    let package: Value = serde_json::from_str(tree.text("prefab/prefab.json")?)?;
    ensure!(package.get("version").and_then(Value::as_str) == Some(version), "prefab.json has another version");
    let module: Value = serde_json::from_str(tree.text("prefab/modules/powersync/module.json")?)?;
    ensure!(module.get("library_name").and_then(Value::as_str) == Some("libpowersync"), "module.json: library_name");
    let header = tree.text("prefab/modules/powersync/include/powersync.h")?;
    ensure!(header.contains("int sqlite3_powersync_init("), "the header does not declare the entry point");
    for abi in ABIS {
        check_library(&tree, abi)?;
    }
    let count = tree.iter().filter(|(path, _)| path.starts_with("jni/")).count();
    ensure!(count == ABIS.len(), "it has {count} libraries for apps");
    Ok(())
}

fn check_library(tree: &Tree, abi: &Abi) -> Result<()> {
    let library = tree.file(&format!("jni/{}/{LIBRARY}", abi.name))?;
    let file = object::File::parse(library).with_context(|| format!("the library for {}", abi.name))?;
    ensure!(file.architecture() == abi.architecture, "the library for {} is of {:?}", abi.name, file.architecture());
    let directory = format!("prefab/modules/powersync/libs/android.{}", abi.name);
    ensure!(tree.file(&format!("{directory}/{LIBRARY}"))? == library, "prefab has another library for {}", abi.name);
    let description: Value = serde_json::from_str(tree.text(&format!("{directory}/abi.json"))?)?;
    ensure!(description.get("abi").and_then(Value::as_str) == Some(abi.name), "{directory}/abi.json is of another ABI");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packages::testing::elf;

    fn libraries() -> Vec<(&'static Abi, Vec<u8>)> {
        ABIS.iter().map(|abi| (abi, elf(abi.architecture))).collect()
    }

    #[test]
    fn all_abis_are_in_the_archive() {
        let tree = archive(&libraries(), "0.5.100").unwrap();
        check(&tree.to_zip().unwrap(), "0.5.100").unwrap();
        for abi in ["arm64-v8a", "armeabi-v7a", "x86", "x86_64"] {
            assert!(tree.file(&format!("jni/{abi}/libpowersync.so")).is_ok());
        }
        let module: Value = serde_json::from_str(tree.text("prefab/modules/powersync/module.json").unwrap()).unwrap();
        assert_eq!(module["export_libraries"], json!([]));
    }

    #[test]
    fn a_subset_of_the_abis_is_not_enough() {
        let without_one = libraries().split_off(1);
        assert!(check(&archive(&without_one, "0.5.100").unwrap().to_zip().unwrap(), "0.5.100").is_err());
        let directory = tempfile::tempdir().unwrap();
        for (abi, library) in without_one {
            std::fs::write(directory.path().join(abi.library), library).unwrap();
        }
        let made = || {
            write(&Distribution::in_directory(directory.path())).unwrap();
            directory.path().join(name(env!("CARGO_PKG_VERSION"))).exists()
        };
        assert!(!made());
        std::fs::write(directory.path().join(ABIS[0].library), elf(ABIS[0].architecture)).unwrap();
        assert!(made());
    }

    #[test]
    fn defects_are_found() {
        let is_refused = |change: fn(&mut Tree)| {
            let mut tree = archive(&libraries(), "0.5.100").unwrap();
            change(&mut tree);
            check(&tree.to_zip().unwrap(), "0.5.100").is_err()
        };
        assert!(!is_refused(|_| {}));
        assert!(is_refused(|tree| tree.add("jni/x86/libpowersync.so", elf(Architecture::X86_64))));
        assert!(is_refused(|tree| tree.add("jni/mips/libpowersync.so", elf(Architecture::Mips))));
        assert!(is_refused(|tree| tree.add("prefab/modules/powersync/libs/android.x86/abi.json", r#"{"abi": "x"}"#)));
        assert!(is_refused(|tree| tree.add("classes.jar", "")));
        assert!(is_refused(|tree| tree.add("prefab/prefab.json", r#"{"version": "0.5.99"}"#)));
    }
}

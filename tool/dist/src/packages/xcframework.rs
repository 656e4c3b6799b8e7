//! The XCFramework for Apple's systems: a framework for each platform, with the library, a header and the lists that
//! Xcode and the App Store read; and the descriptions for the Swift package manager and CocoaPods, which are next to
//! it.
//!
//! Frameworks are flat, except on macOS, where the current version is reached through symbolic links. On watchOS the
//! library is a static one.

use anyhow::{Context, Result, bail, ensure};
use plist::{Dictionary, Value};

use crate::packages::distribution::{Distribution, HEADER, read};
use crate::packages::mach_o::{self, Image};
use crate::packages::publisher::Publisher;
use crate::packages::tree::{self, Tree};

/// Name of the frameworks and of the libraries in them.
const NAME: &str = "powersync-sqlite-core";

const IDENTIFIER: &str = "co.powersync.sqlitecore";

/// A platform of Apple's.
struct System {
    /// As XCFrameworks name it, and whether it is a simulator.
    name: (&'static str, bool),
    /// As bundles name it.
    bundle_name: &'static str,
    /// Its number in libraries.
    number: u32,
}

const SYSTEMS: &[System] = &[
    System { name: ("macos", false), bundle_name: "MacOSX", number: 1 },
    System { name: ("ios", false), bundle_name: "iPhoneOS", number: 2 },
    System { name: ("ios", true), bundle_name: "iPhoneSimulator", number: 7 },
    System { name: ("tvos", false), bundle_name: "AppleTVOS", number: 3 },
    System { name: ("tvos", true), bundle_name: "AppleTVSimulator", number: 8 },
    System { name: ("watchos", false), bundle_name: "WatchOS", number: 4 },
    System { name: ("watchos", true), bundle_name: "WatchSimulator", number: 9 },
];

/// One library of the XCFramework.
struct Slice {
    /// Name of its directory: `ios-arm64_x86_64-simulator`.
    identifier: String,
    system: &'static System,
    images: Vec<Image>,
    library: Vec<u8>,
}

/// Name of the directory; the archive's has `.zip` added.
pub(crate) const DIRECTORY: &str = "powersync-sqlite-core.xcframework";

/// What is next to it for package managers.
pub(crate) const DESCRIPTIONS: &[&str] = &["Package.swift", "powersync-sqlite-core.podspec"];

/// Writes the XCFramework, as a directory and as a zip file, and its descriptions, if the libraries for all systems are
/// there.
///
/// # Errors
/// If a file is missing, or what was written is not as it should be.
pub(crate) fn write(distribution: &Distribution) -> Result<()> {
    let slices = read_slices(distribution)?;
    let is_there = |system: &&System| slices.iter().any(|slice| slice.system.number == system.number);
    let missing: Vec<&str> =
        SYSTEMS.iter().filter(|system| !is_there(system)).map(|system| system.bundle_name).collect();
    if !missing.is_empty() {
        println!("not made, missing: {}", missing.join(", "));
        return Ok(());
    }
    let tree = xcframework(&slices, distribution.version)?;
    check(&tree, distribution.version)?;
    tree.write_directory(&distribution.directory.join(DIRECTORY))?;
    let mut archive = Tree::default();
    archive.add_tree(DIRECTORY, tree);
    tree::write(&distribution.directory.join(format!("{DIRECTORY}.zip")), &archive.to_zip()?)?;
    let publisher = Publisher::of(distribution.version)?;
    for file in DESCRIPTIONS {
        let content = publisher.fill(&read(format!("ios/{file}"))?, distribution.version)?;
        std::fs::write(distribution.directory.join(file), content)?;
    }
    Ok(())
}

/// The libraries in the directories of the slices.
fn read_slices(distribution: &Distribution) -> Result<Vec<Slice>> {
    let Ok(directories) = std::fs::read_dir(&distribution.slices) else { return Ok(Vec::new()) };
    let mut slices = Vec::new();
    for directory in directories {
        let directory = directory?.path();
        let mut files = std::fs::read_dir(&directory)?.collect::<std::io::Result<Vec<_>>>()?;
        let (Some(file), true) = (files.pop(), files.is_empty()) else {
            bail!("{} does not have one file", directory.display())
        };
        slices.push(slice(std::fs::read(file.path())?).with_context(|| file.path().display().to_string())?);
    }
    slices.sort_by(|one, other| one.identifier.cmp(&other.identifier));
    Ok(slices)
}

fn slice(library: Vec<u8>) -> Result<Slice> {
    let images = mach_o::images(&library)?;
    mach_o::minimum(&images)?;
    let number = images.first().map(|image| image.platform);
    let system = SYSTEMS.iter().find(|system| Some(system.number) == number);
    let system = system.with_context(|| format!("unknown platform {number:?}"))?;
    let (name, is_simulator) = system.name;
    let mut architectures: Vec<&str> = images.iter().map(|image| image.architecture).collect();
    architectures.sort_unstable();
    let variant = if is_simulator { "-simulator" } else { "" };
    let identifier = format!("{name}-{}{variant}", architectures.join("_"));
    Ok(Slice { identifier, system, images, library })
}

fn xcframework(slices: &[Slice], version: &str) -> Result<Tree> {
    let mut tree = Tree::default();
    let mut libraries = Vec::new();
    for slice in slices {
        tree.add_tree(&format!("{}/{NAME}.framework", slice.identifier), framework(slice, version)?);
        libraries.push(Value::Dictionary(library_entry(slice)));
    }
    let mut list = Dictionary::new();
    list.insert("AvailableLibraries".into(), Value::Array(libraries));
    list.insert("CFBundlePackageType".into(), "XFWK".into());
    list.insert("XCFrameworkFormatVersion".into(), "1.0".into());
    tree.add("Info.plist", xml(list)?);
    tree.add("LICENSE", read("LICENSE")?);
    Ok(tree)
}

/// What the XCFramework says about one library.
fn library_entry(slice: &Slice) -> Dictionary {
    let (system, is_simulator) = slice.system.name;
    let architectures = slice.images.iter().map(|image| Value::from(image.architecture)).collect();
    let mut entry = Dictionary::new();
    entry.insert("BinaryPath".into(), format!("{NAME}.framework/{}{NAME}", contents(slice.system)).into());
    entry.insert("LibraryIdentifier".into(), slice.identifier.clone().into());
    entry.insert("LibraryPath".into(), format!("{NAME}.framework").into());
    entry.insert("SupportedArchitectures".into(), Value::Array(architectures));
    entry.insert("SupportedPlatform".into(), system.into());
    if is_simulator {
        entry.insert("SupportedPlatformVariant".into(), "simulator".into());
    }
    entry
}

/// The directory inside of a framework in which its library is.
fn contents(system: &System) -> &'static str {
    if system.name.0 == "macos" { "Versions/A/" } else { "" }
}

fn framework(slice: &Slice, version: &str) -> Result<Tree> {
    let is_macos = slice.system.name.0 == "macos";
    let contents = contents(slice.system);
    let resources = if is_macos { "Resources/" } else { "" };
    let header = if slice.images.iter().all(|image| image.is_loadable) { LOADABLE_HEADER } else { HEADER };
    let mut tree = Tree::default();
    tree.add(&format!("{contents}{NAME}"), slice.library.clone());
    tree.add(&format!("{contents}{resources}Info.plist"), xml(bundle_list(slice, version)?)?);
    tree.add(&format!("{contents}Headers/powersync.h"), read(header)?);
    tree.add(&format!("{contents}Modules/module.modulemap"), read("ios/module.modulemap")?);
    if is_macos {
        tree.add_link("Versions/Current", "A");
        for linked in [NAME, "Resources", "Headers", "Modules"] {
            tree.add_link(linked, &format!("Versions/Current/{linked}"));
        }
    }
    Ok(tree)
}

/// The header of libraries that are loaded, which is the same on all systems.
const LOADABLE_HEADER: &str = "android/powersync.h";

/// What a framework says about itself.
fn bundle_list(slice: &Slice, version: &str) -> Result<Dictionary> {
    let minimum_key = if slice.system.name.0 == "macos" { "LSMinimumSystemVersion" } else { "MinimumOSVersion" };
    let mut list = Dictionary::new();
    for (key, value) in [
        ("CFBundleDevelopmentRegion", "en"),
        ("CFBundleExecutable", NAME),
        ("CFBundleIdentifier", IDENTIFIER),
        ("CFBundleInfoDictionaryVersion", "6.0"),
        ("CFBundleName", NAME),
        ("CFBundlePackageType", "FMWK"),
        ("CFBundleShortVersionString", version),
        ("CFBundleVersion", version),
        (minimum_key, &mach_o::minimum(&slice.images)?),
    ] {
        list.insert(key.into(), value.into());
    }
    list.insert("CFBundleSupportedPlatforms".into(), Value::Array(vec![slice.system.bundle_name.into()]));
    Ok(list)
}

fn xml(list: Dictionary) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    Value::Dictionary(list).to_writer_xml(&mut bytes)?;
    bytes.push(b'\n');
    Ok(bytes)
}

fn parse(tree: &Tree, path: &str) -> Result<Dictionary> {
    let value = Value::from_reader_xml(tree.file(path)?).with_context(|| path.to_owned())?;
    value.into_dictionary().with_context(|| format!("{path} is no dictionary"))
}

fn text<'d>(list: &'d Dictionary, key: &str) -> Result<&'d str> {
    list.get(key).and_then(Value::as_string).with_context(|| format!("no text {key}"))
}

/// Checks an XCFramework as Xcode will read it: each library that it lists is there, for the platform and the
/// processors that the list says, in a bundle that describes itself.
///
/// # Errors
/// Says what is wrong.
pub(crate) fn check(tree: &Tree, version: &str) -> Result<()> {
    tree.check_links()?;
    let list = parse(tree, "Info.plist")?;
    ensure!(text(&list, "CFBundlePackageType")? == "XFWK", "not an XCFramework");
    let libraries = list.get("AvailableLibraries").and_then(Value::as_array).context("it lists no libraries")?;
    ensure!(!libraries.is_empty(), "it lists no libraries");
    for library in libraries {
        let library = library.as_dictionary().context("a library is no dictionary")?;
        let identifier = text(library, "LibraryIdentifier")?;
        check_library(tree, library, version).with_context(|| identifier.to_owned())?;
    }
    let frameworks = tree.iter().filter(|(path, _)| path.ends_with("Info.plist")).count() - 1;
    ensure!(frameworks == libraries.len(), "it has {frameworks} frameworks and lists {}", libraries.len());
    Ok(())
}

/// Checks an archive with an XCFramework.
///
/// # Errors
/// Says what is wrong.
pub(crate) fn check_archive(bytes: &[u8], version: &str) -> Result<()> {
    check(&Tree::from_zip(bytes)?.below(DIRECTORY)?, version)
}

fn check_library(tree: &Tree, library: &Dictionary, version: &str) -> Result<()> {
    let is_simulator = library.get("SupportedPlatformVariant").is_some();
    let name = (text(library, "SupportedPlatform")?, is_simulator);
    let system = SYSTEMS.iter().find(|system| system.name == name).context("an unknown platform")?;
    let identifier = text(library, "LibraryIdentifier")?;
    let images = mach_o::images(tree.file(&format!("{identifier}/{}", text(library, "BinaryPath")?))?)?;
    ensure!(images.iter().all(|image| image.platform == system.number), "the library is for another platform");
    ensure!(images.iter().all(|image| image.is_loadable != (system.name.0 == "watchos")), "the kind of library");
    let listed = library.get("SupportedArchitectures").and_then(Value::as_array).context("no architectures")?;
    let found: Vec<Value> = images.iter().map(|image| image.architecture.into()).collect();
    ensure!(*listed == found, "architectures: {listed:?}, the library has {found:?}");

    let bundle = format!("{identifier}/{}", text(library, "LibraryPath")?);
    let is_macos = system.name.0 == "macos";
    let (list, minimum) = match is_macos {
        true => (format!("{bundle}/Versions/A/Resources/Info.plist"), "LSMinimumSystemVersion"),
        false => (format!("{bundle}/Info.plist"), "MinimumOSVersion"),
    };
    let list = parse(tree, &list)?;
    ensure!(text(&list, "CFBundleIdentifier")? == IDENTIFIER, "the bundle's identifier");
    ensure!(text(&list, minimum)? == mach_o::minimum(&images)?, "the oldest system");
    for key in ["CFBundleVersion", "CFBundleShortVersionString"] {
        ensure!(text(&list, key)? == version, "{key}");
    }
    let contents = format!("{bundle}/{}", contents(system));
    ensure!(
        text(&list, "CFBundleExecutable")? == NAME && tree.file(&format!("{contents}{NAME}")).is_ok(),
        "executable"
    );
    ensure!(tree.text(&format!("{contents}Modules/module.modulemap"))?.contains("powersync.h"), "the module map");
    ensure!(tree.text(&format!("{contents}Headers/powersync.h"))?.contains("sqlite3_powersync_init"), "the header");
    Ok(())
}

#[cfg(test)]
mod tests {
    use object::Architecture::{Aarch64, X86_64};

    use super::*;
    use crate::packages::testing::{mach_o, universal};
    use crate::packages::tree::Node;

    fn slices() -> Vec<Slice> {
        let both = |platform| universal(&[mach_o(Aarch64, platform, (14, 0)), mach_o(X86_64, platform, (12, 0))]);
        vec![slice(both(1)).unwrap(), slice(mach_o(Aarch64, 2, (12, 0))).unwrap(), slice(both(7)).unwrap()]
    }

    fn example() -> Tree {
        xcframework(&slices(), "0.5.100").unwrap()
    }

    #[test]
    fn slices_are_named_after_what_is_in_them() {
        let names: Vec<String> = slices().into_iter().map(|slice| slice.identifier).collect();
        assert_eq!(names, ["macos-arm64_x86_64", "ios-arm64", "ios-arm64_x86_64-simulator"]);
    }

    #[test]
    fn frameworks_of_macos_are_versioned_and_others_flat() {
        let tree = example();
        check(&tree, "0.5.100").unwrap();
        let node = |path: &str| tree.iter().find(|(found, _)| *found == path).map(|(_, node)| node.clone());
        let macos = "macos-arm64_x86_64/powersync-sqlite-core.framework";
        assert_eq!(node(&format!("{macos}/Versions/Current")), Some(Node::Link("A".into())));
        let linked = Node::Link("Versions/Current/powersync-sqlite-core".into());
        assert_eq!(node(&format!("{macos}/powersync-sqlite-core")), Some(linked));
        let ios = "ios-arm64/powersync-sqlite-core.framework";
        assert!(matches!(node(&format!("{ios}/powersync-sqlite-core")), Some(Node::File(_))));
        assert!(node(&format!("{ios}/Versions/Current")).is_none());
    }

    #[test]
    fn a_zip_file_keeps_the_links() {
        let tree = example();
        let mut archive = Tree::default();
        archive.add_tree(DIRECTORY, tree);
        check_archive(&archive.to_zip().unwrap(), "0.5.100").unwrap();
        archive.add("beside", "");
        assert!(check_archive(&archive.to_zip().unwrap(), "0.5.100").is_err());
    }

    #[test]
    fn defects_are_found() {
        let is_refused = |change: fn(&mut Tree)| {
            let mut tree = example();
            change(&mut tree);
            check(&tree, "0.5.100").is_err()
        };
        assert!(!is_refused(|_| {}));
        let library = "ios-arm64/powersync-sqlite-core.framework/powersync-sqlite-core";
        assert_eq!(example().file(library).unwrap(), mach_o(Aarch64, 2, (12, 0)));
        assert!(is_refused(|tree| tree
            .add("ios-arm64/powersync-sqlite-core.framework/powersync-sqlite-core", mach_o(Aarch64, 7, (12, 0)))));
        assert!(is_refused(|tree| tree
            .add("ios-arm64/powersync-sqlite-core.framework/powersync-sqlite-core", mach_o(Aarch64, 2, (13, 0)))));
        assert!(is_refused(|tree| tree
            .add("ios-arm64/powersync-sqlite-core.framework/powersync-sqlite-core", mach_o(X86_64, 2, (12, 0)))));
        assert!(is_refused(|tree| tree.add("ios-arm64/powersync-sqlite-core.framework/Info.plist", "")));
        assert!(is_refused(
            |tree| tree.add_link("macos-arm64_x86_64/powersync-sqlite-core.framework/Versions/Current", "B")
        ));
        assert!(check(&example(), "0.5.101").is_err());
    }
}

//! What C and C++ programs link: for each platform the static library with its header and the files by which pkg-config
//! and CMake find both, in one archive that can be unpacked anywhere.

use anyhow::{Context, Result, ensure};

use crate::packages::distribution::{Distribution, HEADER, read};
use crate::packages::platform::Platform;
use crate::packages::tree::{self, Tree};

/// Where the templates are; `@VERSION@` in them is replaced by the version.
const SOURCE: &str = "tool/dist/packages/c";

/// The templates, and where they go.
const FILES: &[(&str, &str)] = &[
    ("powersync.pc", "lib/pkgconfig/powersync.pc"),
    ("powersync-config.cmake", "lib/cmake/powersync/powersync-config.cmake"),
    ("powersync-config-version.cmake", "lib/cmake/powersync/powersync-config-version.cmake"),
    ("README.md", "README.md"),
];

/// The library inside of the archive.
const LIBRARY: &str = "lib/libpowersync.a";

/// Writes `powersync-c-*.tar.gz`, one for each static library that was built.
///
/// # Errors
/// If a file is missing, or what was written is not as it should be.
pub(crate) fn write(distribution: &Distribution) -> Result<()> {
    for (platform, library) in distribution.available(|platform| Some(platform.static_library)) {
        let name = name(platform, distribution.version)?;
        let mut archive = Tree::default();
        archive.add_tree(&name, files(&std::fs::read(library)?, distribution.version)?);
        let bytes = archive.to_tar_gz()?;
        check(&name, &bytes).with_context(|| name.clone())?;
        tree::write(&distribution.directory.join(format!("{name}.tar.gz")), &bytes)?;
    }
    Ok(())
}

/// Name of the archive and of its only directory: `libpowersync_x64.linux.a` gives `powersync-c-0.5.100-x64.linux`.
pub(crate) fn name(platform: &Platform, version: &str) -> Result<String> {
    let library = platform.static_library;
    let middle = library.strip_prefix("libpowersync_").and_then(|rest| rest.strip_suffix(".a"));
    Ok(format!("powersync-c-{version}-{}", middle.with_context(|| format!("unusual name: {library}"))?))
}

fn files(library: &[u8], version: &str) -> Result<Tree> {
    let mut tree = Tree::default();
    tree.add(LIBRARY, library);
    tree.add("include/powersync.h", read(HEADER)?);
    tree.add("LICENSE", read("LICENSE")?);
    for (source, place) in FILES {
        tree.add(place, read(format!("{SOURCE}/{source}"))?.replace("@VERSION@", version));
    }
    Ok(tree)
}

/// Checks an archive: everything is in its one directory and filled in, and the library is an archive of objects.
///
/// # Errors
/// Says what is wrong.
pub(crate) fn check(name: &str, bytes: &[u8]) -> Result<()> {
    let tree = Tree::from_tar_gz(bytes)?.below(name)?;
    for (_, place) in FILES {
        ensure!(!tree.text(place)?.contains('@'), "{place} has something to be filled in");
    }
    ensure!(tree.text("include/powersync.h")?.contains("sqlite3_powersync_init"), "not our header");
    let library = tree.file(LIBRARY)?;
    ensure!(library.starts_with(b"!<arch>\n"), "{LIBRARY} is no static library");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packages::platform::PLATFORMS;

    fn archive(name: &str, library: &[u8]) -> Vec<u8> {
        let mut archive = Tree::default();
        archive.add_tree(name, files(library, "0.5.100").unwrap());
        archive.to_tar_gz().unwrap()
    }

    #[test]
    fn archives_are_complete() {
        for platform in PLATFORMS {
            let name = name(platform, "0.5.100").unwrap();
            check(&name, &archive(&name, b"!<arch>\n")).unwrap();
        }
    }

    #[test]
    fn defects_are_found() {
        assert!(check("name", &archive("name", b"\x7fELF")).is_err());
        assert!(check("name", &archive("other", b"!<arch>\n")).is_err());
    }

    #[test]
    fn pkg_config_and_cmake_get_the_version() {
        let files = files(b"", "0.5.100").unwrap();
        assert!(files.text("lib/pkgconfig/powersync.pc").unwrap().contains("\nVersion: 0.5.100\n"));
        let cmake = files.text("lib/cmake/powersync/powersync-config-version.cmake").unwrap();
        assert!(cmake.contains("set(PACKAGE_VERSION \"0.5.100\")"));
    }
}

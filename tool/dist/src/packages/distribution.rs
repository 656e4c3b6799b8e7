//! The directory with the artefacts, from which packages are made and into which they go.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::package;
use crate::packages::platform::{self, PLATFORMS, Platform};
use tool_support::library;
use tool_support::process::repository;

/// The C header, in the repository.
pub(crate) const HEADER: &str = "crates/static/include/powersync.h";

/// A directory of artefacts under their final names.
#[derive(Debug)]
pub(crate) struct Distribution {
    /// Where it is.
    pub directory: PathBuf,
    /// Where the libraries are that go into the XCFramework, each in its own directory.
    pub slices: PathBuf,
    /// Version of all packages.
    pub version: &'static str,
}

impl Distribution {
    /// What `cargo xtask package` builds.
    pub(crate) fn complete() -> Self {
        Self::of(package::distribution(), package::slices::directory())
    }

    /// A new directory with the libraries and the program of the platform that this program runs on, which are built.
    ///
    /// # Errors
    /// If they do not build, or nothing is published for the platform.
    pub(crate) fn of_host() -> Result<Self> {
        let host = platform::host().context("no packages are made for this platform")?;
        let (loadable, linkable) = (library::build()?, library::build_static()?);
        let directory = loadable.with_file_name("host-packages");
        if directory.exists() {
            std::fs::remove_dir_all(&directory)?;
        }
        std::fs::create_dir_all(&directory)?;
        std::fs::copy(loadable, directory.join(host.library))?;
        std::fs::copy(linkable, directory.join(host.static_library))?;
        if let Some(program) = host.program {
            package::program::build_for_tests(&directory.join(program))?;
        }
        Ok(Self::in_directory(&directory))
    }

    /// A directory without libraries for an XCFramework.
    pub(crate) fn in_directory(directory: &Path) -> Self {
        Self::of(directory.to_owned(), directory.join("slices"))
    }

    fn of(directory: PathBuf, slices: PathBuf) -> Self {
        Self { directory, slices, version: env!("CARGO_PKG_VERSION") }
    }

    /// The platforms of which an artefact is there, which the function names, with its path. Says which are missing.
    pub(crate) fn available(&self, name: fn(&Platform) -> Option<&'static str>) -> Vec<(&'static Platform, PathBuf)> {
        let named = PLATFORMS.iter().filter_map(|platform| Some((platform, name(platform)?)));
        let (there, missing): (Vec<_>, Vec<_>) = named.partition(|(_, name)| self.directory.join(name).is_file());
        if !missing.is_empty() {
            println!("not made, missing: {}", missing.iter().map(|(_, name)| *name).collect::<Vec<_>>().join(", "));
        }
        there.into_iter().map(|(platform, name)| (platform, self.directory.join(name))).collect()
    }
}

/// Reads a text file of the repository.
///
/// # Errors
/// If it cannot be read.
pub(crate) fn read(path: impl AsRef<Path>) -> Result<String> {
    let path = repository().join(path);
    std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

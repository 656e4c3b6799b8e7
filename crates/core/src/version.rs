//! Which build of the library this is.

use const_format::concatcp;

/// The first eight characters of the commit that was built, so that support can identify builds.
const COMMIT: &str = match option_env!("POWERSYNC_GIT_HASH") {
    Some(hash) => hash,
    None => "unknown0",
};

/// A hash of the sources that were built, which distinguishes builds of one commit: those of changed, patched or
/// unpacked sources.
pub const SOURCES: &str = concatcp!(env!("CARGO_PKG_VERSION"), "/", env!("POWERSYNC_SOURCES"));

/// The version and the commit, `0.5.100/0123abcd`. SDKs split it on `.` and `/`.
pub const VERSION: &str = concatcp!(env!("CARGO_PKG_VERSION"), "/", COMMIT);

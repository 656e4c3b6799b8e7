//! What package managers take, made from the libraries in a distribution, as a part of `cargo xtask package`.
//!
//! Each kind of package is a step; it uses the libraries that are there, and says which are missing. The same libraries
//! give the same bytes. `cargo xtask verify` reads everything back and checks it.

pub mod aar;
pub mod c;
pub mod distribution;
pub mod mach_o;
pub mod maven;
pub mod npm;
pub mod platform;
#[cfg(test)]
mod testing;
pub mod tree;
pub mod wheel;
pub mod xcframework;

use anyhow::{Context, Result};

use distribution::Distribution;

/// Writes one kind of package.
type Step = (&'static str, fn(&Distribution) -> Result<()>);

const STEPS: &[Step] = &[
    ("npm packages", npm::write),
    ("Python wheels", wheel::write),
    ("archives for C", c::write),
    ("Android archive", aar::write),
    ("Maven repository", maven::write),
    ("XCFramework", xcframework::write),
];

/// Writes all kinds of packages.
///
/// # Errors
/// Names the kind that failed.
pub fn write(distribution: &Distribution) -> Result<()> {
    for (name, step) in STEPS {
        println!("-- {name}");
        step(distribution).with_context(|| format!("cannot make the {name}"))?;
    }
    Ok(())
}

/// Reads back all packages of a distribution and checks them.
///
/// # Errors
/// Names the first one that is not as it should be.
pub fn check(distribution: &Distribution) -> Result<()> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&distribution.directory)? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    for name in names {
        let path = distribution.directory.join(&name);
        let Some(check) = check_of(&name) else { continue };
        check(&name, &std::fs::read(path)?, distribution.version).with_context(|| name.clone())?;
        println!("package   {name}");
    }
    Ok(())
}

/// Checks a file of the given name and content, which should be of the given version.
type Check = fn(&str, &[u8], &str) -> Result<()>;

/// The check for a file; None if it is no package.
fn check_of(name: &str) -> Option<Check> {
    let checks: [(&str, Check); 5] = [
        (".tgz", |_, bytes, version| npm::check(bytes, version)),
        (".whl", |name, bytes, _| wheel::check(name, bytes)),
        (".tar.gz", |name, bytes, _| c::check(name.trim_end_matches(".tar.gz"), bytes)),
        (".aar", |_, bytes, version| aar::check(bytes, version)),
        (".xcframework.zip", |_, bytes, version| xcframework::check_archive(bytes, version)),
    ];
    checks.into_iter().find(|(end, _)| name.ends_with(end)).map(|(_, check)| check)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packages_are_told_from_other_files() {
        let directory = tempfile::tempdir().unwrap();
        let distribution = Distribution::in_directory(directory.path());
        let is_good = |name: &str| {
            std::fs::write(directory.path().join(name), "no package").unwrap();
            let result = check(&distribution);
            std::fs::remove_file(directory.path().join(name)).unwrap();
            result.is_ok()
        };
        assert!(is_good("libpowersync_x64.linux.so"));
        assert!(is_good("SHA256SUMS"));
        for name in ["a.tgz", "a-1-py3-none-any.whl", "powersync-c-1.tar.gz", "a.aar", "a.xcframework.zip"] {
            assert!(!is_good(name), "{name}");
        }
    }
}

//! `cargo xtask bundles`: what package managers take, made from the libraries in `target/dist`.
//!
//! Each kind of package is a step; it uses the libraries that are there, says which are missing, and reads back and checks
//! what it wrote.

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

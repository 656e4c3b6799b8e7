//! `cargo xtask package program`: builds the program `rowtide` for all systems that it runs on, and the packages with it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::compile::without_places;
use super::frameworks;
use super::target::{Core, Format, Target};
use super::toolchain::Toolchain;
use super::zig::Zig;
use super::{Built, complete, distribution, outcome, select_programs};
use crate::parts;
use tool_support::process::repository;
use tool_support::{library, process};

/// Builds what is selected, and the packages with it. What other commands have put into `target/dist` stays.
///
/// # Errors
/// Lists what could not be built; also what was left out, if all is required.
pub(crate) fn run(only: &[String], require_all: bool) -> Result<()> {
    let (toolchain, directory) = (Toolchain::find()?, distribution());
    std::fs::create_dir_all(&directory)?;
    if let Err(error) = parts::collect() {
        let error = error.context("the program would have no playground");
        if require_all {
            return Err(error);
        }
        println!("{error:#}");
    }
    let zig = Zig::obtain();
    let mut outcome = outcome(&select_programs(only)?, |target| {
        let output = directory.join(target.program_name());
        if output.exists() {
            std::fs::remove_file(&output)?;
        }
        let zig = match &zig {
            Ok(zig) => zig,
            Err(reason) => return Ok(Built::Not(format!("{reason:#}"))),
        };
        match toolchain.prepare(target) {
            Ok(core) => build(&toolchain, zig, target, core, &output)?,
            Err(reason) => return Ok(Built::Not(format!("{reason:#}"))),
        }
        Ok(Built::Libraries)
    });
    complete(&mut outcome, &directory)?;
    outcome.into_result(require_all)
}

fn build(toolchain: &Toolchain, zig: &Zig, target: &Target, core: Core, output: &Path) -> Result<()> {
    let mut command = zig.cargo(&["--quiet", "--profile", "program", "--locked", "--package", "rowtide"])?;
    command.args(["--bin", "rowtide", "--target", target.triple, library::JSON_MESSAGES]);
    if core == Core::Source {
        command.arg("-Zbuild-std=std,panic_unwind").env("RUSTC_BOOTSTRAP", "1");
    }
    if let Some(apple) = target.platform.apple() {
        command.env(apple.variable, target.minimum);
        command.arg("--").args(frameworks::options(&repository().join("target/package/frameworks"))?);
    }
    let mut flags = without_places(toolchain, "/rowtide")?;
    // What a program of this C library begins with then comes from Zig: it is a part of the library of rustup only.
    flags.extend((core == Core::Source).then(|| "-Clink-self-contained=no".to_owned()));
    // So that the system can place it at any address; Zig leaves out what rustc says about that.
    flags.extend((target.platform.format() == Format::Elf).then(|| "-Clink-arg=-pie".to_owned()));
    command.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}")).env_remove("RUSTFLAGS");
    let program = library::built(&mut command, "bin");
    let program = program.with_context(|| format!("cannot build the program for {}", target.triple))?;
    if target.platform.apple().is_some() {
        // Zig's linker leaves the symbols in, whatever it is told. What is signed is signed again.
        return process::run(toolchain.objcopy(&["--strip-all"]).arg(&program).arg(output));
    }
    std::fs::copy(&program, output).with_context(|| format!("cannot copy {}", program.display()))?;
    Ok(())
}

/// The program as the tests build it, for this machine: quickly, and only to see that the packages with it work.
///
/// # Errors
/// If it does not build.
pub(crate) fn build_for_tests(output: &Path) -> Result<()> {
    let mut command = process::cargo(&["build", "--quiet", "--bin", "rowtide", library::JSON_MESSAGES]);
    let program: PathBuf = library::built(&mut command, "bin")?;
    if cfg!(target_os = "linux") {
        // Without what is for debuggers, which takes long to be compressed.
        let names = [program.display().to_string(), output.display().to_string()];
        return process::run(&mut Toolchain::find()?.objcopy(&["--strip-all", &names[0], &names[1]]));
    }
    std::fs::copy(&program, output).with_context(|| format!("cannot copy {}", program.display()))?;
    Ok(())
}

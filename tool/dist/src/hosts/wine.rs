//! Starting the program in Wine, with what older versions of it lack.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::hosts::table::{WINE_COMPILER, find};
use tool_support::process::{self, repository};

/// The command that starts a program for Windows. Wine looks for libraries in the folder of the stand-in last, so that a
/// version that has the library uses its own.
///
/// # Errors
/// If there is no Wine, or the stand-in does not compile.
pub(super) fn command(program: &str) -> Result<Command> {
    let wine = find("wine").context("there is no wine")?.display().to_string();
    let mut command = process::program(&wine, &[program]);
    command.env("WINEDEBUG", "-all").env("WINEPATH", stand_in()?);
    Ok(command)
}

/// Compiles the library, and gives its folder.
fn stand_in() -> Result<PathBuf> {
    let folder = repository().join("target/hosts/wine");
    std::fs::create_dir_all(&folder)?;
    let mut compile = process::program(WINE_COMPILER, &["-shared", "-O1", "-Wall", "-Wextra", "-Werror", "-o"]);
    compile.arg(folder.join("bcryptprimitives.dll"));
    compile.arg(repository().join("tests/hosts/windows/bcryptprimitives.c")).arg("-ladvapi32");
    process::run(&mut compile).context("cannot compile a library that Wine may lack")?;
    Ok(folder)
}

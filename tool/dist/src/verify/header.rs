//! The header: each of the compilers that are there takes it, as C and as C++.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::hosts::table::find;

/// Compilers with the language that they are given.
const COMPILERS: &[(&str, &[&str])] = &[
    ("cc", &["-x", "c", "-std=c89"]),
    ("cc", &["-x", "c", "-std=c17"]),
    ("c++", &["-x", "c++", "-std=c++98"]),
    ("c++", &["-x", "c++", "-std=c++20"]),
    ("clang", &["-x", "c", "-std=c17"]),
];

/// Compiles the header alone, without any warning.
pub(super) fn check(header: &Path) -> Result<()> {
    let mut compiled = 0;
    for (compiler, language) in COMPILERS {
        let Some(program) = find(compiler) else {
            println!("SKIPPED header with {compiler} {}: there is no such compiler", language.join(" "));
            continue;
        };
        let mut command = Command::new(program);
        command.args(*language).args(["-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"]).arg(header);
        let status = command.status().context("cannot start a compiler")?;
        ensure!(status.success(), "{compiler} {language:?} refuses {}", header.display());
        compiled += 1;
    }
    ensure!(compiled > 0, "no compiler for the header");
    Ok(())
}

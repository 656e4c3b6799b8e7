//! The header: each of the compilers that are there takes it, as C and as C++.

use std::io::ErrorKind;
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, Result, ensure};

use crate::process;

/// Compilers with the language that they are given.
const COMPILERS: &[(&str, &[&str])] = &[
    ("cc", &["-x", "c", "-std=c89"]),
    ("cc", &["-x", "c", "-std=c17"]),
    ("c++", &["-x", "c++", "-std=c++98"]),
    ("c++", &["-x", "c++", "-std=c++20"]),
    ("clang", &["-x", "c", "-std=c17"]),
];

/// Compiles the header alone, without any warning.
pub fn check(header: &Path) -> Result<()> {
    let mut compiled = 0;
    for (compiler, language) in COMPILERS {
        let mut command = process::program(compiler, language);
        command
            .args(["-pedantic", "-Wall", "-Wextra", "-Werror", "-fsyntax-only"])
            .arg(header)
            .stdout(Stdio::inherit());
        match command.status() {
            Ok(status) => ensure!(status.success(), "{compiler} {language:?} refuses {}", header.display()),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                println!("SKIPPED header with {compiler} {}: there is no such compiler", language.join(" "));
                continue;
            }
            Err(error) => return Err(error).context("cannot start a compiler"),
        }
        compiled += 1;
    }
    ensure!(compiled > 0, "no compiler for the header");
    Ok(())
}

//! `cargo xtask static`: builds the static library, links it with SQLite into a C program, and runs that; and
//! runs the tests of the bindings linked instead of through the API table.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use tool_support::library;
use tool_support::process::{self, repository};

/// What the program prints for each of its two connections: the result of the schema, and the queued write.
pub(crate) const EXPECTED: &str =
    "\n{\"op\":\"PUT\",\"id\":\"l1\",\"type\":\"lists\",\"data\":{\"name\":\"Groceries\"}}\n";

/// Builds, links and runs.
///
/// # Errors
/// If one of them fails, or the program does not print what it should.
pub(crate) fn check() -> Result<()> {
    let library = library::build_static()?;
    let directory = library.parent().context("a library is in a directory")?;
    let (sqlite, include) = (sqlite_source()?, repository().join("crates/static/include"));
    let source = repository().join("tests/hosts/static/main.c");
    let program = directory.join("static-host");
    compile(&[&source, &sqlite.join("sqlite3.c"), &library], &[&sqlite, &include], &program)?;
    let printed = process::output(&mut process::program(&program.display().to_string(), &[]))?;
    ensure!(printed == EXPECTED.repeat(2), "the program printed {printed:?}");
    println!("{}: links and runs", library.display());
    let bindings =
        ["test", "--quiet", "--package", "rowtide-sqlite-nostd", "--features", "static", "--test", "bindings"];
    process::run(&mut process::cargo(&bindings))
}

fn compile(inputs: &[&Path], includes: &[&Path], program: &Path) -> Result<()> {
    let mut command = process::program("cc", &["-O0", "-pthread", "-DSQLITE_OMIT_LOAD_EXTENSION"]);
    for directory in includes {
        command.arg("-I").arg(directory);
    }
    command.args(inputs).arg("-lm").arg("-o").arg(program);
    process::run(&mut command)
}

/// The directory with the `sqlite3.c` that the tests' SQLite is built from.
///
/// # Errors
/// If Cargo does not know it.
pub(crate) fn sqlite_source() -> Result<PathBuf> {
    let text = process::output(&mut process::cargo(&["metadata", "--locked", "--format-version=1"]))?;
    let metadata: Value = serde_json::from_str(&text)?;
    let packages = metadata.get("packages").and_then(Value::as_array).context("cargo metadata lists no packages")?;
    let member = |package: &Value, name: &str| package.get(name).and_then(Value::as_str).map(str::to_owned);
    let manifest = packages
        .iter()
        .find(|package| member(package, "name").as_deref() == Some("libsqlite3-sys"))
        .and_then(|package| member(package, "manifest_path"))
        .context("no package libsqlite3-sys")?;
    Ok(Path::new(&manifest).with_file_name("sqlite3"))
}

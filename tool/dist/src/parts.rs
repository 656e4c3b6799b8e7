//! The parts of the playground that are WebAssembly: SQLite as npm has it, the file system that it comes with, and the
//! extension as a side module. They go into `crates/web-pages/parts`, from where the next build takes them into the program.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::package::{licences, side};
use tool_support::node;
use tool_support::process::repository;

/// What names the version of SQLite and its hash.
const SOURCE: &str = "tool/dist/packages/playground";

/// Where the program's build looks for them.
const PLACE: &str = "crates/web-pages/parts";

/// Where npm installs.
const NPM: &str = "target/playground";

/// The package with SQLite.
const SQLITE: &str = "@journeyapps/wa-sqlite";

/// The files of it that the playground loads: SQLite for dynamic linking, its functions for JavaScript, and the file system in
/// the browser's private files. They find each other by these paths.
const FILES: &[&str] = &[
    "dist/wa-sqlite-dynamic-main.mjs",
    "dist/wa-sqlite-dynamic-main.wasm",
    "src/FacadeVFS.js",
    "src/VFS.js",
    "src/examples/OPFSCoopSyncVFS.js",
    "src/sqlite-api.js",
    "src/sqlite-constants.js",
];

/// Makes or fetches all of them. What is there already and the same stays untouched, so that nothing is built again for it.
///
/// # Errors
/// If Node.js, npm, Rust's library for WebAssembly or the package cannot be had.
pub(crate) fn collect() -> Result<PathBuf> {
    let (modules, place) = (repository().join("target/web/package"), repository().join(PLACE));
    std::fs::create_dir_all(&modules)?;
    if let Some(missing) = side::build_in(&modules)? {
        anyhow::bail!("the extension cannot be built as WebAssembly: {missing}");
    }
    let project = repository().join(NPM);
    node::install_copy(&repository().join(SOURCE), &project).with_context(|| format!("npm cannot install {SQLITE}"))?;
    let sqlite = project.join("node_modules").join(SQLITE);
    let mut sizes = 0;
    for file in FILES {
        sizes += put(&place.join("wa-sqlite").join(file), &read(&sqlite.join(file))?)?;
    }
    let module = side::Side::Synchronous.name();
    sizes += put(&place.join(module), &read(&modules.join(module))?)?;
    sizes += put(&place.join(licences::FILE), licences_of_parts(&sqlite)?.as_bytes())?;
    println!("{}: {sizes} bytes", place.display());
    Ok(place)
}

/// The licences of the parts that are there; none without parts.
pub(crate) fn notices() -> Option<String> {
    std::fs::read_to_string(repository().join(PLACE).join(licences::FILE)).ok()
}

/// The licences of all that is in the parts.
fn licences_of_parts(sqlite: &Path) -> Result<String> {
    let own = std::fs::read_to_string(sqlite.join("LICENSE"))?;
    let line = format!("\n{}\n\n", "-".repeat(80));
    let texts = [
        format!("The playground's database contains:\n{line}SQLite, which is in the public domain"),
        format!("{SQLITE} (SQLite for browsers)\n\n{own}"),
        // A part of what is compiled from C that brings no text of its own.
        licences::mit(
            "Emscripten (in the script and the module of SQLite)",
            "(c) 2010-2014 Emscripten authors, see AUTHORS file.",
        ),
        licences::of_libraries()?,
    ];
    Ok(texts.map(|text| text.trim_end().to_owned() + "\n").join(&line))
}

fn read(file: &Path) -> Result<Vec<u8>> {
    std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))
}

/// Writes a file unless it is there and the same; gives its size.
fn put(file: &Path, content: &[u8]) -> Result<usize> {
    if !std::fs::read(file).is_ok_and(|found| found == content) {
        std::fs::create_dir_all(file.parent().context("a file is in a directory")?)?;
        std::fs::write(file, content).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(content.len())
}

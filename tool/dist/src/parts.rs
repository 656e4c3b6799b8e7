//! The parts of the playground that are WebAssembly: SQLite as npm has it, the file system that it comes with, and the
//! extension as a side module. They go into `crates/web-pages/parts`, from where the next build takes them into the program.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::package::{licences, side};
use tool_support::node::npm;
use tool_support::process::{self, repository};

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

/// A part of what is compiled from C that brings no text of its own.
const EMSCRIPTEN: &str = "Emscripten (in the script and the module of SQLite)

Copyright (c) 2010-2014 Emscripten authors, see AUTHORS file.

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and associated documentation
files (the \"Software\"), to deal in the Software without restriction, including without limitation the rights to use, copy,
modify, merge, publish, distribute, sublicense, and/or sell copies of the Software, and to permit persons to whom the Software
is furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED \"AS IS\", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES
OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE
LIABLE FOR ANY CLAIM, DAMAGES OR OTHER LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
";

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
    let sqlite = install()?.join("node_modules").join(SQLITE);
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

/// Installs the package, checked against the lock file, unless that is done.
fn install() -> Result<PathBuf> {
    let (source, project) = (repository().join(SOURCE), repository().join(NPM));
    let lock = std::fs::read_to_string(source.join("package-lock.json"))?;
    let mark = project.join("node_modules/.installed");
    if std::fs::read_to_string(&mark).is_ok_and(|found| found == lock) {
        return Ok(project);
    }
    std::fs::create_dir_all(&project)?;
    for file in ["package.json", "package-lock.json"] {
        std::fs::copy(source.join(file), project.join(file))?;
    }
    let mut command = npm(&project, &["ci", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"]);
    process::run(&mut command).with_context(|| format!("npm cannot install {SQLITE}"))?;
    std::fs::write(mark, lock)?;
    Ok(project)
}

/// The licences of all that is in the parts.
fn licences_of_parts(sqlite: &Path) -> Result<String> {
    let own = std::fs::read_to_string(sqlite.join("LICENSE"))?;
    let line = format!("\n{}\n\n", "-".repeat(80));
    let texts = [
        format!("The playground's database contains:\n{line}SQLite, which is in the public domain"),
        format!("{SQLITE} (SQLite for browsers)\n\n{own}"),
        EMSCRIPTEN.to_owned(),
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

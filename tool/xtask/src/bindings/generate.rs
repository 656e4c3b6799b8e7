//! The bindings as they should be, made by bindgen, which loads libclang.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use anyhow::{Context, Result, bail, ensure};
use bindgen::{Builder, Formatter, MacroTypeVariation};

use super::FILES;
use tool_support::process;

/// What is taken from the headers, with the types that it is made of.
const TYPES: &str = "sqlite3_(api_routines|module|vtab|vtab_cursor|index_info)";
/// Structures that are only passed on.
const OPAQUE: &[&str] = &["sqlite3_file", "sqlite3_vfs"];
/// What these are made of.
const UNUSED: &str = "sqlite3_(io_methods|syscall_ptr|filename)";
/// Result codes, value types, and options of functions that are called.
const CONSTANTS: &[&str] = &[
    "SQLITE_(OK|ERROR|INTERNAL|PERM|ABORT|BUSY|LOCKED|NOMEM|READONLY|INTERRUPT|IOERR|CORRUPT|NOTFOUND|FULL|CANTOPEN)",
    "SQLITE_(PROTOCOL|SCHEMA|TOOBIG|CONSTRAINT|MISMATCH|MISUSE|NOLFS|AUTH|FORMAT|RANGE|NOTADB|ROW|DONE)",
    "SQLITE_(ABORT|AUTH|BUSY|CANTOPEN|CONSTRAINT|CORRUPT|ERROR|IOERR|LOCKED|READONLY)_[A-Z_]+",
    "SQLITE_OK_LOAD_PERMANENTLY",
    "SQLITE_(INTEGER|FLOAT|TEXT|BLOB|NULL|UTF8)",
    "SQLITE_(DETERMINISTIC|DIRECTONLY|INNOCUOUS|SUBTYPE|RESULT_SUBTYPE)",
    "SQLITE_PREPARE_PERSISTENT",
    "SQLITE_STMTSTATUS_REPREPARE",
    "SQLITE_VTAB_INNOCUOUS",
];

/// Generates the bindings; with `check`, only compares.
///
/// # Errors
/// If the committed bindings are not current, or cannot be generated.
pub(crate) fn run(check: bool) -> Result<()> {
    let generated = format(&generate()?)?;
    let file = process::repository().join(FILES.1);
    if !check {
        return fs::write(&file, generated).with_context(|| format!("cannot write {}", file.display()));
    }
    let committed = fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    if committed != generated {
        bail!("{} is not what `cargo xtask bindings` writes", file.display());
    }
    println!("bindings: current");
    Ok(())
}

fn generate() -> Result<String> {
    let headers = process::repository().join(FILES.0);
    let path = |name: &str| headers.join(name).display().to_string();
    let mut builder = Builder::default()
        .header(path("sqlite3ext.h"))
        // One platform for all, of which nothing is left in the result.
        .clang_args(["--target=x86_64-unknown-linux-gnu", "-nostdinc", "-I", &path("include")])
        .allowlist_type(TYPES)
        .blocklist_type(UNUSED)
        .use_core()
        .layout_tests(false)
        .derive_copy(false)
        .derive_debug(false)
        .generate_comments(false)
        .default_macro_constant_type(MacroTypeVariation::Signed)
        .formatter(Formatter::None)
        .disable_header_comment()
        .raw_line("//! SQLite's C interface as `sqlite3ext.h` declares it. Generated: `cargo xtask bindings` writes this file.");
    for constants in CONSTANTS {
        builder = builder.allowlist_var(constants);
    }
    for name in OPAQUE {
        builder = builder.blocklist_type(name).raw_line(format!("pub type {name} = ::core::ffi::c_void;"));
    }
    Ok(builder.generate().context("cannot generate the bindings")?.to_string())
}

/// The text as rustfmt writes it, with the repository's settings.
fn format(text: &str) -> Result<String> {
    let mut rustfmt = process::program("rustfmt", &["--edition", "2024", "--emit", "stdout"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start rustfmt")?;
    let mut input = rustfmt.stdin.take().context("rustfmt has no input")?;
    input.write_all(text.as_bytes())?;
    drop(input);
    let output = rustfmt.wait_with_output()?;
    ensure!(output.status.success(), "rustfmt failed: {}", output.status);
    Ok(String::from_utf8(output.stdout)?)
}

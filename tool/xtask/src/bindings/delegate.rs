//! Running the generator, if there is a libclang for it.

use std::path::Path;

use anyhow::{Result, bail};

use tool_support::process;

/// Names the directory of libclang, where it is not in a usual place.
const VARIABLE: &str = "LIBCLANG_PATH";

/// Where libclang usually is; `*` means any directory.
const DIRECTORIES: &[&str] = &[
    "/usr/lib",
    "/usr/lib64",
    "/usr/lib/*",
    "/usr/lib/*/lib",
    "/usr/local/lib",
    "/opt/homebrew/opt/llvm/lib",
    "/usr/local/opt/llvm/lib",
    "/Library/Developer/CommandLineTools/usr/lib",
    "C:/Program Files/LLVM/bin",
];

/// Generates the bindings; with `check`, only compares, and does nothing where there is no libclang.
///
/// # Errors
/// If the committed bindings are not current, or cannot be generated.
pub(crate) fn run(check: bool) -> Result<()> {
    if !has_libclang() {
        if check {
            println!("bindings: NOT CHECKED, for no libclang was found (set {VARIABLE} to its directory)");
            return Ok(());
        }
        bail!("no libclang was found; set {VARIABLE} to its directory");
    }
    let arguments = ["run", "--quiet", "--package", "xtask", "--features", "bindings", "--", "bindings"];
    process::run(process::cargo(&arguments).args(check.then_some("--check")))
}

/// Whether there is a libclang, without building what could load it.
fn has_libclang() -> bool {
    let has = |directory: &Path| {
        let files = directory.read_dir().into_iter().flatten().flatten();
        files
            .filter_map(|file| file.file_name().into_string().ok())
            .any(|name| ["libclang.", "libclang-1", "libclang-2"].iter().any(|start| name.starts_with(start)))
    };
    if let Some(directory) = std::env::var_os(VARIABLE) {
        return has(Path::new(&directory));
    }
    DIRECTORIES.iter().any(|pattern| match pattern.split_once('*') {
        None => has(Path::new(pattern)),
        Some((parent, rest)) => {
            let directories = Path::new(parent).read_dir().into_iter().flatten().flatten();
            directories.into_iter().any(|directory| has(&directory.path().join(rest.trim_start_matches('/'))))
        }
    })
}

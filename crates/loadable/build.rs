//! Linker arguments of the loadable library.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |name: &str, value: &str| std::env::var(name).is_ok_and(|found| found == value);
    if is("CARGO_CFG_TARGET_OS", "linux") || is("CARGO_CFG_TARGET_OS", "android") {
        // The precompiled `core` and `alloc` mention the unwinder, which panics that abort never enter.
        println!("cargo::rustc-cdylib-link-arg=-Wl,--defsym=rust_eh_personality=0");
        println!("cargo::rustc-cdylib-link-arg=-Wl,--defsym=_Unwind_Resume=0");
        println!("cargo::rustc-cdylib-link-arg=-nostdlib");
        // A copy among the output, whose path Cargo keeps right when the repository moves.
        let directory = std::env::var("OUT_DIR").unwrap_or_default();
        if let Err(error) = std::fs::copy("discard.ld", format!("{directory}/discard.ld")) {
            println!("cargo::error=cannot copy discard.ld: {error}");
        }
        println!("cargo::rustc-cdylib-link-arg=-Wl,-T,{directory}/discard.ld");
        println!("cargo::rustc-cdylib-link-arg=-Wl,--no-eh-frame-hdr");
        println!("cargo::rerun-if-changed=discard.ld");
    }
    // Functions that compile to the same code are one.
    if is("TARGET", LLD_TARGET) && has_lld() {
        println!("cargo::rustc-cdylib-link-arg=-Wl,--icf=all");
    }
}

/// The target for which Rust links with LLD by default; GNU's linker does not know all of its arguments.
const LLD_TARGET: &str = "x86_64-unknown-linux-gnu";

/// Whether the toolchain comes with LLD: some distributions leave it out.
fn has_lld() -> bool {
    let compiler = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let Ok(output) = std::process::Command::new(compiler).args(["--print", "sysroot"]).output() else { return false };
    let sysroot = String::from_utf8_lossy(&output.stdout);
    Path::new(sysroot.trim()).join(format!("lib/rustlib/{LLD_TARGET}/bin/gcc-ld/ld.lld")).exists()
}

//! The programs that packages are made with: rustc's own linker and `objcopy`, and the parts of Rust for each target.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::package::target::{Core, Target};
use tool_support::process;

/// The Rust toolchain in use.
#[derive(Debug)]
pub(crate) struct Toolchain {
    /// Where it is installed.
    pub sysroot: PathBuf,
    /// Where Cargo puts what it builds.
    pub target_directory: PathBuf,
    /// Where its linker is.
    programs: PathBuf,
}

impl Toolchain {
    /// Finds it.
    ///
    /// # Errors
    /// If there is no rustc, or if it came without its linker; also if Cargo cannot be asked.
    pub(crate) fn find() -> Result<Self> {
        let sysroot = process::output(&mut rustc(&["--print", "sysroot"]))?;
        let version = process::output(&mut rustc(&["-vV"]))?;
        let host = version.lines().find_map(|line| line.strip_prefix("host: ")).context("rustc names no host")?;
        let sysroot = PathBuf::from(sysroot.trim());
        let programs = sysroot.join("lib/rustlib").join(host).join("bin");
        let linker = format!("rust-lld{}", std::env::consts::EXE_SUFFIX);
        ensure!(programs.join(linker).is_file(), "no rust-lld in {}", programs.display());
        let metadata = process::output(&mut process::cargo(&["metadata", "--no-deps", "--format-version=1"]))?;
        let metadata: Value = serde_json::from_str(&metadata)?;
        let target_directory = metadata.get("target_directory").and_then(Value::as_str);
        let target_directory = target_directory.context("Cargo names no target directory")?.into();
        Ok(Self { sysroot, target_directory, programs })
    }

    /// LLD, as the linker of one format: `gnu`, `darwin`, `link` or `wasm`.
    pub(crate) fn linker(&self, flavor: &str) -> Command {
        let mut command = process::program(&self.programs.join("rust-lld").display().to_string(), &["-flavor", flavor]);
        // Without the toolchain's place as the program's name, which goes into Windows debug information.
        #[cfg(unix)]
        std::os::unix::process::CommandExt::arg0(&mut command, "rust-lld");
        command.env_remove("SOURCE_DATE_EPOCH");
        command
    }

    /// LLVM's `objcopy`.
    pub(crate) fn objcopy(&self, arguments: &[&str]) -> Command {
        let mut command = process::program(&self.programs.join("rust-objcopy").display().to_string(), arguments);
        // Where LLVM is; rustup's Cargo sets this, others do not.
        command.env("LD_LIBRARY_PATH", self.sysroot.join("lib"));
        command
    }

    /// Where the sources of `core` and `alloc` are, if they are installed.
    pub(crate) fn sources(&self) -> PathBuf {
        self.sysroot.join("lib/rustlib/src/rust")
    }

    /// Installs what is missing for a target, and gives where its `core` comes from.
    ///
    /// # Errors
    /// If that is not available.
    pub(crate) fn prepare(&self, target: &Target) -> Result<Core> {
        let prebuilt = self.sysroot.join("lib/rustlib").join(target.triple).join("lib");
        if target.core == Core::Prebuilt && obtain(&prebuilt, &["target", "add", target.triple]).is_ok() {
            return Ok(Core::Prebuilt);
        }
        obtain(&self.sources().join("library/core"), &["component", "add", "rust-src"])?;
        Ok(Core::Source)
    }
}

fn rustc(arguments: &[&str]) -> Command {
    process::program(&std::env::var("RUSTC").unwrap_or_else(|_| "rustc".to_owned()), arguments)
}

/// Has rustup install something, if it is not there.
fn obtain(place: &Path, arguments: &[&str]) -> Result<()> {
    if place.is_dir() {
        return Ok(());
    }
    let command = || format!("rustup {}", arguments.join(" "));
    let status = process::program("rustup", arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .with_context(|| format!("{} is missing, and there is no rustup", place.display()))?;
    ensure!(status.success() && place.is_dir(), "`{}` failed", command());
    Ok(())
}

//! The C compiler and linker for all systems that the program is built for: Zig's, and the Cargo command that calls it.
//! Both come from PyPI, in fixed versions, for other ones make other bytes.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use tool_support::process::{self, repository};

/// What is installed.
const PACKAGES: [&str; 2] = ["cargo-zigbuild==0.24.1", "ziglang==0.17.1"];

/// Where it is installed.
#[derive(Debug)]
pub(super) struct Zig(PathBuf);

impl Zig {
    /// Installs it, if it is not there.
    ///
    /// # Errors
    /// If there is no Python with `venv`, or the packages cannot be had.
    pub(super) fn obtain() -> Result<Self> {
        let versions: Vec<&str> = PACKAGES.iter().filter_map(|package| Some(package.split_once("==")?.1)).collect();
        let place = repository().join("target/package").join(format!("zig-{}", versions.join("-")));
        let programs = place.join(if cfg!(windows) { "Scripts" } else { "bin" });
        let zig = Self(programs);
        if zig.works() {
            return Ok(zig);
        }
        println!("installing {} in {}", PACKAGES.join(" and "), place.display());
        process::run(process::program("python3", &["-m", "venv", "--clear"]).arg(&place))
            .context("cannot make a place for Python packages")?;
        let python = zig.0.join(if cfg!(windows) { "python.exe" } else { "python" });
        let pip = ["-m", "pip", "--disable-pip-version-check", "install", "--quiet"];
        process::run(process::program(&python.display().to_string(), &pip).args(PACKAGES))
            .context("cannot install the C compiler")?;
        ensure!(zig.works(), "{} has no cargo-zigbuild", zig.0.display());
        Ok(zig)
    }

    fn works(&self) -> bool {
        let mut command = Command::new(self.0.join("cargo-zigbuild"));
        command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        command.status().is_ok_and(|status| status.success())
    }

    /// Has Cargo compile and link with it, as `cargo rustc` does: what comes after `--` is for the program alone.
    pub(super) fn cargo(&self, arguments: &[&str]) -> Result<Command> {
        let mut command = process::program(&self.0.join("cargo-zigbuild").display().to_string(), &["rustc"]);
        let path = std::env::var_os("PATH").unwrap_or_default();
        let path = std::env::join_paths(std::iter::once(self.0.clone()).chain(std::env::split_paths(&path)))?;
        command.args(arguments).env("PATH", path);
        Ok(command)
    }
}

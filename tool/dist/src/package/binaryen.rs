//! The optimiser for WebAssembly: Binaryen's `wasm-opt`, from npm, in a fixed version, for another one makes other bytes.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use tool_support::node::NPM;
use tool_support::process::{self, repository};

/// What is installed. Versions before 132 do not let two modules share the state of a call that is suspended.
const VERSION: &str = "132.0.0";

/// What rustc's code for WebAssembly uses of it, beyond its first version.
const FEATURES: &[&str] = &[
    "--enable-bulk-memory",
    "--enable-multivalue",
    "--enable-mutable-globals",
    "--enable-nontrapping-float-to-int",
    "--enable-reference-types",
    "--enable-sign-ext",
];

/// Where it is installed.
#[derive(Debug)]
pub(super) struct Binaryen(PathBuf);

impl Binaryen {
    /// What decides about its output, beside input and arguments.
    pub(super) const VERSION: &str = VERSION;

    /// Installs it, if it is not there.
    ///
    /// # Errors
    /// If there is no Node.js or npm, or the package cannot be had.
    pub(super) fn obtain() -> Result<Self> {
        let place = repository().join("target/package").join(format!("binaryen-{VERSION}"));
        let binaryen = Self(place.join("node_modules/binaryen/bin/wasm-opt"));
        if binaryen.works() {
            return Ok(binaryen);
        }
        println!("installing binaryen {VERSION} in {}", place.display());
        std::fs::create_dir_all(&place)?;
        std::fs::write(place.join("package.json"), r#"{"private": true}"#)?;
        let mut npm = process::program(NPM, &["install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent"]);
        process::run(npm.arg(format!("binaryen@{VERSION}")).current_dir(&place))
            .context("npm cannot install binaryen")?;
        ensure!(binaryen.works(), "{} does not run", binaryen.0.display());
        Ok(binaryen)
    }

    fn works(&self) -> bool {
        let mut command = Command::new("node");
        command.arg(&self.0).arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
        self.0.is_file() && command.status().is_ok_and(|status| status.success())
    }

    /// Has a module changed and made as small as it gets.
    pub(super) fn optimise(&self, input: &Path, passes: &[&str], output: &Path) -> Result<()> {
        let mut command = process::program("node", &[]);
        command.arg(&self.0).args(FEATURES).args(passes).arg("-Oz").arg(input).arg("-o").arg(output);
        process::run(&mut command)
    }
}

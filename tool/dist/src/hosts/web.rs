//! The hosts for WebAssembly: the program `tests/hosts/c/main.c` with SQLite and the static library in one module, made
//! for WASI or by emscripten, and run in Node.js or in a page of a headless Chromium.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::hosts::table::find;
use crate::package::distribution;
use crate::static_library;
use tool_support::process::{self, repository};

/// What makes the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compiler {
    /// Clang, with the C library of WASI.
    Wasi,
    Emscripten,
}

/// What runs it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Runner {
    Node,
    Chromium,
}

/// One host.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WebHost {
    pub name: &'static str,
    compiler: Compiler,
    runner: Runner,
}

const fn host(name: &'static str, compiler: Compiler, runner: Runner) -> WebHost {
    WebHost { name, compiler, runner }
}

/// All of them.
pub(crate) const HOSTS: &[WebHost] = &[
    host("WebAssembly in Node.js", Compiler::Wasi, Runner::Node),
    host("WebAssembly in Chromium", Compiler::Wasi, Runner::Chromium),
    host("WebAssembly by emscripten in Node.js", Compiler::Emscripten, Runner::Node),
    host("WebAssembly by emscripten in Chromium", Compiler::Emscripten, Runner::Chromium),
];

/// The library among the artefacts.
pub(crate) const LIBRARY: &str = "libpowersync-wasm.a";

/// What SQLite lacks in WebAssembly: threads, and libraries that are loaded.
const FLAGS: &[&str] = &["-O1", "-DSQLITE_THREADSAFE=0", "-DSQLITE_OMIT_LOAD_EXTENSION"];

/// Where Debian keeps the JavaScript packages that its emscripten needs; a Node.js from elsewhere does not look there.
const NODE_PACKAGES: &str = "/usr/share/nodejs";

impl Compiler {
    fn name(self) -> &'static str {
        match self {
            Self::Wasi => "clang",
            Self::Emscripten => "emcc",
        }
    }

    /// Why it cannot be used here; None if it can.
    pub(crate) fn obstacle(self) -> Option<String> {
        let Ok(mut command) = self.command() else { return Some(format!("not installed: {}", self.name())) };
        if self == Self::Emscripten {
            return None;
        }
        command.args(["-x", "c", "-include", "stdio.h", "-fsyntax-only", "-"]).stderr(Stdio::null());
        let has_c_library = command.status().is_ok_and(|status| status.success());
        (!has_c_library)
            .then(|| "not installed: WASI's C library (Debian: wasi-libc, libclang-rt-14-dev-wasm32)".into())
    }

    /// The compiler, made ready to compile for WebAssembly.
    ///
    /// # Errors
    /// If it is not installed.
    fn command(self) -> Result<Command> {
        let program = find(self.name()).with_context(|| format!("there is no {}", self.name()))?;
        let mut command = process::program(&program.display().to_string(), &[]);
        match self {
            Self::Wasi => command.arg("--target=wasm32-wasi"),
            Self::Emscripten => command.envs(emscripten_environment()),
        };
        Ok(command)
    }

    /// Compiles SQLite, unless it is there already, and the program; gives what is to be run.
    fn build(self) -> Result<PathBuf> {
        let directory = repository().join("target/hosts").join(self.name()).join("wasm");
        std::fs::create_dir_all(&directory)?;
        let (source, sqlite) = (static_library::sqlite_source()?, directory.join("sqlite3.o"));
        let getpid: &[&str] = if self == Self::Wasi { &["-D_WASI_EMULATED_GETPID"] } else { &[] };
        if !sqlite.is_file() {
            let partial = directory.join("partial.o");
            let mut command = self.command()?;
            command.args(FLAGS).args(getpid).arg("-c").arg(source.join("sqlite3.c")).arg("-o").arg(&partial);
            process::run(&mut command)?;
            std::fs::rename(partial, &sqlite)?;
        }
        let program = directory.join(if self == Self::Wasi { "program.wasm" } else { "program.js" });
        let mut command = self.command()?;
        command.args(FLAGS).args(["-Wall", "-Wextra", "-Werror", "-DPOWERSYNC_STATIC", "-I"]).arg(&source);
        command.arg("-I").arg(repository().join("crates/static/include"));
        command.arg(repository().join("tests/hosts/c/main.c")).arg(sqlite).arg(distribution().join(LIBRARY));
        match self {
            Self::Wasi => command.arg("-lwasi-emulated-getpid"),
            // One of the two takes the other way into connections.
            Self::Emscripten => command.arg("-DPOWERSYNC_ENTRY_POINT").args([
                "-sMODULARIZE",
                "-sEXPORT_NAME=createProgram",
                "-sALLOW_MEMORY_GROWTH",
                "-sEXIT_RUNTIME",
            ]),
        };
        process::run(command.arg("-o").arg(&program))?;
        Ok(program)
    }

    /// The name of the database: emscripten brings along files in memory; WASI has none here, so that all connections
    /// share memory of SQLite's own.
    fn database(self) -> &'static str {
        match self {
            Self::Wasi => "file:/scenario?vfs=memdb",
            Self::Emscripten => "scenario.db",
        }
    }
}

/// What emscripten needs to know about this machine.
pub(crate) fn emscripten_environment() -> Vec<(&'static str, OsString)> {
    let is_needed = std::env::var_os("NODE_PATH").is_none() && Path::new(NODE_PACKAGES).is_dir();
    if is_needed { vec![("NODE_PATH", NODE_PACKAGES.into())] } else { Vec::new() }
}

impl WebHost {
    /// Why it cannot be run here; None if it can.
    pub(crate) fn obstacle(&self) -> Option<String> {
        if !distribution().join(LIBRARY).is_file() {
            return Some(format!("there is no {LIBRARY}: cargo xtask package builds it"));
        }
        let starters: &[&str] = if self.runner == Runner::Node { &["node"] } else { &["node", "chromium"] };
        match starters.iter().find(|name| find(name).is_none()) {
            Some(missing) => Some(format!("not installed: {missing}")),
            None => self.compiler.obstacle(),
        }
    }

    /// Has the scenarios run there.
    ///
    /// # Errors
    /// If the program cannot be built or started, or a scenario fails.
    pub(crate) fn run(&self) -> Result<()> {
        println!("{}", self.name);
        let program = self.compiler.build().context("cannot build the program")?;
        let mut command =
            process::cargo(&["run", "--quiet", "--package", "rowtide-testkit", "--bin", "scenarios", "--"]);
        command.args([self.compiler.database(), "node", "--no-warnings"]);
        match self.runner {
            Runner::Node => process::run(command.arg(script("node.mjs")).arg(program)),
            Runner::Chromium => {
                let browser = Browser::start(&program)?;
                process::run(command.arg(script("in-browser.mjs")).arg(&browser.address))
            }
        }
    }
}

/// A script of `tests/hosts/wasm`.
pub(crate) fn script(name: &str) -> PathBuf {
    repository().join("tests/hosts/wasm").join(name)
}

/// A Chromium with a page that runs the program; ends when dropped.
struct Browser {
    process: Child,
    address: String,
}

impl Browser {
    fn start(program: &Path) -> Result<Self> {
        let chromium = find("chromium").context("there is no chromium")?;
        let mut command = process::program("node", &["--no-warnings"]);
        command.arg(script("browser.mjs")).arg(chromium).arg(program).stdin(Stdio::piped()).stdout(Stdio::piped());
        let process = command.spawn().context("cannot start node")?;
        let mut browser = Self { process, address: String::new() };
        if let Some(stdout) = &mut browser.process.stdout {
            BufReader::new(stdout).read_line(&mut browser.address)?;
        }
        browser.address.truncate(browser.address.trim_end().len());
        ensure!(!browser.address.is_empty(), "the page with the program could not be opened");
        Ok(browser)
    }
}

impl Drop for Browser {
    /// The script closes Chromium when its standard input ends. What the scenarios found is known by then.
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        let _ = self.process.wait();
    }
}

//! The program `tests/hosts/c/main.c`, compiled for a host and started there.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::hosts::static_image;
use crate::hosts::table::{Host, Runner, Way, find};
use crate::static_library;
use tool_support::process::{self, repository};

/// The parts of the loader, in `tests/hosts/image`.
const LOADER: &[&str] = &["image.c", "functions.c", "pe.c", "mach_o.c", "mach_o_opcodes.c"];

/// A compiled program.
pub(super) struct Program<'h> {
    host: &'h Host,
    path: PathBuf,
    /// What it loads or maps.
    library: Option<PathBuf>,
}

impl<'h> Program<'h> {
    /// Compiles it, and SQLite unless it is there already.
    ///
    /// # Errors
    /// If it does not compile.
    pub(super) fn build(host: &'h Host) -> Result<Self> {
        let compiler = host.compiler.join("");
        let directory = repository().join("target/hosts").join(compiler);
        std::fs::create_dir_all(&directory)?;
        let source = static_library::sqlite_source()?;
        let sqlite = directory.join("sqlite3.o");
        if !sqlite.is_file() {
            let partial = directory.join("partial.o");
            let mut command = compile(host)?;
            command.args(["-O1", "-c"]).arg(source.join("sqlite3.c")).arg("-o").arg(&partial);
            process::run(&mut command)?;
            std::fs::rename(partial, &sqlite)?;
        }
        let kind = match host.way {
            Way::Loaded => "loading",
            Way::Linked => "static",
            Way::Mapped | Way::LinkedAndMapped => "mapping",
        };
        let path = directory.join(match host.runner {
            Runner::Wine => format!("{kind}.exe"),
            Runner::Native | Runner::Emulated { .. } => kind.to_owned(),
        });
        let mut command = compile(host)?;
        command.args(["-O1", "-Wall", "-Wextra", "-Werror", "-I"]).arg(&source);
        command.arg(repository().join("tests/hosts/c/main.c"));
        add_library(host, &mut command);
        command.arg(sqlite).arg("-o").arg(&path);
        match host.runner {
            Runner::Native | Runner::Emulated { .. } => command.args(["-lm", "-lpthread", "-ldl"]),
            Runner::Wine => command.arg("-static"),
        };
        process::run(&mut command)?;
        let library = match host.way {
            Way::Loaded | Way::Mapped => Some(host.artefact()),
            Way::Linked => None,
            Way::LinkedAndMapped => {
                let output = directory.join(host.library).with_extension("image");
                static_image::link(host.target().context("no target has that library")?, &host.artefact(), &output)?;
                Some(output)
            }
        };
        Ok(Self { host, path, library })
    }

    /// How it is started on this machine.
    ///
    /// # Errors
    /// If what starts it is not there.
    pub(super) fn command_line(&self) -> Result<Vec<OsString>> {
        let mut words: Vec<OsString> = match self.host.runner {
            Runner::Native => Vec::new(),
            Runner::Emulated { emulator, root } => vec![emulator.into(), "-L".into(), root.into()],
            Runner::Wine => vec![find("wine").context("there is no wine")?.into()],
        };
        words.push(self.path.clone().into());
        words.extend(self.library.clone().map(OsString::from));
        Ok(words)
    }

    /// Environment variables that it is started with.
    ///
    /// # Errors
    /// If a stand-in for Android's C library cannot be made.
    pub(super) fn environment(&self) -> Result<Vec<(&'static str, OsString)>> {
        if self.host.runner == Runner::Wine {
            return Ok(vec![("WINEDEBUG", "-all".into())]);
        }
        if !self.host.library.contains(".android.") {
            return Ok(Vec::new());
        }
        // Android's libraries need the C library by the name that it has there; an empty one does, for the program has
        // the real one.
        let directory = self.path.with_file_name("android");
        std::fs::create_dir_all(&directory)?;
        let mut command = compile(self.host)?;
        command.args(["-shared", "-nostdlib", "-Wl,-soname,libc.so", "-x", "c", "/dev/null", "-o"]);
        process::run(command.arg(directory.join("libc.so")))?;
        Ok(vec![("LD_LIBRARY_PATH", directory.into())])
    }
}

/// What puts the library into the program.
fn add_library(host: &Host, command: &mut Command) {
    match host.way {
        Way::Loaded => {}
        Way::Linked => {
            command.arg("-DPOWERSYNC_STATIC").arg("-I").arg(repository().join("crates/static/include"));
            command.arg(host.artefact());
        }
        Way::Mapped | Way::LinkedAndMapped => {
            let loader = repository().join("tests/hosts/image");
            // A library finds SQLite's functions in the program by their names.
            command.args(["-DPOWERSYNC_IMAGE", "-rdynamic", "-I"]).arg(&loader);
            command.args(LOADER.iter().map(|file| loader.join(file)));
        }
    }
}

/// The compiler.
fn compile(host: &Host) -> Result<Command> {
    let (name, arguments) = host.compiler.split_first().context("a host has a compiler")?;
    let program = find(name).with_context(|| format!("there is no {name}"))?;
    Ok(process::program(&program.display().to_string(), arguments))
}

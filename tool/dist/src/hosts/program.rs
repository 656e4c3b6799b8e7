//! The program on each processor that can be run here: its version, and a sync with its development service.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::hosts::table::{Runner, WINE_COMPILER, find};
use crate::hosts::wine;
use crate::package::distribution;
use tool_support::process;

/// A program and what runs it.
pub(super) struct Host {
    pub(super) name: &'static str,
    program: &'static str,
    runner: Runner,
}

/// It brings its C library, so that emulators need no others.
const fn emulated(name: &'static str, program: &'static str, emulator: &'static str) -> Host {
    Host { name, program, runner: Runner::Emulated { emulator, root: "/" } }
}

pub(super) const HOSTS: &[Host] = &[
    Host { name: "program for Linux, x86-64", program: "rowtide_x64.linux", runner: Runner::Native },
    emulated("program for Linux, aarch64", "rowtide_aarch64.linux", "qemu-aarch64"),
    emulated("program for Linux, armv7", "rowtide_armv7.linux", "qemu-arm"),
    emulated("program for Linux, riscv64", "rowtide_riscv64gc.linux", "qemu-riscv64"),
    Host { name: "program for Windows, x64", program: "rowtide_x64.windows.exe", runner: Runner::Wine },
];

impl Host {
    /// Why it cannot be run here; None if it can.
    pub(super) fn obstacle(&self) -> Option<String> {
        if !self.artefact().is_file() {
            return Some(format!("there is no {}: cargo xtask package program builds it", self.program));
        }
        let starters: &[&str] = match self.runner {
            Runner::Native => &[],
            Runner::Emulated { emulator, .. } => &[emulator],
            Runner::Wine => &["wine", WINE_COMPILER],
        };
        let missing = starters.iter().find(|starter| find(starter).is_none())?;
        Some(format!("not installed: {missing}"))
    }

    fn artefact(&self) -> PathBuf {
        distribution().join(self.program)
    }

    /// Runs it.
    pub(super) fn run(&self) -> Result<()> {
        println!("{}", self.name);
        let printed = process::output(&mut self.command(&["--version"])?)?;
        ensure!(printed.trim() == concat!("rowtide ", env!("CARGO_PKG_VERSION")), "its version is {printed:?}");
        let mut command = self.command(&["dev", "--port", "0", "--json", "--ephemeral", "--stop-with-stdin"])?;
        let mut service = Service::start(&mut command)?;
        sync(&service.line)?;
        let status = service.stop()?;
        ensure!(status.success(), "it ended with {status}");
        Ok(())
    }

    fn command(&self, arguments: &[&str]) -> Result<Command> {
        let program = self.artefact().display().to_string();
        let mut command = match self.runner {
            Runner::Native => process::program(&program, &[]),
            Runner::Emulated { emulator, .. } => process::program(emulator, &[&program]),
            Runner::Wine => wine::command(&program)?,
        };
        command.args(arguments);
        // The copy in `target/dist` is not a program to the system.
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755))?;
        }
        Ok(command)
    }
}

/// The program while it runs.
struct Service {
    child: Child,
    /// What it printed when it was ready.
    line: Value,
}

impl Service {
    fn start(command: &mut Command) -> Result<Self> {
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().context("cannot start it")?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().context("it has no output")?).read_line(&mut line)?;
        let line = serde_json::from_str(&line).with_context(|| format!("it printed {line:?}"));
        if line.is_err() {
            let _ = child.kill();
            let _ = child.wait();
        }
        Ok(Self { child, line: line? })
    }

    /// Ends its input, at which it stops.
    fn stop(&mut self) -> Result<std::process::ExitStatus> {
        drop(self.child.stdin.take());
        Ok(self.child.wait()?)
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Syncs as alice, up to the first complete checkpoint, and looks for her rows.
fn sync(line: &Value) -> Result<()> {
    let address = line["url"].as_str().and_then(|url| url.strip_prefix("http://")).context("it prints no address")?;
    let token = line.pointer("/tokens/alice").and_then(Value::as_str).context("it prints no token for alice")?;
    let body = r#"{"raw_data":true}"#;
    let mut stream = TcpStream::connect(address).with_context(|| format!("cannot connect to {address}"))?;
    write!(
        stream,
        "POST /sync/stream HTTP/1.1\r\nHost: {address}\r\nAuthorization: Token {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )?;
    let mut received = String::new();
    for line in BufReader::new(stream).lines() {
        let line = line?;
        let is_last = line.contains(r#""checkpoint_complete""#);
        received += &line;
        if is_last {
            break;
        }
    }
    ensure!(received.starts_with("HTTP/1.1 200"), "it answered {received:?}");
    for row in ["list-groceries", "list-trip", "todo-1", "todo-5"] {
        ensure!(received.contains(row), "alice did not get {row}");
    }
    ensure!(!received.contains("list-garden"), "alice got a list of bob's");
    Ok(())
}

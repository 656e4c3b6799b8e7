//! The program at a terminal of a given width.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::process::{Child, Command};

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{Winsize, openpty};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::app::program;

/// How long the program may be silent, in seconds. Only a test that fails waits for it.
const PATIENCE: u16 = 60_000;

pub(crate) struct Pty {
    terminal: File,
    child: Child,
    seen: Vec<u8>,
}

impl Pty {
    pub(crate) fn start(columns: u16, arguments: &[&str]) -> Self {
        let mut command = program();
        command.args(arguments);
        Self::of(columns, command)
    }

    pub(crate) fn of(columns: u16, mut command: Command) -> Self {
        let size = Winsize { ws_row: if columns == 0 { 0 } else { 24 }, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 };
        let pty = openpty(&size, None).unwrap();
        let slave = || pty.slave.try_clone().unwrap();
        let child = command.stdin(slave()).stdout(slave()).stderr(slave()).spawn().unwrap();
        // The end is seen when the program has no terminal any more, and neither has this process.
        drop((pty.slave, command));
        Self { terminal: File::from(pty.master), child, seen: Vec::new() }
    }

    /// Types.
    pub(crate) fn send(&mut self, text: &str) {
        self.terminal.write_all(text.as_bytes()).unwrap();
    }

    /// What Ctrl-C does while the editor does not read.
    pub(crate) fn interrupt(&self) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), Signal::SIGINT).unwrap();
    }

    /// Reads until the text comes, and returns what came up to its end since the last call, without colours.
    #[track_caller]
    pub(crate) fn until(&mut self, text: &str) -> String {
        loop {
            let seen = String::from_utf8_lossy(&self.seen).into_owned();
            if let Some(at) = seen.find(text) {
                let end = at + text.len();
                self.seen.drain(..end);
                return plain(&seen[..end]);
            }
            assert!(self.read(), "ended without {text:?}: {seen}");
        }
    }

    /// All that comes until the program ends, and its exit code.
    #[track_caller]
    pub(crate) fn end(mut self) -> (String, Option<i32>) {
        while self.read() {}
        let status = self.child.wait().unwrap();
        let text = String::from_utf8_lossy(&self.seen).replace("\r\n", "\n");
        (text, status.code())
    }

    #[track_caller]
    fn read(&mut self) -> bool {
        let mut fds = [PollFd::new(self.terminal.as_fd(), PollFlags::POLLIN)];
        assert!(
            poll(&mut fds, PollTimeout::from(PATIENCE)).unwrap() > 0,
            "silent after {}",
            plain(&String::from_utf8_lossy(&self.seen))
        );
        let mut buffer = [0; 4096];
        match self.terminal.read(&mut buffer) {
            Ok(0) => false,
            Ok(length) => {
                self.seen.extend_from_slice(&buffer[..length]);
                true
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => true,
            // The other side is closed.
            Err(_) => false,
        }
    }
}

impl Drop for Pty {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Without colours and movements of the cursor, and of lines that were written over only the last state.
pub(crate) fn plain(text: &str) -> String {
    let text = console::strip_ansi_codes(text).replace("\r\n", "\n");
    text.split('\n').map(|line| line.rsplit('\r').next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}

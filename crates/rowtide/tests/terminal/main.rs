//! What a person sees at a terminal, and what a program gets instead: `inspect`, `queue`, `shell` and `replay`.
#![cfg(unix)]
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod app;
mod files;
mod inspect;
mod looks;
mod pty;
mod queue;
mod replay;
mod shell;
mod shell_dump;
mod shell_terminal;

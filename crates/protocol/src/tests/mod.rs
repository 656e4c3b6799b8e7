//! Tests of decoding: what each rule of the sync protocol accepts and refuses, in both encodings.

#![allow(clippy::arithmetic_side_effects, reason = "a panic fails the test")]

mod lines;
mod malformed;
mod properties;
mod recordings;
mod tree;

use super::{Scratch, SyncLine, decode_binary, decode_text};
use crate::ProtocolError;

/// Decodes JSON text and hands the line to `check`.
fn with_text<T>(line: &str, check: impl FnOnce(Result<SyncLine<'_>, ProtocolError>) -> T) -> T {
    let mut scratch = Scratch::new();
    check(decode_text(line, &mut scratch))
}

/// Decodes a BSON document and hands the line to `check`.
fn with_binary<T>(line: &[u8], check: impl FnOnce(Result<SyncLine<'_>, ProtocolError>) -> T) -> T {
    let mut scratch = Scratch::new();
    check(decode_binary(line, &mut scratch))
}

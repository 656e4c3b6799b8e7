//! What the demo recommends to try on the files that it leaves. Each line can be copied into a shell as it is.

use std::fmt::Write;

use super::USER;
use super::files::Files;
use crate::hint::{program, quoted};

/// The commands, with what they are good for.
pub(super) fn text(files: &Files) -> String {
    let program = program();
    let file = |name: &str| quoted(&files.shown(name));
    let (phone, laptop) = (file("phone.db"), file("laptop.db"));
    let folder = quoted(&files.folder().display().to_string());
    let hints = [
        ("what the phone has, and why it would not get data", format!("inspect {phone}")),
        ("SQL on it", format!("shell {phone} 'SELECT * FROM todos LIMIT 5'")),
        ("why a row is there", format!("explain {phone} todos todo-1")),
        ("the service again; leave it running", format!("dev --dir {folder}")),
        ("and in another terminal, the laptop again", {
            format!("sync --url http://127.0.0.1:8080 --dev-user {USER} {laptop}")
        }),
    ];
    let mut out = format!("\nThe files are in {}. Try next:\n", files.folder().display());
    for (purpose, command) in hints {
        // Writing to a String does not fail.
        let _ = write!(out, "\n  # {purpose}\n  {program} {command}\n");
    }
    out
}

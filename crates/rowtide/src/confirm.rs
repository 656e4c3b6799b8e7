//! Asks somebody who sits at a terminal.

use std::io::{self, Write};

/// Whether the answer is yes; none if the input ended without one.
pub(crate) fn ask(question: &str) -> io::Result<Option<bool>> {
    let mut out = io::stderr();
    write!(out, "{question} [y/N] ")?;
    out.flush()?;
    let mut answer = String::new();
    let has_answer = io::stdin().read_line(&mut answer)? > 0;
    Ok(has_answer.then(|| matches!(answer.trim().to_lowercase().as_str(), "y" | "yes")))
}

//! What is wrong with a file, and where.

use std::fmt;

/// A mistake in a file. It holds nothing of the file's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Problem {
    /// From 1.
    pub(crate) line: usize,
    /// From 1, in characters.
    pub(crate) column: usize,
    pub(crate) message: String,
}

impl Problem {
    /// At a byte of the text.
    pub(crate) fn at(text: &str, offset: usize, message: impl Into<String>) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line = before.matches('\n').count().saturating_add(1);
        let start = before.rfind('\n').map_or(0, |newline| newline.saturating_add(1));
        let column = before.get(start..).map_or(0, |line| line.chars().count()).saturating_add(1);
        Self { line, column, message: message.into() }
    }

    /// What the JSON reader says of a part of the text that begins at an offset.
    pub(crate) fn of(text: &str, offset: usize, error: &serde_json::Error) -> Self {
        // The reader counts bytes within lines of the part.
        let part = text.get(offset..).unwrap_or_default();
        let mut start = 0_usize;
        for _ in 1..error.line() {
            let rest = part.get(start..).unwrap_or_default();
            start = rest.find('\n').map_or(start, |newline| start.saturating_add(newline).saturating_add(1));
        }
        let mut within = start.saturating_add(error.column().saturating_sub(1)).min(part.len());
        while !part.is_char_boundary(within) {
            within = within.saturating_sub(1);
        }
        Self::at(text, offset.saturating_add(within), described(error))
    }

    /// Where a part of a text begins.
    pub(crate) fn offset(text: &str, part: &str) -> usize {
        (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize)
    }
}

/// The message alone, since line and column are within a part, and without content of the file.
fn described(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let message = message.rsplit_once(" at line ").map_or(message.as_str(), |(message, _)| message);
    // `invalid type: string "…", expected …` shows a value.
    match message.split_once(": ").zip(message.rsplit_once("expected ")) {
        Some((("invalid type" | "invalid value", _), (_, expected))) => format!("expected {expected}"),
        _ => message.to_owned(),
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {}, column {}: {}", self.line, self.column, self.message)
    }
}

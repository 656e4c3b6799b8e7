//! Names in messages.

use alloc::string::String;
use core::fmt;

use super::writer::write_string;

/// Shows a name in a message: in quotes, with control characters escaped.
pub struct Quoted<'n>(pub &'n str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        write_string(&mut text, self.0).map_err(|_| fmt::Error)?;
        formatter.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_in_messages_are_quoted() {
        assert_eq!(alloc::format!("{}", Quoted("a\"b\0")), r#""a\"b\u0000""#);
    }
}

//! Numbers, amounts and paragraphs for people.

use textwrap::{Options, WordSplitter};
use unicode_width::UnicodeWidthStr;

use super::terminal::Terminal;

/// A number, with separators of thousands where a person reads it.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    if !Terminal::stdout().is_read_by_a_person() {
        return digits;
    }
    let mut separated = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            separated.push(',');
        }
        separated.push(digit);
    }
    separated
}

/// A number of things: `1 bucket`, `2 buckets`, `no buckets`. The plural is made with an s unless it is given after a slash:
/// `entry/entries`.
pub(crate) fn counted(number: u64, what: &str) -> String {
    let (one, many) = match what.split_once('/') {
        Some((one, many)) => (one, many.to_owned()),
        None => (what, format!("{what}s")),
    };
    match number {
        0 => format!("no {many}"),
        1 => format!("1 {one}"),
        number => format!("{} {many}", count(number)),
    }
}

/// A size.
pub(crate) fn bytes(size: u64) -> String {
    const UNITS: [&str; 4] = ["kB", "MB", "GB", "TB"];
    let mut unit = "bytes";
    let mut value = size as f64;
    for next in UNITS {
        if value < 999.5 {
            break;
        }
        (unit, value) = (next, value / 1000.0);
    }
    match unit {
        "bytes" if size == 1 => "1 byte".to_owned(),
        "bytes" => format!("{size} bytes"),
        _ if value < 9.95 => format!("{value:.1} {unit}"),
        _ => format!("{value:.0} {unit}"),
    }
}

/// The text in lines that fit the terminal, all but the first indented. Elsewhere it is one line.
pub(crate) fn paragraph(first: &str, rest: &str, text: &str) -> String {
    match Terminal::stdout().width() {
        Some(width) => {
            let options = Options::new(usize::from(width.min(100)))
                .initial_indent(first)
                .subsequent_indent(rest)
                // Ids and names of buckets stay in one piece.
                .word_splitter(WordSplitter::NoHyphenation);
            textwrap::fill(text, options)
        }
        None => format!("{first}{text}"),
    }
}

/// Data as a paragraph, each line behind so many blanks.
pub(crate) fn wrapped(text: &str, indent: usize) -> String {
    let indent = " ".repeat(indent);
    paragraph(&indent, &indent, &visible(text, false))
}

/// Data as an element of a list, behind a mark.
pub(crate) fn item(mark: &str, text: &str) -> String {
    let first = format!("  {mark} ");
    paragraph(&first, &" ".repeat(first.width()), &visible(text, false))
}

/// The text with control characters as escapes, so that data cannot control the terminal. Ends of lines and tabs are kept
/// if `keeps_lines`.
pub(crate) fn visible(text: &str, keeps_lines: bool) -> String {
    let mut shown = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\n' if keeps_lines => shown.push('\n'),
            '\t' if keeps_lines => shown.push_str("    "),
            '\n' | '\r' | '\t' => shown.extend(char.escape_default()),
            // Those that change the direction of text would show a line in another order than it has.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => shown.extend(char.escape_unicode()),
            char if char.is_control() => shown.extend(char.escape_unicode()),
            char => shown.push(char),
        }
    }
    shown
}

/// A number as SQL writes it: what is no integer is not written as one.
pub(crate) fn real(value: f64) -> String {
    match value {
        f64::INFINITY => "Inf".to_owned(),
        f64::NEG_INFINITY => "-Inf".to_owned(),
        // The shortest text that gives the same number again.
        value if value != 0.0 && !(1e-4..1e15).contains(&value.abs()) => {
            let text = format!("{value:e}");
            match text.split_once('e') {
                Some((digits, exponent)) if !digits.contains('.') => format!("{digits}.0e{exponent}"),
                _ => text,
            }
        }
        value => format!("{value:?}"),
    }
}

/// Bytes as hexadecimal digits.
pub(crate) fn hexadecimal(bytes: &[u8]) -> String {
    use std::fmt::Write;
    let mut digits = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String does not fail.
        let _ = write!(digits, "{byte:02x}");
    }
    digits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn real_numbers_are_not_written_as_integers() {
        let texts = [1.0, -0.5, 0.0, 1e300, 1.5e-7, 123456.789, f64::INFINITY].map(real);
        assert_eq!(texts, ["1.0", "-0.5", "0.0", "1.0e300", "1.5e-7", "123456.789", "Inf"]);
    }

    #[test]
    fn amounts_are_phrases() {
        assert_eq!([0, 1, 2].map(|number| counted(number, "bucket")), ["no buckets", "1 bucket", "2 buckets"]);
        assert_eq!(counted(2, "entry/entries"), "2 entries");
        let sizes = [0, 1, 999, 1000, 9_949, 9_950, 999_499, 999_500, 12_345_678].map(bytes);
        let expected = ["0 bytes", "1 byte", "999 bytes", "1.0 kB", "9.9 kB", "10 kB", "999 kB", "1.0 MB", "12 MB"];
        assert_eq!(sizes, expected);
    }

    #[test]
    fn control_characters_are_shown() {
        assert_eq!(visible("a\x1b[31m\u{202e}\r", true), "a\\u{1b}[31m\\u{202e}\\r");
        assert_eq!(visible("a\tb\nc", true), "a    b\nc");
        assert_eq!(visible("a\tb\nc", false), "a\\tb\\nc");
    }
}

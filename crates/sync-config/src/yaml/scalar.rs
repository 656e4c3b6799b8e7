//! The text of a scalar with the place of each of its characters in the file.
//!
//! YAML strips indentation, folds lines and resolves escapes. The decoded text and the source slice are walked once,
//! side by side: characters that are no white space occur in both in the same order.

use saphyr_parser::ScalarStyle;

use crate::diagnostic::Span;

/// A decoded scalar.
#[derive(Clone, Debug, Default)]
pub struct Text {
    /// The decoded text.
    pub text: String,
    /// Where the scalar is in the file, quotes included.
    pub span: Span,
    /// For each byte of `text`, the range of file offsets that it was made from.
    places: Vec<(u32, u32)>,
}

impl Text {
    /// Finds the place of each character of `text`, which was decoded from `span` of `source`.
    pub(crate) fn new(text: String, style: ScalarStyle, span: Span, source: &str) -> Self {
        let places = Walk::new(span, style, source, &text).places(&text);
        Self { text, span, places }
    }

    /// The range in the file of the bytes `start..end` of the decoded text.
    pub(crate) fn locate(&self, start: usize, end: usize) -> Span {
        let first = self.places.get(start).map(|place| place.0 as usize);
        let last = end.checked_sub(1).and_then(|last| self.places.get(last)).map(|place| place.1 as usize);
        match (first, last) {
            (Some(first), Some(last)) if end > start => Span::new(first, last),
            (Some(first), _) => Span::new(first, first),
            (None, _) => {
                let end = self.places.last().map_or(self.span.end, |place| place.1 as usize);
                Span::new(end, end)
            }
        }
    }
}

struct Walk<'a> {
    source: &'a str,
    at: usize,
    end: usize,
    style: ScalarStyle,
}

impl<'a> Walk<'a> {
    fn new(span: Span, style: ScalarStyle, source: &'a str, text: &str) -> Self {
        let mut walk = Self { source, at: span.start, end: span.end.min(source.len()), style };
        // A tag or an anchor before the text.
        while let Some(mark @ ('!' | '&')) = walk.peek()
            && !text.starts_with(mark)
        {
            let rest = walk.source.get(walk.at..walk.end).unwrap_or_default();
            let word = rest.find(char::is_whitespace).unwrap_or(rest.len());
            let space = rest.get(word..).and_then(|rest| rest.find(|c: char| !c.is_whitespace())).unwrap_or(0);
            walk.at += word + space;
        }
        match style {
            ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                if matches!(walk.peek(), Some('\'' | '"')) {
                    walk.at += 1;
                }
            }
            ScalarStyle::Literal | ScalarStyle::Folded => {
                // The header, where the span begins with it.
                if matches!(walk.peek(), Some('|' | '>'))
                    && let Some(line) = walk.source.get(walk.at..walk.end).and_then(|rest| rest.find('\n'))
                {
                    walk.at += line + 1;
                }
            }
            ScalarStyle::Plain => {}
        }
        walk
    }

    fn peek(&self) -> Option<char> {
        self.source.get(self.at..self.end)?.chars().next()
    }

    fn places(mut self, text: &str) -> Vec<(u32, u32)> {
        let mut places = Vec::with_capacity(text.len());
        for wanted in text.chars() {
            let (start, end) = self.find(wanted);
            places.extend(std::iter::repeat_n((start as u32, end as u32), wanted.len_utf8()));
        }
        places
    }

    /// The range of the source that `wanted` comes from; the walk goes on after it.
    fn find(&mut self, wanted: char) -> (usize, usize) {
        loop {
            let Some(found) = self.peek() else { return (self.at, self.at) };
            if found == '\\' && self.style == ScalarStyle::DoubleQuoted {
                let (decoded, length) = self.escape();
                match decoded {
                    Some(decoded) if decoded == wanted => return self.take(length),
                    Some(_) => return (self.at, self.at),
                    None => {
                        self.at += length;
                        continue;
                    }
                }
            }
            if found == '\'' && self.style == ScalarStyle::SingleQuoted {
                return self.take(2);
            }
            if found == wanted || (wanted.is_whitespace() && found.is_whitespace()) {
                return self.take(found.len_utf8());
            }
            if !found.is_whitespace() {
                return (self.at, self.at);
            }
            self.at += found.len_utf8();
        }
    }

    fn take(&mut self, length: usize) -> (usize, usize) {
        let start = self.at;
        self.at = (start + length).min(self.end);
        (start, self.at)
    }

    /// The character of the escape sequence here and its length; no character for a continued line.
    fn escape(&self) -> (Option<char>, usize) {
        let rest = self.source.get(self.at + 1..self.end).unwrap_or_default();
        let Some(kind) = rest.chars().next() else { return (None, 1) };
        let hex = |digits: usize| {
            let code = rest.get(1..1 + digits).and_then(|text| u32::from_str_radix(text, 16).ok());
            (code.and_then(char::from_u32), 2 + digits)
        };
        match kind {
            '\n' => (None, 2),
            '\r' => (None, 2),
            '0' => (Some('\0'), 2),
            'a' => (Some('\u{7}'), 2),
            'b' => (Some('\u{8}'), 2),
            't' => (Some('\t'), 2),
            'n' => (Some('\n'), 2),
            'v' => (Some('\u{b}'), 2),
            'f' => (Some('\u{c}'), 2),
            'r' => (Some('\r'), 2),
            'e' => (Some('\u{1b}'), 2),
            'N' => (Some('\u{85}'), 2),
            '_' => (Some('\u{a0}'), 2),
            'L' => (Some('\u{2028}'), 2),
            'P' => (Some('\u{2029}'), 2),
            'x' => hex(2),
            'u' => hex(4),
            'U' => hex(8),
            other => (Some(other), 1 + other.len_utf8()),
        }
    }
}

//! JSON texts as values: parse, walk a path, give SQLite values back. Numbers and strings keep their source text.

use std::borrow::Cow;

use super::Value;

/// As deep as SQLite goes.
const MAX_DEPTH: usize = 1000;

/// A parsed JSON text.
#[derive(Clone, Debug)]
pub(crate) enum Json<'a> {
    /// `null`
    Null,
    /// `true` or `false`
    Bool(bool),
    /// The digits as written.
    Number(&'a str),
    /// The text between the quotes as written.
    String(&'a str),
    /// `[…]`
    Array(Vec<Json<'a>>),
    /// `{…}`; keys as written between the quotes, in the order of the text, duplicates included.
    Object(Vec<(&'a str, Json<'a>)>),
}

/// Parses a JSON text (RFC 8259). None if it is not one.
pub(crate) fn parse(text: &str) -> Option<Json<'_>> {
    let mut parser = Parser { text, at: 0 };
    let json = parser.value(0)?;
    parser.space();
    (parser.at == text.len()).then_some(json)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> u8 {
        self.text.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    fn space(&mut self) {
        while matches!(self.peek(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
    }

    fn word(&mut self, word: &str, json: Json<'a>) -> Option<Json<'a>> {
        self.text.get(self.at..)?.starts_with(word).then(|| {
            self.at += word.len();
            json
        })
    }

    fn value(&mut self, depth: usize) -> Option<Json<'a>> {
        if depth > MAX_DEPTH {
            return None;
        }
        self.space();
        match self.peek() {
            b'n' => self.word("null", Json::Null),
            b't' => self.word("true", Json::Bool(true)),
            b'f' => self.word("false", Json::Bool(false)),
            b'"' => self.string().map(Json::String),
            b'[' => self.array(depth),
            b'{' => self.object(depth),
            _ => self.number(),
        }
    }

    fn string(&mut self) -> Option<&'a str> {
        self.at += 1;
        let start = self.at;
        loop {
            match self.peek() {
                b'"' => {
                    let text = self.text.get(start..self.at)?;
                    self.at += 1;
                    return Some(text);
                }
                b'\\' => {
                    self.at += 1;
                    match self.peek() {
                        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => self.at += 1,
                        b'u' => {
                            let digits = self.text.get(self.at + 1..self.at + 5)?;
                            if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
                                return None;
                            }
                            self.at += 5;
                        }
                        _ => return None,
                    }
                }
                0..=0x1f => return None,
                _ => self.at += 1,
            }
        }
    }

    fn number(&mut self) -> Option<Json<'a>> {
        let start = self.at;
        self.at += usize::from(self.peek() == b'-');
        let whole = self.at;
        self.digits()?;
        if self.text.as_bytes().get(whole) == Some(&b'0') && self.at > whole + 1 {
            return None;
        }
        if self.peek() == b'.' {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.peek(), b'e' | b'E') {
            self.at += 1;
            self.at += usize::from(matches!(self.peek(), b'+' | b'-'));
            self.digits()?;
        }
        self.text.get(start..self.at).map(Json::Number)
    }

    fn digits(&mut self) -> Option<()> {
        let start = self.at;
        while self.peek().is_ascii_digit() {
            self.at += 1;
        }
        (self.at > start).then_some(())
    }

    fn array(&mut self, depth: usize) -> Option<Json<'a>> {
        self.at += 1;
        let mut items = Vec::new();
        self.space();
        if self.peek() == b']' {
            self.at += 1;
            return Some(Json::Array(items));
        }
        loop {
            items.push(self.value(depth + 1)?);
            self.space();
            match self.peek() {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Some(Json::Array(items));
                }
                _ => return None,
            }
        }
    }

    fn object(&mut self, depth: usize) -> Option<Json<'a>> {
        self.at += 1;
        let mut members = Vec::new();
        self.space();
        if self.peek() == b'}' {
            self.at += 1;
            return Some(Json::Object(members));
        }
        loop {
            self.space();
            if self.peek() != b'"' {
                return None;
            }
            let key = self.string()?;
            self.space();
            if self.peek() != b':' {
                return None;
            }
            self.at += 1;
            members.push((key, self.value(depth + 1)?));
            self.space();
            match self.peek() {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(Json::Object(members));
                }
                _ => return None,
            }
        }
    }
}

/// Resolves the escapes of a string of JSON. A lone half of a surrogate pair becomes U+FFFD.
pub(crate) fn unescape(raw: &str) -> Cow<'_, str> {
    if !raw.contains('\\') {
        return Cow::Borrowed(raw);
    }
    let mut out = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(at) = rest.find('\\') {
        out.push_str(rest.get(..at).unwrap_or_default());
        let escape = rest.get(at + 1..).unwrap_or_default();
        let mut length = 1;
        match escape.bytes().next() {
            Some(b'b') => out.push('\u{8}'),
            Some(b'f') => out.push('\u{c}'),
            Some(b'n') => out.push('\n'),
            Some(b'r') => out.push('\r'),
            Some(b't') => out.push('\t'),
            Some(b'u') => {
                let unit = |from: usize| u32::from_str_radix(escape.get(from..from + 4)?, 16).ok();
                let first = unit(1).unwrap_or(0xfffd);
                length = 5;
                let second = escape.get(5..7).filter(|next| *next == "\\u").and_then(|_| unit(7));
                let code = match (first, second) {
                    (0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) => {
                        length = 11;
                        0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00)
                    }
                    _ => first,
                };
                out.push(char::from_u32(code).unwrap_or('\u{fffd}'));
            }
            Some(other) => out.push(char::from(other)),
            None => {}
        }
        rest = escape.get(length..).unwrap_or_default();
    }
    out.push_str(rest);
    Cow::Owned(out)
}

/// A step of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A member of an object.
    Key(String),
    /// An element, from 0.
    Index(usize),
    /// An element counted from the end: 1 is the last.
    FromEnd(usize),
}

/// Reads a path that begins with `$`, for instance `$.a[0]."b c"`. None if it is not one.
pub(crate) fn parse_path(path: &str) -> Option<Vec<Step>> {
    let mut rest = path.strip_prefix('$')?;
    let mut steps = Vec::new();
    while !rest.is_empty() {
        if let Some(key) = rest.strip_prefix('.') {
            if let Some(quoted) = key.strip_prefix('"') {
                let end = quoted.find('"')?;
                steps.push(Step::Key(unescape(quoted.get(..end)?).into_owned()));
                rest = quoted.get(end + 1..)?;
            } else {
                let end = key.find(['.', '[']).unwrap_or(key.len());
                if end == 0 {
                    return None;
                }
                steps.push(Step::Key(key.get(..end)?.to_owned()));
                rest = key.get(end..)?;
            }
        } else if let Some(index) = rest.strip_prefix('[') {
            let end = index.find(']')?;
            let digits = index.get(..end)?;
            let number = |text: &str| text.bytes().all(|c| c.is_ascii_digit()).then(|| text.parse().ok()).flatten();
            steps.push(match digits.strip_prefix('#') {
                Some("") => Step::FromEnd(0),
                Some(back) => Step::FromEnd(number(back.strip_prefix('-')?)?),
                None => Step::Index(number(digits)?),
            });
            rest = index.get(end + 1..)?;
        } else {
            return None;
        }
    }
    Some(steps)
}

impl<'a> Json<'a> {
    /// What a path leads to.
    pub(crate) fn find(&self, steps: &[Step]) -> Option<&Json<'a>> {
        steps.iter().try_fold(self, |json, step| match (json, step) {
            (Json::Object(members), Step::Key(key)) => {
                members.iter().find(|(name, _)| unescape(name) == *key).map(|(_, value)| value)
            }
            (Json::Array(items), Step::Index(index)) => items.get(*index),
            (Json::Array(items), Step::FromEnd(back)) => items.len().checked_sub(*back).and_then(|at| items.get(at)),
            _ => None,
        })
    }

    /// The value of SQL: scalars as such, `true` and `false` as 1 and 0, the others as their JSON text.
    pub(crate) fn to_value(&self) -> Value {
        match self {
            Json::Null => Value::Null,
            Json::Bool(value) => Value::boolean(*value),
            Json::Number(digits) => number(digits),
            Json::String(raw) => Value::Text(unescape(raw).into_owned()),
            Json::Array(_) | Json::Object(_) => Value::Text(self.text()),
        }
    }

    /// The JSON text, without white space.
    pub(crate) fn text(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Json::Null => out.push_str("null"),
            Json::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
            Json::Number(digits) => out.push_str(digits),
            Json::String(raw) => write_raw(raw, out),
            Json::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    out.push(if index == 0 { '[' } else { ',' });
                    item.write(out);
                }
                out.push_str(if items.is_empty() { "[]" } else { "]" });
            }
            Json::Object(members) => {
                for (index, (key, value)) in members.iter().enumerate() {
                    out.push(if index == 0 { '{' } else { ',' });
                    write_raw(key, out);
                    out.push(':');
                    value.write(out);
                }
                out.push_str(if members.is_empty() { "{}" } else { "}" });
            }
        }
    }

    /// What `json_type` calls it.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Json::Null => "null",
            Json::Bool(true) => "true",
            Json::Bool(false) => "false",
            Json::Number(digits) if digits.contains(['.', 'e', 'E']) => "real",
            Json::Number(_) => "integer",
            Json::String(_) => "text",
            Json::Array(_) => "array",
            Json::Object(_) => "object",
        }
    }
}

fn write_raw(raw: &str, out: &mut String) {
    out.push('"');
    out.push_str(raw);
    out.push('"');
}

fn number(digits: &str) -> Value {
    if !digits.contains(['.', 'e', 'E'])
        && let Ok(integer) = digits.parse()
    {
        return Value::Integer(integer);
    }
    Value::real(digits.parse().unwrap_or(0.0))
}

//! Values that tests encode as JSON and as BSON.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

/// A value of a line.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Tree {
    Null,
    Bool(bool),
    Integer(i64),
    Real(f64),
    Text(String),
    Array(Vec<Tree>),
    Object(Vec<(String, Tree)>),
}

impl Tree {
    pub(super) fn text(text: &str) -> Self {
        Self::Text(text.to_string())
    }

    pub(super) fn object<const LENGTH: usize>(members: [(&str, Tree); LENGTH]) -> Self {
        Self::Object(members.into_iter().map(|(name, value)| (name.to_string(), value)).collect())
    }
}

/// How JSON text is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Style {
    /// Escape every character that is not ASCII, as UTF-16 units.
    pub ascii: bool,
    /// Escape every character.
    pub escape_all: bool,
    /// Put white space wherever it may be.
    pub spaces: bool,
}

impl Style {
    pub(super) const PLAIN: Self = Self { ascii: false, escape_all: false, spaces: false };
}

/// The JSON text of `tree`.
pub(super) fn to_json(tree: &Tree, style: Style) -> String {
    let space = if style.spaces { " \t\r\n" } else { "" };
    let text = match tree {
        Tree::Null => "null".to_string(),
        Tree::Bool(value) => value.to_string(),
        Tree::Integer(value) => value.to_string(),
        Tree::Real(value) => format!("{value:?}"),
        Tree::Text(text) => json_string(text, style),
        Tree::Array(elements) => {
            let elements: Vec<_> = elements.iter().map(|element| to_json(element, style)).collect();
            format!("[{space}{}]", elements.join(","))
        }
        Tree::Object(members) => {
            let member = |(name, value): &(String, Tree)| {
                format!("{space}{}{space}:{}", json_string(name, style), to_json(value, style))
            };
            let members: Vec<_> = members.iter().map(member).collect();
            format!("{{{}{space}}}", members.join(","))
        }
    };
    format!("{space}{text}{space}")
}

fn json_string(text: &str, style: Style) -> String {
    let mut json = String::from("\"");
    for character in text.chars() {
        if style.escape_all || (style.ascii && !character.is_ascii()) {
            for unit in character.encode_utf16(&mut [0; 2]) {
                json += &format!("\\u{unit:04x}");
            }
        } else {
            match character {
                '"' => json += "\\\"",
                '\\' => json += "\\\\",
                '\n' => json += "\\n",
                _ => json.push(character),
            }
        }
    }
    json + "\""
}

/// The BSON document of `tree`, which is an object.
pub(super) fn to_bson(tree: &Tree) -> Vec<u8> {
    element(tree).1
}

/// The type and the bytes of a value.
pub(super) fn element(tree: &Tree) -> (u8, Vec<u8>) {
    match tree {
        Tree::Null => (0x0a, vec![]),
        Tree::Bool(value) => (0x08, vec![u8::from(*value)]),
        Tree::Integer(value) => match i32::try_from(*value) {
            Ok(small) => (0x10, small.to_le_bytes().to_vec()),
            Err(_) => (0x12, value.to_le_bytes().to_vec()),
        },
        Tree::Real(value) => (0x01, value.to_le_bytes().to_vec()),
        Tree::Text(text) => (0x02, string(text)),
        Tree::Array(elements) => {
            let named = elements.iter().enumerate().map(|(index, value)| (index.to_string(), element(value)));
            (0x04, document(named))
        }
        Tree::Object(members) => (0x03, document(members.iter().map(|(name, value)| (name.clone(), element(value))))),
    }
}

/// The bytes of a string value.
pub(super) fn string(text: &str) -> Vec<u8> {
    let length = i32::try_from(text.len() + 1).unwrap();
    [length.to_le_bytes().as_slice(), text.as_bytes(), &[0]].concat()
}

/// A document of values that are encoded already.
pub(super) fn document(members: impl IntoIterator<Item = (String, (u8, Vec<u8>))>) -> Vec<u8> {
    let mut body = vec![];
    for (name, (element, value)) in members {
        body.push(element);
        body.extend_from_slice(name.as_bytes());
        body.push(0);
        body.extend(value);
    }
    let length = i32::try_from(body.len() + 5).unwrap();
    [length.to_le_bytes().as_slice(), &body, &[0]].concat()
}

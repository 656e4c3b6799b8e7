//! YAML 1.2 with the core schema, as a tree whose nodes know their place in the file.

mod load;
mod scalar;

pub use load::load;
pub use scalar::Text;

use crate::diagnostic::Span;

/// A node of the document.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is.
    pub value: Yaml,
    /// Where it is.
    pub span: Span,
}

/// The kinds of nodes. Scalars are resolved by the core schema: only a plain scalar can be other than a string.
#[derive(Clone, Debug)]
pub enum Yaml {
    /// Empty, `~`, or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// An integer, also in octal or hexadecimal.
    Integer(i64),
    /// Another number; no key takes one.
    Float,
    /// Everything else.
    String(Text),
    /// A list.
    Sequence(Vec<Node>),
    /// Entries in the order of the file; keys are distinct.
    Mapping(Vec<(Text, Node)>),
}

impl Node {
    /// What the node is, for messages.
    pub fn kind(&self) -> &'static str {
        match self.value {
            Yaml::Null => "nothing",
            Yaml::Bool(_) => "a boolean",
            Yaml::Integer(_) => "an integer",
            Yaml::Float => "a number",
            Yaml::String(_) => "a text",
            Yaml::Sequence(_) => "a list",
            Yaml::Mapping(_) => "a mapping",
        }
    }
}

//! Builds the tree from the parser's events: one document, distinct keys, core schema.

use std::collections::HashMap;

use saphyr_parser::{Event, Parser, ScalarStyle, Span as YamlSpan, Tag};

use super::{Node, Text, Yaml};
use crate::diagnostic::{Code, Diagnostic, Span};

/// More nodes than any real file has; copies through aliases count too.
const MAX_NODES: usize = 200_000;
const MAX_DEPTH: usize = 100;

/// Parses one YAML document.
///
/// # Errors
/// All findings: a syntax error ends the parse, several duplicate keys are all reported.
pub fn load(source: &str) -> Result<Node, Vec<Diagnostic>> {
    let mut loader = Loader {
        source,
        offsets: byte_offsets(source),
        parser: Parser::new_from_str(source),
        anchors: HashMap::new(),
        nodes: 0,
        findings: Vec::new(),
    };
    match loader.document() {
        Ok(node) if loader.findings.is_empty() => Ok(node),
        Ok(_) => Err(loader.findings),
        Err(fatal) => {
            loader.findings.push(fatal);
            Err(loader.findings)
        }
    }
}

/// Byte offset of each character: the parser counts characters. Empty when all are ASCII.
fn byte_offsets(source: &str) -> Vec<usize> {
    if source.is_ascii() {
        return Vec::new();
    }
    source.char_indices().map(|(at, _)| at).chain([source.len()]).collect()
}

struct Loader<'a> {
    source: &'a str,
    offsets: Vec<usize>,
    parser: Parser<'a, saphyr_parser::StrInput<'a>>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    findings: Vec<Diagnostic>,
}

impl<'a> Loader<'a> {
    fn offset(&self, index: usize) -> usize {
        if self.offsets.is_empty() {
            index.min(self.source.len())
        } else {
            self.offsets.get(index).copied().unwrap_or(self.source.len())
        }
    }

    fn span(&self, span: YamlSpan) -> Span {
        Span::new(self.offset(span.start.index()), self.offset(span.end.index()))
    }

    fn next(&mut self) -> Result<(Event<'a>, Span), Diagnostic> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, self.span(span))),
            Some(Err(error)) => {
                let at = self.offset(error.marker().index());
                Err(Diagnostic::new(Code::YamlSyntax, Span::new(at, at), format!("This is not YAML: {}", error.info())))
            }
            None => Ok((Event::StreamEnd, Span::new(self.source.len(), self.source.len()))),
        }
    }

    fn document(&mut self) -> Result<Node, Diagnostic> {
        let mut root = None;
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => break,
                Event::StreamStart | Event::Nothing | Event::DocumentEnd => {}
                Event::DocumentStart(_) => {
                    if root.is_some() {
                        return Err(Diagnostic::new(Code::YamlSyntax, span, "The file holds more than one document"));
                    }
                }
                other => root = Some(self.node(other, span, 0)?),
            }
        }
        Ok(root.unwrap_or(Node { value: Yaml::Null, span: Span::default() }))
    }

    fn count(&mut self, nodes: usize, span: Span) -> Result<(), Diagnostic> {
        self.nodes = self.nodes.saturating_add(nodes);
        if self.nodes > MAX_NODES {
            return Err(Diagnostic::new(Code::TooLarge, span, "The document is too large"));
        }
        Ok(())
    }

    fn node(&mut self, event: Event<'a>, span: Span, depth: usize) -> Result<Node, Diagnostic> {
        if depth > MAX_DEPTH {
            return Err(Diagnostic::new(Code::TooLarge, span, "The document is nested too deeply"));
        }
        self.count(1, span)?;
        let before = self.nodes;
        let (node, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                let text = Text::new(text.into_owned(), style, span, self.source);
                let value = self.resolve(text, style, tag.as_deref(), span);
                (Node { value, span }, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), &["seq"], span);
                let mut items = Vec::new();
                let mut end = span;
                loop {
                    let (event, at) = self.next()?;
                    if matches!(event, Event::SequenceEnd) {
                        end = end.to(at);
                        break;
                    }
                    let item = self.node(event, at, depth + 1)?;
                    end = end.to(item.span);
                    items.push(item);
                }
                (Node { value: Yaml::Sequence(items), span: end }, anchor)
            }
            Event::MappingStart(anchor, tag) => {
                self.check_tag(tag.as_deref(), &["map"], span);
                (self.mapping(span, depth)?, anchor)
            }
            Event::Alias(anchor) => {
                let (node, size) = self.anchors.get(&anchor).cloned().ok_or_else(|| {
                    Diagnostic::new(Code::YamlSyntax, span, "This alias refers to the value that it is part of")
                })?;
                self.count(size, span)?;
                return Ok(node);
            }
            _ => return Err(Diagnostic::new(Code::YamlSyntax, span, "A value was expected here")),
        };
        if anchor > 0 {
            self.anchors.insert(anchor, (node.clone(), self.nodes - before));
        }
        Ok(node)
    }

    fn mapping(&mut self, span: Span, depth: usize) -> Result<Node, Diagnostic> {
        let mut entries: Vec<(Text, Node)> = Vec::new();
        let mut names = std::collections::HashSet::new();
        let mut end = span;
        loop {
            let (event, at) = self.next()?;
            let key = match event {
                Event::MappingEnd => {
                    break;
                }
                Event::Scalar(text, style, _, _) => Text::new(text.into_owned(), style, at, self.source),
                _ => return Err(Diagnostic::new(Code::WrongType, at, "Keys must be texts")),
            };
            let (event, at) = self.next()?;
            let value = self.node(event, at, depth + 1)?;
            end = end.to(value.span);
            if names.insert(key.text.clone()) {
                entries.push((key, value));
            } else {
                let message = format!("The key '{}' occurs twice", key.text);
                self.findings.push(Diagnostic::new(Code::DuplicateKey, key.span, message));
            }
        }
        Ok(Node { value: Yaml::Mapping(entries), span: end })
    }

    fn check_tag(&mut self, tag: Option<&Tag>, permitted: &[&str], span: Span) {
        if let Some(tag) = tag
            && !(tag.is_yaml_core_schema() && permitted.contains(&tag.suffix.as_str()))
        {
            let message = format!("The tag '{}{}' is not supported", tag.handle, tag.suffix);
            self.findings.push(Diagnostic::new(Code::YamlFeature, span, message));
        }
    }

    fn resolve(&mut self, text: Text, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Yaml {
        self.check_tag(tag, &["str"], span);
        if style != ScalarStyle::Plain || tag.is_some() {
            return Yaml::String(text);
        }
        match text.text.as_str() {
            "" | "~" | "null" | "Null" | "NULL" => Yaml::Null,
            "true" | "True" | "TRUE" => Yaml::Bool(true),
            "false" | "False" | "FALSE" => Yaml::Bool(false),
            number => match (integer(number), float(number)) {
                (Some(value), _) => Yaml::Integer(value),
                (None, true) => Yaml::Float,
                (None, false) => Yaml::String(text),
            },
        }
    }
}

fn integer(text: &str) -> Option<i64> {
    if let Some(octal) = text.strip_prefix("0o") {
        return i64::from_str_radix(octal, 8).ok().filter(|_| !octal.starts_with(['+', '-']));
    }
    if let Some(hex) = text.strip_prefix("0x") {
        return i64::from_str_radix(hex, 16).ok().filter(|_| !hex.starts_with(['+', '-']));
    }
    text.parse().ok()
}

fn float(text: &str) -> bool {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF" | ".nan" | ".NaN" | ".NAN") {
        return true;
    }
    unsigned.starts_with(|c: char| c.is_ascii_digit() || c == '.')
        && unsigned.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-'))
        && text.parse::<f64>().is_ok()
}

//! The shape of a configuration: which keys there are, of which types, before any SQL is looked at.

use crate::diagnostic::{Code, Diagnostic, Span};
use crate::plan::{Precision, Settings};
use crate::yaml::{Node, Text, Yaml};

/// A name with its place.
#[derive(Clone, Debug)]
pub(crate) struct Named<T> {
    /// The key.
    pub name: String,
    /// Where the key is.
    pub span: Span,
    /// What it names.
    pub value: T,
}

/// The configuration as written.
#[derive(Clone, Debug, Default)]
pub(crate) struct Document {
    /// 1, 2 or 3.
    pub edition: u8,
    /// What influences evaluation.
    pub settings: Settings,
    /// Global common table expressions.
    pub(crate) with: Vec<Named<Text>>,
    /// Streams in the order of the file.
    pub streams: Vec<Named<StreamText>>,
    /// Legacy definitions in the order of the file.
    pub bucket_definitions: Vec<Named<LegacyText>>,
}

/// A stream as written.
#[derive(Clone, Debug, Default)]
pub(crate) struct StreamText {
    pub(crate) queries: Vec<Text>,
    pub(crate) with: Vec<Named<Text>>,
    pub(crate) auto_subscribe: bool,
    pub(crate) priority: Option<u8>,
    pub(crate) accept_dangerous: bool,
}

/// A legacy bucket definition as written.
#[derive(Clone, Debug, Default)]
pub(crate) struct LegacyText {
    pub(crate) parameters: Vec<Text>,
    pub(crate) data: Vec<Text>,
    pub(crate) priority: Option<(u8, Span)>,
    pub(crate) accept_dangerous: bool,
}

/// Reads the tree; findings go to `findings`.
pub(crate) fn read(root: &Node, findings: &mut Vec<Diagnostic>) -> Document {
    Reader { findings }.document(root)
}

struct Reader<'a> {
    findings: &'a mut Vec<Diagnostic>,
}

impl Reader<'_> {
    fn report(&mut self, code: Code, span: Span, message: impl Into<String>) {
        self.findings.push(Diagnostic::new(code, span, message));
    }

    fn wrong_type(&mut self, what: &str, expected: &str, node: &Node) {
        self.report(Code::WrongType, node.span, format!("{what} must be {expected}, not {}", node.kind()));
    }

    fn mapping<'n>(&mut self, what: &str, node: &'n Node) -> &'n [(Text, Node)] {
        match &node.value {
            Yaml::Mapping(entries) => entries,
            _ => {
                self.wrong_type(what, "a mapping", node);
                &[]
            }
        }
    }

    fn unknown(&mut self, what: &str, key: &Text, known: &[&str]) {
        let close = known.iter().find(|known| similar(known, &key.text));
        let message = format!("Unknown key '{}' in {what}", key.text);
        let mut finding = Diagnostic::new(Code::UnknownKey, key.span, message);
        if let Some(close) = close {
            finding = finding.with_fix(key.span, *close);
        }
        self.findings.push(finding);
    }

    fn document(&mut self, root: &Node) -> Document {
        let mut document = Document { edition: 1, ..Document::default() };
        let entries = self.mapping("A sync configuration", root);
        if let Some((_, config)) = entries.iter().find(|(key, _)| key.text == "config") {
            self.config(config, &mut document);
        } else {
            document.settings = Settings::of_edition(1);
        }
        let edition = document.edition;
        for (key, node) in entries {
            match key.text.as_str() {
                "config" => {}
                "streams" if edition == 1 => self.report(
                    Code::BadEdition,
                    key.span,
                    "Sync streams require edition 2 or later. Add `config: {edition: 3}`",
                ),
                "streams" => {
                    for (name, node) in self.mapping("`streams`", node) {
                        let value = self.stream(node, &name.text);
                        document.streams.push(Named { name: name.text.clone(), span: name.span, value });
                    }
                }
                "with" if edition < 3 => {
                    self.report(Code::BadEdition, key.span, "`with` requires edition 3");
                }
                "with" => document.with = self.queries_by_name("`with`", node),
                "bucket_definitions" if edition == 3 => self.report(
                    Code::BadEdition,
                    key.span,
                    "`bucket_definitions` are not supported in edition 3. Write them as streams",
                ),
                "bucket_definitions" => {
                    for (name, node) in self.mapping("`bucket_definitions`", node) {
                        let value = self.legacy(node, &name.text);
                        document.bucket_definitions.push(Named { name: name.text.clone(), span: name.span, value });
                    }
                }
                "event_definitions" => {
                    self.report(Code::NotSupported, key.span, "`event_definitions` is not supported");
                }
                _ => self.unknown("the configuration", key, &["config", "streams", "with", "bucket_definitions"]),
            }
        }
        if edition == 3 && !entries.iter().any(|(key, _)| key.text == "streams") {
            self.report(Code::MissingKey, Span::new(root.span.start, root.span.start), "`streams` is required");
        }
        self.distinct_names(&document);
        document
    }

    fn distinct_names(&mut self, document: &Document) {
        for definition in &document.bucket_definitions {
            if document.streams.iter().any(|stream| stream.name == definition.name) {
                let message = format!("There is a stream and a bucket definition '{}'", definition.name);
                self.report(Code::DuplicateName, definition.span, message);
            }
        }
    }

    fn config(&mut self, node: &Node, document: &mut Document) {
        const KNOWN: &[&str] = &[
            "edition",
            "timestamps_iso8601",
            "versioned_bucket_ids",
            "fixed_json_extract",
            "custom_postgres_types",
            "unstable_sqlite_expression_engine",
            "timestamp_max_precision",
            "storage_version",
        ];
        let entries = self.mapping("`config`", node);
        if let Some((_, edition)) = entries.iter().find(|(key, _)| key.text == "edition") {
            match edition.value {
                Yaml::Integer(edition @ 1..=3) => document.edition = edition as u8,
                _ => self.report(Code::BadEdition, edition.span, "`edition` must be 1, 2 or 3"),
            }
            if document.edition == 2 {
                self.report(Code::DeprecatedEdition, edition.span, "Edition 2 is deprecated");
            }
        }
        let mut settings = Settings::of_edition(document.edition);
        for (key, node) in entries {
            match key.text.as_str() {
                "edition" => {}
                "timestamps_iso8601" => settings.timestamps_iso8601 = self.boolean(key, node),
                "versioned_bucket_ids" => settings.versioned_bucket_ids = self.boolean(key, node),
                "fixed_json_extract" => settings.fixed_json_extract = self.boolean(key, node),
                "custom_postgres_types" => settings.custom_postgres_types = self.boolean(key, node),
                "unstable_sqlite_expression_engine" => {
                    self.boolean(key, node);
                    self.report(Code::Ignored, key.span, "SQL always has SQLite's semantics here");
                }
                "storage_version" => {
                    self.report(Code::Ignored, key.span, "`storage_version` has no meaning for this service");
                }
                "timestamp_max_precision" => settings.timestamp_max_precision = self.precision(node),
                _ => self.unknown("`config`", key, KNOWN),
            }
        }
        if settings.timestamp_max_precision.is_some() && !settings.timestamps_iso8601 {
            let message = "`timestamp_max_precision` requires `timestamps_iso8601`";
            self.report(Code::ConflictingKeys, node.span, message);
        }
        document.settings = settings;
    }

    fn precision(&mut self, node: &Node) -> Option<Precision> {
        let text = match &node.value {
            Yaml::String(text) => text.text.as_str(),
            _ => "",
        };
        let precision = Precision::from_name(text);
        if precision.is_none() {
            let message = "`timestamp_max_precision` must be seconds, milliseconds, microseconds or nanoseconds";
            self.report(Code::BadValue, node.span, message);
        }
        precision
    }

    fn boolean(&mut self, key: &Text, node: &Node) -> bool {
        match node.value {
            Yaml::Bool(value) => value,
            _ => {
                self.wrong_type(&format!("`{}`", key.text), "true or false", node);
                false
            }
        }
    }

    fn priority(&mut self, node: &Node) -> Option<u8> {
        match node.value {
            Yaml::Integer(priority @ 0..=3) => Some(priority as u8),
            _ => {
                self.report(Code::BadValue, node.span, "`priority` must be 0, 1, 2 or 3");
                None
            }
        }
    }

    fn text(&mut self, what: &str, node: &Node) -> Option<Text> {
        match &node.value {
            Yaml::String(text) => Some(text.clone()),
            _ => {
                self.wrong_type(what, "a text", node);
                None
            }
        }
    }

    fn texts(&mut self, what: &str, node: &Node) -> Vec<Text> {
        match &node.value {
            Yaml::Sequence(items) => items.iter().filter_map(|item| self.text(what, item)).collect(),
            _ => {
                self.wrong_type(what, "a list of texts", node);
                Vec::new()
            }
        }
    }

    fn queries_by_name(&mut self, what: &str, node: &Node) -> Vec<Named<Text>> {
        let mut queries = Vec::new();
        for (name, node) in self.mapping(what, node) {
            if let Some(value) = self.text("A common table expression", node) {
                queries.push(Named { name: name.text.clone(), span: name.span, value });
            }
        }
        queries
    }

    fn stream(&mut self, node: &Node, name: &str) -> StreamText {
        const KNOWN: &[&str] =
            &["query", "queries", "with", "auto_subscribe", "priority", "accept_potentially_dangerous_queries"];
        let what = format!("the stream '{name}'");
        let mut stream = StreamText::default();
        let mut given: Option<&Text> = None;
        for (key, node) in self.mapping(&format!("The stream '{name}'"), node) {
            match key.text.as_str() {
                "query" | "queries" => {
                    if given.is_some() {
                        self.report(Code::ConflictingKeys, key.span, "Give either `query` or `queries`, not both");
                    }
                    given = Some(key);
                    if key.text == "query" {
                        stream.queries.extend(self.text("`query`", node));
                    } else {
                        let queries = self.texts("`queries`", node);
                        if matches!(&node.value, Yaml::Sequence(items) if items.is_empty()) {
                            self.report(Code::BadValue, node.span, "`queries` must hold at least one query");
                        }
                        stream.queries.extend(queries);
                    }
                }
                "with" => stream.with = self.queries_by_name("`with`", node),
                "auto_subscribe" => stream.auto_subscribe = self.boolean(key, node),
                "priority" => stream.priority = self.priority(node),
                "accept_potentially_dangerous_queries" => stream.accept_dangerous = self.boolean(key, node),
                _ => self.unknown(&what, key, KNOWN),
            }
        }
        if given.is_none() && matches!(node.value, Yaml::Mapping(_)) {
            self.report(Code::MissingKey, node.span, format!("The stream '{name}' needs `query` or `queries`"));
        }
        stream
    }

    fn legacy(&mut self, node: &Node, name: &str) -> LegacyText {
        const KNOWN: &[&str] = &["parameters", "data", "priority", "accept_potentially_dangerous_queries"];
        let what = format!("the bucket definition '{name}'");
        let mut legacy = LegacyText::default();
        let mut has_data = false;
        for (key, node) in self.mapping(&format!("The bucket definition '{name}'"), node) {
            match key.text.as_str() {
                "parameters" => match &node.value {
                    Yaml::Sequence(_) => legacy.parameters = self.texts("`parameters`", node),
                    _ => legacy.parameters.extend(self.text("`parameters`", node)),
                },
                "data" => {
                    has_data = true;
                    legacy.data = self.texts("`data`", node);
                }
                "priority" => legacy.priority = self.priority(node).map(|priority| (priority, key.span)),
                "accept_potentially_dangerous_queries" => legacy.accept_dangerous = self.boolean(key, node),
                _ => self.unknown(&what, key, KNOWN),
            }
        }
        if !has_data && matches!(node.value, Yaml::Mapping(_)) {
            self.report(Code::MissingKey, node.span, format!("The bucket definition '{name}' needs `data`"));
        }
        legacy
    }
}

/// Whether one text differs from the other in a few characters only.
fn similar(known: &str, given: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (known.chars().collect(), given.chars().take(60).collect());
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.iter().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.iter().enumerate() {
            let at = |row: &[usize], index: usize| row.get(index).copied().unwrap_or(usize::MAX / 2);
            let cost = (at(&row, j) + usize::from(x != y)).min(at(&row, j + 1) + 1).min(at(&next, j) + 1);
            next.push(cost);
        }
        row = next;
    }
    row.last().is_some_and(|distance| *distance <= 2)
}

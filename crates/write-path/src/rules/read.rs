//! The YAML file of write rules: its shape, and whether its names are those of the database.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use sync_config::syntax::{Expr, Node, Text, Yaml, load, parse_expression};
use sync_config::{Code, Diagnostic, Severity, Span};

use super::expression::Translator;
use super::{Claims, Expression, Loaded, OnConflict, OnError, Rules, SetColumn, TableRule};
use crate::plan::CLIENT_KEY;
use crate::request::OperationKind;
use crate::schema::{Dialect, Schema, Table};

const ALL: [OperationKind; 3] = [OperationKind::Put, OperationKind::Patch, OperationKind::Delete];
const WRITING: [OperationKind; 2] = [OperationKind::Put, OperationKind::Patch];

/// Compiles the file.
pub(super) fn read(yaml: &str, schema: &Schema) -> Loaded {
    let root = match load(yaml) {
        Ok(root) => root,
        Err(diagnostics) => return Loaded { rules: None, diagnostics },
    };
    let mut reader =
        Reader { schema, findings: Vec::new(), claims: Claims::default(), role: None, unchecked: Vec::new() };
    let tables = reader.root(&root);
    let Reader { mut findings, mut claims, role, .. } = reader;
    // Policies of the database see claims, too, and which is not known.
    claims.is_all |= tables.values().any(|rule| rule.definition.has_row_security);
    findings.sort_by_key(|finding| finding.span.start);
    let is_fine = findings.iter().all(|finding| finding.severity != Severity::Error);
    let rules = is_fine.then(|| Rules { tables, role, claims, yaml: yaml.to_owned(), schema_version: schema.version });
    Loaded { rules, diagnostics: findings }
}

struct Reader<'a> {
    schema: &'a Schema,
    findings: Vec<Diagnostic>,
    claims: Claims,
    /// The role that operations run as.
    role: Option<String>,
    /// Tables without a check, whether they have policies, and where they are.
    unchecked: Vec<(String, bool, Span)>,
}

impl Reader<'_> {
    fn report(&mut self, code: Code, span: Span, message: impl Into<String>) {
        self.findings.push(Diagnostic::new(code, span, message));
    }

    fn mapping<'n>(&mut self, what: &str, node: &'n Node) -> &'n [(Text, Node)] {
        match &node.value {
            Yaml::Mapping(entries) => entries,
            Yaml::Null => &[],
            _ => {
                self.report(Code::WrongType, node.span, format!("{what} must be a mapping, not {}", node.kind()));
                &[]
            }
        }
    }

    fn text<'n>(&mut self, what: &str, node: &'n Node) -> Option<&'n Text> {
        match &node.value {
            Yaml::String(text) => Some(text),
            _ => {
                self.report(Code::WrongType, node.span, format!("{what} must be a text, not {}", node.kind()));
                None
            }
        }
    }

    /// One of some words.
    fn one_of<T: Copy>(&mut self, what: &str, node: &Node, words: &[(&str, T)]) -> Option<T> {
        let text = self.text(what, node)?;
        let found = words.iter().find(|(word, _)| *word == text.text).map(|(_, value)| *value);
        if found.is_none() {
            let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
            self.report(Code::BadValue, node.span, format!("{what} must be one of {}", known.join(", ")));
        }
        found
    }

    fn unknown(&mut self, what: &str, key: &Text, known: &[&str]) {
        let message = format!("Unknown key '{}' in {what}; there are {}", key.text, known.join(", "));
        self.report(Code::UnknownKey, key.span, message);
    }

    fn root(&mut self, root: &Node) -> HashMap<String, TableRule> {
        let mut writes = None;
        for (key, node) in self.mapping("A file of write rules", root) {
            match key.text.as_str() {
                "writes" => writes = Some(node),
                _ => self.unknown("the file", key, &["writes"]),
            }
        }
        let Some(writes) = writes else {
            self.report(Code::MissingKey, root.span, "The file has no `writes`");
            return HashMap::new();
        };
        let (mut allowed, mut tables) = (None, HashMap::new());
        for (key, node) in self.mapping("`writes`", writes) {
            match key.text.as_str() {
                "default" => {
                    let is_allow = self.one_of("`default`", node, &[("deny", false), ("allow", true)]);
                    allowed = is_allow.filter(|is_allow| *is_allow).map(|_| node.span);
                }
                "tables" => {
                    for (name, node) in self.mapping("`tables`", node) {
                        if let Some(rule) = self.table(name, node) {
                            tables.insert(name.text.clone(), rule);
                        }
                    }
                }
                "role" => self.read_role(node),
                _ => self.unknown("`writes`", key, &["default", "role", "tables"]),
            }
        }
        for (name, has_row_security, span) in std::mem::take(&mut self.unchecked) {
            // With a role, policies of the database are as good as a check.
            if !(self.role.is_some() && has_row_security) {
                self.report(Code::NoCheck, span, format!("Every user may write every row of the table '{name}'"));
            }
        }
        if let Some(span) = allowed {
            self.allow_others(span, &mut tables);
        }
        tables
    }

    /// Rules for all tables that no rule names.
    fn allow_others(&mut self, span: Span, tables: &mut HashMap<String, TableRule>) {
        let named: BTreeSet<String> = tables.values().map(|rule| rule.table.clone()).collect();
        let (mut others, key) = (Vec::new(), self.schema.dialect.key());
        for (name, table) in &self.schema.tables {
            // Other schemas have tables of extensions and of the platform.
            if table.schema != self.schema.default_schema {
                continue;
            }
            if tables.contains_key(name) || named.contains(name) || !table.unique.iter().any(|unique| unique == key) {
                continue;
            }
            others.push(name.as_str());
            tables.insert(name.clone(), everything(name, name, table, key.to_owned(), span));
        }
        if !others.is_empty() {
            let message = format!(
                "Every user may create, change and delete every row of these tables, with all columns: {}",
                others.join(", ")
            );
            self.report(Code::AllWritable, span, message);
        }
    }

    fn table(&mut self, name: &Text, node: &Node) -> Option<TableRule> {
        const KEYS: [&str; 8] = ["table", "key", "ops", "columns", "set", "check", "on_conflict", "on_error"];
        let entries = self.mapping(&format!("The rule of '{}'", name.text), node);
        let entry = |wanted: &str| entries.iter().find(|(key, _)| key.text == wanted).map(|(_, node)| node);
        for (key, _) in entries.iter().filter(|(key, _)| !KEYS.contains(&key.text.as_str())) {
            self.unknown(&format!("the rule of '{}'", name.text), key, &KEYS);
        }
        let (wanted, place) = match entry("table") {
            Some(node) => (self.text("`table`", node)?.text.as_str(), node.span),
            None => (name.text.as_str(), name.span),
        };
        let schema = self.schema;
        let Some((table_name, table)) = schema.find(wanted) else {
            self.report(Code::WriteTable, place, format!("There is no table '{wanted}' that clients could write"));
            return None;
        };
        let (key, key_place) = match entry("key") {
            Some(node) => (self.text("`key`", node)?.text.clone(), node.span),
            None => (schema.dialect.key().to_owned(), name.span),
        };
        if !table.unique.contains(&key) {
            let message = match table.has(&key) {
                true => format!("The column '{key}' of the table '{table_name}' is not unique"),
                false => format!("The table '{table_name}' has no column '{key}' that has the ids of rows"),
            };
            self.report(Code::WriteKey, key_place, message);
        }
        let mut rule = everything(&name.text, table_name, table, key, name.span);
        if let Some(node) = entry("ops") {
            rule.ops = self.ops("`ops`", node, &ALL);
        }
        if let Some(node) = entry("columns") {
            rule.columns = self.columns(node, &rule, table);
        }
        if let Some(node) = entry("set") {
            self.set(node, &mut rule, table);
        }
        if entry("check").is_none() {
            self.unchecked.push((name.text.clone(), table.has_row_security, name.span));
        }
        if let Some(node) = entry("check") {
            let schema = self.schema;
            rule.check = self.expression("`check`", node, |translator, parsed| translator.check(parsed, table), schema);
        }
        if let Some(node) = entry("on_conflict") {
            self.on_conflict(node, &mut rule);
        }
        if let Some(node) = entry("on_error") {
            let words = [("server", OnError::Server), ("client", OnError::Client)];
            rule.on_error = self.one_of("`on_error`", node, &words).unwrap_or_default();
        }
        Some(rule)
    }

    /// The role that operations run as.
    fn read_role(&mut self, node: &Node) {
        let Some(role) = self.text("`role`", node) else { return };
        if self.schema.dialect == Dialect::Postgres {
            self.role = Some(role.text.clone());
        } else {
            self.report(Code::BadValue, node.span, "Only PostgreSQL has roles: leave out `role`");
        }
    }

    fn on_conflict(&mut self, node: &Node, rule: &mut TableRule) {
        if let Yaml::Mapping(entries) = &node.value {
            for (key, _) in entries.iter().filter(|(key, _)| key.text != "function") {
                self.unknown("`on_conflict`", key, &["function"]);
            }
            let function = entries.iter().find(|(key, _)| key.text == "function");
            let Some(function) = function.and_then(|(_, node)| self.text("`function`", node)) else { return };
            if self.schema.dialect != Dialect::Postgres {
                self.report(Code::BadValue, node.span, "Only PostgreSQL has functions that decide about conflicts");
            }
            let (schema, name) = function.text.split_once('.').unwrap_or((&self.schema.default_schema, &function.text));
            rule.on_conflict = OnConflict::Function;
            rule.function = Some((schema.to_owned(), name.to_owned()));
            return;
        }
        let words =
            [("last_write", OnConflict::LastWrite), ("column", OnConflict::Column), ("reject", OnConflict::Reject)];
        rule.on_conflict = self.one_of("`on_conflict`", node, &words).unwrap_or_default();
    }

    fn ops(&mut self, what: &str, node: &Node, permitted: &[OperationKind]) -> Vec<OperationKind> {
        let Yaml::Sequence(items) = &node.value else {
            self.report(Code::WrongType, node.span, format!("{what} must be a list, not {}", node.kind()));
            return Vec::new();
        };
        let words: Vec<(&str, OperationKind)> = permitted.iter().map(|kind| (kind.name(), *kind)).collect();
        items.iter().filter_map(|item| self.one_of(&format!("An item of {what}"), item, &words)).collect()
    }

    fn columns(&mut self, node: &Node, rule: &TableRule, table: &Table) -> HashMap<String, String> {
        let mut names: Vec<(&Text, &Text)> = Vec::new();
        match &node.value {
            Yaml::Sequence(items) => {
                names.extend(items.iter().filter_map(|item| self.text("A column", item)).map(|name| (name, name)));
            }
            Yaml::Mapping(entries) => {
                names.extend(entries.iter().filter_map(|(name, node)| Some((name, self.text("A column", node)?))));
            }
            _ => {
                let message = format!("`columns` must be a list or a mapping, not {}", node.kind());
                self.report(Code::WrongType, node.span, message);
            }
        }
        let mut columns = HashMap::new();
        for (client, column) in names {
            if client.text == CLIENT_KEY || column.text == rule.key {
                let message = format!("The column '{}' has the ids of rows, which clients cannot change", column.text);
                self.report(Code::WriteColumn, column.span, message);
            }
            self.check_column(column, &rule.table, table);
            if columns.values().any(|known| *known == column.text) {
                let message = format!("The column '{}' is given twice", column.text);
                self.report(Code::WriteColumn, column.span, message);
            }
            columns.insert(client.text.clone(), column.text.clone());
        }
        columns
    }

    fn check_column(&mut self, column: &Text, name: &str, table: &Table) {
        let message = match (table.has(&column.text), table.is_writable(&column.text)) {
            (_, true) => return,
            (true, false) => format!("The database computes the column '{}' of the table '{name}'", column.text),
            (false, _) => format!("The table '{name}' has no column '{}'", column.text),
        };
        self.report(Code::WriteColumn, column.span, message);
    }

    fn set(&mut self, node: &Node, rule: &mut TableRule, table: &Table) {
        for (column, node) in self.mapping("`set`", node) {
            self.check_column(column, &rule.table, table);
            if column.text == rule.key {
                let message = format!("The column '{}' has the ids of rows, which clients choose", column.text);
                self.report(Code::WriteColumn, column.span, message);
            }
            let (mut value, mut on) = (Some(node), WRITING.to_vec());
            if let Yaml::Mapping(entries) = &node.value {
                value = None;
                for (key, node) in entries {
                    match key.text.as_str() {
                        "value" => value = Some(node),
                        "on" => on = self.ops("`on`", node, &WRITING),
                        _ => self.unknown("`set`", key, &["value", "on"]),
                    }
                }
            }
            let Some(value) = value else {
                self.report(Code::MissingKey, node.span, format!("The column '{}' needs a `value`", column.text));
                continue;
            };
            let clients = rule.columns.iter().filter(|(_, known)| **known == column.text).map(|(name, _)| name.clone());
            let clients: Vec<String> = clients.collect();
            for client in &clients {
                rule.columns.remove(client);
            }
            rule.set_names.insert(column.text.clone());
            rule.set_names.extend(clients);
            let ty = table.column(&column.text).and_then(|column| column.column_type.as_ref());
            let translated = |translator: Translator<'_>, parsed: &Expr| translator.value_of(parsed, ty);
            let schema = self.schema;
            if let Some(value) = self.expression("A value of `set`", value, translated, schema) {
                rule.set.push(SetColumn { column: column.text.clone(), on, value });
            }
        }
    }

    /// An expression; what is wrong with it is noted.
    fn expression(
        &mut self,
        what: &str,
        node: &Node,
        translate: impl for<'c> FnOnce(Translator<'c>, &Expr) -> Result<Expression, Diagnostic>,
        schema: &Schema,
    ) -> Option<Expression> {
        let text = match &node.value {
            Yaml::String(text) => text,
            _ => {
                let message = format!("{what} must be an expression as a text, not {}", node.kind());
                self.report(Code::WrongType, node.span, message);
                return None;
            }
        };
        let mut warnings = Vec::new();
        let parsed = parse_expression(text, &mut warnings);
        self.findings.append(&mut warnings);
        let translated = parsed.and_then(|parsed| translate(Translator::new(schema, &mut self.claims), &parsed));
        translated.map_err(|finding| self.findings.push(finding)).ok()
    }
}

/// A rule that permits everything.
fn everything(client: &str, name: &str, table: &Table, key: String, span: Span) -> TableRule {
    let columns = table.columns.iter().filter(|column| !column.is_generated).map(|column| column.name.clone());
    let columns = columns.filter(|column| *column != key && column != CLIENT_KEY);
    TableRule {
        name: client.to_owned(),
        table: name.to_owned(),
        definition: Arc::new(table.clone()),
        columns: columns.map(|column| (column.clone(), column)).collect(),
        key,
        ops: ALL.to_vec(),
        set: Vec::new(),
        check: None,
        on_conflict: OnConflict::default(),
        function: None,
        on_error: OnError::default(),
        set_names: BTreeSet::new(),
        span,
    }
}

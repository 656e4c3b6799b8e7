//! Names of a query: what FROM brings in, and what references mean. CTEs and subqueries are inlined here.

use std::collections::HashMap;

use super::Cte;
use super::condition::Cond;
use super::terms::{Owner, Ref, Source, SourceId, SourceKind, Sources};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::expr::Expr;
use crate::options::CompileOptions;
use crate::plan::{EachColumn, RowRef, Settings, TablePattern};
use crate::sql::ast::{self, FromSource, Name};

/// What does not change within a stream.
pub(crate) struct Context<'a> {
    pub(super) ctes: HashMap<&'a str, &'a Cte>,
    pub(super) options: &'a CompileOptions,
    pub(super) settings: &'a Settings,
    /// Whether `token_parameters` and `user_parameters` are known.
    pub(super) legacy: bool,
    /// Whether `bucket.x` is known.
    pub(super) bucket_parameters: bool,
}

/// An item of FROM as names see it.
#[derive(Clone, Debug)]
pub(crate) enum Relation {
    Source(SourceId),
    /// Of a subquery or CTE: its columns are expressions.
    Columns(Vec<(String, Expr<Ref>)>),
}

/// The items of one FROM, and the query around it.
#[derive(Clone, Copy)]
pub(crate) struct Scope<'s> {
    pub(super) items: &'s [(String, Relation)],
    pub(super) parent: Option<&'s Scope<'s>>,
}

/// Compiles one query.
pub(crate) struct Builder<'a> {
    pub(super) context: &'a Context<'a>,
    pub(super) sources: Sources,
    pub(super) findings: &'a mut Vec<Diagnostic>,
    /// The first value that a client may choose freely.
    pub(super) unauthenticated: Option<Span>,
    /// Names of CTEs that are being inlined.
    pub(super) inlining: Vec<String>,
}

pub(crate) type Built<T> = Result<T, Diagnostic>;

/// FROM and WHERE of a query.
pub(crate) struct Body {
    pub(super) items: Vec<(String, Relation)>,
    pub(super) sources: Vec<SourceId>,
    pub(super) cond: Cond,
}

/// Sources that one query may have after inlining.
const MAX_SOURCES: usize = 200;

impl<'a> Builder<'a> {
    pub(super) fn new(context: &'a Context<'a>, findings: &'a mut Vec<Diagnostic>) -> Self {
        Self { context, sources: Sources::default(), findings, unauthenticated: None, inlining: Vec::new() }
    }

    fn add_source(&mut self, kind: SourceKind, name: String, span: Span) -> Built<SourceId> {
        if self.sources.all.len() >= MAX_SOURCES {
            return Err(Diagnostic::new(Code::TooLarge, span, "The query uses too many tables"));
        }
        self.sources.all.push(Source { kind, name });
        Ok(self.sources.all.len() - 1)
    }

    /// Adds `json_each(arg)`.
    pub(super) fn add_each(&mut self, arg: Expr<Ref>, name: &str, span: Span) -> Built<SourceId> {
        let owners = self.sources.owners(&arg);
        let mut tables = owners.iter().filter_map(|owner| match owner {
            Owner::Source(id) if self.sources.is_table(*id) => Some(*id),
            _ => None,
        });
        let table = tables.next();
        let own = Owner::Source(self.sources.all.len());
        let owner = match table {
            None => own,
            Some(id) if owners.len() == 1 => Owner::Source(id),
            Some(id) => {
                let message = format!(
                    "The argument of json_each already references '{}', so it can't reference other sources",
                    self.sources.name(id)
                );
                return Err(Diagnostic::new(Code::MixedSources, span, message));
            }
        };
        self.add_source(SourceKind::Each { arg, owner }, name.to_owned(), span)
    }

    /// FROM and WHERE; `parent` is the query around it.
    pub(super) fn body(&mut self, query: &ast::Query, parent: Option<&Scope<'_>>) -> Built<Body> {
        let mut body = Body { items: Vec::new(), sources: Vec::new(), cond: Cond::All(Vec::new()) };
        let mut conditions = Vec::new();
        for item in &query.from {
            let (name, relation) = self.relation(item, &mut body, &mut conditions, parent)?;
            if body.items.iter().any(|(other, _)| *other == name.text) {
                let message = format!("There are two sources '{}' in FROM", name.text);
                return Err(Diagnostic::new(Code::DuplicateSource, name.span, message));
            }
            for column in &item.using {
                let [(left, _)] = body.items.as_slice() else {
                    let message = "USING needs exactly one source before the join; use ON";
                    return Err(Diagnostic::new(Code::AmbiguousReference, column.span, message));
                };
                let left_scope = [(left.clone(), body.items.first().map(|item| item.1.clone()))];
                let left = self.relation_column(left_scope.first().and_then(|item| item.1.as_ref()), column)?;
                let right = self.relation_column(Some(&relation), column)?;
                let equal = super::terms::compare(crate::expr::Operator::Eq, left, right);
                conditions.push(Cond::Atom(equal, column.span));
            }
            body.items.push((name.text, relation));
            if let Some(on) = &item.on {
                let scope = Scope { items: &body.items, parent };
                conditions.push(self.condition(on, &scope, false)?);
            }
        }
        if let Some(filter) = &query.filter {
            let scope = Scope { items: &body.items, parent };
            conditions.push(self.condition(filter, &scope, false)?);
        }
        body.cond = Cond::All(conditions);
        Ok(body)
    }

    fn relation_column(&mut self, relation: Option<&Relation>, column: &Name) -> Built<Expr<Ref>> {
        match relation {
            Some(relation) => self.column_of(relation, column),
            None => Err(Diagnostic::new(Code::UnknownTable, column.span, "There is no source before the join")),
        }
    }

    fn relation(
        &mut self,
        item: &ast::FromItem,
        body: &mut Body,
        conditions: &mut Vec<Cond>,
        parent: Option<&Scope<'_>>,
    ) -> Built<(Name, Relation)> {
        let alias = item.alias.clone();
        match &item.source {
            FromSource::Table(names) => {
                if let [name] = names.as_slice()
                    && let Some(cte) = self.context.ctes.get(name.text.as_str()).copied()
                {
                    let columns = self.cte(cte, name, &mut body.sources, conditions)?;
                    return Ok((alias.unwrap_or_else(|| name.clone()), Relation::Columns(columns)));
                }
                let pattern = self.table_pattern(names, item.span)?;
                self.check_table(&pattern, item.span);
                let Some(table) = names.last() else {
                    return Err(Diagnostic::new(Code::SqlSyntax, item.span, "A table was expected"));
                };
                let name = alias.clone().unwrap_or_else(|| table.clone());
                let kind = SourceKind::Table { pattern, alias: alias.map(|alias| alias.text) };
                let id = self.add_source(kind, name.text.clone(), item.span)?;
                body.sources.push(id);
                Ok((name, Relation::Source(id)))
            }
            FromSource::Query(query) => {
                let columns = self.derived(query, &item.columns, None, &mut body.sources, conditions)?;
                let name = alias.unwrap_or(Name { text: String::new(), quoted: false, span: item.span });
                Ok((name, Relation::Columns(columns)))
            }
            FromSource::Each(arg) => {
                let scope = Scope { items: &body.items, parent };
                let arg = self.lower(arg, &scope)?;
                let name = alias.unwrap_or(Name { text: "json_each".to_owned(), quoted: false, span: item.span });
                let id = self.add_each(arg, &name.text, item.span)?;
                body.sources.push(id);
                Ok((name, Relation::Source(id)))
            }
        }
    }

    /// Inlines a copy of a CTE and gives its columns.
    pub(super) fn cte(
        &mut self,
        cte: &Cte,
        name: &Name,
        sources: &mut Vec<SourceId>,
        conditions: &mut Vec<Cond>,
    ) -> Built<Vec<(String, Expr<Ref>)>> {
        cte.used.set(true);
        if !self.inlining.is_empty() {
            let message = format!("A common table expression cannot name another one ('{}')", name.text);
            return Err(Diagnostic::new(Code::NotSupported, name.span, message));
        }
        let Some(query) = &cte.query else {
            let message = format!("The common table expression '{}' has an error", name.text);
            return Err(Diagnostic::new(Code::UnknownTable, name.span, message));
        };
        self.inlining.push(cte.name.clone());
        let columns = self.derived(query, &[], None, sources, conditions);
        self.inlining.pop();
        columns
    }

    /// Inlines a query and gives its columns by name.
    pub(super) fn derived(
        &mut self,
        query: &ast::Query,
        names: &[Name],
        parent: Option<&Scope<'_>>,
        sources: &mut Vec<SourceId>,
        conditions: &mut Vec<Cond>,
    ) -> Built<Vec<(String, Expr<Ref>)>> {
        let body = self.body(query, parent)?;
        let scope = Scope { items: &body.items, parent };
        let mut columns = Vec::new();
        for item in &query.items {
            match item {
                ast::SelectItem::Star { span, .. } => {
                    let message = "`*` in a common table expression or subquery is not supported";
                    return Err(Diagnostic::new(Code::NotSupported, *span, message));
                }
                ast::SelectItem::Expr { expr, alias, text } => {
                    let name = match (alias, &expr.kind) {
                        (Some(alias), _) => alias.text.clone(),
                        (None, ast::ExprKind::Column { column, .. }) => column.text.clone(),
                        (None, _) => text.clone(),
                    };
                    columns.push((name, self.lower(expr, &scope)?));
                }
            }
        }
        if let Some(first) = names.first() {
            if names.len() != columns.len() {
                let message = format!("The subquery has {} columns, not {}", columns.len(), names.len());
                return Err(Diagnostic::new(Code::WrongColumnCount, first.span, message));
            }
            for (column, name) in columns.iter_mut().zip(names) {
                column.0 = name.text.clone();
            }
        }
        sources.extend(body.sources);
        conditions.push(body.cond);
        Ok(columns)
    }

    pub(super) fn table_pattern(&self, names: &[Name], span: Span) -> Built<TablePattern> {
        for name in names {
            let misplaced = name.text.strip_suffix('%').unwrap_or(&name.text).contains('%');
            if misplaced {
                let message = format!("The wildcard in '{}' is not at the end", name.text);
                return Err(Diagnostic::new(Code::BadWildcard, name.span, message));
            }
        }
        let (schema, table) = match names {
            [table] => (self.context.options.default_schema.clone(), table),
            [schema, table] if schema.text.contains('.') => {
                let message = "Several connections are not supported";
                return Err(Diagnostic::new(Code::NotSupported, schema.span, message));
            }
            [schema, table] => (schema.text.clone(), table),
            _ => return Err(Diagnostic::new(Code::NotSupported, span, "A table with a database is not supported")),
        };
        Ok(TablePattern { connection: None, schema, table: table.text.clone() })
    }

    fn check_table(&mut self, pattern: &TablePattern, span: Span) {
        let Some(schema) = &self.context.options.source_schema else { return };
        let found = schema.tables.keys().any(|(schema, table)| pattern.suffix(None, schema, table).is_some());
        if !found {
            let message = format!("The table '{}' is not in the source", pattern.table);
            self.findings.push(Diagnostic::new(Code::TableNotFound, span, message));
        }
    }

    fn check_column(&mut self, id: SourceId, column: &Name) {
        let (Some(schema), Some(source)) = (&self.context.options.source_schema, self.sources.get(id)) else { return };
        let SourceKind::Table { pattern, .. } = &source.kind else { return };
        let mut tables = schema
            .tables
            .iter()
            .filter(|((schema, table), _)| pattern.suffix(None, schema, table).is_some())
            .map(|(_, columns)| columns)
            .peekable();
        if tables.peek().is_some() && !tables.any(|columns| columns.iter().any(|other| other.name == column.text)) {
            let message = format!("The table '{}' has no column '{}'", pattern.table, column.text);
            self.findings.push(Diagnostic::new(Code::ColumnNotFound, column.span, message));
        }
    }

    fn column_of(&mut self, relation: &Relation, column: &Name) -> Built<Expr<Ref>> {
        match relation {
            Relation::Columns(columns) => match columns.iter().find(|(name, _)| *name == column.text) {
                Some((_, expr)) => Ok(expr.clone()),
                None => {
                    let message = format!("There is no column '{}' in this subquery", column.text);
                    Err(Diagnostic::new(Code::UnknownColumn, column.span, message))
                }
            },
            Relation::Source(id) if self.sources.is_table(*id) => {
                self.check_column(*id, column);
                Ok(Expr::Ref(Ref::Row(*id, RowRef::Column(column.text.clone()))))
            }
            Relation::Source(id) => {
                let each = match column.text.as_str() {
                    "key" => EachColumn::Key,
                    "value" => EachColumn::Value,
                    "type" => EachColumn::Type,
                    other => {
                        let message = format!("The column '{other}' of json_each is not supported");
                        return Err(Diagnostic::new(Code::NotSupported, column.span, message));
                    }
                };
                Ok(Expr::Ref(Ref::Each(*id, each)))
            }
        }
    }

    /// What `[table .] column` means.
    pub(super) fn reference(&mut self, table: Option<&Name>, column: &Name, scope: &Scope<'_>) -> Built<Expr<Ref>> {
        let mut at = Some(scope);
        while let Some(scope) = at {
            match table {
                Some(table) => {
                    if let Some((_, relation)) = scope.items.iter().find(|(name, _)| *name == table.text) {
                        return self.column_of(relation, column);
                    }
                }
                None => match scope.items {
                    [] => {}
                    [(_, relation)] => return self.column_of(relation, column),
                    _ => {
                        let message = "Invalid unqualified reference since multiple tables are in scope";
                        return Err(Diagnostic::new(Code::AmbiguousReference, column.span, message));
                    }
                },
            }
            at = scope.parent;
        }
        match table {
            Some(table) => Err(unknown_table(table)),
            None => {
                let message = format!("There is no table for the column '{}'", column.text);
                Err(Diagnostic::new(Code::UnknownTable, column.span, message))
            }
        }
    }
}

/// The error for a name that FROM does not bring in.
pub(crate) fn unknown_table(table: &Name) -> Diagnostic {
    let message = format!("Table '{}' has not been added in a FROM clause here", table.text);
    Diagnostic::new(Code::UnknownTable, table.span, message)
}

impl<'s> Scope<'s> {
    /// The item of a name, here or in a query around.
    pub(super) fn find(&self, name: &str) -> Option<&'s Relation> {
        match self.items.iter().find(|(other, _)| other == name) {
            Some((_, relation)) => Some(relation),
            None => self.parent.and_then(|parent| parent.find(name)),
        }
    }
}

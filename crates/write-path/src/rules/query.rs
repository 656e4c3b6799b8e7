//! Subqueries of rules, and what names in them mean.

use sync_config::syntax::{Expr, ExprKind, FromItem, FromSource, Name, Query, SelectItem};
use sync_config::{Code, Diagnostic};

use super::expression::{Translated, Translator, refused};
use crate::schema::Table;

/// The items of one FROM.
#[derive(Default)]
pub(super) struct Scope<'a> {
    items: Vec<Item<'a>>,
}

struct Item<'a> {
    name: String,
    relation: Relation<'a>,
}

enum Relation<'a> {
    Table(&'a Table),
    Each,
    Columns(Vec<String>),
}

impl Relation<'_> {
    fn has(&self, column: &str) -> bool {
        match self {
            Self::Table(table) => table.has(column),
            Self::Each => ["key", "value", "type"].contains(&column),
            Self::Columns(columns) => columns.iter().any(|known| known == column),
        }
    }
}

impl<'a> Scope<'a> {
    /// The row that an operation writes.
    pub(super) fn of_row(name: &str, table: &'a Table) -> Self {
        Self { items: vec![Item { name: row_name(name).to_owned(), relation: Relation::Table(table) }] }
    }
}

/// By which name expressions refer to a row of a table: without its schema.
pub(crate) fn row_name(table: &str) -> &str {
    table.rsplit_once('.').map_or(table, |(_, name)| name)
}

impl<'a> Translator<'a> {
    pub(super) fn column(&mut self, table: Option<&Name>, column: &Name) -> Translated<()> {
        let mut found = None;
        for scope in self.scopes.iter().rev() {
            match (table, scope.items.as_slice()) {
                (Some(table), items) => found = items.iter().find(|item| item.name == table.text),
                (None, [item]) => found = Some(item),
                (None, []) => {}
                (None, _) => {
                    let message = format!("Several tables are in scope: write the one of '{}' before it", column.text);
                    return Err(Diagnostic::new(Code::AmbiguousReference, column.span, message));
                }
            }
            if found.is_some() {
                break;
            }
        }
        let Some(item) = found else {
            return Err(match table {
                Some(table) => {
                    let message = format!("There is no table '{}' here", table.text);
                    Diagnostic::new(Code::UnknownTable, table.span, message)
                }
                None => {
                    refused(column.span, format!("There is no row here that could have the column '{}'", column.text))
                }
            });
        };
        if !item.relation.has(&column.text) {
            let message = format!("'{}' has no column '{}'", item.name, column.text);
            return Err(Diagnostic::new(Code::WriteColumn, column.span, message));
        }
        let name = item.name.clone();
        self.out.name(&name);
        self.out.sql(".");
        self.out.name(&column.text);
        Ok(())
    }

    /// A query with as many columns; with any for EXISTS.
    pub(super) fn query(&mut self, query: &Query, width: Option<usize>) -> Translated<()> {
        if self.scopes.is_empty() {
            return Err(refused(query.span, "A subquery is only supported in `check`"));
        }
        if query.from.is_empty() {
            return Err(refused(query.span, "A subquery needs FROM"));
        }
        if let Some(width) = width
            && query.items.len() != width
        {
            let message = format!("The subquery has {} columns, not {width}", query.items.len());
            return Err(Diagnostic::new(Code::WrongColumnCount, query.span, message));
        }
        self.scopes.push(Scope::default());
        // FROM comes later than the columns that use it.
        let outer = std::mem::take(&mut self.out);
        for (index, item) in query.from.iter().enumerate() {
            self.joined(item, index)?;
        }
        let from = std::mem::replace(&mut self.out, outer);
        self.out.sql("SELECT ");
        for (index, item) in query.items.iter().enumerate() {
            if index > 0 {
                self.out.sql(", ");
            }
            match item {
                SelectItem::Expr { expr, .. } => self.expr(expr)?,
                SelectItem::Star { .. } if width.is_none() => self.out.sql("1"),
                SelectItem::Star { span, .. } => return Err(refused(*span, "Name the column instead of `*`")),
            }
        }
        if query.items.is_empty() {
            self.out.sql("1");
        }
        self.out.sql(" FROM ");
        self.out.parts.extend(from.parts);
        if let Some(filter) = &query.filter {
            self.out.sql(" WHERE ");
            self.expr(filter)?;
        }
        self.scopes.pop();
        Ok(())
    }

    fn joined(&mut self, item: &FromItem, index: usize) -> Translated<()> {
        if index > 0 {
            self.out.sql(" JOIN ");
        }
        let (own_name, relation) = match &item.source {
            FromSource::Table(names) => self.table(names, item)?,
            FromSource::Each(argument) => {
                self.out.sql("json_each(");
                self.expr(argument)?;
                self.out.sql(")");
                ("json_each".to_owned(), Relation::Each)
            }
            FromSource::Query(query) => (String::new(), self.derived(query, &item.columns)?),
        };
        let name = item.alias.as_ref().map_or(own_name, |alias| alias.text.clone());
        self.out.sql(" AS ");
        self.out.name(&name);
        let items = self.scopes.last_mut().map(|scope| &mut scope.items);
        let Some(items) = items else { return Ok(()) };
        if items.iter().any(|other| other.name.eq_ignore_ascii_case(&name)) {
            let message = format!("There are two tables '{name}' in FROM");
            return Err(Diagnostic::new(Code::DuplicateSource, item.span, message));
        }
        items.push(Item { name, relation });
        self.join(item)
    }

    fn table(&mut self, names: &[Name], item: &FromItem) -> Translated<(String, Relation<'a>)> {
        let texts: Vec<&str> = names.iter().map(|name| name.text.as_str()).collect();
        let wanted = texts.join(".");
        let Some((name, table)) = self.schema.find(&wanted) else {
            let message = format!("There is no table '{wanted}' in the database");
            return Err(Diagnostic::new(Code::WriteTable, item.span, message));
        };
        let (schema, own) = name.split_once('.').unwrap_or((&self.schema.default_schema, name));
        let (schema, own) = (schema.to_owned(), own.to_owned());
        self.out.name(&schema);
        self.out.sql(".");
        self.out.name(&own);
        Ok((own, Relation::Table(table)))
    }

    /// A subquery in FROM, which sees nothing around it.
    fn derived(&mut self, query: &Query, names: &[Name]) -> Translated<Relation<'a>> {
        let columns = query.items.iter().map(|item| match item {
            SelectItem::Star { span, .. } => Err(refused(*span, "Name the columns instead of `*`")),
            SelectItem::Expr { expr, alias, text } => Ok(match (alias, &expr.kind) {
                (Some(alias), _) => alias.text.clone(),
                (None, ExprKind::Column { column, .. }) => column.text.clone(),
                (None, _) => text.clone(),
            }),
        });
        let mut columns: Vec<String> = columns.collect::<Translated<_>>()?;
        if let Some(first) = names.first() {
            if names.len() != columns.len() {
                let message = format!("The subquery has {} columns, not {}", columns.len(), names.len());
                return Err(Diagnostic::new(Code::WrongColumnCount, first.span, message));
            }
            columns = names.iter().map(|name| name.text.clone()).collect();
        }
        // The columns get their names through a common table expression, which all databases know.
        self.out.sql("(WITH \"derived\"(");
        for (index, column) in columns.iter().enumerate() {
            if index > 0 {
                self.out.sql(", ");
            }
            self.out.name(column);
        }
        self.out.sql(") AS (");
        let around = std::mem::replace(&mut self.scopes, vec![Scope::default()]);
        self.query(query, Some(columns.len()))?;
        self.scopes = around;
        self.out.sql(") SELECT * FROM \"derived\")");
        Ok(Relation::Columns(columns))
    }

    /// ON and USING.
    fn join(&mut self, item: &FromItem) -> Translated<()> {
        let mut conditions: Vec<Expr> = item.on.iter().cloned().collect();
        let names: Vec<String> = self
            .scopes
            .last()
            .map(|scope| scope.items.iter().map(|item| item.name.clone()).collect())
            .unwrap_or_default();
        for column in &item.using {
            let [left, right] = names.as_slice() else {
                let message = "USING needs exactly one table before the join; use ON";
                return Err(Diagnostic::new(Code::AmbiguousReference, column.span, message));
            };
            let side = |table: &String| {
                let table = Name { text: table.clone(), quoted: true, span: column.span };
                let kind = ExprKind::Column { table: Some(table), column: column.clone() };
                Box::new(Expr { kind, span: column.span, parens: false })
            };
            let kind = ExprKind::Binary(sync_config::syntax::Operator::Eq, side(left), side(right));
            conditions.push(Expr { kind, span: column.span, parens: false });
        }
        for (index, condition) in conditions.iter().enumerate() {
            self.out.sql(if index == 0 { " ON " } else { " AND " });
            self.expr(condition)?;
        }
        Ok(())
    }
}

//! Subqueries of rules, and what names in them mean.

use sync_config::syntax::{Expr, ExprKind, FromItem, FromSource, Name, Query, SelectItem};
use sync_config::{Code, Diagnostic};

use super::Expression;
use super::expression::{Translated, Translator, in_parentheses, refused};
use super::json::pair;
use super::types::{Ty, Typed, sql};
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
    Columns(Vec<(String, Ty)>),
}

impl Relation<'_> {
    /// The type of a column, if there is one of this name.
    fn column(&self, name: &str) -> Option<Ty> {
        match self {
            Self::Table(table) => {
                Some(table.column(name)?.column_type.as_ref().map_or(Ty::Untyped, |ty| Ty::Native(ty.clone())))
            }
            Self::Columns(columns) => columns.iter().find(|(known, _)| known == name).map(|(_, ty)| ty.clone()),
        }
    }
}

impl<'a> Scope<'a> {
    /// The row that an operation writes. Expressions refer to it by the name of its table, without the schema.
    pub(super) fn of_row(table: &'a Table) -> Self {
        Self { items: vec![Item { name: table.name.clone(), relation: Relation::Table(table) }] }
    }
}

/// A subquery, whose columns can still get other types.
pub(super) struct Queried {
    columns: Vec<Typed>,
    from: Expression,
    filter: Option<Expression>,
}

impl Queried {
    /// Its SQL.
    pub(super) fn into_sql(self) -> Expression {
        let columns = self.columns.into_iter().map(|column| column.settled().0).collect();
        select(columns, self.from, self.filter)
    }

    /// Its SQL beside what its columns are compared with.
    pub(super) fn beside(self, lefts: Vec<Typed>) -> (Vec<Expression>, Expression) {
        let (lefts, columns) =
            lefts.into_iter().zip(self.columns).map(|(left, column)| pair(left, column, false)).unzip();
        (lefts, select(columns, self.from, self.filter))
    }
}

fn select(columns: Vec<Expression>, from: Expression, filter: Option<Expression>) -> Expression {
    let mut out = Expression::of("SELECT ");
    for (index, column) in columns.into_iter().enumerate() {
        if index > 0 {
            out.sql(", ");
        }
        out.append(column);
    }
    out = sql![out, " FROM ", from];
    match filter {
        Some(filter) => sql![out, " WHERE ", filter],
        None => out,
    }
}

impl<'a> Translator<'a> {
    pub(super) fn column(&mut self, table: Option<&Name>, column: &Name) -> Translated<Typed> {
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
        let Some(ty) = item.relation.column(&column.text) else {
            let message = format!("'{}' has no column '{}'", item.name, column.text);
            return Err(Diagnostic::new(Code::WriteColumn, column.span, message));
        };
        Ok(ty.with(sql![Expression::of_name(&item.name), ".", Expression::of_name(&column.text)]))
    }

    /// A query with as many columns; with any for EXISTS.
    pub(super) fn query(&mut self, query: &Query, width: Option<usize>) -> Translated<Queried> {
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
        let mut from = Expression::default();
        for (index, item) in query.from.iter().enumerate() {
            from = sql![from, if index > 0 { " JOIN " } else { "" }, self.joined(item, index)?];
        }
        let one = || Typed::Untyped(Expression::of("1"));
        let mut columns = Vec::with_capacity(query.items.len());
        for item in &query.items {
            columns.push(match item {
                SelectItem::Expr { expr, .. } => self.expr(expr)?,
                SelectItem::Star { .. } if width.is_none() => one(),
                SelectItem::Star { span, .. } => return Err(refused(*span, "Name the column instead of `*`")),
            });
        }
        if columns.is_empty() {
            columns.push(one());
        }
        let filter = query.filter.as_ref().map(|filter| self.condition(filter)).transpose()?;
        self.scopes.pop();
        Ok(Queried { columns, from, filter })
    }

    fn joined(&mut self, item: &FromItem, index: usize) -> Translated<Expression> {
        let (own_name, relation, source) = match &item.source {
            FromSource::Table(names) => self.table(names, item)?,
            FromSource::Each(argument) => {
                let (source, columns) = self.each_row(argument)?;
                ("json_each".to_owned(), Relation::Columns(columns), source)
            }
            FromSource::Query(query) => {
                let (columns, source) = self.derived(query, &item.columns)?;
                (String::new(), Relation::Columns(columns), source)
            }
        };
        let name = item.alias.as_ref().map_or(own_name, |alias| alias.text.clone());
        let out = sql![source, " AS ", Expression::of_name(&name)];
        let items = self.scopes.last_mut().map(|scope| &mut scope.items);
        let Some(items) = items else { return Ok(out) };
        if items.iter().any(|other| other.name.eq_ignore_ascii_case(&name)) {
            let message = format!("There are two tables '{name}' in FROM");
            return Err(Diagnostic::new(Code::DuplicateSource, item.span, message));
        }
        items.push(Item { name, relation });
        Ok(match self.join(item)? {
            Some(condition) => sql![out, " ON ", condition],
            // PostgreSQL wants a condition after JOIN.
            None if index > 0 && self.is_typed() => sql![out, " ON TRUE"],
            None => out,
        })
    }

    /// `json_each(argument)`, and its columns.
    fn each_row(&mut self, argument: &Expr) -> Translated<(Expression, Vec<(String, Ty)>)> {
        if self.is_typed() {
            return self.each(argument);
        }
        let columns = ["key", "value", "type"].map(|name| (name.to_owned(), Ty::Untyped));
        Ok((sql!["json_each(", self.expr(argument)?.settled().0, ")"], columns.to_vec()))
    }

    fn table(&mut self, names: &[Name], item: &FromItem) -> Translated<(String, Relation<'a>, Expression)> {
        let texts: Vec<&str> = names.iter().map(|name| name.text.as_str()).collect();
        let wanted = texts.join(".");
        let Some((_, table)) = self.schema.find(&wanted) else {
            let message = format!("There is no table '{wanted}' in the database");
            return Err(Diagnostic::new(Code::WriteTable, item.span, message));
        };
        let sql = sql![Expression::of_name(&table.schema), ".", Expression::of_name(&table.name)];
        Ok((table.name.clone(), Relation::Table(table), sql))
    }

    /// A subquery in FROM, which sees nothing around it.
    fn derived(&mut self, query: &Query, names: &[Name]) -> Translated<(Vec<(String, Ty)>, Expression)> {
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
        let around = std::mem::replace(&mut self.scopes, vec![Scope::default()]);
        let queried = self.query(query, Some(columns.len()))?;
        self.scopes = around;
        let (values, types): (Vec<Expression>, Vec<Ty>) = queried.columns.into_iter().map(Typed::settled).unzip();
        // The columns get their names through a common table expression, which all databases know.
        let quoted = columns.iter().map(|column| Expression::of_name(column)).collect();
        let query = select(values, queried.from, queried.filter);
        let sql = sql!["(WITH \"derived\"", in_parentheses(quoted), " AS (", query, ") SELECT * FROM \"derived\")"];
        Ok((columns.into_iter().zip(types).collect(), sql))
    }

    /// ON and USING.
    fn join(&mut self, item: &FromItem) -> Translated<Option<Expression>> {
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
        let mut out = None;
        for condition in &conditions {
            let condition = self.condition(condition)?;
            out = Some(match out {
                Some(before) => sql![before, " AND ", condition],
                None => condition,
            });
        }
        Ok(out)
    }
}

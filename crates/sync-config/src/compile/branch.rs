//! The select list of a stream query: columns of exactly one table, and what is suspicious about them.

use super::scope::{Body, Builder, Built, Relation, Scope};
use super::terms::{Ref, SourceId, SourceKind};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::expr::Expr;
use crate::plan::{Output, RequestRef, RowRef};
use crate::sql::ast::{self, ExprKind, Name, SelectItem};

/// The select list, compiled.
pub(crate) struct Selected {
    pub(super) primary: SourceId,
    pub(super) outputs: Vec<Output>,
}

enum Column {
    Star(SourceId),
    Named(String, Expr<Ref>),
}

impl Builder<'_> {
    /// Compiles the select list of a query whose FROM is `body`.
    pub(super) fn select(&mut self, query: &ast::Query, body: &Body) -> Built<Selected> {
        let scope = Scope { items: &body.items, parent: None };
        let mut columns: Vec<(Column, Span)> = Vec::new();
        for item in &query.items {
            match item {
                SelectItem::Star { table, span } => self.star(table.as_ref(), *span, body, &mut columns)?,
                SelectItem::Expr { expr, alias, text } => {
                    let value = self.lower(expr, &scope)?;
                    let name = self.column_name(expr, alias.as_ref(), text);
                    columns.push((Column::Named(name, value), expr.span));
                }
            }
        }
        let primary = self.primary(&columns, query)?;
        self.warn_about(&columns, query);
        let mut outputs = Vec::with_capacity(columns.len());
        for (column, span) in columns {
            outputs.push(match column {
                Column::Star(_) => Output::Star { legacy: self.context.legacy },
                Column::Named(name, value) => {
                    let expr = super::edges::row_expression(&value, primary, &[])
                        .map_err(|message| Diagnostic::new(Code::NotSupported, span, message))?;
                    Output::Column { name, expr }
                }
            });
        }
        Ok(Selected { primary, outputs })
    }

    fn column_name(&mut self, expr: &ast::Expr, alias: Option<&Name>, text: &str) -> String {
        match (alias, &expr.kind) {
            (Some(alias), _) => alias.text.clone(),
            (None, ExprKind::Column { column, .. }) => column.text.clone(),
            (None, _) => {
                let message = format!("This column has no name and is called '{text}'");
                self.findings.push(Diagnostic::new(Code::UnnamedColumn, expr.span, message));
                text.to_owned()
            }
        }
    }

    fn star(&mut self, table: Option<&Name>, span: Span, body: &Body, columns: &mut Vec<(Column, Span)>) -> Built<()> {
        let relation = match table {
            Some(table) => match body.items.iter().find(|(name, _)| *name == table.text) {
                Some((_, relation)) => relation,
                None => return Err(super::scope::unknown_table(table)),
            },
            None => {
                let is_function =
                    |relation: &Relation| matches!(relation, Relation::Source(id) if !self.sources.is_table(*id));
                let mut tables = body.items.iter().filter(|(_, relation)| !is_function(relation));
                match (tables.next(), tables.next()) {
                    (Some((_, relation)), None) => relation,
                    (None, _) => {
                        return Err(Diagnostic::new(
                            Code::NoResultTable,
                            span,
                            "Must have a result column selecting from a table",
                        ));
                    }
                    _ => {
                        let message = "Invalid unqualified reference since multiple tables are in scope";
                        return Err(Diagnostic::new(Code::AmbiguousReference, span, message));
                    }
                }
            }
        };
        match relation {
            Relation::Source(id) if self.sources.is_table(*id) => columns.push((Column::Star(*id), span)),
            Relation::Source(_) => {
                let message = "Columns of json_each cannot be selected";
                return Err(Diagnostic::new(Code::NotSupported, span, message));
            }
            Relation::Columns(inner) => {
                columns.extend(inner.iter().map(|(name, expr)| (Column::Named(name.clone(), expr.clone()), span)));
            }
        }
        Ok(())
    }

    /// The one table that all columns come from.
    fn primary(&self, columns: &[(Column, Span)], query: &ast::Query) -> Built<SourceId> {
        let mut primary: Option<SourceId> = None;
        for (column, span) in columns {
            let mut leaves: Vec<Ref> = Vec::new();
            match column {
                Column::Star(id) => leaves.push(Ref::Row(*id, RowRef::TableName)),
                Column::Named(_, expr) => expr.visit_refs(&mut |leaf| leaves.push(leaf.clone())),
            }
            for leaf in leaves {
                match leaf {
                    Ref::Row(id, _) => match primary {
                        Some(other) if other != id => {
                            let message = format!(
                                "Sync streams can only select from a single table, and this one already selects from \
                                 '{}'",
                                self.sources.name(other)
                            );
                            return Err(Diagnostic::new(Code::SeveralTables, *span, message));
                        }
                        _ => primary = Some(id),
                    },
                    Ref::Each(..) => {
                        let message = "Columns of json_each cannot be selected";
                        return Err(Diagnostic::new(Code::NotSupported, *span, message));
                    }
                    Ref::Request(
                        RequestRef::Auth | RequestRef::Connection | RequestRef::Subscription | RequestRef::Slot(_),
                    )
                    | Ref::Bucket(_) => {
                        let message = "This attempts to sync a connection parameter. Only values of tables can be \
                                       selected";
                        return Err(Diagnostic::new(Code::SelectsConnectionValue, *span, message));
                    }
                }
            }
        }
        primary.ok_or_else(|| {
            Diagnostic::new(Code::NoResultTable, query.span, "Must have a result column selecting from a table")
        })
    }

    fn warn_about(&mut self, columns: &[(Column, Span)], query: &ast::Query) {
        let named = |column: &Column| match column {
            Column::Named(name, _) => Some(name.clone()),
            Column::Star(_) => None,
        };
        let star = columns.iter().rposition(|(column, _)| matches!(column, Column::Star(_)));
        let has_id = columns.iter().any(|(column, _)| named(column).as_deref() == Some("id"));
        if star.is_none() && !has_id {
            let (code, message) = match self.context.legacy {
                true => (Code::MissingId, "Query must return an \"id\" column"),
                false => (Code::NoId, "This query returns no \"id\" column"),
            };
            let span = columns.first().zip(columns.last()).map_or(query.span, |(first, last)| first.1.to(last.1));
            self.findings.push(Diagnostic::new(code, span, message));
        }
        if let Some(star) = star.filter(|_| !self.context.legacy) {
            for (column, span) in columns.iter().take(star) {
                if let Some(name) = named(column) {
                    let message = format!("`*` replaces the column '{name}' if the table has one of this name");
                    self.findings.push(Diagnostic::new(Code::StarOverwrites, *span, message));
                }
            }
        }
    }

    /// The name that clients see, if the query gives one.
    pub(super) fn output_table(&mut self, primary: SourceId, query: &ast::Query) -> Option<String> {
        let Some(SourceKind::Table { alias, .. }) = self.sources.get(primary).map(|source| &source.kind) else {
            return None;
        };
        let alias = alias.clone()?;
        if query.from.len() > 1 && !self.context.legacy {
            let item = query
                .from
                .iter()
                .find_map(|item| item.alias.as_ref().filter(|name| name.text == alias && !name.quoted));
            if let Some(name) = item {
                let message =
                    format!("The alias '{alias}' becomes the name of the table on clients; it may be meant locally");
                let finding = Diagnostic::new(Code::AliasIsOutputName, name.span, message)
                    .with_fix(name.span, format!("\"{alias}\""));
                self.findings.push(finding);
            }
        }
        Some(alias)
    }
}

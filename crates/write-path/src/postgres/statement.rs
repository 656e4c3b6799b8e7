//! Statements: SQL with bound values, which all are texts that the SQL casts. SQL is only made of rules and names of the
//! database; it is the same for the same table, operation and columns, so that PostgreSQL prepares it once.

use std::borrow::Cow;

use sync_config::Value;

use super::value::{Unreadable, array_of, text_for};
use crate::rules::{ClaimForm, Expression, Part, TableRule};
use crate::schema::{ColumnType, TypeKind};

/// Who an operation is for.
#[derive(Clone, Copy)]
pub(super) struct Caller<'a> {
    pub(super) user: &'a str,
    pub(super) claims: &'a str,
}

/// A statement.
#[derive(Clone, Debug, Default)]
pub(super) struct Statement<'a> {
    pub(super) sql: String,
    pub(super) values: Vec<Option<Cow<'a, str>>>,
}

/// A quoted name.
pub(super) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl<'a> Statement<'a> {
    pub(super) fn new(sql: &str) -> Self {
        Self::default().sql(sql)
    }

    pub(super) fn sql(mut self, sql: &str) -> Self {
        self.sql.push_str(sql);
        self
    }

    pub(super) fn name(self, name: &str) -> Self {
        let quoted = quoted(name);
        self.sql(&quoted)
    }

    /// The table of a rule, by the name that expressions have for its row.
    pub(super) fn table(self, rule: &TableRule) -> Self {
        let table = &rule.definition;
        self.name(&table.schema).sql(".").name(&table.name).sql(" AS ").name(&table.name)
    }

    /// A bound text.
    pub(super) fn text(self, text: impl Into<Option<&'a str>>) -> Self {
        self.bind(text.into().map(without_nul))
    }

    fn bind(mut self, value: Option<Cow<'a, str>>) -> Self {
        self.values.push(value);
        let number = self.values.len();
        self.sql.push('$');
        self.sql.push_str(&number.to_string());
        self
    }

    /// A value for a column of a type.
    pub(super) fn value(self, value: &Value, ty: Option<&ColumnType>) -> Result<Self, Unreadable> {
        let Some(ty) = ty else { return Ok(self.bind(value.as_text().map(|text| Cow::Owned(text.into_owned())))) };
        let text = text_for(value, ty)?;
        // A composite value is sent as a JSON object of its fields.
        let is_object = text.as_ref().is_some_and(|text| text.starts_with('{'));
        if ty.kind == TypeKind::Composite && is_object {
            let name = &ty.name;
            let out = self.sql(&format!("jsonb_populate_record(NULL::{name}, CAST(")).bind(text.map(Cow::Owned));
            return Ok(out.sql(" AS jsonb))"));
        }
        Ok(self.sql("CAST(").bind(text.map(Cow::Owned)).sql(" AS ").sql(&ty.name).sql(")"))
    }

    /// What the server writes to a column of a type.
    pub(super) fn set(
        self,
        expression: &'a Expression,
        ty: Option<&ColumnType>,
        caller: Caller<'a>,
    ) -> Result<Self, Unreadable> {
        match expression.only() {
            Some(Part::Value(value)) => self.value(value, ty),
            Some(Part::UserId) => self.value(&Value::text(caller.user), ty),
            Some(Part::Claims) => self.value(&Value::text(caller.claims), ty),
            Some(Part::Claim(claim)) => self.value(&claim.value(caller.claims), ty),
            _ => Ok(self.expression(expression, caller)),
        }
    }

    pub(super) fn expression(self, expression: &'a Expression, caller: Caller<'a>) -> Self {
        expression.parts.iter().fold(self, |statement, part| match part {
            Part::Sql(sql) => statement.sql(sql),
            Part::Value(value) => statement.bind(value.as_text()),
            Part::UserId => statement.text(caller.user),
            Part::Claims => statement.text(caller.claims),
            Part::Claim(claim) if claim.form == ClaimForm::Array => {
                // Elements have no type of their own: the SQL casts the array.
                let text = ColumnType::known("text", TypeKind::Text);
                let items = claim.elements(caller.claims).and_then(|items| array_of(&items, &text).ok());
                statement.bind(items.map(Cow::Owned))
            }
            Part::Claim(claim) => {
                let value = claim.value(caller.claims);
                statement.bind(value.as_text().map(|text| Cow::Owned(text.into_owned())))
            }
        })
    }

    /// ` WHERE <key> = <id>`, with the index of the key.
    pub(super) fn of_row(self, rule: &TableRule, id: &'a str) -> Result<Self, Unreadable> {
        let key = rule.definition.column(&rule.key).and_then(|column| column.column_type.as_ref());
        let out = self.sql(" WHERE ").name(&rule.definition.name).sql(".").name(&rule.key).sql(" = ");
        out.value(&Value::text(id), key)
    }

    /// ` AND (<check>) IS TRUE`, if there is a check.
    pub(super) fn if_permitted(self, rule: &'a TableRule, caller: Caller<'a>) -> Self {
        match &rule.check {
            Some(check) => self.sql(" AND (").expression(check, caller).sql(") IS TRUE"),
            None => self,
        }
    }
}

/// PostgreSQL has no texts with NUL. Only those of keys and of dead letters lose it; data are refused.
fn without_nul(text: &str) -> Cow<'_, str> {
    if text.contains('\0') { Cow::Owned(text.replace('\0', "\u{fffd}")) } else { Cow::Borrowed(text) }
}

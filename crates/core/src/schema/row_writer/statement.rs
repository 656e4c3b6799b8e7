//! The statements that write and remove downloaded rows of raw and direct tables: given by the application, or inferred
//! from the table's columns (docs/reference/schema.md#raw-tables).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::collections::sort_names;
use crate::error::{Error, Result};

use crate::connection::{CachedStatement, Database};
use crate::schema::definition::{RawParameter, RawStatement, RawTable};
use crate::schema::objects::column_comparison::rows_differ;
use crate::schema::objects::table_columns::{synced_columns, table_columns};
use crate::text::{identifier, push_identifier};

/// A statement, and what of a row its parameters are.
#[derive(Debug, PartialEq)]
pub(in crate::schema) struct RowStatement {
    pub(in crate::schema) sql: String,
    /// By parameter.
    pub(in crate::schema) sources: Vec<Source>,
    /// The names of the members that it takes, each once and sorted.
    pub(in crate::schema) members: Vec<String>,
    has_rest: bool,
}

/// The value of a parameter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::schema) enum Source {
    /// The row's id.
    Id,
    /// A member, by its index in [`RowStatement::members`].
    Member(usize),
    /// The row's JSON.
    Row,
    /// A JSON object of the members that nothing else takes.
    Rest,
}

impl RowStatement {
    /// The statement that writes a row of `table`.
    ///
    /// # Errors
    /// The table does not exist, has no column `id`, or is not named; errors of SQLite.
    pub(in crate::schema) fn put(database: &Database<'_>, table: &RawTable) -> Result<Self> {
        match &table.put {
            Some(given) => Ok(Self::given(given)),
            None => Ok(Self::inferred_put(table.local_name()?, &synced_columns(database, table)?)),
        }
    }

    /// The statement that removes a row of `table`.
    ///
    /// # Errors
    /// As for [`RowStatement::put`]; a given statement takes more than the id.
    pub(in crate::schema) fn delete(database: &Database<'_>, table: &RawTable) -> Result<Self> {
        match &table.delete {
            Some(given) if given.params.iter().any(|parameter| *parameter != RawParameter::Id) => {
                Err(Error::argument("Raw delete statement parameters must only reference id"))
            }
            Some(given) => Ok(Self::given(given)),
            None => {
                let name = table.local_name()?;
                table_columns(database, name)?;
                let sql = format!("DELETE FROM main.{} WHERE id = ?", identifier(name));
                Ok(Self { sql, sources: Vec::from([Source::Id]), members: Vec::new(), has_rest: false })
            }
        }
    }

    /// A query that gives a row if the direct table `table` has exactly the row that [`RowStatement::put`] would write.
    ///
    /// # Errors
    /// As for [`RowStatement::put`].
    pub(in crate::schema) fn comparison(database: &Database<'_>, table: &RawTable) -> Result<Self> {
        let name = table.local_name()?;
        let columns = synced_columns(database, table)?;
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let mut sql = String::from("SELECT 1 FROM (SELECT ? AS id");
        for column in &columns {
            sql.push_str(",? AS ");
            push_identifier(&mut sql, column);
        }
        let unequal = rows_differ(&columns, "shown.", "downloaded.", true);
        let name = identifier(name);
        sql.push_str(&format!(
            ") AS downloaded JOIN main.{name} AS shown ON shown.id=downloaded.id WHERE NOT {unequal}"
        ));
        Ok(Self::of_columns(sql, &columns))
    }

    /// The prepared statement.
    ///
    /// # Errors
    /// An argument error if there are not as many sources as parameters; errors of SQLite.
    pub(in crate::schema) fn prepare<'c>(&self, database: &Database<'c>) -> Result<CachedStatement<'c>> {
        let mut statement = database.cached_text(&self.sql)?;
        let (wanted, given) = (statement.parameter_count()?, self.sources.len());
        if wanted != given {
            let sql = &self.sql;
            return Err(Error::argument(format!(
                "Statement {sql} has {wanted} parameters, but {given} values were provided as sources."
            )));
        }
        Ok(statement)
    }

    /// Whether the member `name`, which is none of [`RowStatement::members`], belongs to the rest.
    pub(in crate::schema) fn is_in_rest(&self, name: &str) -> bool {
        self.has_rest && !(name == "id" && self.sources.contains(&Source::Id))
    }

    pub(in crate::schema) fn given(statement: &RawStatement) -> Self {
        let members = statement.params.iter().filter_map(|parameter| match parameter {
            RawParameter::Column(name) => Some(name.as_str()),
            RawParameter::Id | RawParameter::Rest | RawParameter::Row => None,
        });
        let members = sorted(members.collect());
        let source = |parameter: &RawParameter| match parameter {
            RawParameter::Id => Source::Id,
            RawParameter::Row => Source::Row,
            RawParameter::Rest => Source::Rest,
            RawParameter::Column(name) => member(&members, name),
        };
        let sources: Vec<Source> = statement.params.iter().map(source).collect();
        let has_rest = sources.contains(&Source::Rest);
        Self { sql: statement.sql.clone(), sources, members, has_rest }
    }

    fn inferred_put(table: &str, columns: &[String]) -> Self {
        let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
        let mut sql = format!("INSERT INTO main.{}(id", identifier(table));
        for column in &columns {
            sql.push(',');
            push_identifier(&mut sql, column);
        }
        sql.push_str(") VALUES(?");
        columns.iter().for_each(|_| sql.push_str(",?"));
        sql.push_str(") ON CONFLICT(id) DO ");
        if columns.is_empty() {
            sql.push_str("NOTHING");
        } else {
            for (position, column) in columns.iter().enumerate() {
                let column = identifier(column);
                sql.push_str(if position == 0 { "UPDATE SET " } else { "," });
                sql.push_str(&format!("{column}=excluded.{column}"));
            }
            // An equal row is left alone, so that update hooks and watched queries stay quiet. Equal for SQL is not
            // enough: 1 and 1.0 are two values.
            let unequal = rows_differ(&columns, "", "excluded.", true);
            sql.push_str(&format!(" WHERE {unequal}"));
        }
        Self::of_columns(sql, &columns)
    }

    /// A statement whose parameters are the id and these members.
    fn of_columns(sql: String, columns: &[&str]) -> Self {
        let members = sorted(columns.to_vec());
        let sources = [Source::Id].into_iter().chain(columns.iter().map(|column| member(&members, column))).collect();
        Self { sql, sources, members, has_rest: false }
    }
}

fn sorted(mut names: Vec<&str>) -> Vec<String> {
    sort_names(&mut names);
    names.dedup();
    names.into_iter().map(String::from).collect()
}

fn member(members: &[String], name: &str) -> Source {
    let position = members.binary_search_by(|member| member.as_str().cmp(name));
    debug_assert!(position.is_ok(), "a source is not among the members");
    Source::Member(position.unwrap_or(usize::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(params: &[RawParameter]) -> RowStatement {
        RowStatement::given(&RawStatement { sql: "sql".into(), params: params.into() })
    }

    #[test]
    fn parameters_of_equal_name_share_a_member() {
        use RawParameter::{Column, Id, Rest, Row};
        let column = |name: &str| Column(name.into());
        let statement = given(&[Row, column("b"), Id, column("a"), column("b"), Rest]);
        assert_eq!(statement.members, ["a", "b"]);
        let member = Source::Member;
        assert_eq!(statement.sources, [Source::Row, member(1), Source::Id, member(0), member(1), Source::Rest]);
    }

    #[test]
    fn the_id_belongs_to_the_rest_unless_a_parameter_takes_it() {
        use RawParameter::{Id, Rest};
        assert!(given(&[Rest]).is_in_rest("id"));
        assert!(!given(&[Rest, Id]).is_in_rest("id") && given(&[Rest, Id]).is_in_rest("ID"));
        assert!(!given(&[Id]).is_in_rest("a"));
    }

    #[test]
    fn inferred_statements_write_the_synced_columns() {
        let columns = ["b\"c", "a"].map(String::from);
        let statement = RowStatement::inferred_put("t\"u", &columns);
        assert_eq!(
            statement.sql,
            r#"INSERT INTO main."t""u"(id,"b""c","a") VALUES(?,?,?) ON CONFLICT(id) DO UPDATE SET "b""c"=excluded."b""c","a"=excluded."a" WHERE (("b""c" COLLATE BINARY,typeof("b""c"),"a" COLLATE BINARY,typeof("a")) IS NOT (excluded."b""c",typeof(excluded."b""c"),excluded."a",typeof(excluded."a")))"#
        );
        assert_eq!(statement.sources, [Source::Id, Source::Member(1), Source::Member(0)]);
        let empty = RowStatement::inferred_put("t", &[]);
        assert_eq!(empty.sql, r#"INSERT INTO main."t"(id) VALUES(?) ON CONFLICT(id) DO NOTHING"#);
        assert_eq!(empty.sources, [Source::Id]);
    }
}

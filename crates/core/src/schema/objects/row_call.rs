//! Calls of the functions that build JSON from a row's columns, within SQLite's limit of arguments.

use alloc::string::String;
use alloc::vec::Vec;

use rowtide_json::writer::write_string;

use crate::connection::Database;
use crate::error::Result;
use crate::text::{push_identifier, push_literal};

/// Builds a JSON object from values (see `sql_api::row_functions`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::schema) enum RowFunction {
    /// The stored row: every column, in the order given.
    Json,
    /// What an upload entry says of a new row: every column that is not NULL.
    Put,
    /// What an upload entry says of changed columns: takes two values per column, and gives the second if they differ.
    Patch,
    /// The previous values of a row: every column, in the order given.
    Old,
}

impl RowFunction {
    /// The SQL function.
    fn name(self) -> &'static str {
        match self {
            Self::Json => "powersync_row_json",
            Self::Put => "powersync_row_put",
            Self::Patch => "powersync_row_patch",
            Self::Old => "powersync_row_old",
        }
    }
}

/// A row that an expression sees.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::schema) enum Row {
    Old,
    New,
    /// Not one of a trigger: that of the table in FROM.
    Stored,
}

impl Row {
    pub(in crate::schema) fn prefix(self) -> &'static str {
        match self {
            Self::Stored => "",
            Self::Old => "OLD.",
            Self::New => "NEW.",
        }
    }
}

/// How many arguments a function call may have in stored SQL.
#[derive(Debug, Clone, Copy)]
pub(in crate::schema) struct ArgumentLimit(usize);

impl ArgumentLimit {
    /// SQLite's default for a long time. Other connections to the file may have no more.
    const DEFAULT: usize = 100;
    /// A column name list and two values.
    const LEAST: usize = 3;

    /// `SQLITE_LIMIT_FUNCTION_ARG`.
    const LIMIT: i32 = 6;

    /// The limit for SQL made on this connection.
    pub(in crate::schema) fn of(database: &Database<'_>) -> Self {
        Self::of_connection(database.connection().limit(Self::LIMIT))
    }

    /// The limit as a number, as bytes.
    pub(in crate::schema) fn to_le_bytes(self) -> [u8; size_of::<usize>()] {
        self.0.to_le_bytes()
    }

    /// The limit for SQL made on a connection that allows `limit` arguments.
    pub(in crate::schema) fn of_connection(limit: i32) -> Self {
        Self(usize::try_from(limit).unwrap_or(0).clamp(Self::LEAST, Self::DEFAULT))
    }
}

/// An expression that applies `function` to `columns` of `rows`, in several calls if there are many.
pub(in crate::schema) fn row_call(
    function: RowFunction,
    rows: &[Row],
    columns: &[&str],
    limit: ArgumentLimit,
) -> Result<String> {
    if columns.is_empty() {
        return Ok(String::from("'{}'"));
    }
    // One argument is the list of names.
    let columns_per_call = ((limit.0 - 1) / rows.len().max(1)).max(1);
    let calls: Result<Vec<String>> =
        columns.chunks(columns_per_call).map(|chunk| one_call(function, rows, chunk)).collect();
    Ok(merged(calls?, limit))
}

fn one_call(function: RowFunction, rows: &[Row], columns: &[&str]) -> Result<String> {
    let length: usize = columns.iter().map(|name| name.len() + 3 + rows.len() * (name.len() + 7)).sum();
    let mut names = String::with_capacity(length);
    for (position, name) in columns.iter().enumerate() {
        names.push(if position == 0 { '{' } else { ',' });
        write_string(&mut names, name)?;
        names.push(':');
    }
    names.push('}');
    let mut sql = String::with_capacity(length + 32);
    sql.push_str(function.name());
    sql.push('(');
    push_literal(&mut sql, &names);
    for name in columns {
        for row in rows {
            sql.push(',');
            sql.push_str(row.prefix());
            push_identifier(&mut sql, name);
        }
    }
    sql.push(')');
    Ok(sql)
}

/// An expression for the JSON object of `columns` that uses nothing but functions of SQLite and of every published
/// version.
pub(in crate::schema) fn portable_object(row: Row, columns: &[&str], limit: ArgumentLimit) -> String {
    if columns.is_empty() {
        return String::from("'{}'");
    }
    let object = |columns: &[&str]| {
        let mut sql = String::from("json_object(");
        for (position, name) in columns.iter().enumerate() {
            sql.push_str(if position == 0 { "" } else { "," });
            push_literal(&mut sql, name);
            // Text that came from a JSON function stays text.
            sql.push_str(",powersync_strip_subtype(");
            sql.push_str(row.prefix());
            push_identifier(&mut sql, name);
            sql.push(')');
        }
        sql.push(')');
        sql
    };
    merged(columns.chunks((limit.0 / 2).max(1)).map(object).collect(), limit)
}

/// Joins JSON objects in their order, with nested calls where one call cannot take them all.
fn merged(mut objects: Vec<String>, limit: ArgumentLimit) -> String {
    debug_assert!(!objects.is_empty(), "there is nothing to join");
    while objects.len() > 1 {
        let merge = |group: &[String]| match group {
            [single] => single.clone(),
            _ => merge_call(group),
        };
        objects = objects.chunks(limit.0).map(merge).collect();
    }
    objects.pop().unwrap_or_default()
}

fn merge_call(objects: &[String]) -> String {
    let mut sql = String::from("powersync_json_merge(");
    for (position, object) in objects.iter().enumerate() {
        sql.push_str(if position == 0 { "" } else { "," });
        sql.push_str(object);
    }
    sql.push(')');
    sql
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn call(function: RowFunction, rows: &[Row], count: usize, limit: i32) -> String {
        let names: Vec<String> = (0..count).map(|index| format!("c{index}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        row_call(function, rows, &names, ArgumentLimit::of_connection(limit)).unwrap()
    }

    /// The most arguments of any call in `sql`, which has no commas elsewhere than in lists of names.
    fn most_arguments(sql: &str) -> usize {
        let mut counts = std::vec![0];
        let mut most = 0;
        let mut in_literal = false;
        for character in sql.chars() {
            match character {
                '\'' => in_literal = !in_literal,
                _ if in_literal => {}
                '(' => counts.push(1),
                ',' => *counts.last_mut().unwrap() += 1,
                ')' => most = most.max(counts.pop().unwrap()),
                _ => {}
            }
        }
        most
    }

    #[test]
    fn names_and_columns_are_quoted() {
        let sql =
            row_call(RowFunction::Patch, &[Row::Old, Row::New], &["it's", "a\"b"], ArgumentLimit::of_connection(100));
        assert_eq!(
            sql.unwrap(),
            r#"powersync_row_patch('{"it''s":,"a\"b":}',OLD."it's",NEW."it's",OLD."a""b",NEW."a""b")"#
        );
    }

    #[test]
    fn no_columns_need_no_call() {
        assert_eq!(call(RowFunction::Json, &[Row::New], 0, 100), "'{}'");
    }

    #[test]
    fn many_columns_are_split_at_the_limit() {
        assert!(call(RowFunction::Json, &[Row::New], 99, 100).starts_with("powersync_row_json('{\"c0\":,"));
        let split = call(RowFunction::Json, &[Row::New], 100, 100);
        assert!(split.starts_with("powersync_json_merge(powersync_row_json("), "{split}");
        assert!(split.ends_with(r#",powersync_row_json('{"c99":}',NEW."c99"))"#), "{split}");
        assert!(call(RowFunction::Patch, &[Row::Old, Row::New], 49, 100).starts_with("powersync_row_patch("));
        assert!(call(RowFunction::Patch, &[Row::Old, Row::New], 50, 100).starts_with("powersync_json_merge("));
    }

    #[test]
    fn no_call_has_more_arguments_than_allowed() {
        for limit in [3, 4, 10, 100, 1000] {
            for count in [1, 2, 48, 101, 1999] {
                for rows in [&[Row::New][..], &[Row::New, Row::Old][..]] {
                    let sql = call(RowFunction::Put, rows, count, limit);
                    let most = most_arguments(&sql);
                    assert!(most <= usize::try_from(limit).unwrap().min(100), "{most} with limit {limit}");
                    assert_eq!(sql.matches("NEW.").count(), count);
                }
            }
        }
    }
}

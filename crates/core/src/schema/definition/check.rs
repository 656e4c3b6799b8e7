//! What a schema may not hold, found before anything is changed.

use alloc::format;
use alloc::string::String;

use rowtide_json::Quoted;

use crate::collections::Names;
use crate::error::{Error, Result};
use crate::schema::definition::names;
use crate::schema::definition::{Column, Index, IndexColumn, RawTable, Schema, Table};
use crate::text::is_transaction_control;

/// More columns than this do not fit a view in addition to `id`.
const MAXIMUM_COLUMNS: usize = 1999;

/// Names that our triggers use themselves.
const VIRTUAL_TABLES: [&str; 2] = ["powersync_crud", "powersync_crud_"];

impl Schema {
    /// Checks what the JSON's structure alone does not (docs/reference/schema.md#rules).
    ///
    /// # Errors
    /// An argument error that names the table and the problem.
    pub(in crate::schema) fn check(&self) -> Result<()> {
        let mut taken = Names::default();
        for table in &self.tables {
            table.check().map_err(|problem| Error::argument(format!("table {}: {problem}", Quoted(&table.name))))?;
            table.take_names(&mut taken)?;
        }
        let mut raw_names = Names::default();
        for table in &self.raw_tables {
            table
                .check()
                .map_err(|problem| Error::argument(format!("raw table {}: {problem}", Quoted(&table.name))))?;
            if !raw_names.insert(&table.name) {
                return Err(Error::argument(format!("duplicate raw table {}", Quoted(&table.name))));
            }
        }
        Ok(())
    }
}

impl Table {
    fn check(&self) -> Result<(), String> {
        check_name(&self.name)?;
        check_name(self.view_name())?;
        if self.direct && self.view_name.is_some() {
            return Err("Direct tables can't have custom view names".into());
        }
        if self.direct && names::DataTableName::parse(&self.name).is_some() {
            return Err("the names of direct tables must not begin like those of data tables".into());
        }
        if VIRTUAL_TABLES.iter().any(|name| name.eq_ignore_ascii_case(self.view_name())) {
            return Err(format!("the name {} is reserved", Quoted(self.view_name())));
        }
        if self.columns.len() > MAXIMUM_COLUMNS {
            return Err("too many parameters to json_object_fragment".into());
        }
        let mut taken = Names::default();
        if self.options.include_metadata {
            taken.insert(names::METADATA);
            taken.insert(names::DELETED);
        }
        for column in &self.columns {
            column.check()?;
            if !taken.insert(&column.name.to_ascii_lowercase()) {
                return Err(format!("duplicate column {}", Quoted(&column.name)));
            }
        }
        let columns = Names::of(self.columns.iter().map(|column| column.name.as_str()));
        let has_column = |name: &str| name == "id" || columns.contains(name);
        for index in &self.indexes {
            index.check()?;
            if let Some(column) = index.columns.iter().find(|column| self.direct && !has_column(&column.name)) {
                return Err(format!("index {}: the table has no column {}", Quoted(&index.name), Quoted(&column.name)));
            }
        }
        Ok(())
    }

    /// Claims the names of all objects that the table needs: they share one name space.
    fn take_names(&self, taken: &mut Names) -> Result<()> {
        take(taken, self.view_name())?;
        if !self.direct {
            take(taken, &self.data_table())?;
        }
        self.indexes.iter().try_for_each(|index| take(taken, &self.index_name(index)))
    }
}

impl Column {
    fn check(&self) -> Result<(), String> {
        check_name(&self.name)?;
        if self.name.eq_ignore_ascii_case("id") {
            return Err("a column must not be named id, every table has one".into());
        }
        check_type(&self.column_type).map_err(|problem| format!("column {}: {problem}", Quoted(&self.name)))
    }
}

impl Index {
    fn check(&self) -> Result<(), String> {
        check_name(&self.name)?;
        if self.columns.is_empty() {
            return Err(format!("index {} has no columns", Quoted(&self.name)));
        }
        self.columns
            .iter()
            .try_for_each(IndexColumn::check)
            .map_err(|problem| format!("index {}: {problem}", Quoted(&self.name)))
    }
}

impl IndexColumn {
    fn check(&self) -> Result<(), String> {
        check_name(&self.name)?;
        self.column_type
            .as_deref()
            .map_or(Ok(()), check_type)
            .map_err(|problem| format!("column {}: {problem}", Quoted(&self.name)))
    }
}

impl RawTable {
    pub(in crate::schema) fn check(&self) -> Result<(), String> {
        check_name(&self.name)?;
        self.table_name.as_deref().map_or(Ok(()), check_name)?;
        for (use_, statement) in [("put", &self.put), ("delete", &self.delete)] {
            let sql = statement.as_ref().map_or("", |statement| &statement.sql);
            if is_transaction_control(sql) {
                return Err(format!("the {use_} statement must not begin, end or undo a transaction: {sql}"));
            }
        }
        self.synced_columns.iter().flatten().try_for_each(|name| check_name(name))
    }
}

/// SQL text ends at a NUL, so no name can hold one.
fn check_name(name: &str) -> Result<(), String> {
    if name.contains('\0') { Err(format!("the name {} contains a NUL character", Quoted(name))) } else { Ok(()) }
}

/// Accepts words of letters, digits and underscores, and one list of at most two numbers in parentheses after them:
/// what can be in `CAST(… AS <type>)` and cannot leave it.
fn check_type(text: &str) -> Result<(), String> {
    let (words, numbers) = match text.trim_end_matches(' ').strip_suffix(')') {
        Some(rest) => rest.split_once('(').map_or((text, None), |(words, numbers)| (words, Some(numbers))),
        None => (text, None),
    };
    let is_word = words.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ' ');
    let is_number_list = numbers.is_none_or(|list| {
        let number = |item: &str| {
            let digits = item.trim_matches(' ');
            !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
        };
        !words.trim_matches(' ').is_empty() && list.split(',').count() <= 2 && list.split(',').all(number)
    });
    let begins_with_digit = words.split(' ').any(|word| word.starts_with(|first: char| first.is_ascii_digit()));
    if is_word && is_number_list && !begins_with_digit {
        Ok(())
    } else {
        Err(format!("{} is no column type", Quoted(text)))
    }
}

/// Claims a name of a table, view or index; SQLite takes upper and lower case for the same.
fn take(taken: &mut Names, name: &str) -> Result<()> {
    if taken.insert(&name.to_ascii_lowercase()) {
        return Ok(());
    }
    Err(Error::argument(format!("duplicate table, view or index name {}", Quoted(name))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use alloc::vec::Vec;
    use std::string::ToString;

    fn check(tables: &str) -> Result<Schema> {
        Schema::parse(&format!(r#"{{"tables":[{tables}]}}"#))
    }

    #[track_caller]
    fn assert_refused(tables: &str, problem: &str) {
        let error = check(tables).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Argument);
        assert!(error.to_string().contains(problem), "{error}");
    }

    fn with_columns(columns: &str) -> String {
        format!(r#"{{"name":"a","columns":[{columns}]}}"#)
    }

    #[test]
    fn names_are_arbitrary_text() {
        for name in ["", "a b", "sel'ect", "a.b", "$.x", "[a]", r#"a\"b"#, r"a\\b", "é", "drop table x;--", r"\n"] {
            check(&format!(r#"{{"name":"{name}","columns":[{{"name":"{name}"}}]}}"#)).unwrap();
        }
        for json in [
            r#"{"name":"a\u0000","columns":[]}"#,
            r#"{"name":"a","view_name":"a\u0000","columns":[]}"#,
            r#"{"name":"a","columns":[{"name":"\u0000"}]}"#,
            r#"{"name":"a","columns":[],"indexes":[{"name":"\u0000","columns":[{"name":"x"}]}]}"#,
            r#"{"name":"a","columns":[],"indexes":[{"name":"i","columns":[{"name":"\u0000"}]}]}"#,
        ] {
            assert_refused(json, "NUL");
        }
    }

    #[test]
    fn types_cannot_leave_the_cast() {
        for column_type in ["text", "INTEGER", "double precision", "_x1", "varchar(10)", "decimal ( 10 , 5 )", ""] {
            check(&with_columns(&format!(r#"{{"name":"x","type":"{column_type}"}}"#))).unwrap();
        }
        for column_type in [
            "text)",
            "text;",
            "a-b",
            "text(",
            "text()",
            "text(a)",
            "text(1)(2)",
            "text(1,2,3)",
            "(1)",
            "text(1) x",
            "te'xt",
            "a.b",
            "1a",
            "text 1",
            "text(-1)",
            "text(1,)",
            r#"\"text\""#,
            r"text\n",
            "é",
        ] {
            assert_refused(&with_columns(&format!(r#"{{"name":"x","type":"{column_type}"}}"#)), "is no column type");
            let index = format!(r#"[{{"name":"i","columns":[{{"name":"x","type":"{column_type}"}}]}}]"#);
            assert_refused(&format!(r#"{{"name":"a","columns":[],"indexes":{index}}}"#), "index \"i\": column \"x\"");
        }
    }

    #[test]
    fn columns_are_unique_and_none_is_id() {
        assert_refused(&with_columns(r#"{"name":"id"}"#), "table \"a\": a column must not be named id");
        assert_refused(&with_columns(r#"{"name":"ID"}"#), "must not be named id");
        assert_refused(&with_columns(r#"{"name":"x"},{"name":"X"}"#), "duplicate column \"X\"");
        let with_metadata = r#"{"name":"a","columns":[{"name":"_deleted"}],"include_metadata":true}"#;
        assert_refused(with_metadata, "duplicate column \"_deleted\"");
        check(&with_columns(r#"{"name":"_deleted"},{"name":"_metadata"}"#)).unwrap();
    }

    #[test]
    fn there_is_a_largest_number_of_columns() {
        let columns =
            |count: usize| (0..count).map(|index| format!(r#"{{"name":"c{index}"}}"#)).collect::<Vec<_>>().join(",");
        check(&with_columns(&columns(1999))).unwrap();
        assert_refused(&with_columns(&columns(2000)), "too many parameters to json_object_fragment");
    }

    #[test]
    fn objects_of_tables_have_different_names() {
        let two = |first: &str, second: &str| {
            format!(r#"{{"columns":[{{"name":"x"}}],{first}}},{{"columns":[{{"name":"x"}}],{second}}}"#)
        };
        let index = |name: &str| format!(r#""indexes":[{{"name":"{name}","columns":[{{"name":"x"}}]}}]"#);
        assert_refused(&two(r#""name":"a""#, r#""name":"a""#), "duplicate table, view or index name \"a\"");
        assert_refused(&two(r#""name":"a""#, r#""name":"A""#), "duplicate");
        assert_refused(&two(r#""name":"a""#, r#""name":"b","view_name":"a""#), "duplicate");
        assert_refused(&two(r#""name":"a","view_name":"v""#, r#""name":"a","view_name":"w""#), "\"ps_data__a\"");
        assert_refused(&two(r#""name":"a""#, r#""name":"b","view_name":"ps_data__a""#), "duplicate");
        let same_index = two(&format!(r#""name":"a",{}"#, index("b__c")), &format!(r#""name":"a__b",{}"#, index("c")));
        assert_refused(&same_index, "\"ps_data__a__b__c\"");
        check(&two(r#""name":"a","view_name":"b""#, r#""name":"b","view_name":"a""#)).unwrap();
        check(&two(r#""name":"a","local_only":true,"view_name":"b""#, r#""name":"a""#)).unwrap();
    }

    #[test]
    fn names_that_triggers_need_are_reserved() {
        assert_refused(r#"{"name":"PowerSync_crud","columns":[]}"#, "is reserved");
        assert_refused(r#"{"name":"a","view_name":"powersync_crud_","columns":[]}"#, "is reserved");
    }

    #[test]
    fn indexes_have_columns() {
        assert_refused(
            r#"{"name":"a","columns":[],"indexes":[{"name":"i","columns":[]}]}"#,
            "index \"i\" has no columns",
        );
    }

    #[test]
    fn direct_tables_have_no_view_name() {
        let json = r#"{"name":"a","view_name":"b","columns":[],"direct":true}"#;
        assert_refused(json, "Direct tables can't have custom view names");
        check(r#"{"name":"a","view_name":null,"columns":[],"direct":true}"#).unwrap();
    }

    #[test]
    fn raw_tables_have_different_names() {
        let json = r#"{"tables":[],"raw_tables":[{"name":"a"},{"name":"a"}]}"#;
        assert!(Schema::parse(json).unwrap_err().to_string().contains("duplicate raw table \"a\""));
        let json = r#"{"tables":[],"raw_tables":[{"name":"a","table_name":"\u0000"}]}"#;
        assert!(Schema::parse(json).unwrap_err().to_string().contains("raw table \"a\": the name"));
    }
}

//! The SQL of data tables, of the views over them, and of their indexes (docs/reference/schema.md#json-tables).
//!
//! For ordinary column names it is, byte for byte, what published versions make, so that neither side replaces the
//! other's views.

use alloc::format;
use alloc::string::String;

use crate::error::Result;

use crate::schema::definition::names::{DELETED, DataTableName, METADATA};
use crate::schema::definition::{Column, Index, IndexColumn, Table};
use crate::schema::objects::{Object, ObjectKind};
use crate::text::{literal, push_identifier, push_json_path};

/// How a view of ours ends, by which every version knows its views.
pub(in crate::schema) const VIEW_MARKER: &str = " -- powersync-auto-generated";

/// How the list of columns of a local-only data table is written, and of every one that another version has made.
pub(in crate::schema) const DATA_TABLE_COLUMNS: &str = "(id TEXT PRIMARY KEY NOT NULL, data TEXT)";

/// The same for the table of synced rows. The last column is the rowid, which VACUUM may change in a table without one.
pub(in crate::schema) const SYNCED_TABLE_COLUMNS: &str =
    "(id TEXT NOT NULL UNIQUE, data TEXT, operation INTEGER PRIMARY KEY)";

/// The same for one that the first download was stored in before it was shown: the key is an index that was made then.
pub(crate) const DOWNLOADED_TABLE_COLUMNS: &str = "(id TEXT NOT NULL, data TEXT, operation INTEGER PRIMARY KEY)";

/// How an expression of ours begins, in views and indexes.
const COLUMN_VALUE_START: &str = "CAST(json_extract(data, ";

/// What the connection's SQLite can name in a JSON path.
///
/// A member that it cannot name is looked up among all members by views, and left out of indexes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::schema) struct PathSupport {
    /// Members whose name contains a quote: from 3.45 on.
    pub(in crate::schema) quotes: bool,
    /// The member with an empty name: from 3.39 on.
    pub(in crate::schema) empty_names: bool,
}

impl PathSupport {
    fn includes(self, name: &str) -> bool {
        (self.quotes || !name.contains('"')) && (self.empty_names || !name.is_empty())
    }
}

/// The table that holds the rows' JSON.
pub(in crate::schema) fn data_table(table: &Table) -> Object {
    let name = table.data_table();
    let mut sql = String::from(ObjectKind::Table.create());
    push_identifier(&mut sql, &name);
    sql.push_str(if table.options.local_only { DATA_TABLE_COLUMNS } else { SYNCED_TABLE_COLUMNS });
    Object { kind: ObjectKind::Table, table: name.clone(), name, sql }
}

/// The view that SQL reads and writes.
#[inline(never)]
pub(in crate::schema) fn view(table: &Table, paths: PathSupport) -> Result<Object> {
    let metadata: &[&str] = if table.options.include_metadata { &[METADATA, DELETED] } else { &[] };
    let mut sql = String::with_capacity(128 + table.columns.len() * 72);
    sql.push_str(ObjectKind::View.create());
    push_identifier(&mut sql, table.view_name());
    sql.push_str(VIEW_COLUMNS_START);
    for name in table.columns.iter().map(|column| column.name.as_str()).chain(metadata.iter().copied()) {
        sql.push_str(", ");
        push_identifier(&mut sql, name);
    }
    sql.push_str(VIEW_SELECT);
    for column in &table.columns {
        sql.push_str(", ");
        if paths.includes(&column.name) {
            push_column_value(&mut sql, &column.name, &column.column_type)?;
        } else {
            push_member_lookup(&mut sql, column);
        }
    }
    for _ in metadata {
        sql.push_str(", NULL");
    }
    sql.push_str(" FROM ");
    push_identifier(&mut sql, &table.data_table());
    sql.push_str(VIEW_MARKER);
    let name = String::from(table.view_name());
    Ok(Object { kind: ObjectKind::View, table: name.clone(), name, sql })
}

const VIEW_COLUMNS_START: &str = "(\"id\"";
const VIEW_SELECT: &str = ") AS SELECT id";

/// Whether `sql` is that of a view made by us or a published version, named `name`: it has our mark, and our form over
/// one of our data tables. An application's view may have either by chance, but not both.
pub(in crate::schema) fn is_our_view(name: &str, sql: &str) -> bool {
    shown_table(name, sql).is_some()
}

/// The data table that the view `name`, made by `sql`, shows; None if the view is not ours.
pub(in crate::schema) fn shown_table(name: &str, sql: &str) -> Option<String> {
    let mut start = String::from(ObjectKind::View.create());
    push_identifier(&mut start, name);
    start.push_str(VIEW_COLUMNS_START);
    let body = sql.strip_prefix(start.as_str())?.strip_suffix(VIEW_MARKER)?;
    let (rest, source) = split_last_identifier(body)?;
    let rest = rest.strip_suffix(" FROM ")?.as_bytes();
    // `str::contains` would be 600 bytes more of code.
    let has_select = rest.windows(VIEW_SELECT.len()).any(|part| part == VIEW_SELECT.as_bytes());
    (has_select && DataTableName::parse(source).is_some()).then(|| unquoted(source))
}

/// A quoted identifier's text, of which the outer quotes are gone: one of each two quotes that are left.
fn unquoted(inner: &str) -> String {
    let mut before_is_quote = false;
    let is_kept = |character: &char| {
        let is_pair = *character == '"' && before_is_quote;
        before_is_quote = *character == '"' && !is_pair;
        !is_pair
    };
    inner.chars().filter(is_kept).collect()
}

/// Splits SQL that ends in a quoted identifier before it; its text comes without the outer quotes.
fn split_last_identifier(sql: &str) -> Option<(&str, &str)> {
    let inner = sql.strip_suffix('"')?;
    let mut end = inner.len();
    loop {
        // Quotes inside an identifier are doubled, so that only the run with the opening one has an odd length.
        end = inner.get(..end)?.rfind('"')? + 1;
        let start = inner.get(..end)?.trim_end_matches('"').len();
        if (end - start) % 2 == 1 {
            return inner.get(..start).zip(inner.get(start + 1..));
        }
        end = start;
    }
}

/// An index over the same expressions as the view's columns; None if SQLite cannot index one of them.
#[inline(never)]
pub(in crate::schema) fn index(table: &Table, index: &Index, paths: PathSupport) -> Result<Option<Object>> {
    if !index.columns.iter().all(|column| paths.includes(&column.name)) {
        return Ok(None);
    }
    let name = table.index_name(index);
    let data_table = table.data_table();
    let mut sql = index_start(&name, &data_table);
    for (position, column) in index.columns.iter().enumerate() {
        if position > 0 {
            sql.push_str(", ");
        }
        push_column_value(&mut sql, &column.name, indexed_type(table, column))?;
        if !column.ascending {
            sql.push_str(" DESC");
        }
    }
    sql.push(')');
    Ok(Some(Object { kind: ObjectKind::Index, name, table: data_table, sql }))
}

/// Whether `sql` is that of an index made by us or a published version on the data table `data_table`.
pub(in crate::schema) fn is_our_index(name: &str, data_table: &str, sql: &str) -> bool {
    let is_named_so = name.strip_prefix(data_table).is_some_and(|rest| rest.starts_with("__"));
    let columns = sql.strip_prefix(index_start(name, data_table).as_str());
    is_named_so && columns.is_some_and(|columns| columns.starts_with(COLUMN_VALUE_START))
}

fn index_start(name: &str, data_table: &str) -> String {
    let mut sql = String::from(ObjectKind::Index.create());
    push_identifier(&mut sql, name);
    sql.push_str(" ON ");
    push_identifier(&mut sql, data_table);
    sql.push('(');
    sql
}

/// An index helps only if its expression is the view's.
fn indexed_type<'t>(table: &'t Table, indexed: &'t IndexColumn) -> &'t str {
    let of_column = || table.columns.iter().find(|column| column.name == indexed.name);
    indexed.column_type.as_deref().or_else(|| of_column().map(|column| column.column_type.as_str())).unwrap_or("text")
}

fn push_column_value(sql: &mut String, name: &str, column_type: &str) -> Result<()> {
    sql.push_str(COLUMN_VALUE_START);
    push_json_path(sql, name)?;
    sql.push_str(") as ");
    sql.push_str(column_type);
    sql.push(')');
    Ok(())
}

fn push_member_lookup(sql: &mut String, column: &Column) {
    let name = literal(&column.name);
    let lookup = format!("CAST((SELECT value FROM json_each(data) WHERE key = {name}) as {})", column.column_type);
    sql.push_str(&lookup);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schema;

    const FULL: PathSupport = PathSupport { quotes: true, empty_names: true };
    const OLD: PathSupport = PathSupport { quotes: false, empty_names: false };

    fn table(json: &str) -> Table {
        let schema = Schema::parse(&format!(r#"{{"tables":[{json}]}}"#)).unwrap();
        schema.tables.into_iter().next().unwrap()
    }

    fn view_sql(json: &str, paths: PathSupport) -> String {
        view(&table(json), paths).unwrap().sql
    }

    #[test]
    fn ordinary_views_are_those_of_published_versions() {
        let sql = view_sql(
            r#"{"name":"todos","columns":[{"name":"list_id","type":"text"},{"name":"points","type":"real"}]}"#,
            FULL,
        );
        assert_eq!(
            sql,
            "CREATE VIEW \"todos\"(\"id\", \"list_id\", \"points\") AS SELECT id, \
             CAST(json_extract(data, '$.list_id') as text), CAST(json_extract(data, '$.points') as real) \
             FROM \"ps_data__todos\" -- powersync-auto-generated"
        );
    }

    #[test]
    fn options_show_in_the_view() {
        let sql =
            view_sql(r#"{"name":"a","view_name":"v\"w","local_only":true,"include_metadata":true,"columns":[]}"#, FULL);
        assert_eq!(
            sql,
            "CREATE VIEW \"v\"\"w\"(\"id\", \"_metadata\", \"_deleted\") AS SELECT id, NULL, NULL \
             FROM \"ps_data_local__a\" -- powersync-auto-generated"
        );
    }

    #[test]
    fn members_with_quotes_are_found_in_old_versions_too() {
        let json = r#"{"name":"a","columns":[{"name":"x\"'y","type":"text"},{"name":"a.b","type":"text"},{"name":""}],
            "indexes":[{"name":"q","columns":[{"name":"x\"'y"}]},{"name":"p","columns":[{"name":"a.b"}]}]}"#;
        let escaped = view_sql(json, FULL);
        assert!(escaped.contains(r#"CAST(json_extract(data, '$."x\"''y"') as text)"#), "{escaped}");
        let unsupported = view_sql(json, OLD);
        assert!(
            unsupported.contains(r#"CAST((SELECT value FROM json_each(data) WHERE key = 'x"''y') as text)"#),
            "{unsupported}"
        );
        assert!(unsupported.contains(r#"CAST(json_extract(data, '$."a.b"') as text)"#), "{unsupported}");
        assert!(escaped.contains(r#"CAST(json_extract(data, '$.""') as text)"#), "{escaped}");
        assert!(unsupported.contains(r#"WHERE key = '') as text)"#), "{unsupported}");
        let table = table(json);
        let is_made = |paths| [0, 1].map(|of| index(&table, &table.indexes[of], paths).unwrap().is_some());
        assert_eq!(is_made(FULL), [true, true]);
        assert_eq!(is_made(OLD), [false, true]);
    }

    #[test]
    fn indexes_use_the_expressions_of_the_view() {
        let table = table(
            r#"{"name":"a","columns":[{"name":"x","type":"integer"}],"indexes":[{"name":"i","columns":[
                {"name":"x","ascending":true,"type":"text"},{"name":"x","ascending":false},{"name":"y"}]}]}"#,
        );
        let made = index(&table, &table.indexes[0], FULL).unwrap().unwrap();
        assert_eq!((made.name.as_str(), made.table.as_str()), ("ps_data__a__i", "ps_data__a"));
        assert_eq!(
            made.sql,
            "CREATE INDEX \"ps_data__a__i\" ON \"ps_data__a\"(CAST(json_extract(data, '$.x') as text), \
             CAST(json_extract(data, '$.x') as integer) DESC, CAST(json_extract(data, '$.y') as text))"
        );
    }

    #[test]
    fn only_views_with_our_mark_and_our_form_are_ours() {
        let mark = "-- powersync-auto-generated";
        let is_ours = |sql: String| is_our_view("v", &sql);
        assert!(is_ours(format!(r#"CREATE VIEW "v"("id", "x") AS SELECT id, 1 FROM "ps_data__a" {mark}"#)));
        assert!(is_ours(format!(r#"CREATE VIEW "v"("id") AS SELECT id FROM "ps_data_local__a" {mark}"#)));
        assert!(is_ours(format!(r#"CREATE VIEW "v"("id") AS SELECT id FROM "ps_data__ FROM ""x" {mark}"#)));
        assert!(is_ours(format!(r#"CREATE VIEW "v"("id") AS SELECT id FROM "ps_data__a""" {mark}"#)));
        let source = r#""ps_data__a""""b""c""#;
        let shown = shown_table("v", &format!(r#"CREATE VIEW "v"("id") AS SELECT id FROM {source} {mark}"#));
        assert_eq!(shown.as_deref(), Some(r#"ps_data__a""b"c"#));
        for sql in [
            format!(r#"CREATE VIEW "v"("id") AS SELECT id FROM "lists FROM ""ps_data__a" {mark}"#),
            format!(r#"CREATE VIEW "v"("id") AS SELECT id, x"ps_data__a" {mark}"#),
            format!(r#"CREATE VIEW "v"("id") AS SELECT id FROM x {mark}"#),
            String::from(r#"CREATE VIEW "v"("id", "x") AS SELECT id, 1 FROM "ps_data__a""#),
            format!(r#"CREATE VIEW "v"("id", "x") AS SELECT id, 1 FROM "lists" {mark}"#),
            format!(r#"CREATE VIEW v AS SELECT * FROM "ps_data__a" {mark}"#),
            format!(r#"CREATE VIEW "v" AS SELECT id FROM "ps_data__a" {mark}"#),
            format!(r#"CREATE VIEW "w"("id") AS SELECT id FROM "ps_data__a" {mark}"#),
            format!(r#"CREATE VIEW "v"("id") AS SELECT id FROM ps_data__a {mark}"#),
        ] {
            assert!(!is_ours(sql.clone()), "{sql}");
        }
    }

    #[test]
    fn only_indexes_with_our_form_are_ours() {
        let is_ours = |name: &str, rest: &str| is_our_index(name, "ps_data__a", &format!("CREATE INDEX {rest}"));
        let columns = "(CAST(json_extract(data, '$.x') as text))";
        assert!(is_ours("ps_data__a__i", &format!(r#""ps_data__a__i" ON "ps_data__a"{columns}"#)));
        assert!(!is_ours("ps_data__a_i", &format!(r#""ps_data__a_i" ON "ps_data__a"{columns}"#)));
        assert!(!is_ours("mine", &format!(r#""mine" ON "ps_data__a"{columns}"#)));
        assert!(!is_ours("ps_data__a__i", &format!(r#"ps_data__a__i ON ps_data__a{columns}"#)));
        assert!(!is_ours("ps_data__a__i", r#""ps_data__a__i" ON "ps_data__a"(id)"#));
    }
}

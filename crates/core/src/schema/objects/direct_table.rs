//! The SQL of direct tables and of their indexes, and recognising them (docs/reference/schema.md#direct-tables).

use alloc::format;
use alloc::string::String;

use crate::schema::definition::{Index, Table};
use crate::schema::objects::{Object, ObjectKind};
use crate::text::{identifier, push_identifier};

const SYNCED: &str = "/* ps-managed */";
const LOCAL: &str = "/* ps-managed local-only */";

/// The table.
pub(in crate::schema) fn table(table: &Table) -> Object {
    let mut sql = String::from(ObjectKind::Table.create());
    push_identifier(&mut sql, &table.name);
    sql.push_str("(id TEXT PRIMARY KEY NOT NULL ");
    sql.push_str(if table.options.local_only { LOCAL } else { SYNCED });
    for column in &table.columns {
        sql.push_str(", ");
        sql.push_str(&column_definition(&column.name));
    }
    sql.push_str(") STRICT");
    Object { kind: ObjectKind::Table, name: table.name.clone(), table: table.name.clone(), sql }
}

/// A column as CREATE TABLE and ALTER TABLE have it.
pub(in crate::schema) fn column_definition(name: &str) -> String {
    format!("{} ANY", identifier(name))
}

/// Whether the table `name`, made by `sql`, is a direct one: None if not, else whether it is local-only.
///
/// The mark counts in the definition of the column `id` only, which has to come first. An application may have such a
/// comment anywhere else.
pub(crate) fn is_local_only_direct_table(name: &str, sql: &str) -> Option<bool> {
    let rest = after_name(ObjectKind::Table, name, sql)?;
    let columns = rest.trim_start().strip_prefix('(')?.trim_start();
    let id = columns.strip_prefix("\"id\"").or_else(|| columns.strip_prefix("id"))?;
    let (before, comment) = id.split_at_checked(id.find('/')?)?;
    let is_plain = |character: char| character.is_ascii_alphabetic() || character.is_ascii_whitespace();
    let is_definition = before.starts_with(|first: char| first.is_ascii_whitespace()) && before.chars().all(is_plain);
    match comment {
        _ if !is_definition => None,
        _ if comment.starts_with(SYNCED) => Some(false),
        _ if comment.starts_with(LOCAL) => Some(true),
        _ => None,
    }
}

/// An index over columns of the table.
pub(in crate::schema) fn index(table: &Table, index: &Index) -> Object {
    let name = table.index_name(index);
    let (quoted, on) = (identifier(&name), identifier(&table.name));
    let mut sql = format!("{}{quoted} {SYNCED} ON {on}(", ObjectKind::Index.create());
    for (position, column) in index.columns.iter().enumerate() {
        if position > 0 {
            sql.push_str(", ");
        }
        push_identifier(&mut sql, &column.name);
        if !column.ascending {
            sql.push_str(" DESC");
        }
    }
    sql.push(')');
    Object { kind: ObjectKind::Index, name, table: table.name.clone(), sql }
}

/// Whether `sql` is that of an index made by us or a published version on a direct table.
pub(in crate::schema) fn is_direct_index(name: &str, sql: &str) -> bool {
    let mark = after_name(ObjectKind::Index, name, sql).map(str::trim_start);
    mark.is_some_and(|mark| mark.starts_with(SYNCED))
}

/// What follows the name in the statement that makes an object.
pub(in crate::schema) fn after_name<'s>(kind: ObjectKind, name: &str, sql: &'s str) -> Option<&'s str> {
    let rest = sql.strip_prefix(kind.create())?;
    rest.strip_prefix(identifier(name).as_str()).or_else(|| rest.strip_prefix(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schema;

    fn parse(table: &str) -> Table {
        let schema = Schema::parse(&format!(r#"{{"tables":[{table}]}}"#)).unwrap();
        schema.tables.into_iter().next().unwrap()
    }

    #[test]
    fn tables_have_real_columns_and_a_mark() {
        let synced =
            table(&parse(r#"{"name":"a\"b","direct":true,"columns":[{"name":"x","type":"text"},{"name":"y"}]}"#));
        let expected = r#"CREATE TABLE "a""b"(id TEXT PRIMARY KEY NOT NULL /* ps-managed */, "x" ANY, "y" ANY) STRICT"#;
        assert_eq!((synced.name.as_str(), synced.sql.as_str()), ("a\"b", expected));
        let local = table(&parse(r#"{"name":"a","direct":true,"columns":[],"local_only":true}"#));
        assert_eq!(local.sql, r#"CREATE TABLE "a"(id TEXT PRIMARY KEY NOT NULL /* ps-managed local-only */) STRICT"#);
        assert_eq!(is_local_only_direct_table(&synced.name, &synced.sql), Some(false));
        assert_eq!(is_local_only_direct_table(&local.name, &local.sql), Some(true));
    }

    #[test]
    fn indexes_have_the_plain_columns_and_a_mark() {
        let table = parse(
            r#"{"name":"a","direct":true,"columns":[{"name":"x"}],"indexes":[
                {"name":"i","columns":[{"name":"x","ascending":false,"type":"real"},{"name":"id"}]}]}"#,
        );
        let made = index(&table, &table.indexes[0]);
        assert_eq!(made.sql, r#"CREATE INDEX "a__i" /* ps-managed */ ON "a"("x" DESC, "id")"#);
        assert!(is_direct_index(&made.name, &made.sql));
        assert!(is_direct_index("i", "CREATE INDEX i\n/* ps-managed */ ON a (x)"));
        assert!(!is_direct_index("i", "CREATE INDEX i2 /* ps-managed */ ON a (x)"));
        assert!(!is_direct_index("a__i", r#"CREATE INDEX "a__i" ON "a"("x") /* ps-managed */"#));
    }

    #[test]
    fn the_mark_counts_in_the_definition_of_the_id_only() {
        let recognised = |sql: &str| is_local_only_direct_table("a", sql);
        for sql in [
            "CREATE TABLE a(id TEXT /* ps-managed */)",
            "CREATE TABLE \"a\" (\n  \"id\" TEXT NOT NULL PRIMARY KEY\n  /* ps-managed */, b)",
        ] {
            assert_eq!(recognised(sql), Some(false), "{sql}");
        }
        for sql in [
            "CREATE TABLE a(id TEXT, b /* ps-managed */)",
            "CREATE TABLE a(id TEXT) /* ps-managed */",
            "CREATE TABLE a(/* ps-managed */ id TEXT)",
            "CREATE TABLE a(b TEXT /* ps-managed */)",
            "CREATE TABLE a(idx /* ps-managed */)",
            "CREATE TABLE a(id2 TEXT /* ps-managed */)",
            "CREATE TABLE a(id TEXT CHECK(1) /* ps-managed */)",
            "CREATE TABLE a(id TEXT DEFAULT '/* ps-managed */')",
            "CREATE TABLE a(id TEXT -- /* ps-managed */\n)",
            "CREATE TABLE a(id TEXT /* not ps-managed */)",
            "CREATE TABLE a(id TEXT /* ps-managed by hand */)",
            "CREATE TABLE ab(id TEXT /* ps-managed */)",
            "CREATE VIEW a(id /* ps-managed */) AS SELECT 1",
            "CREATE TABLE a",
        ] {
            assert_eq!(recognised(sql), None, "{sql}");
        }
    }
}

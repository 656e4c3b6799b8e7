//! Comparing many columns at once in SQL.

use alloc::string::String;

use crate::text::push_identifier;

/// Columns that one row value holds. SQLite's limits are 2000 values, and a depth of 1000 for expressions, which a chain
/// of comparisons would reach.
const COLUMNS_AT_ONCE: usize = 500;

/// An SQL condition, in parentheses: whether any of `columns` differs between two rows, given by their `prefixes` such
/// as `OLD.` and `NEW.`; false without columns.
///
/// Texts are compared exactly, whatever collation their column has; with `compares_types` numbers too.
pub(in crate::schema) fn rows_differ(columns: &[&str], left: &str, right: &str, compares_types: bool) -> String {
    if columns.is_empty() {
        return String::from("(FALSE)");
    }
    let mut sql = String::from("(");
    for (position, columns) in columns.chunks(COLUMNS_AT_ONCE).enumerate() {
        sql.push_str(if position == 0 { "(" } else { " OR (" });
        push_row(&mut sql, columns, left, " COLLATE BINARY", compares_types);
        sql.push_str(") IS NOT (");
        push_row(&mut sql, columns, right, "", compares_types);
        sql.push(')');
    }
    sql.push(')');
    sql
}

fn push_row(sql: &mut String, columns: &[&str], prefix: &str, suffix: &str, with_types: bool) {
    for (position, column) in columns.iter().enumerate() {
        if position > 0 {
            sql.push(',');
        }
        sql.push_str(prefix);
        push_identifier(sql, column);
        sql.push_str(suffix);
        if with_types {
            sql.push_str(",typeof(");
            sql.push_str(prefix);
            push_identifier(sql, column);
            sql.push(')');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn columns_are_compared_exactly() {
        assert_eq!(
            rows_differ(&["id", "a\"b"], "OLD.", "NEW.", false),
            r#"((OLD."id" COLLATE BINARY,OLD."a""b" COLLATE BINARY) IS NOT (NEW."id",NEW."a""b"))"#
        );
        assert_eq!(
            rows_differ(&["a"], "", "excluded.", true),
            r#"(("a" COLLATE BINARY,typeof("a")) IS NOT (excluded."a",typeof(excluded."a")))"#
        );
        assert_eq!(rows_differ(&[], "OLD.", "NEW.", true), "(FALSE)");
    }

    #[test]
    fn many_columns_are_compared_in_groups() {
        let columns = Vec::from([""; 2 * COLUMNS_AT_ONCE + 1]);
        let sql = rows_differ(&columns, "", "", false);
        assert_eq!(sql.matches(" IS NOT ").count(), 3);
        assert_eq!(sql.matches(" OR ").count(), 2);
    }
}

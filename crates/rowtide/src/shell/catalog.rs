//! What is in a database, for `.tables`, `.schema`, `.indexes` and `.databases`.

use anyhow::Result;
use rusqlite::Connection;
use unicode_width::UnicodeWidthStr;

use super::dump::terminated;
use crate::output::{Terminal, visible};

/// Names of tables and views that are like the pattern, in columns on a terminal.
pub(super) fn tables(connection: &Connection, pattern: Option<&str>, fits: bool) -> Result<String> {
    let sql = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite!_%' ESCAPE '!' \
        AND (?1 IS NULL OR name LIKE ?1) UNION ALL SELECT 'temp.' || name FROM sqlite_temp_schema \
        WHERE type IN ('table', 'view') AND (?1 IS NULL OR name LIKE ?1) ORDER BY 1";
    names(connection, sql, pattern, fits)
}

/// Names of indexes, of a table or of all.
pub(super) fn indexes(connection: &Connection, table: Option<&str>, fits: bool) -> Result<String> {
    let sql = "SELECT name FROM sqlite_schema WHERE type = 'index' AND (?1 IS NULL OR tbl_name LIKE ?1) ORDER BY 1";
    names(connection, sql, table, fits)
}

fn names(connection: &Connection, sql: &str, pattern: Option<&str>, fits: bool) -> Result<String> {
    let names: rusqlite::Result<Vec<String>> =
        connection.prepare(sql)?.query_map([pattern], |row| row.get(0))?.collect();
    let names: Vec<String> = names?.iter().map(|name| visible(name, false)).collect();
    let width = Terminal::stdout().width().filter(|_| fits).map(usize::from);
    let Some(width) = width else {
        return Ok(names.iter().map(|name| format!("{name}\n")).collect());
    };
    // Down the columns, as `ls` and `sqlite3` have it.
    let widest = names.iter().map(|name| name.width()).max().unwrap_or_default() + 2;
    let columns = (width / widest).max(1);
    let rows = names.len().div_ceil(columns);
    let mut text = String::new();
    for row in 0..rows {
        let cells = names.iter().skip(row).step_by(rows.max(1));
        let line: String = cells.map(|name| format!("{name}{}", " ".repeat(widest - name.width()))).collect();
        text += &format!("{}\n", line.trim_end());
    }
    Ok(text)
}

/// The SQL of tables that are like the pattern, with their indexes, views and triggers.
pub(super) fn schema(connection: &Connection, pattern: Option<&str>) -> Result<String> {
    let sql = "SELECT sql FROM (SELECT rowid AS place, * FROM sqlite_schema \
          UNION ALL SELECT rowid + 1000000000, * FROM sqlite_temp_schema) \
        WHERE sql NOT NULL AND name NOT LIKE 'sqlite!_%' ESCAPE '!' \
        AND (?1 IS NULL OR name LIKE ?1 OR tbl_name LIKE ?1) ORDER BY place";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([pattern])?;
    let mut text = String::new();
    while let Some(row) = rows.next()? {
        text += &terminated(&row.get::<_, String>(0)?);
        text.push('\n');
    }
    Ok(text)
}

/// Names and files of the databases.
pub(super) fn databases(connection: &Connection) -> Result<String> {
    let mut statement = connection.prepare("SELECT name, file FROM pragma_database_list WHERE name <> 'temp'")?;
    let mut rows = statement.query([])?;
    let mut text = String::new();
    while let Some(row) = rows.next()? {
        let (name, file): (String, Option<String>) = (row.get(0)?, row.get(1)?);
        let file = file.filter(|file| !file.is_empty()).unwrap_or_else(|| "in memory".to_owned());
        let access = if connection.is_readonly(name.as_str())? { "only read" } else { "read and written" };
        text += &format!("{name}: {file}, {access}\n");
    }
    Ok(text)
}

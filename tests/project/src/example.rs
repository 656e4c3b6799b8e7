//! Running the examples of a page.
//!
//! Every code block of the language `sql` is an example. The blocks of one section, from one heading to the next, run in
//! order on one fresh database in memory that has the library loaded. Lines that begin with `-->` say what the statement
//! before them prints:
//!
//! ```text
//! SELECT 1, 'a', NULL;
//! --> 1 | a | NULL
//! SELECT powersync_init();
//! --> error: powersync_init: …
//! ```
//!
//! One line is one row, `(no rows)` none, and `error: ` begins the message of a statement that fails. A line that is
//! indented after `-->` continues the one before. `…` matches any text. Every block says something that it prints.

use rowtide_testkit::Host;
use rusqlite::fallible_iterator::FallibleIterator;
use rusqlite::types::ValueRef;
use rusqlite::{Batch, Row};

use crate::Problem;
use crate::page::{Block, Page};

/// The fence of an example.
pub const LANGUAGE: &str = "sql";

/// What a line of an expectation begins with.
const ARROW: &str = "-->";

/// Runs all examples of a page.
pub fn check(page: &Page) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut section = 0;
    let mut host: Option<Host> = None;
    for block in page.blocks.iter().filter(|block| block.language == LANGUAGE) {
        let begins = page.headings.iter().rev().find(|heading| heading.line < block.line);
        let begins = begins.map_or(0, |heading| heading.line);
        if begins != section {
            (section, host) = (begins, None);
        }
        let host = host.get_or_insert_with(Host::open_in_memory);
        let steps = steps(block);
        if steps.iter().all(|step| step.expected.is_empty()) {
            problems.push(format!("{}:{}: the example does not say what it prints", page.path, block.line));
        }
        for step in steps {
            if let Err(problem) = step.run(host) {
                problems.push(format!("{}:{}: {problem}", page.path, step.line));
            }
        }
    }
    problems
}

/// Statements, and what the last of them prints.
#[derive(Debug, Default, PartialEq, Eq)]
struct Step {
    sql: String,
    expected: Vec<String>,
    line: usize,
}

/// Takes a block apart.
fn steps(block: &Block) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut is_open = false;
    for (line, content) in (block.line + 1..).zip(&block.lines) {
        match (content.strip_prefix(ARROW), steps.last_mut()) {
            (Some(text), Some(step)) => {
                is_open = false;
                match (text.starts_with("  "), step.expected.last_mut()) {
                    (true, Some(row)) => row.push_str(text.trim_start()),
                    _ => step.expected.push(text.strip_prefix(' ').unwrap_or(text).to_owned()),
                }
            }
            (_, Some(step)) if is_open => {
                step.sql.push('\n');
                step.sql.push_str(content);
            }
            _ if content.trim().is_empty() => {}
            _ => {
                is_open = true;
                steps.push(Step { sql: content.clone(), line, ..Step::default() });
            }
        }
    }
    steps
}

impl Step {
    fn run(&self, host: &Host) -> Result<(), Problem> {
        let printed = match self.printed(host) {
            Ok(rows) if rows.is_empty() => vec!["(no rows)".to_owned()],
            Ok(rows) => rows,
            Err((error, is_last)) if is_last || self.expected.is_empty() => vec![format!("error: {error}")],
            Err((error, _)) => return Err(format!("a statement before the last one fails: {error}")),
        };
        let fails = printed.first().is_some_and(|row| row.starts_with("error: "));
        if self.expected.is_empty() && !fails {
            return Ok(());
        }
        let is_same = printed.len() == self.expected.len()
            && printed.iter().zip(&self.expected).all(|(printed, expected)| matches(printed, expected));
        if is_same {
            return Ok(());
        }
        let sql = self.sql.lines().last().unwrap_or_default();
        Err(format!(
            "{sql}\n  prints   {}\n  not      {}",
            printed.join("\n           "),
            self.expected.join("\n           ")
        ))
    }

    /// The rows of the last statement. With an error: whether the last statement failed.
    fn printed(&self, host: &Host) -> Result<Vec<String>, (String, bool)> {
        let mut batch = Batch::new(host.connection(), &self.sql);
        let mut printed = Vec::new();
        loop {
            let mut statement = match batch.next() {
                Ok(None) => return Ok(printed),
                Ok(Some(statement)) => statement,
                // A statement that SQLite does not understand: what follows it is never tried.
                Err(error) => return Err((message(error), true)),
            };
            let columns = statement.column_count();
            match rows(statement.raw_query(), columns) {
                Ok(rows) => printed = rows,
                Err(error) => {
                    drop(statement);
                    return Err((message(error), matches!(batch.next(), Ok(None))));
                }
            }
        }
    }
}

/// SQLite's message alone.
fn message(error: rusqlite::Error) -> String {
    match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message,
        rusqlite::Error::SqlInputError { msg, .. } => msg,
        other => other.to_string(),
    }
}

fn rows(mut rows: rusqlite::Rows<'_>, columns: usize) -> rusqlite::Result<Vec<String>> {
    let mut printed = Vec::new();
    while let Some(row) = rows.next()? {
        printed.push(print(row, columns)?);
    }
    Ok(printed)
}

/// A row as the examples show it.
fn print(row: &Row<'_>, columns: usize) -> rusqlite::Result<String> {
    let mut cells = Vec::new();
    for column in 0..columns {
        cells.push(match row.get_ref(column)? {
            ValueRef::Null => "NULL".to_owned(),
            ValueRef::Integer(integer) => integer.to_string(),
            ValueRef::Real(real) => format!("{real:?}"),
            ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
            ValueRef::Blob(bytes) => {
                let digits: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
                format!("x'{digits}'")
            }
        });
    }
    Ok(cells.join(" | "))
}

/// Whether `printed` is `expected`, in which each `…` matches any text.
fn matches(printed: &str, expected: &str) -> bool {
    let mut parts = expected.split('…');
    let Some(mut rest) = parts.next().and_then(|start| printed.strip_prefix(start)) else { return false };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(example: &str) -> Vec<Problem> {
        check(&Page::parse("p.md", &format!("# P\n## A\n```sql\n{example}\n```\n")))
    }

    fn problem(example: &str) -> Problem {
        let mut all = problems(example);
        assert_eq!(all.len(), 1, "{all:?}");
        all.remove(0)
    }

    #[test]
    fn examples_that_print_what_they_say_have_no_problem() {
        let example = "SELECT 1, 'a', NULL, 1.0, x'0aff';\n--> 1 | a | NULL | 1.0 | x'0aff'\n\
                       SELECT 1 WHERE 0;\n--> (no rows)\n\
                       SELECT 1\nUNION SELECT 2;\n--> 1\n--> 2\n\
                       SELECT powersync_init();\n--> error: powersync_init: This function may only be…\n\
                       BEGIN; SELECT powersync_init();\n-->\nCOMMIT;";
        assert_eq!(problems(example), Vec::<Problem>::new());
    }

    #[test]
    fn a_wrong_result_is_a_problem() {
        assert_eq!(problem("SELECT 1;\n--> 2"), "p.md:4: SELECT 1;\n  prints   1\n  not      2");
        assert!(problem("SELECT 1;\n--> 1\n--> 2").contains("prints   1"));
        assert!(problem("SELECT 1;\n--> (no rows)").contains("prints   1"));
    }

    #[test]
    fn an_unexpected_error_is_a_problem() {
        assert!(problem("SELECT 1;\n--> 1\nSELECT x;").contains("error: no such column: x"));
        assert!(problem("SELECT x;\n--> 1").contains("error: no such column: x"));
        assert!(problem("SELECT uuid(1); SELECT 1;\n--> 1").contains("error: wrong number of arguments"));
        let early = "CREATE TABLE t(a UNIQUE);\nINSERT INTO t VALUES (1), (1); SELECT 1;\n--> error: UNIQUE…";
        assert!(problem(early).contains("a statement before the last one fails"));
    }

    #[test]
    fn an_error_that_does_not_come_is_a_problem() {
        assert!(problem("SELECT 1;\n--> error: no").contains("prints   1"));
        assert!(problem("SELECT uuid(1);\n--> error: no").contains("wrong number of arguments"));
    }

    #[test]
    fn an_example_that_says_nothing_is_a_problem() {
        assert_eq!(problem("SELECT 1;"), "p.md:3: the example does not say what it prints");
    }

    #[test]
    fn each_section_has_a_database_of_its_own() {
        let create = "```sql\nCREATE TABLE t(a);\nSELECT count(*) FROM t;\n--> 0\n```\n";
        let page = |between: &str| Page::parse("p.md", &format!("## A\n{create}{between}\n{create}"));
        assert!(check(&page("### B")).is_empty());
        assert!(check(&page("Text."))[0].contains("table t already exists"));
    }

    #[test]
    fn expectations_go_on_in_indented_lines_and_leave_parts_out() {
        assert_eq!(problems("SELECT 'abcd';\n--> a\n-->   bc\n-->   d"), Vec::<Problem>::new());
        for (expected, is_same) in [
            ("…", true),
            ("a…f", true),
            ("…cd…", true),
            ("…c…e…f", true),
            ("a…e", false),
            ("b…", false),
            ("a…x…f", false),
        ] {
            assert_eq!(matches("abcdef", expected), is_same, "{expected}");
        }
        assert!(!matches("abc", "ab…bc"), "a part is not used twice");
    }

    #[test]
    fn other_languages_are_not_run() {
        assert!(check(&Page::parse("p.md", "```text\nSELECT nonsense\n```\n")).is_empty());
    }
}

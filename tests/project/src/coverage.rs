//! What the library has and the reference must name, and nothing else.
//!
//! A name counts as documented where the first cell of a table's row has it as code: `` `name` ``, `` `name(x)` ``. Where
//! names belong to something with its own heading, such as the columns of a table, the row is looked for in that
//! section.

use std::collections::{BTreeMap, BTreeSet};

use crate::Problem;
use crate::library::{Function, Library, Tables};
use crate::page::{Page, code_spans};
use crate::session::Seen;
use crate::source::Place;

/// The pages of the reference by file name.
pub type Pages = BTreeMap<String, Page>;

/// Where the commands of `powersync_control` are in the code.
const COMMANDS: Place = Place { path: "crates/core/src/sql_api/control/mod.rs", function: "" };

/// Names that only the code has: what they are, the page and section (empty: the whole page) that name them, the place.
const SOURCES: &[(&str, &str, &str, Place)] = &[
    (
        "start option",
        "control.md",
        "start",
        Place { path: "crates/core/src/sql_api/control/start.rs", function: "options" },
    ),
    (
        "member of a stream",
        "control.md",
        "start",
        Place { path: "crates/core/src/sql_api/control/payload.rs", function: "stream" },
    ),
    (
        "member of a subscription",
        "control.md",
        "subscriptions",
        Place { path: "crates/core/src/sql_api/control/streams.rs", function: "subscribe" },
    ),
    (
        "schema key",
        "schema.md",
        "Schema JSON",
        Place { path: "crates/core/src/schema/definition/reading.rs", function: "" },
    ),
    ("member of a line", "protocol.md", "Lines", Place { path: "crates/protocol/src/decode.rs", function: "" }),
];

/// What the pages leave out, and what they name that does not exist.
pub fn check(pages: &Pages, library: &Library, seen: &Seen) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut on = |name: &str, check: &dyn Fn(&Page) -> Vec<Problem>| match pages.get(name) {
        Some(page) => problems.extend(check(page)),
        None => problems.push(format!("there is no page {name}")),
    };
    on("functions.md", &|page| functions(page, &library.functions));
    on("functions.md", &|page| sections("virtual table", page, &library.virtual_tables));
    on("instructions.md", &|page| sections("instruction", page, &seen.instructions));
    on("instructions.md", &|page| exactly("instruction", page, "All instructions", seen.instructions.keys()));
    on("status.md", &|page| exactly("status member", page, "Members", &seen.status));
    on("tables.md", &|page| internal_tables(page, &library.internal_tables));
    on("tables.md", &|page| formats(page, &library.formats));
    on("tables.md", &|page| names("key", page, "ps_kv", &seen.keys));
    on("control.md", &|page| match COMMANDS.names() {
        Ok(commands) => {
            [exactly("command", page, "All commands", &commands), headings("command", page, &commands)].concat()
        }
        Err(error) => vec![error.to_string()],
    });
    for (kind, page, section, place) in SOURCES {
        on(page, &|page| match place.names() {
            Ok(all) => names(kind, page, section, &all),
            Err(error) => vec![error.to_string()],
        });
    }
    problems
}

/// The names in the first cells of a section's tables. An empty `section` is the whole page.
fn documented(page: &Page, section: &str) -> BTreeSet<String> {
    let lines = if section.is_empty() { Some(page.whole()) } else { page.section(section) };
    lines.into_iter().flat_map(|lines| page.names(lines)).map(|(_, name)| name).collect()
}

/// Names that a section lacks.
fn names<'n>(kind: &str, page: &Page, section: &str, all: impl IntoIterator<Item = &'n String>) -> Vec<Problem> {
    let documented = documented(page, section);
    let place = if section.is_empty() { String::new() } else { format!(", section {section}") };
    let missing = all.into_iter().filter(|name| !documented.contains(*name));
    missing.map(|name| format!("{}{place}: no table names the {kind} {name}", page.path)).collect()
}

/// Names that a section lacks, and those that are in it and do not exist.
fn exactly<'n>(kind: &str, page: &Page, section: &str, all: impl IntoIterator<Item = &'n String>) -> Vec<Problem> {
    let all: BTreeSet<String> = all.into_iter().cloned().collect();
    let mut problems = names(kind, page, section, &all);
    let documented = documented(page, section);
    let invented = documented.difference(&all);
    problems.extend(invented.map(|name| format!("{}, section {section}: there is no {kind} {name}", page.path)));
    problems
}

/// Names without a heading.
fn headings<'n>(kind: &str, page: &Page, all: impl IntoIterator<Item = &'n String>) -> Vec<Problem> {
    let missing = all.into_iter().filter(|name| page.section(name).is_none());
    missing.map(|name| format!("{}: no heading for the {kind} {name}", page.path)).collect()
}

/// Things without a heading, and their parts that its section does not name.
fn sections(kind: &str, page: &Page, all: &Tables) -> Vec<Problem> {
    let mut problems = headings(kind, page, all.keys());
    for (name, parts) in all.iter().filter(|(name, _)| page.section(name).is_some()) {
        problems.extend(names(&format!("part of the {kind}"), page, name, parts));
    }
    problems
}

/// A published format has a row that begins with its number, one of ours a section.
fn formats(page: &Page, all: &BTreeSet<i64>) -> Vec<Problem> {
    let has_row = |format: &str| page.rows.iter().any(|row| row.cells.first().is_some_and(|cell| cell == format));
    let is_there = |format: &str| page.section(&format!("Format {format}")).is_some() || has_row(format);
    let missing = all.iter().map(i64::to_string).filter(|format| !is_there(format));
    missing.map(|format| format!("{}: neither a section nor a row for format {format}", page.path)).collect()
}

/// Tables have a section that names their columns; an index or trigger is named in one.
fn internal_tables(page: &Page, all: &Tables) -> Vec<Problem> {
    let (objects, tables): (Tables, Tables) = all.clone().into_iter().partition(|(_, columns)| columns.is_empty());
    let mut problems = sections("internal table", page, &tables);
    problems.extend(names("index or trigger", page, "", objects.keys()));
    let internal =
        page.headings.iter().filter(|heading| heading.text.starts_with("ps_") && !heading.text.contains('<'));
    let invented = internal.filter(|heading| !tables.contains_key(&heading.text));
    problems.extend(invented.map(|heading| format!("{}:{}: there is no {}", page.path, heading.line, heading.text)));
    problems
}

/// The table of all functions has each with its arguments, its flags and whether it needs a transaction, and a link to its
/// section.
fn functions(page: &Page, all: &BTreeSet<Function>) -> Vec<Problem> {
    const SECTION: &str = "All functions";
    let mut problems = exactly("function", page, SECTION, all.iter().map(|function| &function.name));
    let Some((first, end)) = page.section(SECTION) else { return problems };
    for row in page.rows.iter().filter(|row| (first..end).contains(&row.line)) {
        let [signatures, flags, transaction, ..] = row.cells.as_slice() else { continue };
        if !signatures.contains("](#") {
            problems.push(format!("{}:{}: no link to the section of the function", page.path, row.line));
        }
        for signature in code_spans(signatures) {
            let (name, arguments) = signature.split_once('(').unwrap_or((signature, ")"));
            let (arguments, flags) = (count(arguments), flags.replace('`', ""));
            // A function can be registered for several numbers of arguments.
            let same_name = || all.iter().filter(|function| function.name == name);
            let same_count = same_name().find(|function| function.arguments == arguments);
            let Some(function) = same_count.or_else(|| same_name().next()) else { continue };
            if (transaction == "yes") != function.needs_transaction {
                let needs = if function.needs_transaction { "needs a" } else { "needs no" };
                problems.push(format!("{}:{}: {name} {needs} transaction", page.path, row.line));
            }
            if (arguments, flags.as_str()) != (function.arguments, function.flags.as_str()) {
                let Function { arguments, flags, .. } = function;
                problems.push(format!(
                    "{}:{}: {name} has {arguments} arguments (-1: any number) and the flags \"{flags}\"",
                    page.path, row.line
                ));
            }
        }
    }
    problems
}

/// The number of arguments in `a, b)`; -1 if it ends in `…`.
fn count(arguments: &str) -> i64 {
    let arguments = arguments.trim_end_matches(')');
    match arguments.split(',').filter(|argument| !argument.trim().is_empty()).count() {
        _ if arguments.ends_with('…') => -1,
        count => i64::try_from(count).unwrap_or(i64::MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(text: &str) -> Page {
        Page::parse("p.md", text)
    }

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn tables(name: &str, columns: &[&str]) -> Tables {
        Tables::from([(name.to_owned(), set(columns))])
    }

    fn function(name: &str, arguments: i64, flags: &str) -> BTreeSet<Function> {
        let (name, flags) = (name.to_owned(), flags.to_owned());
        BTreeSet::from([Function { name, arguments, flags, needs_transaction: true }])
    }

    const FUNCTIONS: &str = "## All functions\n| function | flags | transaction |\n|-|-|-|\n\
                             | [`f(a, b)`](#f) | `D`, `I` | yes |\n## f\n";

    #[test]
    fn a_function_must_be_listed_as_it_is() {
        let problems = |all| functions(&page(FUNCTIONS), &all);
        assert_eq!(problems(function("f", 2, "D, I")), Vec::<Problem>::new());
        assert_eq!(
            problems(function("f", 1, "D, I")),
            ["p.md:4: f has 1 arguments (-1: any number) and the flags \"D, I\""]
        );
        assert_eq!(problems(function("f", 2, "")).len(), 1, "other flags");
        let without = page(&FUNCTIONS.replace("yes", ""));
        assert_eq!(functions(&without, &function("f", 2, "D, I")), ["p.md:4: f needs a transaction"]);
        let missing = problems(function("g", 2, "D, I"));
        let expected = [
            "p.md, section All functions: no table names the function g",
            "p.md, section All functions: there is no function f",
        ];
        assert_eq!(missing, expected);
        let unlinked = page(&FUNCTIONS.replace("[`f(a, b)`](#f)", "`f(a, b)`"));
        assert_eq!(functions(&unlinked, &function("f", 2, "D, I")), ["p.md:4: no link to the section of the function"]);
    }

    #[test]
    fn arguments_are_counted() {
        assert_eq!([count(")"), count("a)"), count("a, b)"), count("a, …)"), count("…)")], [0, 1, 2, -1, -1]);
    }

    #[test]
    fn a_virtual_table_or_instruction_needs_a_section_with_its_parts() {
        let page = page("## T\n| part | |\n|-|-|\n| `a` | |\n");
        assert_eq!(sections("table", &page, &tables("T", &["a"])), Vec::<Problem>::new());
        assert_eq!(sections("table", &page, &tables("U", &["a"])), ["p.md: no heading for the table U"]);
        let missing = ["p.md, section T: no table names the part of the table b"];
        assert_eq!(sections("table", &page, &tables("T", &["a", "b"])), missing);
    }

    #[test]
    fn commands_members_and_keys_must_be_named_exactly() {
        let page = page("## All\n| name | |\n|-|-|\n| `a` | `c` |\n| `prio_<n>` | |\n## a\n`b`\n");
        assert_eq!(exactly("member", &page, "All", &set(&["a", "prio_"])), Vec::<Problem>::new());
        let problems = exactly("member", &page, "All", &set(&["a", "c"]));
        let expected =
            ["p.md, section All: no table names the member c", "p.md, section All: there is no member prio_"];
        assert_eq!(problems, expected);
        assert_eq!(headings("command", &page, &set(&["a", "b"])), ["p.md: no heading for the command b"]);
        assert_eq!(names("key", &page, "nowhere", &set(&["a"])), ["p.md, section nowhere: no table names the key a"]);
    }

    #[test]
    fn internal_tables_need_a_section_with_their_columns() {
        let page = page(
            "## ps_a\n| column | |\n|-|-|\n| `id` | |\n\n| index | |\n|-|-|\n| `ps_a_index` | |\n## ps_data__<name>\n",
        );
        let all =
            |columns| [tables("ps_a", columns), tables("ps_a_index", &[])].into_iter().flatten().collect::<Tables>();
        assert_eq!(internal_tables(&page, &all(&["id"])), Vec::<Problem>::new());
        let missing = ["p.md, section ps_a: no table names the part of the internal table data"];
        assert_eq!(internal_tables(&page, &all(&["id", "data"])), missing);
        let other = internal_tables(&page, &tables("ps_b", &["id"]));
        assert_eq!(other, ["p.md: no heading for the internal table ps_b", "p.md:1: there is no ps_a"]);
        let index =
            internal_tables(&page, &[tables("ps_a", &["id"]), tables("ps_c", &[])].into_iter().flatten().collect());
        assert_eq!(index, ["p.md: no table names the index or trigger ps_c"]);
    }

    #[test]
    fn formats_need_a_row_or_a_section() {
        let page = page("| format | |\n|-|-|\n| 1 | x |\n\n### Format 1001\n");
        assert_eq!(formats(&page, &BTreeSet::from([1, 1001])), Vec::<Problem>::new());
        assert_eq!(formats(&page, &BTreeSet::from([2])), ["p.md: neither a section nor a row for format 2"]);
    }

    #[test]
    fn each_page_of_the_reference_must_exist() {
        let (library, seen) = (Library::default(), Seen::default());
        let problems = check(&Pages::new(), &library, &seen);
        for page in ["functions", "control", "instructions", "status", "schema", "tables", "protocol"] {
            assert!(problems.contains(&format!("there is no page {page}.md")), "{page}: {problems:?}");
        }
    }
}

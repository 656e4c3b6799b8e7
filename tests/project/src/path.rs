//! Files and tests that documents name.

use crate::Problem;
use crate::page::{Page, code_spans};
use crate::repository::TextFile;

/// The documents in which every path names a file. Others have paths of other things in their code spans, such as routes;
/// in those, a path counts that begins with a directory of the repository or ends in `.rs`.
const DOCUMENTS: &[&str] = &[
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "android/README.md",
    "dart/README.md",
    "docs/architecture.md",
    "docs/compatibility.md",
    "docs/design.md",
    "docs/glossary.md",
    "docs/performance.md",
    "docs/releasing.md",
    "docs/reliability.md",
    "ios/README.md",
    "tests/fuzz/README.md",
    "tests/scenarios/README.md",
    "tests/hosts/node/README.md",
    "wasm/README.md",
];

/// The documents that name items of modules.
const WITH_ITEMS: &[&str] = &["CONTRIBUTING.md", "docs/architecture.md", "docs/design.md"];

/// The document with recipes, and their section: each function and test that a table there names must exist.
const RECIPES: (&str, &str) = ("docs/architecture.md", "Recipes");

/// Modules whose names look like those of functions.
const MODULES: &[&str] = &["sql_api", "sync_client"];

/// The document that names tests.
const WITH_TESTS: &str = "docs/reliability.md";

/// The number of traps in [`WITH_TESTS`], each of which has a test.
const TRAPS: usize = 27;

/// Where a named file may be.
const ROOTS: &[&str] =
    &["", "tests/fuzz", "tests/hosts/node", "crates", "crates/core/src", "crates/json/src", "crates/protocol/src"];

/// The directories of the repository.
const DIRECTORIES: &[&str] = &["android", "crates", "dart", "docs", "ios", "tests", "tool", "wasm"];

/// Made by building, or given by whoever runs the tests.
const NOT_IN_REPOSITORY: &[&str] = &["target/", "maven/", "node_modules", "streams/", "databases/"];

/// Checks that the files and tests which documents name exist.
pub fn check(files: &[TextFile], exists: &dyn Fn(&str) -> bool) -> Vec<Problem> {
    let mut problems = Vec::new();
    for path in DOCUMENTS {
        match files.iter().find(|file| file.path == *path) {
            Some(document) => {
                problems.extend(missing_files(document, exists));
                if WITH_ITEMS.contains(path) {
                    problems.extend(missing_items(document, files));
                }
            }
            None => problems.push(format!("there is no {path}")),
        }
    }
    for document in files.iter().filter(|file| file.is_document() && !DOCUMENTS.contains(&file.path.as_str())) {
        problems.extend(missing_files_of_ours(document, exists));
    }
    if let Some(document) = files.iter().find(|file| file.path == RECIPES.0) {
        problems.extend(missing_functions(document, files));
    }
    if let Some(document) = files.iter().find(|file| file.path == WITH_TESTS) {
        problems.extend(missing_tests(document, files));
    }
    problems
}

/// The same in a document that names other things with slashes too.
fn missing_files_of_ours(document: &TextFile, exists: &dyn Fn(&str) -> bool) -> Vec<Problem> {
    let is_ours = |name: &String| {
        let directory = name.split_once('/').map_or("", |(directory, _)| directory);
        DIRECTORIES.contains(&directory) || name.ends_with(".rs")
    };
    let missing = named_files(&document.text).into_iter().filter(|name| is_ours(name) && !exists(name));
    missing.map(|name| format!("{}: there is no {name}", document.path)).collect()
}

/// Items of modules, such as `memory::is_exhausted`, that no file of such a module has.
fn missing_items(document: &TextFile, files: &[TextFile]) -> Vec<Problem> {
    let is_missing = |(module, item): &(&str, &str)| {
        let of_crate = module.strip_prefix("rowtide_").unwrap_or(module).replace('_', "-");
        let is_module = |part: &str| {
            let part = part.trim_end_matches(".rs");
            part == *module || part == of_crate
        };
        !files.iter().any(|file| {
            let is_in_module = file.path.ends_with(".rs") && file.path.split('/').any(is_module);
            is_in_module && file.text.split(|character: char| !is_identifier(character)).any(|word| word == *item)
        })
    };
    let missing = named_items(&document.text).into_iter().filter(is_missing);
    missing.map(|(module, item)| format!("{}: there is no {module}::{item}", document.path)).collect()
}

/// What is in backquotes and is a path of Rust: its first and its last name.
fn named_items(text: &str) -> Vec<(&str, &str)> {
    let is_path = |name: &&str| name.contains("::") && name.chars().all(|sign| sign == ':' || is_identifier(sign));
    let names = text.split('`').skip(1).step_by(2).filter(is_path);
    names.filter_map(|name| Some((name.split_once("::")?.0, name.rsplit_once("::")?.1))).collect()
}

fn is_identifier(character: char) -> bool {
    character.is_ascii_alphanumeric() || character == '_'
}

fn missing_files(document: &TextFile, exists: &dyn Fn(&str) -> bool) -> Vec<Problem> {
    let is_missing = |name: &String| {
        let is_there = ROOTS.iter().any(|root| exists(format!("{root}/{name}").trim_start_matches('/')));
        !is_there && !NOT_IN_REPOSITORY.iter().any(|start| name.starts_with(start))
    };
    let missing = named_files(&document.text).into_iter().filter(is_missing);
    missing.map(|name| format!("{}: there is no {name}", document.path)).collect()
}

/// What is in backquotes and looks like a path: has a slash or ends in `.rs` or `.md`, and has no spaces or other signs.
fn named_files(text: &str) -> Vec<String> {
    let is_path = |name: &&str| {
        let characters = name.chars().all(|character| character.is_ascii_alphanumeric() || "/._-".contains(character));
        characters && (name.contains('/') || name.ends_with(".rs") || name.ends_with(".md"))
    };
    text.split('`').skip(1).step_by(2).filter(is_path).map(str::to_owned).collect()
}

/// Names in lower case with an underscore, in the tables of [`RECIPES`], that no function has.
fn missing_functions(document: &TextFile, files: &[TextFile]) -> Vec<Problem> {
    let page = Page::parse(&document.path, &document.text);
    let Some((first, end)) = page.section(RECIPES.1) else {
        return vec![format!("{}: there is no section {}", document.path, RECIPES.1)];
    };
    let is_name = |span: &&str| {
        let is_part =
            |character: char| character.is_ascii_lowercase() || character.is_ascii_digit() || character == '_';
        span.contains('_') && span.chars().all(is_part) && !MODULES.contains(span)
    };
    let exists = |name: &str| files.iter().any(|file| file.text.contains(&format!("fn {name}(")));
    let rows = page.rows.iter().filter(|row| (first..end).contains(&row.line));
    let cells = rows.flat_map(|row| row.cells.iter().map(move |cell| (row.line, cell)));
    let names = cells.flat_map(|(line, cell)| code_spans(cell).filter(is_name).map(move |name| (line, name)));
    let missing = names.filter(|(_, name)| !exists(name));
    missing.map(|(line, name)| format!("{}:{line}: there is no function {name}", document.path)).collect()
}

fn missing_tests(document: &TextFile, files: &[TextFile]) -> Vec<Problem> {
    let mut problems = Vec::new();
    let is_trap = |line: &&str| line.starts_with("| ") && line.contains(". ") && line.contains(".rs`: ");
    if document.text.lines().filter(is_trap).count() < TRAPS {
        problems.push(format!("{}: not each of the {TRAPS} traps has a test", document.path));
    }
    for (path, tests) in named_tests(&document.text) {
        let Some(file) = files.iter().find(|file| file.path == path) else {
            problems.push(format!("{}: there is no {path}", document.path));
            continue;
        };
        let missing = tests.into_iter().filter(|test| !file.text.contains(&format!("#[test]\nfn {test}()")));
        let missing = missing.filter(|test| !file.text.contains(&format!("    #[test]\n    fn {test}()")));
        problems.extend(missing.map(|test| format!("{}: {path} has no test {test}", document.path)));
    }
    problems
}

/// A part of a table's cell, such as `` `tests/sql/a.rs`: `one_test`, `another_test` ``: the file and the tests.
fn named_tests(text: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for part in text.split(['|', ';']) {
        let Some((file, tests)) = part.split_once(".rs`: ") else { continue };
        let file = file.rsplit('`').next().unwrap_or_default();
        found.push((format!("{file}.rs"), tests.split('`').skip(1).step_by(2).map(str::to_owned).collect()));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> TextFile {
        TextFile { path: path.to_owned(), text: text.to_owned() }
    }

    #[test]
    fn a_missing_file_is_a_problem() {
        let document = file("README.md", "`a/b.rs`, `a/c.rs` and `target/x`");
        assert_eq!(missing_files(&document, &|path| path == "crates/a/b.rs"), ["README.md: there is no a/c.rs"]);
    }

    #[test]
    fn a_file_may_be_named_from_the_sources_of_a_crate() {
        let document = file("docs/architecture.md", "`sync_client/change.rs`, `sync_client/gone.rs`, `gone.rs`");
        let found = missing_files(&document, &|path| path == "crates/core/src/sync_client/change.rs");
        assert_eq!(
            found,
            ["docs/architecture.md: there is no sync_client/gone.rs", "docs/architecture.md: there is no gone.rs"]
        );
    }

    #[test]
    fn in_other_documents_only_paths_of_the_repository_count() {
        let document = file("a.md", "`tests/a.rs`, `tests/b.rs`, `c.rs`, `application/json`, `/sync/stream`");
        let found = missing_files_of_ours(&document, &|path| path == "tests/a.rs");
        assert_eq!(found, ["a.md: there is no tests/b.rs", "a.md: there is no c.rs"]);
        let checked = check(&[document], &|_| false);
        assert!(checked.contains(&"a.md: there is no tests/b.rs".to_owned()), "{checked:?}");
    }

    #[test]
    fn a_missing_item_of_a_module_is_a_problem() {
        let document =
            file("a.md", "`memory::spare`, `memory::gone`, `rowtide_testkit::Host`, `testkit::a::Disk`, `x::y`");
        let files = [
            file("crates/a/src/memory.rs", "fn spare() {}"),
            file("crates/a/src/other.rs", "fn gone() {}"),
            file("tests/testkit/src/lib.rs", "Host Disk"),
        ];
        assert_eq!(missing_items(&document, &files), ["a.md: there is no memory::gone", "a.md: there is no x::y"]);
    }

    #[test]
    fn a_missing_document_is_a_problem() {
        assert!(check(&[], &|_| true).contains(&"there is no CONTRIBUTING.md".to_owned()));
    }

    #[test]
    fn a_missing_function_of_a_recipe_is_a_problem() {
        let text = "## Recipes\n| step | test |\n|-|-|\n| `a/b_c.rs`, `is_there` | `gone_away`, `Word` |\n## More\n\
                    | x | y |\n|-|-|\n| `not_here` | |\n";
        let files = [file("a.rs", "fn is_there() {\n")];
        let found = missing_functions(&file("d.md", text), &files);
        assert_eq!(found, ["d.md:4: there is no function gone_away"]);
        assert_eq!(missing_functions(&file("d.md", ""), &files), ["d.md: there is no section Recipes"]);
    }

    #[test]
    fn a_missing_test_is_a_problem() {
        let traps = "| 1. x | `a.rs`: `one` |\n".repeat(TRAPS);
        let files = [file("a.rs", "#[test]\nfn one() {\nfn two() {\n")];
        assert_eq!(missing_tests(&file("d.md", &traps), &files), Vec::<Problem>::new());
        let others = file("d.md", &format!("{traps}| y | `a.rs`: `two`; `b.rs`: `three` |"));
        assert_eq!(missing_tests(&others, &files), ["d.md: a.rs has no test two", "d.md: there is no b.rs"]);
        assert_eq!(missing_tests(&file("d.md", ""), &files), ["d.md: not each of the 27 traps has a test"]);
    }

    #[test]
    fn tests_are_found_with_their_files() {
        let text = "| 1. x | `a/b.rs`: `one`, `two`; `c.rs`: `three` |\n| y | `d.rs` |";
        let list = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let expected = [("a/b.rs".to_owned(), list(&["one", "two"])), ("c.rs".to_owned(), list(&["three"]))];
        assert_eq!(named_tests(text), expected);
    }

    #[test]
    fn paths_are_distinguished_from_other_code() {
        let text = "see `a/b.rs`, `c.md` and `cargo test`, `x << 40`, `{a/b}`, `word`\n";
        assert_eq!(named_files(text), ["a/b.rs", "c.md"]);
    }
}

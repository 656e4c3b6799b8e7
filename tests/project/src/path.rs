//! Files and tests that documents name.

use crate::Problem;
use crate::repository::TextFile;

/// The documents that are checked. Others have paths of other things in their code spans, such as routes.
const DOCUMENTS: &[&str] = &[
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "android/README.md",
    "dart/README.md",
    "docs/architecture.md",
    "docs/design.md",
    "docs/releasing.md",
    "docs/reliability.md",
    "ios/README.md",
    "tests/fuzz/README.md",
    "tests/scenarios/README.md",
    "tests/hosts/node/README.md",
    "wasm/README.md",
];

/// The document that names tests.
const WITH_TESTS: &str = "docs/reliability.md";

/// The number of traps in [`WITH_TESTS`], each of which has a test.
const TRAPS: usize = 27;

/// Where a named file may be.
const ROOTS: &[&str] = &["", "tests/fuzz", "tests/hosts/node", "crates", "crates/core/src", "crates/protocol/src"];

/// Made by building, or given by whoever runs the tests.
const NOT_IN_REPOSITORY: &[&str] = &["target/", "maven/", "node_modules", "streams/", "databases/"];

/// Checks that the files and tests which documents name exist.
pub fn check(files: &[TextFile], exists: &dyn Fn(&str) -> bool) -> Vec<Problem> {
    let mut problems = Vec::new();
    for path in DOCUMENTS {
        match files.iter().find(|file| file.path == *path) {
            Some(document) => problems.extend(missing_files(document, exists)),
            None => problems.push(format!("there is no {path}")),
        }
    }
    if let Some(document) = files.iter().find(|file| file.path == WITH_TESTS) {
        problems.extend(missing_tests(document, files));
    }
    problems
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
    fn a_missing_document_is_a_problem() {
        assert!(check(&[], &|_| true).contains(&"there is no CONTRIBUTING.md".to_owned()));
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
    fn paths_are_told_from_other_code() {
        let text = "see `a/b.rs`, `c.md` and `cargo test`, `x << 40`, `{a/b}`, `word`\n";
        assert_eq!(named_files(text), ["a/b.rs", "c.md"]);
    }
}

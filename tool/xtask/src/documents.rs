//! Tests that the files, directories and tests which the documents name exist.

use tool_support::process::repository;

const DOCUMENTS: &[&str] = &[
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "android/README.md",
    "dart/README.md",
    "docs/architecture.md",
    "docs/releasing.md",
    "docs/reliability.md",
    "ios/README.md",
    "tests/fuzz/README.md",
    "tests/scenarios/README.md",
    "tests/hosts/node/README.md",
    "wasm/README.md",
];

/// Where a named file may lie.
const ROOTS: &[&str] = &["", "tests/fuzz", "tests/hosts/node", "crates", "crates/core/src", "crates/protocol/src"];

/// Made by building, or given by whoever runs the tests.
const NOT_IN_REPOSITORY: &[&str] = &["target/", "maven/", "node_modules", "streams/", "databases/"];

#[test]
fn named_files_exist() {
    let mut missing = Vec::new();
    for document in DOCUMENTS {
        let text = std::fs::read_to_string(repository().join(document)).unwrap();
        for name in named_files(&text) {
            let exists = ROOTS.iter().any(|root| repository().join(root).join(&name).exists());
            if !exists && !NOT_IN_REPOSITORY.iter().any(|start| name.starts_with(start)) {
                missing.push(format!("{document}: {name}"));
            }
        }
    }
    assert!(missing.is_empty(), "no such file:\n{}", missing.join("\n"));
}

/// What stands in backquotes and looks like a path: has a slash or ends with `.rs` or `.md`, and no spaces or signs.
fn named_files(text: &str) -> Vec<String> {
    let is_path = |name: &&str| {
        let characters = name.chars().all(|character| character.is_ascii_alphanumeric() || "/._-".contains(character));
        characters && (name.contains('/') || name.ends_with(".rs") || name.ends_with(".md"))
    };
    text.split('`').skip(1).step_by(2).filter(is_path).map(str::to_owned).collect()
}

/// A part of a cell of `docs/reliability.md`, such as `` `tests/sql/a.rs`: `one_test`, `another_test` ``: the file and the
/// tests.
fn named_tests(text: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for part in text.split(['|', ';']) {
        let Some((file, tests)) = part.split_once(".rs`: ") else { continue };
        let file = file.rsplit('`').next().unwrap_or_default();
        found.push((format!("{file}.rs"), tests.split('`').skip(1).step_by(2).map(str::to_owned).collect()));
    }
    found
}

#[test]
fn named_tests_exist() {
    let text = std::fs::read_to_string(repository().join("docs/reliability.md")).unwrap();
    let named = named_tests(&text);
    let traps = text.lines().filter(|line| line.starts_with("| ") && line.contains(". ") && line.contains(".rs`: "));
    assert!(traps.count() >= 27, "each of the numbered traps has a test");
    for (file, tests) in named {
        let source =
            std::fs::read_to_string(repository().join(&file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        for test in tests {
            assert!(source.contains(&format!("#[test]\nfn {test}()")), "{file} has no test {test}");
        }
    }
}

#[test]
fn tests_are_told_with_their_files() {
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

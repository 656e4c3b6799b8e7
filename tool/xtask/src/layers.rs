//! A test that the modules of the crates `core` and `protocol` depend on each other only in the direction that `docs/architecture.md` draws.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use tool_support::process::repository;

/// Each module with the modules it may use (the crate `protocol`, but for these modules in it, counts as one); `sqlite_nostd` stands for the bindings. On top of all of them,
/// [`TOP`] may use whatever it likes.
const MAY_USE: &[(&str, &[&str])] = &[
    ("uuid", &["sqlite_nostd"]),
    ("version", &[]),
    ("text", &["json", "error"]),
    ("error", &["sqlite_nostd"]),
    ("collections", &["error"]),
    ("json", &["collections", "error"]),
    ("protocol", &["json", "error"]),
    ("sync_client", &["collections", "protocol", "json", "text", "error"]),
    ("connection", &["collections", "text", "error", "sqlite_nostd"]),
    ("updated_rows", &["connection", "error", "sqlite_nostd"]),
    ("sync_client", &["collections", "sync_client", "protocol", "json", "text", "error"]),
    (
        "bucket_storage",
        &[
            "collections",
            "schema",
            "sync_client",
            "connection",
            "protocol",
            "json",
            "text",
            "error",
            "uuid",
            "updated_rows",
            "sqlite_nostd",
        ],
    ),
    (
        "schema",
        &["collections", "sync_client", "connection", "protocol", "json", "text", "error", "version", "sqlite_nostd"],
    ),
    (
        "crud",
        &[
            "collections",
            "sync_client",
            "connection",
            "protocol",
            "json",
            "text",
            "error",
            "updated_rows",
            "sqlite_nostd",
        ],
    ),
    (
        "migrations",
        &[
            "collections",
            "schema",
            "sync_client",
            "connection",
            "protocol",
            "json",
            "text",
            "error",
            "uuid",
            "sqlite_nostd",
        ],
    ),
];

/// The SQL surface, which ties all modules together.
const TOP: &str = "sql_api";

#[test]
fn modules_depend_only_on_lower_layers() {
    let crates = repository().join("crates");
    let mut problems = Vec::new();
    let of_protocol =
        rust_files(&crates.join("protocol/src")).into_iter().filter(|file| !file.iter().any(|name| name == "tests"));
    for file in rust_files(&crates.join("core/src")).into_iter().chain(of_protocol) {
        let relative = file.strip_prefix(&crates).unwrap();
        let mut module = relative.iter().nth(2).unwrap().to_string_lossy().replace(".rs", "");
        if relative.starts_with("protocol") && !["json", "collections", "error"].contains(&module.as_str()) {
            "protocol".clone_into(&mut module);
        }
        if module == "lib" || module == TOP {
            continue;
        }
        let Some((_, allowed)) = MAY_USE.iter().find(|(name, _)| *name == module) else {
            problems.push(format!("{}: module {module} is in no layer", relative.display()));
            continue;
        };
        let text = std::fs::read_to_string(&file).unwrap();
        for used in used_modules(&text) {
            if used != module && !allowed.contains(&used.as_str()) {
                problems.push(format!("{}: {module} must not use {used}", relative.display()));
            }
        }
    }
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

fn rust_files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let (directories, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    let below = directories.iter().flat_map(|directory| rust_files(directory));
    let mut all: Vec<PathBuf> =
        files.into_iter().filter(|file| file.extension().is_some_and(|name| name == "rs")).chain(below).collect();
    all.sort();
    all
}

/// Names of the crate's modules (and of the bindings) that a file's code mentions, in `use` declarations or paths.
fn used_modules(text: &str) -> BTreeSet<String> {
    let code: String =
        text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let mut used = BTreeSet::new();
    for (position, _) in code.match_indices("crate::") {
        let before = code[..position].chars().next_back();
        if before.is_some_and(|character| character.is_alphanumeric() || character == '_' || character == '$') {
            continue;
        }
        let rest = code[position + "crate::".len()..].trim_start();
        match rest.strip_prefix('{') {
            Some(group) => used.extend(members_of(group).iter().map(|path| first_name(path))),
            None => {
                used.insert(first_name(rest));
            }
        }
    }
    if code.contains("sqlite_nostd::") || code.contains("use sqlite_nostd") {
        used.insert("sqlite_nostd".to_owned());
    }
    used.remove("");
    used
}

/// The paths of a `{a::{b, c}, d}` group, of which the opening brace is gone.
fn members_of(group: &str) -> Vec<String> {
    let (mut depth, mut members, mut member) = (0, Vec::new(), String::new());
    for character in group.chars() {
        match character {
            '}' if depth == 0 => break,
            ',' if depth == 0 => members.push(std::mem::take(&mut member)),
            other => {
                depth += i32::from(other == '{') - i32::from(other == '}');
                member.push(other);
            }
        }
    }
    members.push(member);
    members
}

fn first_name(path: &str) -> String {
    path.trim_start().chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect()
}

#[test]
fn every_way_of_using_a_module_is_seen() {
    let text = "use crate::store::{Store, gate};\nuse crate::{engine::{Engine, Event}, text};\n\
                // use crate::ignored;\nfn f() { crate::json::parse(); other_crate::nothing(); sqlite_nostd::log() }\n\
                use crate::{\n    crud,\n};";
    let expected = ["crud", "sync_client", "json", "sqlite_nostd", "bucket_storage", "text"];
    assert_eq!(used_modules(text).into_iter().collect::<Vec<_>>(), expected);
}

//! The table of changes: each file has a configuration before and after, and what deploying the second one may cost.

use std::fs;
use std::path::Path;

/// A change of a configuration.
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) before: String,
    pub(crate) after: String,
    pub(crate) expected: Cost,
}

/// What a deploy costs, for two clients together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cost {
    /// Operations that are written.
    pub(crate) operations: u64,
    /// Tables whose rows are read.
    pub(crate) tables: Vec<String>,
    /// Buckets that clients remove.
    pub(crate) dropped: usize,
    /// Buckets that they download.
    pub(crate) downloaded: usize,
    /// Operations that they download.
    pub(crate) rows: usize,
}

/// All files, in the order of their names.
pub(crate) fn all() -> Vec<Case> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/changes/cases");
    let mut files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
        .iter()
        .map(|file| parse(file.file_stem().unwrap().to_str().unwrap(), &fs::read_to_string(file).unwrap()))
        .collect()
}

fn parse(name: &str, text: &str) -> Case {
    let (head, rest) = text.split_once("before: |\n").unwrap();
    let (before, after) = rest.split_once("after: |\n").unwrap();
    let head = head.lines().find(|line| line.starts_with("expect: ")).unwrap();
    let member = |member: &str| {
        let (_, rest) =
            head.split_once(&format!("{member}: ")).unwrap_or_else(|| panic!("{name}: {member} is missing"));
        let end = if rest.starts_with('[') { rest.find(']') } else { rest.find([',', '}']) };
        &rest[..end.unwrap()]
    };
    let number = |name: &str| member(name).parse().unwrap();
    let tables = member("tables").trim_start_matches('[').split(", ").filter(|table| !table.is_empty());
    let expected = Cost {
        operations: member("operations").parse().unwrap(),
        tables: tables.map(str::to_owned).collect(),
        dropped: number("dropped"),
        downloaded: number("downloaded"),
        rows: number("rows"),
    };
    Case { name: name.to_owned(), before: without_indent(before), after: without_indent(after), expected }
}

fn without_indent(block: &str) -> String {
    block.lines().map(|line| format!("{}\n", line.strip_prefix("  ").unwrap_or(line))).collect()
}

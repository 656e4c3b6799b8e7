//! `cargo xtask bindings`: writes SQLite's C interface as Rust, from the headers in `tool/sqlite`, or checks that what is
//! committed is what would be written.
//!
//! Only this needs libclang, and the crate that uses it, so that crate is behind the feature `bindings`: the command runs
//! this tool again with it.

#[cfg(not(feature = "bindings"))]
mod delegate;
#[cfg(feature = "bindings")]
mod generate;

#[cfg(not(feature = "bindings"))]
pub(crate) use delegate::run;
#[cfg(feature = "bindings")]
pub(crate) use generate::run;

/// The directory of SQLite's headers, and the generated file, from the top of the repository.
#[cfg(any(test, feature = "bindings"))]
const FILES: (&str, &str) = ("tool/sqlite", "crates/sqlite-nostd/src/bindings.rs");

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::fs;

    use tool_support::process::repository;

    use super::FILES;

    /// Functions that are newer than the oldest SQLite that is supported; calls of them ask for the version.
    const CHECKED_AT_RUN_TIME: &[&str] = &["is_interrupted", "value_encoding"];

    /// The minor version in which each entry of the API table appeared; 0 for those that were always there. In order.
    fn entries() -> Vec<(String, u32)> {
        let header = fs::read_to_string(repository().join(FILES.0).join("sqlite3ext.h")).unwrap();
        let (_, table) = header.split_once("struct sqlite3_api_routines {").unwrap();
        let (table, _) = table.split_once("\n};").unwrap();
        let table = table.replace("SQLITE_CDECL", "");
        let mut version = 0;
        let mut entries = Vec::new();
        for declaration in table.split(';') {
            if let Some((_, found)) = declaration.split_once("Version 3.") {
                version = found.split('.').next().unwrap().parse().unwrap();
            }
            // `int (*name)(int (*)(void*))`
            if let Some((_, name)) = declaration.split_once("(*") {
                entries.push((name.split(')').next().unwrap().to_owned(), version));
            }
        }
        entries
    }

    // This needs no libclang, other than the whole comparison.
    #[test]
    fn the_bindings_have_the_tables_entries_in_order() {
        let bindings = fs::read_to_string(repository().join(FILES.1)).unwrap();
        let (_, table) = bindings.split_once("pub struct sqlite3_api_routines {").unwrap();
        let (table, _) = table.split_once("\n}").unwrap();
        let fields: Vec<_> = table
            .lines()
            .filter_map(|line| line.strip_prefix("    pub ")?.split_once(':'))
            .map(|(name, _)| name.to_owned())
            .collect();
        let expected: Vec<_> = entries().into_iter().map(|(name, _)| name).collect();
        assert!(expected.len() > 270, "{}", expected.len());
        assert_eq!(fields, expected);
    }

    #[test]
    fn entries_that_the_oldest_sqlite_lacks_are_known() {
        let versions: BTreeMap<_, _> = entries().into_iter().collect();
        let source = fs::read_to_string(repository().join("crates/sqlite-nostd/src/api.rs")).unwrap();
        let mut count = 0;
        let used = source.lines().filter_map(|line| line.trim().strip_prefix("fn sqlite3_")?.split_once(" / "));
        for (_, entry) in used {
            let (entry, _) = entry.split_once('(').unwrap();
            let is_old = versions[entry] <= 38;
            assert!(is_old || CHECKED_AT_RUN_TIME.contains(&entry), "{entry} is from 3.{}", versions[entry]);
            count += 1;
        }
        assert!(count > 60, "{count}");
    }
}

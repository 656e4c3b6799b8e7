//! Follows the files of a folder: what has changed in a file since it was last read becomes transactions.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use sync_engine::source::SourceError;

use super::file::{File, Kind};
use crate::error::{configuration, retry};
use crate::memory::database::Database;

pub(crate) struct Folder {
    path: PathBuf,
    /// By name.
    pub(crate) files: BTreeMap<String, File>,
}

impl Folder {
    pub(crate) fn open(path: &Path) -> Result<Self, SourceError> {
        if !fs::metadata(path).is_ok_and(|found| found.is_dir()) {
            return Err(configuration(format!("{} is not a folder", path.display())));
        }
        Ok(Self { path: path.to_owned(), files: BTreeMap::new() })
    }

    /// Looks for changes. A file that is malformed keeps its last good content, and its problem.
    pub(crate) fn look(&mut self, database: &mut Database, now: Instant) -> Result<(), SourceError> {
        let found = self
            .list()
            .map_err(|error| retry(format!("the folder {} cannot be read: {}", self.path.display(), error.kind())))?;
        let gone: Vec<String> = self.files.keys().filter(|name| !found.contains(*name)).cloned().collect();
        for name in gone {
            if self.files.get_mut(&name).is_some_and(|file| file.is_gone(now))
                && let Some(file) = self.files.remove(&name)
            {
                file.drop_tables(database)?;
                // It may have been in the way of another one.
                self.files.values_mut().filter(|other| other.problem.is_some()).for_each(File::read_again);
            }
        }
        for name in found {
            let Some(kind) = Kind::of(&name) else { continue };
            // The others are asked which tables they have while this one changes.
            let mut file = self.files.remove(&name).unwrap_or_default();
            let has_other = |table: &str| self.files.values().any(|other| other.tables.contains(table));
            let result = file.look(&self.path.join(&name), &kind, &has_other, database);
            self.files.insert(name, file);
            result?;
        }
        Ok(())
    }

    fn list(&self) -> io::Result<BTreeSet<String>> {
        let mut names = BTreeSet::new();
        for entry in fs::read_dir(&self.path)? {
            let Ok(name) = entry?.file_name().into_string() else { continue };
            if !name.starts_with('.') && Kind::of(&name).is_some() {
                names.insert(name);
            }
        }
        Ok(names)
    }
}

#[cfg(test)]
mod tests {
    use super::super::file::GONE;
    use super::*;

    #[test]
    fn a_file_that_is_absent_for_a_moment_keeps_its_table() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("t.json");
        fs::write(&path, "[{\"id\": 1}]").unwrap();
        let mut folder = Folder::open(directory.path()).unwrap();
        let mut database = Database::new("main", 0);
        let start = Instant::now();
        let mut look = |at: Instant| {
            folder.look(&mut database, at).unwrap();
            database.tables.contains_key("t")
        };
        assert!(look(start));
        fs::remove_file(&path).unwrap();
        assert!(look(start));
        assert!(look(start + GONE / 2));
        fs::write(&path, "[{\"id\": 1}]").unwrap();
        assert!(look(start + GONE));
        fs::remove_file(&path).unwrap();
        assert!(look(start + GONE * 5));
        assert!(!look(start + GONE * 6));
    }
}

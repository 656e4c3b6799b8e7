//! The folder of the demo: which files are in it, and what the server's database has.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rusqlite::{Connection, OpenFlags};

use super::devices::{Row, Todo, todos};
use crate::exit::usage;

/// Says that a folder belongs to a demo, which may replace it.
const MARK: &str = ".rowtide-demo";

/// What the server's database begins with: the todo app of `rowtide dev`, and a long list, so that there is something to
/// download.
const MORE_TODOS: &str = "
INSERT INTO lists (id, name, owner_id) VALUES ('list-books', 'Books to read', 'alice');

INSERT INTO todos (id, list_id, description, done, created_at)
    WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 5000)
    SELECT 'book-' || n, 'list-books', 'Book ' || n, n % 3 = 0, '2026-01-01 12:00:00' FROM numbers;
";

/// The files.
pub(super) struct Files {
    folder: PathBuf,
}

impl Files {
    /// Makes the folder. One of an earlier demo is emptied; any other stays as it is.
    pub(super) fn prepare(folder: &Path) -> Result<Self> {
        let is_taken = folder.read_dir().is_ok_and(|mut entries| entries.next().is_some());
        if is_taken {
            if !folder.join(MARK).is_file() {
                return Err(usage(format!(
                    "{} exists, and is not of a demo; name another folder with --dir",
                    folder.display()
                )));
            }
            fs::remove_dir_all(folder)
                .with_context(|| format!("Replacing {}, which an earlier demo has left", folder.display()))?;
        }
        let made = fs::create_dir_all(folder).and_then(|()| fs::write(folder.join(MARK), ""));
        made.with_context(|| format!("Making the folder {}", folder.display()))?;
        Ok(Self { folder: folder.to_owned() })
    }

    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// The SQL script of the server's database. `POST /dev/reset` goes back to it later.
    pub(super) fn seed(&self) -> Result<PathBuf> {
        let path = self.folder.join("seed.sql");
        let script = format!("{}{MORE_TODOS}", rowtide_service::TODO_SEED);
        fs::write(&path, script).with_context(|| format!("Writing {}", path.display()))?;
        Ok(path)
    }

    /// The file of a device.
    pub(super) fn device(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.db"))
    }

    /// A file as somebody who types a command would write it.
    pub(super) fn shown(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// A list in the server's database.
    pub(super) fn source_list(&self, list: &str) -> Result<Vec<Todo>> {
        todos(&self.source()?, list)
    }

    /// All todos of a user in the server's database.
    pub(super) fn source_rows(&self, user: &str) -> Result<Vec<Row>> {
        let source = self.source()?;
        let mut statement = source.prepare(
            "SELECT id, list_id, description, done FROM todos
             WHERE list_id IN (SELECT id FROM lists WHERE owner_id = ?) ORDER BY id",
        )?;
        let rows = statement.query_map([user], |row| row.try_into())?;
        Ok(rows.collect::<rusqlite::Result<_>>()?)
    }

    fn source(&self) -> Result<Connection> {
        let path = self.folder.join("source.db");
        Connection::open_with_flags(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)
            .with_context(|| format!("Opening {}", path.display()))
    }
}

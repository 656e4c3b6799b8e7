//! The folder of the development service: its databases, its secret, and the files of the todo app.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::storage::random;

const SYNC: &str = include_str!("todo/sync.yaml");
const WRITES: &str = include_str!("todo/writes.yaml");
/// The SQL script that the source of the todo app begins with, where nothing else is given.
pub const TODO_SEED: &str = include_str!("todo/seed.sql");

/// Files that nobody wants in a repository.
const IGNORED: &str = "*.db*\njwt-secret\n";

/// The secret where everything has to be the same each time.
const FIXED_SECRET: &str = "cm93dGlkZSBkZXY6IG5vdCBhIHNlY3JldCBhdCBhbGw";

/// The folder, which is removed at the end if it is a temporary one.
pub(super) struct Folder {
    path: PathBuf,
    temporary: Option<tempfile::TempDir>,
}

/// The files of the todo app.
pub(super) struct TodoApp {
    pub(super) config: PathBuf,
    pub(super) writes: PathBuf,
    pub(super) seed: PathBuf,
}

impl Folder {
    /// Creates the folder if it does not exist; without a path, a temporary one.
    pub(super) fn open(path: Option<PathBuf>) -> Result<Self, String> {
        let Some(path) = path else {
            let temporary = tempfile::Builder::new().prefix("rowtide-dev-").tempdir();
            let temporary = temporary.map_err(|error| format!("Creating a temporary folder: {error}"))?;
            return Ok(Self { path: temporary.path().to_owned(), temporary: Some(temporary) });
        };
        fs::create_dir_all(&path).map_err(|error| format!("Creating the folder {}: {error}", path.display()))?;
        let folder = Self { path, temporary: None };
        folder.provide(".gitignore", IGNORED)?;
        Ok(folder)
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn join(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The todo app's sync configuration, write rules and seed; what is there already stays as it is.
    pub(super) fn todo_app(&self) -> Result<TodoApp, String> {
        Ok(TodoApp {
            config: self.provide("sync.yaml", SYNC)?,
            writes: self.provide("writes.yaml", WRITES)?,
            seed: self.provide("seed.sql", TODO_SEED)?,
        })
    }

    /// The secret that tokens are signed with.
    pub(super) fn secret(&self, is_deterministic: bool) -> Result<String, String> {
        if is_deterministic {
            return Ok(FIXED_SECRET.to_owned());
        }
        let path = self.join("jwt-secret");
        let failed = |error: std::io::Error| format!("Keeping the secret of tokens in {}: {error}", path.display());
        match fs::read_to_string(&path) {
            Ok(secret) => return Ok(secret.trim().to_owned()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let secret = URL_SAFE_NO_PAD.encode(random(32)?);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&path).map_err(failed)?;
        writeln!(file, "{secret}").map_err(failed)?;
        Ok(secret)
    }

    /// Removes the folder if it is a temporary one.
    pub(super) fn close(self) {
        if let Some(temporary) = self.temporary
            && let Err(error) = temporary.close()
        {
            tracing::warn!(%error, "removing the temporary folder");
        }
    }

    /// Writes a file if it does not exist.
    fn provide(&self, name: &str, content: &str) -> Result<PathBuf, String> {
        let path = self.join(name);
        if !path.exists() {
            fs::write(&path, content).map_err(|error| format!("Writing {}: {error}", path.display()))?;
        }
        Ok(path)
    }
}

//! Hosts with other versions of SQLite than the one in this process: the system's `sqlite3` shell, and old versions
//! that are built from `tests/hosts/` on first use. They run scripts and give what these print.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::library::{self, cargo_build, repository};

/// A program that takes a database and a script, as `sqlite3 -batch -bail DATABASE < SCRIPT` does.
#[derive(Debug, Clone)]
pub struct ScriptHost {
    program: PathBuf,
    arguments: &'static [&'static str],
}

impl ScriptHost {
    /// The `sqlite3` shell of this system.
    pub fn system() -> Self {
        ScriptHost { program: "sqlite3".into(), arguments: &["-batch", "-bail", "-init", "/dev/null"] }
    }

    /// SQLite 3.38.2: the oldest minor version that we support.
    pub fn oldest_supported() -> Self {
        Self::build("sqlite-3_38")
    }

    /// SQLite 3.37.0: older than what we support.
    pub fn too_old() -> Self {
        Self::build("sqlite-3_37")
    }

    fn build(name: &str) -> Self {
        let manifest = repository().join("tests/hosts").join(name).join("Cargo.toml");
        // Its own target directory, so that the two do not wait for, or rebuild, anything of the workspace.
        let target = target_directory().join("hosts");
        let (manifest, target) = (manifest.display().to_string(), target.display().to_string());
        let artifacts = cargo_build(&["--locked", "--manifest-path", &manifest, "--target-dir", &target]);
        let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
        let program = artifacts.into_iter().find(|path| path.file_name().is_some_and(|found| *found == *file));
        ScriptHost { program: program.unwrap_or_else(|| panic!("cargo built no {file}")), arguments: &[] }
    }

    /// Loads the library into a connection to `database` and runs `script`: one line of values separated by `|` for
    /// each row.
    ///
    /// # Errors
    /// What the program wrote to standard error, if it failed.
    pub fn run(&self, database: &str, script: &str) -> Result<Vec<String>, String> {
        let library = library::loadable().display();
        let script = format!(".load {library} {}\n{script}\n", rowtide_driver::library::ENTRY_POINT);
        let mut child = Command::new(&self.program)
            .args(self.arguments)
            .arg(database)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{}: {error}", self.program.display()))?;
        // A program that refuses the library does not read on; what it has to say is on standard error.
        let _written = child.stdin.take().map(|mut input| input.write_all(script.as_bytes()));
        let output = child.wait_with_output().map_err(|error| error.to_string())?;
        if output.status.success() {
            Ok(String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }
}

/// `text` as an SQL string literal.
pub fn quote(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

fn target_directory() -> PathBuf {
    // Test programs are in <target>/<profile>/deps.
    let program = std::env::current_exe().expect("a program knows its path");
    program.ancestors().nth(3).expect("a test program is in the target directory").to_path_buf()
}

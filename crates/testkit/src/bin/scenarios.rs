//! Runs all scenarios of `tests/scenarios` by a program like `tests/hosts/c/main.c`, for whatever machine it is made:
//!
//! ```text
//! scenarios DATABASE PROGRAM [ARGUMENT]…
//! ```
//!
//! Each scenario gets a process of its own in an empty directory, twice: with lines as JSON and as BSON.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use powersync_testkit::scenario::LineEncoding;
use powersync_testkit::script;
use serde_json::Value;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [database, program, arguments @ ..] = arguments.as_slice() else {
        eprintln!("usage: scenarios DATABASE PROGRAM [ARGUMENT]…");
        return ExitCode::FAILURE;
    };
    match run_all(database, program, arguments) {
        Ok(count) => {
            println!("{count} scenarios passed");
            ExitCode::SUCCESS
        }
        Err(problems) => {
            eprintln!("{problems}");
            ExitCode::FAILURE
        }
    }
}

fn run_all(database: &str, program: &str, arguments: &[String]) -> Result<usize, String> {
    let (mut count, mut problems) = (0, Vec::new());
    for file in files()? {
        let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let scenario: Value = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
        for encoding in [LineEncoding::Text, LineEncoding::Binary] {
            let directory = std::env::temp_dir().join(format!("scenario-{}-{count}", std::process::id()));
            std::fs::create_dir(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
            let mut command = Command::new(program);
            let result = script::run(&scenario, encoding, database, command.args(arguments).current_dir(&directory));
            if let Err(problem) = result {
                problems.push(format!("{} ({encoding:?}): {problem}", file.display()));
            }
            std::fs::remove_dir_all(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
            count += 1;
        }
    }
    if count == 0 {
        problems.push("there are no scenarios".to_owned());
    }
    if problems.is_empty() { Ok(count) } else { Err(problems.join("\n")) }
}

fn files() -> Result<Vec<PathBuf>, String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenarios");
    let entries = std::fs::read_dir(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    Ok(files)
}

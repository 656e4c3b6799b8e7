//! Runs all scenarios of `tests/scenarios` by a program like `tests/hosts/c/main.c`, for whatever machine it is made:
//!
//! ```text
//! scenarios DATABASE PROGRAM [ARGUMENT]…
//! ```
//!
//! Each scenario gets its own process in an empty directory, twice: with lines as JSON and as BSON. One more process
//! shows that what the library logs arrives.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use rowtide_testkit::scenario::LineEncoding;
use rowtide_testkit::script;
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
    let command = || {
        let mut command = Command::new(program);
        command.args(arguments);
        command
    };
    for file in files()? {
        let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
        let scenario: Value = serde_json::from_str(&text).map_err(|error| format!("{}: {error}", file.display()))?;
        for encoding in [LineEncoding::Text, LineEncoding::Binary] {
            let result = in_empty_directory(|directory| {
                script::run(&scenario, encoding, database, command().current_dir(directory))
            });
            if let Err(problem) = result {
                problems.push(format!("{} ({encoding:?}): {problem}", file.display()));
            }
            count += 1;
        }
    }
    if count == 0 {
        problems.push("there are no scenarios".to_owned());
    }
    if let Err(problem) = in_empty_directory(|directory| script::check_log(database, command().current_dir(directory)))
    {
        problems.push(problem);
    }
    if problems.is_empty() { Ok(count) } else { Err(problems.join("\n")) }
}

/// Makes a directory for what is done, and removes it.
fn in_empty_directory(action: impl FnOnce(&Path) -> Result<(), String>) -> Result<(), String> {
    let directory = std::env::temp_dir().join(format!("scenario-{}", std::process::id()));
    let problem = |error: std::io::Error| format!("{}: {error}", directory.display());
    std::fs::create_dir(&directory).map_err(problem)?;
    let result = action(&directory);
    std::fs::remove_dir_all(&directory).map_err(problem)?;
    result
}

fn files() -> Result<Vec<PathBuf>, String> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/scenarios");
    let entries = std::fs::read_dir(&directory).map_err(|error| format!("{}: {error}", directory.display()))?;
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    Ok(files)
}

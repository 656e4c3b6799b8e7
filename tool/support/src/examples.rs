//! `cargo xtask readme`: runs the README's examples, so that they stay true.
//!
//! A code block is run if the line before it is an HTML comment `<!-- run: shell -->` (the words after it say how: see
//! `run_example`). Each runs in a new directory in which `libpowersync.so` is, as in the examples' own paths.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::library;
use crate::process::{self, repository};

/// One example.
#[derive(Debug, PartialEq, Eq)]
pub struct Example {
    /// How to run it: `shell`, `python`, `node` or `rust`.
    pub kind: String,
    /// The code.
    pub code: String,
    /// Line of the document on which the code begins.
    pub line: usize,
}

/// Runs all examples.
///
/// # Errors
/// Names the first one that fails, and what it printed.
pub fn run() -> Result<()> {
    let text = std::fs::read_to_string(repository().join("README.md"))?;
    let examples = examples(&text);
    ensure!(!examples.is_empty(), "README.md has no examples to run");
    let library = library::build()?;
    let directory = library.parent().context("a library is in a directory")?.join("readme-examples");
    for example in &examples {
        let place = directory.join(example.line.to_string());
        prepare(&place, &library)?;
        run_example(example, &place)
            .with_context(|| format!("the {} example on line {}", example.kind, example.line))?;
        println!("README.md line {}: {} example runs", example.line, example.kind);
    }
    Ok(())
}

/// The marked code blocks of a document.
pub fn examples(text: &str) -> Vec<Example> {
    let mut examples = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((_, line)) = lines.next() {
        let Some(kind) = line.strip_prefix("<!-- run: ").and_then(|rest| rest.strip_suffix(" -->")) else { continue };
        let Some((fence, _)) = lines.next() else { break };
        let code: Vec<&str> =
            lines.by_ref().map(|(_, line)| line).take_while(|line| !line.starts_with("```")).collect();
        examples.push(Example { kind: kind.to_owned(), code: code.join("\n") + "\n", line: fence + 2 });
    }
    examples
}

/// A fresh directory with the library in `target/release`, where the examples look for it.
fn prepare(place: &Path, library: &Path) -> Result<()> {
    if place.exists() {
        std::fs::remove_dir_all(place)?;
    }
    let release = place.join("target/release");
    std::fs::create_dir_all(&release)?;
    std::fs::copy(library, release.join(library.file_name().context("a library has a name")?))?;
    Ok(())
}

/// Runs one example; it must succeed and print what its lines `#> text` (in Rust and JavaScript `//> text`) say;
/// a text that ends with `…` is the start of a line.
fn run_example(example: &Example, place: &Path) -> Result<()> {
    let (file, program): (&str, &[&str]) = match example.kind.as_str() {
        "shell" => ("example.sh", &["bash", "-e", "example.sh"]),
        "python" => ("example.py", &["python3", "example.py"]),
        // The registry's package of that name is Node.js itself, in a version that has the module `node:sqlite`.
        "node" => ("example.mjs", &["npx", "--yes", "node@24", "--no-warnings", "example.mjs"]),
        "rust" => return run_rust(example, place),
        other => bail!("unknown kind of example: {other}"),
    };
    std::fs::write(place.join(file), &example.code)?;
    let (name, arguments) = program.split_first().context("a program has a name")?;
    if example.kind == "node" {
        process::output(
            process::program("npm", &["install", "--silent", "--no-save", "better-sqlite3"]).current_dir(place),
        )?;
    }
    compare(&process::output(process::program(name, arguments).current_dir(place))?, &example.code)
}

/// A Rust example is the `main.rs` of a package that depends on rusqlite as the README says.
fn run_rust(example: &Example, place: &Path) -> Result<()> {
    let source = place.join("src");
    std::fs::create_dir_all(&source)?;
    std::fs::write(source.join("main.rs"), &example.code)?;
    let manifest = "[package]\nname = \"example\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[workspace]\n\n\
                    [dependencies]\nrusqlite = { version = \"0.41\", features = [\"bundled\", \"load_extension\"] }\n";
    std::fs::write(place.join("Cargo.toml"), manifest)?;
    std::fs::copy(repository().join("Cargo.lock"), place.join("Cargo.lock"))?;
    let target: PathBuf = place.parent().unwrap_or(place).join("target");
    let mut command = process::cargo(&["run", "--quiet"]);
    compare(&process::output(command.env("CARGO_TARGET_DIR", target).current_dir(place))?, &example.code)
}

/// Compares what an example printed with what its lines say.
///
/// # Errors
/// If they differ, or nothing is expected.
pub fn compare(printed: &str, code: &str) -> Result<()> {
    let expected: Vec<&str> = code
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("#> ").or(line.trim_start().strip_prefix("//> ")))
        .collect();
    ensure!(!expected.is_empty(), "the example does not say what it prints");
    let printed: Vec<&str> = printed.lines().collect();
    let matches = |(printed, expected): (&&str, &&str)| match expected.strip_suffix('…') {
        Some(start) => printed.starts_with(start),
        None => printed == expected,
    };
    let all_match = printed.len() == expected.len() && printed.iter().zip(&expected).all(matches);
    ensure!(all_match, "printed {printed:?}, not {expected:?}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marked_examples_are_found() {
        let text = "# A\n```\nnot run\n```\n<!-- run: shell -->\n```sh\necho a\n#> a\n```\n";
        let expected = Example { kind: "shell".into(), code: "echo a\n#> a\n".into(), line: 7 };
        assert_eq!(examples(text), [expected]);
    }

    #[test]
    fn output_must_be_what_the_example_says() {
        assert!(compare("a\nb\n", "x\n#> a\ny\n//> b\n").is_ok());
        assert!(compare("a\n", "#> b\n").is_err());
        assert!(compare("1.2/ab\n", "#> 1.2/…\n").is_ok());
        assert!(compare("1.3/ab\n", "#> 1.2/…\n").is_err());
        assert!(compare("a\nb\n", "#> a\n").is_err());
        assert!(compare("", "no expectation").is_err());
    }
}

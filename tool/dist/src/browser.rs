//! `cargo xtask browser`: builds the program with the playground. With `--check` it builds the example of `wasm/example` by the
//! commands of `wasm/README.md`, and uses it in a headless Chromium, so that commands and example stay true.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::hosts::table::find;
use crate::hosts::web::{self, Compiler, LIBRARY};
use crate::package::distribution;
use crate::parts;
use crate::static_library;
use tool_support::examples::{self, Example};
use tool_support::library;
use tool_support::process::{self, repository};

const README: &str = "wasm/README.md";

/// Collects the playground's parts, builds the program with them, and says how to start it.
///
/// # Errors
/// If something that is needed is not there, or the program does not build.
pub(crate) fn build_playground() -> Result<()> {
    parts::collect()?;
    let program = library::built(&mut process::cargo(&["build", "--bin", "rowtide", library::JSON_MESSAGES]), "bin")?;
    println!("built with the playground: {}", program.display());
    println!("start it with: cargo run -p rowtide -- dev");
    Ok(())
}

/// Builds the example in both ways and uses it in Chromium; says what is left out because a tool is missing.
///
/// # Errors
/// If something does not build, or does not work.
pub(crate) fn check() -> Result<()> {
    for (name, compiler, check) in [
        ("wasm/example", Compiler::Wasi, check_example as fn(&[Example]) -> Result<()>),
        ("wasm/example by emscripten", Compiler::Emscripten, check_emscripten),
    ] {
        match obstacle(compiler) {
            Some(obstacle) => println!("SKIPPED {name}: {obstacle}"),
            None => check(&prepare()?)?,
        }
    }
    Ok(())
}

/// Why it cannot be built here; None if it can.
fn obstacle(compiler: Compiler) -> Option<String> {
    if !distribution().join(LIBRARY).is_file() {
        return Some(format!("there is no {LIBRARY}: cargo xtask package --only wasm builds it"));
    }
    compiler.obstacle()
}

fn check_example(examples: &[Example]) -> Result<()> {
    build(example(examples, "wasi")?)?;
    match find("chromium") {
        Some(chromium) => process::run(&mut page("example.mjs", &chromium, &[&place().join("program.wasm")])),
        None => {
            println!("SKIPPED the page of wasm/example: not installed: chromium");
            Ok(())
        }
    }
}

fn check_emscripten(examples: &[Example]) -> Result<()> {
    build(example(examples, "emscripten")?)?;
    let Some(chromium) = find("chromium") else {
        println!("SKIPPED the page for emscripten: not installed: chromium");
        return Ok(());
    };
    let (snippet, file) = (example(examples, "page")?, place().join("snippet.html"));
    std::fs::write(&file, &snippet.code)?;
    let printed = process::output(&mut page("snippet.mjs", &chromium, &[&file, &place().join("emscripten.js")]))?;
    examples::compare(&printed, &snippet.code).with_context(|| format!("{README} line {}", snippet.line))?;
    println!("{README} line {}: the page shows what it should", snippet.line);
    Ok(())
}

/// Where the example is built.
fn place() -> PathBuf {
    repository().join("target/wasm")
}

/// Puts SQLite where the commands look for it; gives the commands.
fn prepare() -> Result<Vec<Example>> {
    let source = static_library::sqlite_source()?;
    let files = ["sqlite3.c", "sqlite3.h"].map(|name| (source.join(name), place().join(name)));
    if !files.iter().all(|(original, copy)| have_same_content(original, copy)) {
        // What was compiled is of another version.
        let _ = std::fs::remove_dir_all(place());
        std::fs::create_dir_all(place())?;
        for (original, copy) in files {
            std::fs::copy(&original, copy).with_context(|| format!("cannot copy {}", original.display()))?;
        }
    }
    Ok(examples::examples(&std::fs::read_to_string(repository().join(README))?))
}

fn have_same_content(one: &Path, other: &Path) -> bool {
    matches!((std::fs::read(one), std::fs::read(other)), (Ok(one), Ok(other)) if one == other)
}

fn example<'e>(examples: &'e [Example], kind: &str) -> Result<&'e Example> {
    examples.iter().find(|example| example.kind == kind).with_context(|| format!("{README} has no {kind} example"))
}

fn page(script: &str, chromium: &Path, arguments: &[&Path]) -> std::process::Command {
    let mut command = process::program("node", &[]);
    command.arg(web::script(script)).arg(chromium).args(arguments);
    command
}

/// Runs an example's commands as they are written, except that a compiler may have another name on this machine. One
/// that compiles SQLite is not run again: that takes longest.
fn build(example: &Example) -> Result<()> {
    for line in commands(&example.code) {
        let (name, arguments) = line.split_once(' ').context("a command has arguments")?;
        let done = output(&line).filter(|_| line.contains(" -c ")).map(|output| repository().join(output + ".command"));
        if done.as_deref().is_some_and(|done| std::fs::read_to_string(done).is_ok_and(|text| text == line)) {
            continue;
        }
        let program = find(name).with_context(|| format!("there is no {name}"))?;
        println!("{line}");
        let mut command = process::program(&program.display().to_string(), &[]);
        process::run(command.args(arguments.split_whitespace()).envs(web::emscripten_environment()))
            .with_context(|| format!("{README} line {}", example.line))?;
        if let Some(done) = done {
            std::fs::write(done, &line)?;
        }
    }
    Ok(())
}

/// The commands of a block, each on one line.
fn commands(code: &str) -> Vec<String> {
    let joined = code.replace("\\\n", " ");
    joined.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect()
}

/// The file that a compiler is asked to make.
fn output(command: &str) -> Option<String> {
    command.split_once(" -o ").map(|(_, output)| output.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_may_go_over_several_lines() {
        assert_eq!(
            commands("clang -c \\\n    a.c -o a.o\nclang a.o -o a\n"),
            ["clang -c a.c -o a.o", "clang a.o -o a"]
        );
        assert_eq!(output("clang -c a.c -o a.o").as_deref(), Some("a.o"));
    }

    #[test]
    fn the_document_has_all_that_is_run() {
        let snippets = examples::examples(&std::fs::read_to_string(repository().join(README)).unwrap());
        for kind in ["wasi", "emscripten", "page"] {
            assert!(example(&snippets, kind).is_ok(), "{kind}");
        }
    }
}

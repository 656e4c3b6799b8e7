//! `cargo xtask examples`: runs the todo programs of `docs/examples` against `rowtide dev`.
//!
//! Each is prepared and started by the commands that `docs/examples/README.md` names, in a folder that has the examples and
//! the library where the top of the repository has them. All of them do the same: see `scenario.txt`. In the end each
//! device of the scenario has another language.

mod language;
mod output;
mod play;
mod program;
mod proxy;
mod scenario;
mod service;

use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, ensure};
use serde_json::Value;
use tool_support::process::{self, repository};
use tool_support::{files, library, node};

use language::Language;
use play::Stage;
use scenario::Part;

const SCENARIO: &str = include_str!("scenario.txt");

/// Names another library than the one built here.
const LIBRARY_VARIABLE: &str = "POWERSYNC_LIBRARY";

/// The folder of the examples.
const EXAMPLES: &str = "docs/examples";

/// The packages that the examples for Node.js use, and the project that has them installed already.
const NODE: (&str, &str) = ("docs/examples/node", "tests/hosts/node");

/// Runs the examples, or only those of the languages whose names contain `only`.
///
/// # Errors
/// Names the language and the step that failed.
pub(crate) fn run(only: Option<&str>) -> Result<()> {
    let mut parts = scenario::parse(SCENARIO)?;
    let page = repository().join(EXAMPLES).join("README.md");
    let page = std::fs::read_to_string(&page).with_context(|| format!("cannot read {}", page.display()))?;
    parts.push(scenario::session(&page)?);
    let mut languages = language::all(&page)?;
    languages.retain(|language| only.is_none_or(|only| language.name.to_lowercase().contains(&only.to_lowercase())));
    ensure!(!languages.is_empty(), "no language has this name");
    let library = match std::env::var_os(LIBRARY_VARIABLE).filter(|name| !name.is_empty()) {
        Some(name) => PathBuf::from(name),
        None => library::build()?,
    };
    let rowtide = library::built(&mut process::cargo(&["build", "--bin", "rowtide", library::JSON_MESSAGES]), "bin")?;
    let folder = repository().join("target/examples");
    set(&folder, &library).with_context(|| format!("making {}", folder.display()))?;
    let stage = Stage { folder: &folder, rowtide: &rowtide };
    for language in &languages {
        prepare(&stage, language).with_context(|| format!("preparing {}", language.name))?;
    }
    let start = Instant::now();
    let all: Vec<&Language> = languages.iter().collect();
    let mut casts: Vec<&[&Language]> = all.chunks(1).collect();
    if all.len() > 1 {
        casts.push(&all);
    }
    // Mostly they wait, so all run at once.
    thread::scope(|scope| {
        let running: Vec<_> = casts.iter().map(|cast| scope.spawn(|| play_all(&stage, &parts, cast))).collect();
        running.into_iter().try_for_each(|cast| cast.join().map_err(|_| anyhow!("a thread has panicked"))?)
    })?;
    println!("the scenario took {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// Makes the folder where the examples run: copies of them, and the library.
fn set(folder: &Path, library: &Path) -> Result<()> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)?;
    }
    let (examples, release) = (folder.join(EXAMPLES), folder.join("target/release"));
    for file in ["python", "node", "rust", "rust/src", "c"] {
        files::copy(&repository().join(EXAMPLES).join(file), &examples.join(file))?;
    }
    std::fs::create_dir_all(&release)?;
    let name = format!("{}powersync{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    std::fs::copy(library, release.join(name))?;
    // The README's example for Rust has the same dependencies.
    let built = repository().join("target/release/readme-examples/target");
    std::fs::create_dir_all(&built)?;
    link(&built, &folder.join("target/todo"))?;
    Ok(())
}

/// Does what has to be done once for a language. Packages for Node.js are not installed twice, since they compile SQLite.
fn prepare(stage: &Stage, language: &Language) -> Result<()> {
    let (example, project) = NODE;
    if language.preparation == format!("npm install --prefix {example}") {
        have_same_packages(&repository().join(example), &repository().join(project))?;
        let (packages, place) =
            (node::project()?.join("node_modules"), stage.folder.join(example).join("node_modules"));
        return if place.exists() { Ok(()) } else { link(&packages, &place) };
    }
    let mut command = process::program("bash", &["-c", &language.preparation]);
    process::output(command.current_dir(stage.folder).env_remove("CARGO_TARGET_DIR")).map(drop)
}

/// Fails if the first project does not have the versions of the second one.
fn have_same_packages(first: &Path, second: &Path) -> Result<()> {
    let packages = |project: &Path| -> Result<Value> {
        let text = std::fs::read_to_string(project.join("package.json"))?;
        Ok(serde_json::from_str::<Value>(&text)?.get("dependencies").cloned().unwrap_or_default())
    };
    let (wanted, installed) = (packages(first)?, packages(second)?);
    for (name, version) in wanted.as_object().context("the example has no dependencies")? {
        let found = installed.get(name);
        ensure!(found == Some(version), "{name} is {version} for the examples, and {found:?} for the tests");
    }
    Ok(())
}

fn link(target: &Path, place: &Path) -> Result<()> {
    #[cfg(unix)]
    std::os::unix::fs::symlink(target, place)?;
    #[cfg(windows)]
    std::os::windows::fs::symlink_dir(target, place)?;
    Ok(())
}

/// Plays the whole scenario with a language, or with several of them in turn.
fn play_all(stage: &Stage, parts: &[Part], languages: &[&Language]) -> Result<()> {
    let name = if let [language] = languages { language.name.clone() } else { "all together".to_owned() };
    let start = Instant::now();
    for (number, part) in parts.iter().enumerate() {
        let mut cast: Vec<&Language> =
            languages.iter().copied().filter(|language| part.is_for_sdk || !language.is_sdk()).collect();
        if cast.is_empty() {
            continue;
        }
        // So that in each part others meet.
        let first = number % cast.len();
        cast.rotate_left(first);
        play::play(stage, part, &cast).with_context(|| name.clone())?;
    }
    println!("{name}: as expected, {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

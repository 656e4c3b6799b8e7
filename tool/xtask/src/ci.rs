//! `cargo xtask ci`: everything that must hold before a change is merged.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Child;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tool_support::process::{self, cargo};
use tool_support::{examples, node};

use crate::{bench, bindings, converge, dependencies, dist, fuzz, memcheck, python, todo, version};

/// Names the recorded data; without it the tests that need them would be left out.
const DATA_VARIABLE: &str = "POWERSYNC_INTEROP_DATA";

/// A step that can fail, with its name.
type Step = (&'static str, fn() -> Result<()>);

/// One after the other, from what fails soonest on.
const STEPS: &[Step] = &[
    ("format", || process::run(&mut cargo(&["fmt", "--all", "--check"]))),
    ("lints", lints),
    ("dependencies", dependencies::check),
    ("spelling", dependencies::spelling),
    ("documentation", documentation),
    ("bindings", || bindings::run(true)),
    ("version", version::check),
    ("demo", || process::run(&mut cargo(&["xtask", "demo"]))),
    ("symbols", || dist::run("symbols", [])),
    ("size", || dist::run("size", [])),
    ("static library", || dist::run("static", [])),
    ("Python host", python::run),
    ("packages", || dist::run("consumers", [])),
    ("platforms", platforms),
    ("pages", || dist::run("pages", ["--check"])),
    ("web SDK", || dist::run("web", ["--check"])),
];

/// At the same time as those: most steps keep one processor busy.
const LONG: &[Step] = &[
    ("panics", || dist::run("panics", [])),
    ("memory", memcheck::run),
    ("fuzzing", fuzz::check),
    ("benchmark", bench::smoke),
    ("benchmark of the service", bench::service_smoke),
    ("README examples", examples::run),
    ("todo examples", || todo::run(None)),
    ("Convex functions", node::check_convex),
    ("convergence", converge::bounded),
    ("simulation", simulation),
];

/// At the same time as the tests.
const JAVASCRIPT: Step = ("JavaScript SDK", node::run);

/// Runs the steps with these names or, without any, all of them and the tests.
///
/// # Errors
/// Names the step that failed.
pub(crate) fn run(names: &[String]) -> Result<()> {
    let data = std::env::var_os(DATA_VARIABLE).unwrap_or_default();
    ensure!(std::path::Path::new(&data).is_dir(), "{DATA_VARIABLE} must name the directory with recorded data");
    let mut times = Times { start: Instant::now(), steps: Vec::new() };
    if !names.is_empty() {
        for name in names {
            let step = [STEPS, LONG, &[JAVASCRIPT]].concat().into_iter().find(|step| step.0 == name);
            times.run(&[step.with_context(|| format!("there is no step {name:?}"))?])?;
        }
        times.print();
        return Ok(());
    }
    let mut counts = Counts::default();
    times.beside(LONG, |times| times.run(STEPS))?;
    let printed = times.beside(&[JAVASCRIPT], |times| times.step("tests", || tests(&mut counts)))?;
    count_all_javascript(&printed, &mut counts)?;
    times.print();
    println!("{} passed, {} failed, {} skipped", counts.passed, counts.failed, counts.ignored);
    Ok(())
}

/// How long steps took.
struct Times {
    start: Instant,
    steps: Vec<(&'static str, Duration)>,
}

impl Times {
    fn run(&mut self, steps: &[Step]) -> Result<()> {
        steps.iter().try_for_each(|(name, step)| self.step(name, step))
    }

    /// Runs `these` steps and, in another process, those `beside`, and gives what that has printed.
    fn beside(&mut self, beside: &[Step], these: impl FnOnce(&mut Self) -> Result<()>) -> Result<String> {
        let beside = Beside::start(beside)?;
        let done = these(self);
        let mut printed = String::new();
        // Also after a failure, so that nothing goes on when this has ended.
        let rest = self.step("rest of what runs beside", || beside.finish(&mut printed));
        done.and(rest)?;
        Ok(printed)
    }

    fn step(&mut self, name: &'static str, step: impl FnOnce() -> Result<()>) -> Result<()> {
        println!("\n== {name}");
        let start = Instant::now();
        step().with_context(|| format!("step {name:?} failed"))?;
        self.steps.push((name, start.elapsed()));
        Ok(())
    }

    fn print(&self) {
        println!("\n{:>8}  step", "seconds");
        for (name, time) in &self.steps {
            println!("{:8.1}  {name}", time.as_secs_f64());
        }
        println!("{:8.1}  all", self.start.elapsed().as_secs_f64());
    }
}

/// Steps that run in a process of their own. What they print is shown when all have ended.
struct Beside {
    process: Child,
    log: PathBuf,
}

impl Beside {
    fn start(steps: &[Step]) -> Result<Self> {
        let log = process::repository().join("target/ci-beside.log");
        let file = File::create(&log).with_context(|| format!("cannot create {}", log.display()))?;
        let mut command = cargo(&["xtask", "ci"]);
        command.args(steps.iter().map(|step| step.0)).stdout(file.try_clone()?).stderr(file);
        Ok(Self { process: command.spawn().context("cannot start the steps beside")?, log })
    }

    fn finish(mut self, printed: &mut String) -> Result<()> {
        let status = self.process.wait()?;
        *printed = fs::read_to_string(&self.log)?;
        print!("{printed}");
        ensure!(status.success(), "a step failed: see above");
        Ok(())
    }
}

/// The libraries are linted alone, as they are built: see the workspace manifest.
fn lints() -> Result<()> {
    let deny = ["--", "-D", "warnings"];
    process::run(cargo(&["clippy", "--all-targets"]).args(deny))?;
    process::run(cargo(&["clippy", "--package", "rowtide-loadable"]).args(deny))?;
    process::run(cargo(&["clippy", "--package", "rowtide-static"]).args(deny))
}

/// Builds, checks and runs the libraries of this machine, of one that is emulated, and of WebAssembly, as far as the tools
/// for them are there. The whole matrix takes much longer: see the commands.
fn platforms() -> Result<()> {
    const TARGETS: [&str; 2] = ["--only", "x86_64-unknown-linux,aarch64-unknown-linux,wasm"];
    dist::run("package", TARGETS)?;
    dist::run("verify", TARGETS)?;
    dist::run("hosts", ["--only", "x86-64 Linux glibc,aarch64 Linux,WebAssembly"])?;
    dist::run("browser", ["--check"])
}

/// A million steps: of the service's writer alone, and of the whole system. Targets are chosen by name and not by package,
/// since features of dependencies, and so what is built again, depend on the packages.
fn simulation() -> Result<()> {
    let run = |steps: &str, arguments: &[&str]| {
        process::run(cargo(&["test", "--quiet"]).args(arguments).env("ROWTIDE_SIMULATION_STEPS", steps))
    };
    run("800000", &["--lib", "writer::tests::simulation"])?;
    run("200000", &["--test", "sessions", "random_sessions_show_what_the_source_has"])
}

fn documentation() -> Result<()> {
    let doc = |arguments: &[&str]| {
        process::run(cargo(&["doc", "--no-deps", "--quiet"]).args(arguments).env("RUSTDOCFLAGS", "-D warnings"))
    };
    doc(&[])?;
    doc(&["--package", "rowtide-loadable"])
}

#[derive(Default)]
struct Counts {
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Counts {
    /// Adds a number of tests; `kind` is the word of Cargo or of Node.js for what became of them.
    fn add(&mut self, kind: &str, number: &str) {
        let number = number.parse().unwrap_or(0);
        match kind {
            "passed" | "pass" => self.passed += number,
            "failed" | "fail" | "cancelled" => self.failed += number,
            "ignored" | "skipped" | "todo" => self.ignored += number,
            _ => {}
        }
    }
}

fn tests(counts: &mut Counts) -> Result<()> {
    let result = process::watch(&mut cargo(&["test", "--no-fail-fast"]), |line| count(line, counts));
    result?;
    check_counts(counts, 0)
}

/// Counts the tests of the JavaScript SDK in what their step has printed.
fn count_all_javascript(printed: &str, counts: &mut Counts) -> Result<()> {
    let before = counts.passed;
    printed.lines().for_each(|line| count_javascript(line, counts));
    check_counts(counts, before)
}

/// Fails if no test has passed since there were `before`, or if one was left out.
fn check_counts(counts: &Counts, before: u64) -> Result<()> {
    ensure!(counts.passed > before, "no test was run");
    ensure!(counts.ignored == 0, "{} tests were left out", counts.ignored);
    Ok(())
}

/// Adds up lines such as `test result: ok. 3 passed; 0 failed; 0 ignored; …`.
fn count(line: &str, counts: &mut Counts) {
    let Some((_, numbers)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". ")) else { return };
    for part in numbers.split("; ") {
        let Some((number, kind)) = part.split_once(' ') else { continue };
        counts.add(kind, number);
    }
}

/// Adds up lines such as `ℹ pass 3` and `ℹ skipped 0`, which Node.js prints at the end of all tests.
fn count_javascript(line: &str, counts: &mut Counts) {
    let Some((kind, number)) = line.strip_prefix("ℹ ").and_then(|rest| rest.split_once(' ')) else { return };
    counts.add(kind, number);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_are_added_up() {
        let mut counts = Counts::default();
        count(
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.05s",
            &mut counts,
        );
        count("test result: FAILED. 2 passed; 5 failed; 0 ignored; 0 measured; 0 filtered out", &mut counts);
        count("something else", &mut counts);
        assert_eq!((counts.passed, counts.failed, counts.ignored), (5, 5, 1));
    }

    #[test]
    fn results_of_node_are_added_up() {
        let mut counts = Counts::default();
        let printed = "✔ first sync\nℹ tests 10\nℹ suites 0\nℹ pass 5\nℹ fail 2\nℹ cancelled 1\nℹ skipped 1\nℹ todo 1\nℹ duration_ms 123.4";
        printed.lines().for_each(|line| count_javascript(line, &mut counts));
        assert_eq!((counts.passed, counts.failed, counts.ignored), (5, 3, 2));
    }
}

//! Runs the fuzz targets on stable Rust: first on the inputs that are there, then on random changes of these, for a
//! while. `cargo xtask fuzz` builds what it needs and starts it.
//!
//! Each target runs in its own process, which writes down each input before using it. When the process dies, by a
//! failed check of the target as by a crash of the library, that input is kept, and can be tried again with `replay`.
#![forbid(unsafe_code)]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Parser, Subcommand};
use rowtide_fuzz::corpus;
use rowtide_fuzz::mutation::mutate;
use rowtide_fuzz::random::Random;
use rowtide_fuzz::{TARGETS, Target, target};

/// A single input takes milliseconds; one that takes this long hangs.
const LONGEST_RUN: Duration = Duration::from_secs(60);

#[derive(Parser)]
#[command(about = "Runs the fuzz targets")]
struct Arguments {
    #[command(subcommand)]
    command: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Runs one target, or all of them, on the inputs that are there and on random changes of them
    Run {
        /// Name of the target
        #[arg(long)]
        target: Option<String>,
        /// How long each target runs, in addition to the stored inputs
        #[arg(long, default_value_t = 60)]
        seconds: u64,
        /// Gives other changes
        #[arg(long, default_value_t = 1)]
        seed: u64,
        /// Where inputs are kept that end the process
        #[arg(long, default_value = "target/fuzz")]
        artifacts: PathBuf,
    },
    /// Runs one target on single inputs
    Replay {
        /// Name of the target
        target: String,
        /// Files with inputs
        inputs: Vec<PathBuf>,
    },
    /// Writes the inputs that are made of scenarios and recordings into a directory, for libFuzzer
    Export {
        /// Name of the target
        target: String,
        /// Where to write them
        directory: PathBuf,
    },
    /// What `run` starts for each target
    #[command(hide = true)]
    Worker { target: String, seconds: u64, seed: u64, current: PathBuf },
}

fn main() -> ExitCode {
    let result = match Arguments::parse().command {
        Action::Run { target: None, seconds, seed, artifacts } => {
            TARGETS.iter().try_for_each(|target| supervise(target, seconds, seed, &artifacts))
        }
        Action::Run { target: Some(name), seconds, seed, artifacts } => {
            named(&name).and_then(|target| supervise(target, seconds, seed, &artifacts))
        }
        Action::Replay { target, inputs } => named(&target).and_then(|target| replay(target, &inputs)),
        Action::Export { target, directory } => named(&target).and_then(|target| export(target, &directory)),
        Action::Worker { target, seconds, seed, current } => {
            named(&target).and_then(|target| work(target, Duration::from_secs(seconds), seed, &current))
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn named(name: &str) -> Result<&'static Target> {
    target(name).with_context(|| {
        let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
        format!("there is no target {name:?}, only {}", names.join(", "))
    })
}

/// Runs a target in its own process, and keeps the input that ends it.
fn supervise(target: &Target, seconds: u64, seed: u64, artifacts: &Path) -> Result<()> {
    std::fs::create_dir_all(artifacts).with_context(|| format!("cannot create {}", artifacts.display()))?;
    let current = artifacts.join(format!("{}.current", target.name));
    let status = Command::new(std::env::current_exe()?)
        .args(["worker", target.name, &seconds.to_string(), &seed.to_string()])
        .arg(&current)
        .stdin(Stdio::null())
        .status()?;
    if status.success() {
        std::fs::remove_file(&current)?;
        return Ok(());
    }
    let kept = artifacts.join(format!("{}-{seed}.input", target.name));
    let input = read_current(&current)?;
    std::fs::write(&kept, input).with_context(|| format!("cannot write {}", kept.display()))?;
    bail!(
        "target {}: {status}. The input is {}; try it again with `replay {} <file>`",
        target.name,
        kept.display(),
        target.name
    )
}

/// The input that a process had begun: eight bytes of length, and the input.
fn read_current(path: &Path) -> Result<Vec<u8>> {
    let content = std::fs::read(path).with_context(|| format!("no input was begun: {}", path.display()))?;
    let (length, input) = content.split_first_chunk().context("no input was begun")?;
    let length = usize::try_from(u64::from_le_bytes(*length))?;
    input.get(..length).map(<[u8]>::to_vec).context("the input was not written as a whole")
}

/// Where the running input is written down.
struct Current {
    file: File,
    begun: Arc<AtomicU64>,
}

impl Current {
    /// Starts a thread that ends the process when an input takes too long.
    fn new(path: &Path) -> Result<Self> {
        let file = File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
        let begun = Arc::new(AtomicU64::new(0));
        let watched = Arc::clone(&begun);
        std::thread::spawn(move || {
            let mut last = u64::MAX;
            loop {
                let now = watched.load(Ordering::Relaxed);
                if now == last {
                    eprintln!("an input takes more than {} seconds", LONGEST_RUN.as_secs());
                    std::process::abort();
                }
                last = now;
                std::thread::sleep(LONGEST_RUN);
            }
        });
        Ok(Current { file, begun })
    }

    fn run(&self, target: &Target, input: &[u8]) -> Result<()> {
        let length = (input.len() as u64).to_le_bytes();
        self.file.write_all_at(&[length.as_slice(), input].concat(), 0)?;
        self.begun.fetch_add(1, Ordering::Relaxed);
        (target.run)(input);
        Ok(())
    }
}

/// Runs a target on the inputs that are there, then on changes of them for a time.
fn work(target: &Target, time: Duration, seed: u64, current: &Path) -> Result<()> {
    let mut inputs = corpus::committed(target).context("cannot read the committed inputs")?;
    let committed = inputs.len();
    inputs.extend(corpus::made(target));
    let current = Current::new(current)?;
    for input in &inputs {
        current.run(target, input)?;
    }
    let mut random = Random::new(seed);
    let start = Instant::now();
    let mut changed = 0_u64;
    while start.elapsed() < time {
        let mut input = random.pick(&inputs).clone();
        mutate(&mut input, &inputs, target.format, &mut random);
        current.run(target, &input)?;
        changed += 1;
    }
    println!(
        "{:16} {committed} committed inputs, {} made of scenarios, {changed} changed ones with seed {seed}: no failure",
        target.name,
        inputs.len() - committed
    );
    Ok(())
}

fn replay(target: &Target, files: &[PathBuf]) -> Result<()> {
    for file in files {
        let input = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
        (target.run)(&input);
        println!("{}: no failure", file.display());
    }
    Ok(())
}

fn export(target: &Target, directory: &Path) -> Result<()> {
    std::fs::create_dir_all(directory)?;
    for (index, input) in corpus::made(target).iter().enumerate() {
        std::fs::write(directory.join(format!("made-{index}")), input)?;
    }
    Ok(())
}

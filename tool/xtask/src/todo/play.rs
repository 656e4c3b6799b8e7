//! Plays a part of the scenario.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use super::language::Language;
use super::output::{self, Names};
use super::program::Program;
use super::proxy::Proxy;
use super::scenario::{Action, Part, Who};
use super::service::Service;

/// Where the examples are run: a folder that looks like the top of the repository.
pub(super) struct Stage<'a> {
    pub(super) folder: &'a Path,
    pub(super) rowtide: &'a Path,
}

/// Plays a part. Its first device has the first language, the second one the second, and so on in a circle.
///
/// # Errors
/// Names the step that failed, what was printed, and what the programs wrote to standard error.
pub(super) fn play(stage: &Stage, part: &Part, languages: &[&Language]) -> Result<()> {
    let folder = tempfile::tempdir().context("cannot make a folder for databases")?;
    let mut play = Play {
        stage,
        languages,
        errors: folder.path().join("errors.txt"),
        files: folder.path().to_owned(),
        service: Service::new(stage.rowtide, folder.path().join("service"))?,
        proxy: None,
        devices: Vec::new(),
        running: BTreeMap::new(),
        names: Names::new(),
    };
    for step in &part.steps {
        if let Err(error) = play.act(&step.action) {
            let errors = std::fs::read_to_string(&play.errors).unwrap_or_default();
            bail!("line {}, {}: {error:#}\nstandard error:\n{errors}", step.line, part.name);
        }
    }
    Ok(())
}

struct Play<'a> {
    stage: &'a Stage<'a>,
    languages: &'a [&'a Language],
    /// What all programs write to standard error.
    errors: PathBuf,
    /// Where the databases are.
    files: PathBuf,
    service: Service,
    /// What programs take for the service, if it is there.
    proxy: Option<Proxy>,
    /// The devices in the order in which they came.
    devices: Vec<String>,
    /// What runs in the background, by device.
    running: BTreeMap<String, Program>,
    names: Names,
}

impl Play<'_> {
    fn act(&mut self, action: &Action) -> Result<()> {
        match action {
            Action::Run { who, arguments, expected, status } => {
                let (printed, ended) = self.start(who, arguments)?.end()?;
                let text = printed.join("\n");
                let is_expected = output::matches(&output::lines(&text), expected, &mut self.names);
                ensure!(is_expected, "`todo {arguments}` printed\n{text}\nnot\n{}", expected.join("\n"));
                ensure!(ended == *status, "`todo {arguments}` ended with {ended}, not {status}");
            }
            Action::Begin { who, arguments } => {
                let program = self.start(who, arguments)?;
                self.running.insert(who.device.clone(), program);
            }
            Action::Wait { who, expected } => {
                let program = self.running.get(&who.device).context("nothing runs there")?;
                let mut last = Vec::new();
                loop {
                    let next = program.paragraph();
                    let wanted = || format!("waiting for\n{}\nat last came\n{}", expected.join("\n"), last.join("\n"));
                    let printed = next.with_context(wanted)?;
                    let lines: Vec<&str> = printed.iter().map(String::as_str).collect();
                    if output::matches(&lines, expected, &mut self.names) {
                        break;
                    }
                    last = printed;
                }
            }
            Action::KillService => self.service.kill()?,
            Action::StartService => self.service.start()?,
            Action::Expire(seconds) => self.proxy = Some(Proxy::new(&self.service.url, *seconds)?),
            Action::Request(request) => {
                self.proxy.as_ref().context("no proxy sees requests")?.next_must_be(*request)?;
            }
        }
        Ok(())
    }

    fn start(&mut self, who: &Who, arguments: &str) -> Result<Program> {
        let known = self.devices.iter().position(|device| *device == who.device);
        let number = known.unwrap_or(self.devices.len());
        if known.is_none() {
            self.devices.push(who.device.clone());
        }
        let language = self.languages.iter().cycle().nth(number).context("there is no language")?;
        let mut command = Command::new("bash");
        // With `exec` the program itself can be killed.
        let line = format!("exec {} {}", language.program, output::filled_in(arguments, &self.names));
        command.args(["-c", &line]).current_dir(self.stage.folder);
        let url = self.proxy.as_ref().map_or(&self.service.url, |proxy| &proxy.url);
        command.env("TODO_URL", url).env("TODO_USER", &who.user);
        command.env_remove("POWERSYNC_LIBRARY").env("TODO_FILE", self.files.join(format!("{}.db", who.device)));
        command.stderr(File::options().create(true).append(true).open(&self.errors)?);
        Program::start(&mut command)
    }
}

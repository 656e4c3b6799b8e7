//! `rowtide dev`: the sync service for development.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use anyhow::Result;
use rowtide_service::{Dev, DevOptions, StartError};
use serde_json::{Map, json};

use crate::diagnostics::{self, Source};
use crate::exit::{Outcome, usage};
use crate::hint;
use crate::logs::{Level, Logs};
use crate::running::{self, Asked, ForScripts, Signals, Waiting};
use crate::serve::read_file;

/// Runs a sync service for development.
///
/// It needs nothing else: it has an SQLite source, a storage and a secret for tokens in a folder, and is reached from this
/// machine alone. Without a configuration it syncs a small todo app, whose files are in that folder too. The configuration
/// is deployed again when its file changes.
#[derive(clap::Args)]
pub(crate) struct DevArguments {
    /// The sync configuration [default: that of a todo app]
    config: Option<PathBuf>,
    /// The database whose rows are synced: sqlite:PATH or json:DIR [default: an SQLite file in the folder]
    #[arg(long, value_name = "URL")]
    source: Option<String>,
    /// The port to listen on; 0 is a free one
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Where source, storage and secret are kept
    #[arg(long, value_name = "FOLDER", default_value = "rowtide-dev", conflicts_with = "ephemeral")]
    dir: PathBuf,
    /// A user whose token is shown. Can be given several times [default: alice and bob for the todo app]
    #[arg(long, value_name = "NAME")]
    user: Vec<String>,
    /// SQL that the source begins with, and goes back to with POST /dev/reset
    #[arg(long, value_name = "FILE.sql", conflicts_with = "source")]
    seed: Option<PathBuf>,
    /// Write rules [default: those of the todo app]
    #[arg(long, value_name = "FILE")]
    writes: Option<PathBuf>,
    /// The shared secret of tokens, in base64url [default: a random one, kept in the folder]
    #[arg(long, value_name = "BASE64URL", env = "ROWTIDE_JWT_SECRET", hide_env_values = true)]
    jwt_secret: Option<String>,
    /// The token of those who may administer the service [default: programs and pages of this machine may]
    #[arg(long, value_name = "TOKEN", env = "ROWTIDE_ADMIN_TOKEN", hide_env_values = true)]
    admin_token: Option<String>,
    /// Keeps everything in a temporary folder, which is removed at the end
    #[arg(long)]
    ephemeral: bool,
    #[command(flatten)]
    scripts: ForScripts,
    #[command(flatten)]
    logs: Logs,
}

impl DevArguments {
    pub(crate) fn run(&self) -> Result<Outcome> {
        self.logs.start(Level::Warn);
        self.scripts.begin()?;
        for file in self.config.iter().chain(&self.writes) {
            read_file(file)?;
        }
        running::block_on(self.serve())
    }

    async fn serve(&self) -> Result<Outcome> {
        let mut signals = self.scripts.signals()?;
        let options = DevOptions {
            folder: (!self.ephemeral).then(|| self.dir.clone()),
            config: self.config.clone(),
            source: self.source.clone(),
            seed: self.seed.clone(),
            writes: self.writes.clone(),
            port: self.port,
            users: self.user.clone(),
            secret: self.jwt_secret.clone(),
            admin_token: self.admin_token.clone(),
            is_deterministic: self.scripts.deterministic,
        };
        let mut dev = match Dev::start(options).await {
            Ok(dev) => dev,
            Err(StartError::Config(found)) => return Ok(self.refused(self.config.as_ref(), "sync.yaml", &found)),
            Err(StartError::Writes(found)) => return Ok(self.refused(self.writes.as_ref(), "writes.yaml", &found)),
            Err(error) => return Err(error.into()),
        };
        let mut waiting = Waiting::new();
        loop {
            tokio::select! {
                () = dev.ready() => break,
                () = waiting.tick() => waiting.show(dev.progress()),
                asked = signals.next() => if matches!(asked, Asked::Stop) { return self.stop(dev, signals).await },
            }
        }
        drop(waiting);
        let _ready = self.ready(&dev)?;
        loop {
            tokio::select! {
                Some((file, reload)) = dev.reloaded() => running::report(&reload, &file),
                asked = signals.next() => if matches!(asked, Asked::Stop) { break },
            }
        }
        self.stop(dev, signals).await
    }

    async fn stop(&self, dev: Dev, signals: Signals) -> Result<Outcome> {
        signals.while_stopping(dev.stop()).await;
        Ok(Outcome::Fine)
    }

    fn ready(&self, dev: &Dev) -> Result<running::ReadyFile> {
        let tokens = dev.users().iter().map(|user| dev.token(user).map(|token| (user.clone(), token.into())));
        let tokens: Map<_, _> = tokens.collect::<Result<_, String>>().map_err(usage)?;
        let more = json!({
            "tokens": tokens, "config": dev.config(), "writes": dev.writes(), "source": dev.source(), "folder": dev.folder(),
        });
        let ready = self.scripts.ready(&dev.url(), more)?;
        if !self.scripts.json {
            running::print(&screen(dev));
        }
        Ok(ready)
    }

    fn refused(&self, file: Option<&PathBuf>, name_in_folder: &str, found: &[sync_config::Diagnostic]) -> Outcome {
        let path = file.cloned().unwrap_or_else(|| self.dir.join(name_in_folder));
        let (name, text) = (path.display().to_string(), std::fs::read_to_string(&path).unwrap_or_default());
        let place = Source { name: &name, text: &text };
        eprint!("{}", diagnostics::render(&place, found, diagnostics::Style::of_stderr()));
        eprintln!("{name}: {}", diagnostics::counted(found));
        Outcome::Usage
    }
}

/// What a person sees first.
fn screen(dev: &Dev) -> String {
    let mut out = String::new();
    // Writing to a String does not fail.
    let _ = write_screen(dev, &mut out);
    out
}

fn write_screen(dev: &Dev, out: &mut String) -> std::fmt::Result {
    let url = dev.url();
    let user = dev.users().first().map_or("NAME", String::as_str);
    writeln!(out, "rowtide dev is ready: {url}\n")?;
    let mut line = |name: &str, value: &str| writeln!(out, "  {name:<8} {value}");
    if !dev.users().is_empty() {
        line("users", &format!("{} (any other name works, too)", dev.users().join(", ")))?;
    }
    line("token", &format!("curl '{url}/dev/token?user={user}'"))?;
    if let Some(source) = dev.source() {
        line("source", &shown(source))?;
    }
    line("config", &format!("{} (deployed again when you save it)", shown(dev.config())))?;
    if let Some(writes) = dev.writes() {
        line("writes", &format!("{} (loaded again, too)", shown(writes)))?;
    }
    write_hints(dev, user, out)?;
    writeln!(out, "Ctrl-C stops it.")
}

fn write_hints(dev: &Dev, user: &str, out: &mut String) -> std::fmt::Result {
    let (url, program) = (dev.url(), hint::program());
    writeln!(out, "\nTry next, in other terminals:\n")?;
    writeln!(out, "  # a device of {user}; leave it running")?;
    writeln!(out, "  {program} sync --url {url} \\\n    --dev-user {user} {user}.db\n")?;
    if dev.is_todo_app() {
        writeln!(out, "  # write on it, as an app does")?;
        writeln!(out, "  {program} shell --write {user}.db \\")?;
        writeln!(out, "    \"UPDATE todos SET done = 1 WHERE id = 'todo-1'\"\n")?;
    }
    if let Some(source) = dev.source() {
        writeln!(out, "  # change a row at the server, and see it arrive")?;
        let statement =
            if dev.is_todo_app() { " \\\n    \"UPDATE todos SET done = 1 WHERE id = 'todo-3'\"" } else { "" };
        writeln!(out, "  {program} shell --write {}{statement}\n", hint::quoted(&shown(source)))?;
    }
    if dev.has_seed() {
        writeln!(out, "  # go back to the rows at the beginning")?;
        writeln!(out, "  curl -X POST {url}/dev/reset\n")?;
    }
    Ok(())
}

/// A path as somebody in this folder would write it.
fn shown(path: &Path) -> String {
    let here = std::env::current_dir().unwrap_or_default();
    path.strip_prefix(&here).unwrap_or(path).display().to_string()
}

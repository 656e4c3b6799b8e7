//! Where the token comes from.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;
use rowtide_client::{BoxError, TokenSource};

use super::dev;
use crate::exit::usage;

/// One of them is needed. What was given as a flag counts more than what is in the environment.
#[derive(clap::Args)]
pub(super) struct Tokens {
    /// The token [env: ROWTIDE_TOKEN]
    #[arg(long, value_name = "TOKEN", conflicts_with_all = ["token_file", "token_command", "dev_user"])]
    token: Option<String>,
    /// A file with the token, read again for each new token [env: ROWTIDE_TOKEN_FILE]
    #[arg(long, value_name = "FILE", conflicts_with_all = ["token_command", "dev_user"])]
    token_file: Option<PathBuf>,
    /// A command that prints the token, run for each new token [env: ROWTIDE_TOKEN_COMMAND]
    #[arg(long, value_name = "COMMAND", conflicts_with = "dev_user")]
    token_command: Option<String>,
    /// Asks `rowtide dev` for tokens of this user
    #[arg(long, value_name = "NAME")]
    dev_user: Option<String>,
}

/// A source of tokens.
enum Source {
    Fixed(String),
    File(PathBuf),
    Command(String),
    Dev { url: String, user: String },
}

impl Tokens {
    /// The user of a development service.
    pub(super) fn dev_user(&self) -> Option<&str> {
        self.dev_user.as_deref()
    }

    /// The source that was asked for.
    pub(super) fn source(&self, url: &str) -> Result<impl TokenSource> {
        let source = self.flag(url).or_else(environment).ok_or_else(|| {
            usage(
                "There is no token: give one with --token TOKEN, --token-file FILE or --token-command COMMAND, or with \
                 --dev-user NAME if the service is `rowtide dev`",
            )
        })?;
        Ok(move || source.token())
    }

    fn flag(&self, url: &str) -> Option<Source> {
        let fixed = self.token.clone().map(Source::Fixed);
        let file = || self.token_file.clone().map(Source::File);
        let command = || self.token_command.clone().map(Source::Command);
        let dev = || self.dev_user.clone().map(|user| Source::Dev { url: url.to_owned(), user });
        fixed.or_else(file).or_else(command).or_else(dev)
    }
}

fn environment() -> Option<Source> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let fixed = variable("ROWTIDE_TOKEN").map(Source::Fixed);
    let file = || variable("ROWTIDE_TOKEN_FILE").map(|file| Source::File(file.into()));
    let command = || variable("ROWTIDE_TOKEN_COMMAND").map(Source::Command);
    fixed.or_else(file).or_else(command)
}

impl Source {
    fn token(&self) -> Result<String, BoxError> {
        let token = match self {
            Self::Fixed(token) => token.clone(),
            Self::File(file) => read(file)?,
            Self::Command(command) => run(command)?,
            Self::Dev { url, user } => dev::token(url, user)?,
        };
        let token = token.trim();
        if token.is_empty() {
            return Err(format!("{} has given nothing", self.name()).into());
        }
        if token.contains(|char: char| char.is_whitespace() || char.is_control()) {
            return Err(format!("{} has given more than a token", self.name()).into());
        }
        Ok(token.to_owned())
    }

    fn name(&self) -> String {
        match self {
            Self::Fixed(_) => "--token".to_owned(),
            Self::File(file) => file.display().to_string(),
            Self::Command(_) => "the token command".to_owned(),
            Self::Dev { url, .. } => format!("{url}/dev/token"),
        }
    }
}

fn read(file: &Path) -> Result<String, BoxError> {
    std::fs::read_to_string(file).map_err(|error| format!("cannot read {}: {error}", file.display()).into())
}

/// What it says on standard error goes to ours, so that it can ask for a password.
fn run(command: &str) -> Result<String, BoxError> {
    let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
    let output = Command::new(shell).arg(flag).arg(command).stdin(Stdio::inherit()).stderr(Stdio::inherit()).output();
    let output = output.map_err(|error| format!("cannot run the token command: {error}"))?;
    if !output.status.success() {
        return Err(format!("the token command has failed: {}", output.status).into());
    }
    Ok(String::from_utf8(output.stdout).map_err(|_| "the token command has printed no text")?)
}

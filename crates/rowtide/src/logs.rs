//! What the service logs, and where: standard error, as lines for people or as JSON.

use std::io;

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::prelude::*;

use crate::output::has_colour;

/// Flags of commands that log.
#[derive(clap::Args)]
pub(crate) struct Logs {
    /// How much is logged to standard error [default: info; of dev: warn]
    #[arg(long, value_name = "LEVEL")]
    log: Option<Level>,
    /// Logs JSON lines
    #[arg(long)]
    json_logs: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
pub(crate) enum Level {
    Error,
    Warn,
    Info,
    Debug,
}

impl Logs {
    /// Begins to log.
    pub(crate) fn start(&self, default: Level) {
        let level = match self.log.unwrap_or(default) {
            Level::Error => LevelFilter::ERROR,
            Level::Warn => LevelFilter::WARN,
            Level::Info => LevelFilter::INFO,
            Level::Debug => LevelFilter::DEBUG,
        };
        // What libraries do in detail is not what somebody who debugs a configuration looks for.
        let quiet =
            ["h2", "hyper", "hyper_util", "reqwest", "rustls", "tower_http"].map(|name| (name, LevelFilter::WARN));
        let targets =
            Targets::new().with_default(level).with_targets(quiet.map(|(name, most)| (name, most.min(level))));
        let layer = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_target(false);
        let registry = tracing_subscriber::registry().with(targets);
        let started = if self.json_logs {
            registry.with(layer.json().flatten_event(true)).try_init()
        } else {
            registry.with(layer.with_ansi(has_colour(&io::stderr()))).try_init()
        };
        debug_assert!(started.is_ok(), "logging is started once");
    }
}

//! `rowtide sync`: a client of a sync service, for one file.

mod dev;
mod end;
mod report;
mod schema;
mod screen;
mod signals;
mod tokens;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rowtide_client::{Client, Encoding, Mode, Options, Stream, Subscription, Timing, WritePath};

use self::end::End;
use self::screen::Screen;
use self::signals::StopAtSignal;
use self::tokens::Tokens;
use crate::exit::{Outcome, usage};

/// Syncs a file with a sync service, and uploads what was written to it.
///
/// It goes on until Ctrl-C. Other programs may read and write the file meanwhile. It works with any service of this protocol.
#[derive(clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Sync {
    /// The service, such as https://sync.example.com
    #[arg(long, value_name = "URL", env = "ROWTIDE_URL")]
    url: String,
    #[command(flatten)]
    tokens: Tokens,
    /// Ends when everything has synced once and the upload queue is empty
    #[arg(long)]
    once: bool,
    /// Prints the status as a JSON line whenever it changes, and nothing else on standard output
    #[arg(long)]
    json: bool,
    /// Where the upload queue is posted to, as docs/service/writes.md says [default with --dev-user: URL/api/data]
    #[arg(long, value_name = "URL", env = "ROWTIDE_UPLOAD_URL")]
    upload_url: Option<String>,
    /// A file with the app's schema as JSON [default: the file's own; with --dev-user and a new file: URL/dev/schema]
    #[arg(long, value_name = "FILE")]
    schema: Option<PathBuf>,
    /// Subscribes to a stream, with parameters as JSON; may be given more than once
    #[arg(long = "stream", value_name = "NAME[=JSON]")]
    streams: Vec<String>,
    /// Parameters of the connection, as a JSON object
    #[arg(long, value_name = "JSON")]
    parameters: Option<String>,
    /// Numbers checkpoint requests itself, which services know from 1.24 on
    #[arg(long)]
    checkpoint_requests: bool,
    /// Asks for BSON instead of JSON
    #[arg(long)]
    bson: bool,
    /// The SQLite file, made if it does not exist
    file: PathBuf,
}

const EXAMPLES: &str = "Examples:
  rowtide sync --url http://127.0.0.1:8080 --dev-user alice app.db      with `rowtide dev`
  rowtide sync --url https://sync.example.com --token-file token app.db
  rowtide sync --url https://sync.example.com --token-command 'my-app print-token' --once app.db";

impl Sync {
    pub(crate) fn run(self) -> Result<Outcome> {
        let url = self.url.trim_end_matches('/').to_owned();
        let streams = self.streams.iter().map(|text| stream(text)).collect::<Result<Vec<Stream>>>()?;
        let tokens = self.tokens.source(&url)?;
        let is_dev = self.tokens.dev_user().is_some();
        let mut screen = Screen::new(self.json);
        let (schema, remark) = schema::find(self.schema.as_deref(), &self.file, is_dev.then_some(url.as_str()))?;
        if let Some(remark) = remark {
            screen.warn(&remark);
        }
        let upload_url = self.upload_url.clone().or(is_dev.then(|| format!("{url}/api/data")));
        let has_upload = upload_url.is_some();
        let mut options = Options::new(&self.file, &url)
            .token(tokens)
            .encoding(if self.bson { Encoding::Bson } else { Encoding::Json })
            .checkpoint_mode(if self.checkpoint_requests { Mode::Requests } else { Mode::Legacy })
            .user_agent(concat!("rowtide-sync/", env!("CARGO_PKG_VERSION")));
        options = match schema {
            Some(schema) => options.schema(schema),
            None => options,
        };
        options = match upload_url {
            Some(url) => options.upload(WritePath::at(url)),
            None => options,
        };
        options = match &self.parameters {
            Some(parameters) => options.parameters(parameters),
            None => options,
        };
        if self.once {
            options = options.timing(hasty());
        }
        let client = Client::open(options).map_err(wrong_use)?;
        let subscriptions = streams.into_iter().map(|stream| client.subscribe(stream));
        let _subscriptions: Vec<Subscription> = subscriptions.collect::<Result<_, _>>().map_err(wrong_use)?;
        let end = End { once: self.once, has_upload };
        watch(&Arc::new(client), &mut screen, &end, &self.file.display().to_string())
    }
}

/// Syncs until something ends it.
fn watch(client: &Arc<Client>, screen: &mut Screen, end: &End, file: &str) -> Result<Outcome> {
    let _stop = StopAtSignal::install(client)?;
    client.connect();
    let mut outcome = Outcome::Fine;
    for status in client.statuses() {
        if screen.show(&status, end).is_err() {
            // Nobody reads it any more.
            break;
        }
        if let Some(ended) = end.judge(&status) {
            outcome = if ended.is_ok() { Outcome::Fine } else { Outcome::Problem };
            screen.ended(&status, ended, file);
            break;
        }
        if status.closed {
            screen.ended(&status, Ok(()), file);
        }
    }
    client.close().context("Closing the file")?;
    Ok(outcome)
}

/// Whoever waits for the end of a command wants to know soon that it fails.
fn hasty() -> Timing {
    let mut timing = Timing::default();
    timing.first_delay = Duration::from_millis(200);
    timing.upload_throttle = Duration::ZERO;
    timing
}

/// `NAME` or `NAME=JSON`.
fn stream(text: &str) -> Result<Stream> {
    let (name, parameters) = match text.split_once('=') {
        Some((name, parameters)) => (name, Some(parameters)),
        None => (text, None),
    };
    if name.is_empty() {
        return Err(usage(format!("--stream {text}: write NAME or NAME=JSON, such as todos='{{\"list\": \"l1\"}}'")));
    }
    let stream = Stream::new(name);
    Ok(match parameters {
        Some(parameters) => stream.parameters(parameters),
        None => stream,
    })
}

/// Errors of what was given are those of whoever has called the program.
fn wrong_use(error: rowtide_client::Error) -> anyhow::Error {
    match error {
        error @ (rowtide_client::Error::Json { .. } | rowtide_client::Error::Url { .. }) => usage(error.to_string()),
        error => error.into(),
    }
}

//! Clients of the service: they open streams, read lines, and ask what the service has done.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Read};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use reqwest::blocking::{Client as Http, RequestBuilder, Response};
use rowtide_service::{TokenOptions, development_token};
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value, json};

/// What tokens of users are signed with.
pub(crate) const SECRET: &str = "MDEyMzQ1Njc4OWFiY2RlZg";

/// The token of the administrator.
pub(crate) const ADMIN: &str = "admin-token-of-the-benchmark";

/// How long requests may take that wait for something.
const PATIENCE: Duration = Duration::from_secs(600);

/// Speaks to one service. Each stream has a connection of its own.
#[derive(Clone)]
pub(crate) struct Client {
    http: Http,
    url: String,
    /// What tokens of users are signed with.
    secret: String,
    audience: Option<String>,
}

/// How a stream comes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Coding {
    Plain,
    Zstd,
}

/// A line, as far as it matters here.
#[derive(Deserialize)]
pub(crate) struct Line {
    pub(crate) data: Option<DataLine>,
    pub(crate) checkpoint_complete: Option<IgnoredAny>,
}

#[derive(Deserialize)]
pub(crate) struct DataLine {
    pub(crate) data: Vec<Operation>,
}

#[derive(Deserialize)]
pub(crate) struct Operation {
    pub(crate) object_id: Option<String>,
    /// The row, as JSON.
    pub(crate) data: Option<String>,
}

/// The lines of a stream.
pub(crate) struct Lines {
    reader: Box<dyn BufRead + Send>,
    line: Vec<u8>,
}

/// What came up to the end of a checkpoint.
#[derive(Default)]
pub(crate) struct Received {
    pub(crate) operations: usize,
    /// Of the rows, as JSON.
    pub(crate) bytes: usize,
    /// The newest content of each row, where it was asked for.
    pub(crate) rows: HashMap<String, Value>,
}

impl Client {
    /// A client of the service of this benchmark.
    pub(crate) fn new(url: String) -> Result<Self> {
        Self::of(url, SECRET.to_owned(), None)
    }

    /// A client of a service that takes tokens with this secret and audience.
    pub(crate) fn of(url: String, secret: String, audience: Option<String>) -> Result<Self> {
        // What comes over the wire is counted, whatever features other crates want of the same client.
        let http = Http::builder().timeout(None).no_gzip().no_zstd().pool_max_idle_per_host(0).build()?;
        let url = url.trim_end_matches('/').to_owned();
        Ok(Self { http, url, secret, audience })
    }

    /// Opens a stream of everything that a user sees.
    pub(crate) fn stream(&self, user: &str, coding: Coding) -> Result<Lines> {
        self.subscribe(user, coding, &[])
    }

    /// Opens a stream with these subscriptions.
    pub(crate) fn subscribe(&self, user: &str, coding: Coding, streams: &[&str]) -> Result<Lines> {
        let of = |stream: &&str| json!({"stream": stream, "parameters": null, "override_priority": null});
        let subscriptions: Vec<Value> = streams.iter().map(of).collect();
        let body = json!({"raw_data": true, "streams": {"subscriptions": subscriptions}});
        let request =
            self.http.post(format!("{}/sync/stream", self.url)).header("authorization", self.user_token(user)?);
        let request = if coding == Coding::Zstd { request.header("accept-encoding", "zstd") } else { request };
        let response = succeed(request.json(&body))?;
        let is_zstd = response.headers().get("content-encoding").is_some_and(|coding| coding == "zstd");
        ensure!(is_zstd == (coding == Coding::Zstd), "the stream is not compressed as it was asked for");
        let body: Box<dyn Read + Send> = match coding {
            Coding::Plain => Box::new(response),
            Coding::Zstd => Box::new(zstd::Decoder::new(response)?),
        };
        Ok(Lines { reader: Box::new(BufReader::with_capacity(64 << 10, body)), line: Vec::new() })
    }

    fn user_token(&self, user: &str) -> Result<String> {
        let audiences = self.audience.iter().cloned().collect();
        let options = TokenOptions { user: user.to_owned(), audiences, claims: Map::new(), lifetime: 7200 };
        Ok(format!("Token {}", development_token(&self.secret, options).map_err(anyhow::Error::msg)?))
    }

    /// Waits until everything that was written is in a checkpoint.
    pub(crate) fn reach(&self) -> Result<()> {
        let begin = Instant::now();
        loop {
            let request = self.http.get(format!("{}/write-checkpoint.json", self.url));
            let response = request.header("authorization", self.user_token("bench")?).send()?;
            if response.status() == 503 && begin.elapsed() < PATIENCE {
                continue;
            }
            response.error_for_status()?;
            return Ok(());
        }
    }

    /// A number of the service's metrics, with all of its labels.
    pub(crate) fn metric(&self, name: &str) -> Result<usize> {
        let response = succeed(self.http.get(format!("{}/metrics", self.url)).header("authorization", admin_token()))?;
        let page = response.text()?;
        let values = page.lines().filter_map(|line| {
            let (found, value) = line.rsplit_once(' ')?;
            (found.split('{').next() == Some(name)).then(|| value.parse::<usize>())
        });
        Ok(values.sum::<Result<usize, _>>()?)
    }

    /// Has a configuration checked.
    pub(crate) fn validate(&self, yaml: &str) -> Result<Value> {
        let request = self.http.post(format!("{}/api/sync-rules/v1/validate", self.url));
        Ok(succeed(request.header("authorization", admin_token()).body(yaml.to_owned()))?.json()?)
    }

    /// Deploys a configuration, and waits until it is the one that clients use.
    pub(crate) fn deploy(&self, yaml: &str) -> Result<()> {
        let request = self.http.post(format!("{}/api/sync-rules/v1/deploy", self.url));
        succeed(request.header("authorization", admin_token()).body(yaml.to_owned()))?;
        let begin = Instant::now();
        while begin.elapsed() < PATIENCE {
            let request = self.http.get(format!("{}/api/sync-rules/v1/current", self.url));
            let current: Value = succeed(request.header("authorization", admin_token()))?.json()?;
            if current.pointer("/current/content").and_then(Value::as_str) == Some(yaml) {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        bail!("the configuration is not active after {PATIENCE:?}")
    }
}

fn admin_token() -> String {
    format!("Bearer {ADMIN}")
}

fn succeed(request: RequestBuilder) -> Result<Response> {
    let response = request.send()?;
    let status = response.status();
    ensure!(status.is_success(), "the service answers {status}: {}", response.text()?);
    Ok(response)
}

impl Lines {
    /// The next line.
    pub(crate) fn next(&mut self) -> Result<Line> {
        self.line.clear();
        let read = self.reader.read_until(b'\n', &mut self.line)?;
        ensure!(read > 0, "the stream has ended");
        Ok(serde_json::from_slice(&self.line)?)
    }

    /// Everything up to the end of the next checkpoint.
    pub(crate) fn checkpoint(&mut self) -> Result<Received> {
        self.checkpoint_with(|_| false)
    }

    /// The same, with the content of the rows whose ids are wanted.
    pub(crate) fn checkpoint_with(&mut self, is_wanted: impl Fn(&str) -> bool) -> Result<Received> {
        let mut received = Received::default();
        loop {
            let line = self.next()?;
            for operation in line.data.into_iter().flat_map(|data| data.data) {
                received.operations += 1;
                let (Some(id), Some(data)) = (operation.object_id, operation.data) else { continue };
                received.bytes += data.len();
                if is_wanted(&id) {
                    received.rows.insert(id, serde_json::from_str(&data)?);
                }
            }
            if line.checkpoint_complete.is_some() {
                return Ok(received);
            }
        }
    }
}

//! Requests to the routes of a service that administrators use.

use std::time::Duration;

use anyhow::{Result, anyhow};
use reqwest::blocking::Client;
use reqwest::{Method, StatusCode};
use serde_json::Value;

use crate::exit::usage;
use crate::member::at;

/// How long a service may take to answer: it reads tables for some answers.
const PATIENCE: Duration = Duration::from_secs(120);

/// Flags of commands that administer a service.
#[derive(clap::Args)]
pub(crate) struct AdminToken {
    /// The admin token of the service. `rowtide dev` on this machine needs none unless it was started with one
    #[arg(long, value_name = "TOKEN", env = "ROWTIDE_ADMIN_TOKEN", hide_env_values = true)]
    pub(crate) admin_token: Option<String>,
}

/// A service that is administered.
pub(crate) struct Admin<'a> {
    url: &'a str,
    token: Option<&'a str>,
}

impl<'a> Admin<'a> {
    /// A service at a URL.
    ///
    /// # Errors
    /// The URL is none of HTTP.
    pub(crate) fn new(url: &'a str, token: &'a AdminToken) -> Result<Self> {
        if !url.starts_with("http://") && !url.starts_with("https://") {
            return Err(usage("the URL must begin with http:// or https://, for instance http://127.0.0.1:8080"));
        }
        Ok(Self { url: url.trim_end_matches('/'), token: token.admin_token.as_deref() })
    }

    pub(crate) fn get(&self, path: &str) -> Result<Value> {
        self.send(Method::GET, path, None)
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.send(Method::POST, path, Some(body))
    }

    fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value> {
        let url = format!("{}{path}", self.url);
        let mut request = Client::builder().timeout(PATIENCE).build()?.request(method, &url);
        if let Some(token) = self.token {
            request = request.bearer_auth(token);
        }
        if let Some(body) = body {
            request = request.json(body);
        }
        let answer = request.send().map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        let answer = answer.text().map_err(|error| self.unreachable(&error))?;
        let answer: Option<Value> = serde_json::from_str(&answer).ok();
        match answer {
            Some(answer) if status.is_success() => Ok(answer),
            answer => Err(self.refused(status, answer.as_ref())),
        }
    }

    fn unreachable(&self, error: &reqwest::Error) -> anyhow::Error {
        if error.is_connect() {
            return anyhow!("nothing answers at {}: is the service running there?", self.url);
        }
        if error.is_timeout() {
            return anyhow!("{} has not answered within {} seconds", self.url, PATIENCE.as_secs());
        }
        anyhow!("asking {}: {error}", self.url)
    }

    fn refused(&self, status: StatusCode, answer: Option<&Value>) -> anyhow::Error {
        let error = answer.map(|answer| at(answer, "error"));
        let Some(description) = error.and_then(|error| at(error, "description").as_str()) else {
            return anyhow!("{} answers {status}, and not as a sync service does: check the URL", self.url);
        };
        if status == StatusCode::UNAUTHORIZED && self.token.is_none() {
            return anyhow!("{description} Give the service's admin token: --admin-token, or ROWTIDE_ADMIN_TOKEN.");
        }
        match error.and_then(|error| at(error, "details").as_str()) {
            Some(details) => anyhow!("{description}: {details}"),
            None => anyhow!("{description}"),
        }
    }
}

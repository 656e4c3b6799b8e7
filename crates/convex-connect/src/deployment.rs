//! Requests to a deployment.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use reqwest::blocking::{RequestBuilder, Response};
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use reqwest::redirect;
use serde_json::{Value, json};

use crate::address::{self, OnlyPrivate, PublicOnly};
use crate::failure::{Answered, Class, Failure, Kind, Pauses, classify};
use crate::function::{Called, called};
use crate::reach::Reach;

/// How long a connection may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// The status of an answer whose function has thrown.
const FUNCTION_FAILED: u16 = 560;

/// A deployment that requests can be sent to. All calls block.
pub struct Deployment {
    http: reqwest::blocking::Client,
    reach: Reach,
    pauses: Pauses,
}

impl Deployment {
    /// A deployment, which is not asked for anything yet.
    ///
    /// # Errors
    /// Its address is not permitted.
    pub fn new(reach: Reach) -> Result<Self, Failure> {
        // An answer could lead to an address that was not checked.
        let http = reqwest::blocking::Client::builder().redirect(redirect::Policy::none());
        let mut http = http.timeout(reach.request_timeout).connect_timeout(CONNECT_TIMEOUT);
        if !reach.allow_private_addresses {
            address::check(&reach.url)?;
            http = http.no_proxy().dns_resolver(Arc::new(PublicOnly));
        }
        let http = http.build();
        let http =
            http.map_err(|_| Failure::configuration("the HTTP client of the Convex deployment cannot be made"))?;
        let pauses = Pauses::new(reach.first_pause);
        Ok(Self { http, reach, pauses })
    }

    /// Where it is, without its key.
    pub fn location(&self) -> &str {
        self.reach.url.as_str().trim_end_matches('/')
    }

    /// The body of an answer. `what` is what is being done, for instance `Reading a snapshot`.
    ///
    /// # Errors
    /// There is no answer, or it is an error.
    pub fn get(&self, what: &str, path: &str, parameters: &[(&str, &str)]) -> Result<String, Failure> {
        let request = self.http.get(self.url(path)?).query(&[("format", "json")]).query(parameters);
        self.send(what, request)
    }

    /// As [`Deployment::get`], with a body.
    ///
    /// # Errors
    /// There is no answer, or it is an error.
    pub fn post(&self, what: &str, path: &str, body: &Value) -> Result<String, Failure> {
        let request = self.http.post(self.url(path)?).header(CONTENT_TYPE, "application/json");
        self.send(what, request.body(body.to_string()))
    }

    /// Calls a mutation of the app, for instance `messages:send`.
    ///
    /// # Errors
    /// There is no answer of the function. It may have run nevertheless.
    pub fn mutation(&self, path: &str, args: &Value) -> Result<Called, Failure> {
        self.call("api/mutation", path, args)
    }

    /// Calls a query of the app.
    ///
    /// # Errors
    /// There is no answer of the function.
    pub fn query(&self, path: &str, args: &Value) -> Result<Called, Failure> {
        self.call("api/query", path, args)
    }

    fn call(&self, route: &str, path: &str, args: &Value) -> Result<Called, Failure> {
        let what = format!("Calling {path}");
        let body = self.post(&what, route, &json!({"path": path, "args": args, "format": "json"}))?;
        self.read(&what, called(&body).ok())
    }

    /// What was read of an answer; none if it is not what is expected.
    ///
    /// # Errors
    /// It is none.
    pub fn read<T>(&self, what: &str, read: Option<T>) -> Result<T, Failure> {
        match read {
            Some(read) => {
                self.pauses.worked();
                Ok(read)
            }
            None => Err(Failure {
                kind: Kind::Other,
                class: Class::Retry(self.pauses.next(None)),
                message: format!("{what}: the answer of the Convex deployment is not what is expected"),
            }),
        }
    }

    fn url(&self, path: &str) -> Result<reqwest::Url, Failure> {
        let url = self.reach.url.join(path);
        url.map_err(|_| Failure::configuration("the URL of the Convex deployment is malformed"))
    }

    fn send(&self, what: &str, request: RequestBuilder) -> Result<String, Failure> {
        let failed = |error: &reqwest::Error| self.unreached(what, error);
        let request = request.header(AUTHORIZATION, self.reach.deploy_key.header());
        let response = request.send().map_err(|error| failed(&error))?;
        let (status, retry_after) = (response.status().as_u16(), retry_after(&response));
        let body = response.text().map_err(|error| failed(&error))?;
        if status == 200 || status == FUNCTION_FAILED {
            return Ok(body);
        }
        let code = error_code(&body);
        Err(classify(what, Answered { status, code: code.as_deref(), retry_after }, &self.pauses))
    }

    /// There is no answer, or not all of it.
    fn unreached(&self, what: &str, error: &reqwest::Error) -> Failure {
        if is_private(error) {
            return Failure::configuration(format!("{what}: {}", address::REFUSED));
        }
        let why = if error.is_timeout() {
            "it does not answer in time"
        } else if error.is_connect() {
            "it cannot be reached"
        } else {
            "its answer breaks off"
        };
        let class = Class::Retry(self.pauses.next(None));
        Failure { kind: Kind::Other, class, message: format!("{what} of the Convex deployment: {why}") }
    }
}

fn is_private(error: &reqwest::Error) -> bool {
    let mut cause: Option<&dyn Error> = Some(error);
    while let Some(error) = cause {
        if error.is::<OnlyPrivate>() {
            return true;
        }
        cause = error.source();
    }
    false
}

/// How long the deployment asks to wait, if it says so in seconds.
fn retry_after(response: &Response) -> Option<Duration> {
    let seconds = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds))
}

/// The code of an error's body.
fn error_code(json: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct ErrorJson {
        code: String,
    }
    serde_json::from_str::<ErrorJson>(json).ok().map(|error| error.code)
}

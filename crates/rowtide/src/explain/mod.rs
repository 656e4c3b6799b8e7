//! `rowtide explain`: why a row is in a file or not, and why the service gives it or not.

mod client;
mod conclusion;
mod page;

use std::path::PathBuf;

use anyhow::Result;
use serde_json::{Value, json};

use self::client::Client;
use crate::admin::{Admin, AdminToken};
use crate::exit::{Outcome, usage};
use crate::member::object;
use crate::token::claims;

/// Says why a row is in a database file or not.
///
/// With --url and a user it asks the service too, and says what both together mean.
#[derive(clap::Args)]
pub(crate) struct Explain {
    /// The database file of an app. It is only read
    file: PathBuf,
    /// The table, as the app names it
    #[arg(value_name = "TYPE")]
    object_type: String,
    /// The id of the row
    id: String,
    /// The sync service, to say why it gives the row to the user or not
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// The user of the app: the claim `sub` of its token
    #[arg(long, value_name = "NAME", requires = "url")]
    user: Option<String>,
    /// Further claims of the token, as a JSON object
    #[arg(long, value_name = "JSON", requires = "url")]
    claims: Option<String>,
    /// Parameters of the connection, as a JSON object
    #[arg(long, value_name = "JSON", requires = "url")]
    parameters: Option<String>,
    /// A stream that the client subscribes to: NAME or NAME=JSON. Can be given several times [default: those in the file]
    #[arg(long, value_name = "STREAM", requires = "url")]
    subscribe: Vec<String>,
    #[command(flatten)]
    token: AdminToken,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

impl Explain {
    pub(crate) fn run(&self) -> Result<Outcome> {
        if self.url.is_some() && self.user.is_none() && self.claims.is_none() {
            return Err(usage("--url needs the user: --user NAME, or --claims JSON"));
        }
        let client = Client::read(&self.file, &self.object_type, &self.id)?;
        let service = self.url.as_deref().map(|url| self.ask(url, &client)).transpose()?;
        let conclusion = conclusion::conclude(&client, service.as_ref());
        if self.json {
            let answer = json!({
                "client": client.to_json(), "service": service, "fine": conclusion.is_fine, "conclusion": conclusion.text,
            });
            println!("{answer}");
        } else {
            page::print(self, &client, service.as_ref(), &conclusion);
        }
        Ok(if conclusion.is_fine { Outcome::Fine } else { Outcome::Problem })
    }

    fn ask(&self, url: &str, client: &Client) -> Result<Value> {
        let mut body = json!({"type": self.object_type, "id": self.id});
        let mut put = |name: &str, value: Value| {
            if let Value::Object(members) = &mut body {
                members.insert(name.to_owned(), value);
            }
        };
        if let Some(user) = &self.user {
            put("user", user.as_str().into());
        }
        if self.claims.is_some() {
            put("claims", claims(self.claims.as_deref())?.into());
        }
        if let Some(parameters) = &self.parameters {
            put("parameters", object(parameters, "--parameters")?.into());
        }
        let subscriptions = self.subscribe.iter().map(|text| subscription(text)).collect::<Result<Vec<_>>>()?;
        put(
            "subscriptions",
            if subscriptions.is_empty() { client.subscriptions().into() } else { subscriptions.into() },
        );
        Admin::new(url, &self.token)?.post("/api/admin/v1/explain", &body)
    }
}

fn subscription(text: &str) -> Result<Value> {
    match text.split_once('=') {
        Some((stream, parameters)) => {
            let parameters = object(parameters, "--subscribe: what follows =")?;
            Ok(json!({"stream": stream, "parameters": parameters}))
        }
        None => Ok(json!({"stream": text})),
    }
}

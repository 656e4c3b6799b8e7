//! `rowtide token`: a token for development.

use std::path::PathBuf;

use anyhow::Result;
use rowtide_service::{TokenOptions, development_token};
use serde_json::{Map, Value};

use crate::exit::{Outcome, usage};

/// Prints a token for development, and nothing else.
#[derive(clap::Args)]
pub(crate) struct Token {
    /// The user: the claim `sub`
    #[arg(long, value_name = "NAME")]
    user: String,
    /// The secret of the service, in base64url. Other users of this machine can see command lines, but not the environment
    /// [default: the secret of `rowtide dev` in --dir]
    #[arg(long, value_name = "BASE64URL", env = "ROWTIDE_JWT_SECRET", hide_env_values = true)]
    jwt_secret: Option<String>,
    /// The folder of `rowtide dev`
    #[arg(long, value_name = "FOLDER", default_value = "rowtide-dev")]
    dir: PathBuf,
    /// Who the token is for: the claim `aud`. Can be given several times
    #[arg(long, value_name = "AUDIENCE")]
    audience: Vec<String>,
    /// Further claims, as a JSON object
    #[arg(long, value_name = "JSON")]
    claims: Option<String>,
    /// How many seconds it is valid, at most a day
    #[arg(long, value_name = "SECONDS", default_value_t = 3600, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    expires: u32,
}

impl Token {
    pub(crate) fn run(&self) -> Result<Outcome> {
        let secret = match &self.jwt_secret {
            Some(secret) => secret.clone(),
            None => self.secret_of_dev()?,
        };
        let options = TokenOptions {
            user: self.user.clone(),
            audiences: self.audience.clone(),
            claims: claims(self.claims.as_deref())?,
            lifetime: self.expires,
        };
        println!("{}", development_token(&secret, options).map_err(usage)?);
        Ok(Outcome::Fine)
    }

    fn secret_of_dev(&self) -> Result<String> {
        let path = self.dir.join("jwt-secret");
        std::fs::read_to_string(&path).map_err(|error| {
            let advice = "give --jwt-secret or ROWTIDE_JWT_SECRET, or start `rowtide dev` in this folder";
            usage(format!("Reading the secret in {}: {error}: {advice}", path.display()))
        })
    }
}

/// The claims of a flag.
pub(crate) fn claims(json: Option<&str>) -> Result<Map<String, Value>> {
    let Some(json) = json else { return Ok(Map::new()) };
    match serde_json::from_str(json) {
        Ok(Value::Object(claims)) => Ok(claims),
        Ok(_) => Err(usage("--claims must be a JSON object, for instance '{\"role\": \"admin\"}'")),
        Err(error) => Err(usage(format!("--claims is no JSON: {error}"))),
    }
}

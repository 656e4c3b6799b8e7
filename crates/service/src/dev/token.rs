//! Tokens for development, signed with the shared secret that the service checks them with.

use base64::Engine;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Map, Value};

use crate::clock;

/// Who a token is for.
#[derive(Clone, Debug, Default)]
pub struct TokenOptions {
    /// The claim `sub`.
    pub user: String,
    /// The claim `aud`; empty: none.
    pub audiences: Vec<String>,
    /// Further claims. Those above and below replace claims of the same names.
    pub claims: Map<String, Value>,
    /// How many seconds it is valid; a service takes at most 24 hours.
    pub lifetime: u32,
}

/// Signs a token with HS256.
///
/// # Errors
/// The secret is not base64url, or too short.
pub fn development_token(secret: &str, options: TokenOptions) -> Result<String, String> {
    let text = secret.trim();
    let secret = URL_SAFE_NO_PAD.decode(text).or_else(|_| URL_SAFE.decode(text));
    let secret = secret.map_err(|_| "the JWT secret must be base64url".to_owned())?;
    if secret.len() < 16 {
        return Err("the JWT secret must have at least 16 bytes".to_owned());
    }
    let now = clock::now() / 1_000_000;
    let TokenOptions { user, audiences, mut claims, lifetime } = options;
    claims.insert("sub".into(), user.into());
    claims.insert("iat".into(), now.into());
    claims.insert("exp".into(), now.saturating_add(i64::from(lifetime)).into());
    match <[String; 1]>::try_from(audiences) {
        Ok([audience]) => drop(claims.insert("aud".into(), audience.into())),
        Err(audiences) if audiences.is_empty() => {}
        Err(audiences) => drop(claims.insert("aud".into(), audiences.into())),
    }
    let signed = encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(&secret));
    signed.map_err(|error| format!("signing the token: {error}"))
}

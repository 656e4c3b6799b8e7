//! Tokens: what a valid one holds, and why one is refused.

use jsonwebtoken::errors::ErrorKind as JwtError;
use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};

use super::Keys;
use crate::error::{ApiError, ErrorKind};

/// The longest life of a token, in seconds.
const MAX_LIFETIME: i64 = 24 * 60 * 60;

/// How far clocks may differ, in seconds.
const CLOCK_TOLERANCE: i64 = 60;

/// What tokens have to be.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    /// One of these has to be in `aud`. Empty: any.
    pub(crate) audiences: Vec<String>,
}

/// Who a token was made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct User {
    /// The claim `sub`.
    pub(crate) id: String,
    /// All claims, as JSON text.
    pub(crate) claims: String,
    /// When the token expires, in seconds since 1970. It may just have expired.
    pub(crate) expires_at: i64,
}

/// The token of an `Authorization` header: `Token …` or `Bearer …`.
pub(crate) fn bearer(header: Option<&str>) -> Result<&str, ApiError> {
    let missing =
        || ApiError::new(ErrorKind::NoToken, "An auth token is required: send the header Authorization: Token <jwt>.");
    let (scheme, token) = header.ok_or_else(missing)?.trim().split_once(' ').ok_or_else(missing)?;
    let is_known = ["token", "bearer"].iter().any(|known| scheme.eq_ignore_ascii_case(known));
    if is_known && !token.trim().is_empty() { Ok(token.trim()) } else { Err(missing()) }
}

/// Checks a token. One that has expired within the tolerance is valid: its stream ends at once.
///
/// # Errors
/// Which part is wrong, and what to do. Neither the token nor its claims are named.
pub(crate) async fn verify(token: &str, keys: &Keys, rules: &Rules, now: i64) -> Result<User, ApiError> {
    let malformed = |_| ApiError::new(ErrorKind::Token, "Token is not a well-formed JWT. Check the token format.");
    let header = decode_header(token).map_err(|error| match error.kind() {
        JwtError::Json(_) | JwtError::InvalidAlgorithmName | JwtError::InvalidAlgorithm => ApiError::new(
            ErrorKind::Token,
            "The algorithm of the token is not supported: use HS256, RS256, PS256, ES256, ES384 or EdDSA.",
        ),
        _ => malformed(()),
    })?;
    let candidates = keys.find(header.kid.as_deref(), header.alg).await;
    let candidates = candidates.map_err(|error| ApiError::new(ErrorKind::Signature, error.to_string()))?;
    if candidates.is_empty() {
        return Err(ApiError::new(
            ErrorKind::Signature,
            "No key of the service fits the token's kid and algorithm. Check the key set, and which key the token was signed with.",
        ));
    }
    let claims = candidates.iter().find_map(|key| signed_claims(token, key, header.alg));
    let claims = claims.ok_or_else(|| {
        ApiError::new(ErrorKind::Signature, "The signature of the token is not of a key that the service has.")
    })?;
    check(claims, rules, now)
}

/// The claims, if the key has signed them.
fn signed_claims(token: &str, key: &DecodingKey, algorithm: Algorithm) -> Option<Map<String, Value>> {
    let mut validation = Validation::new(algorithm);
    // All claims are checked below, for exact errors.
    validation.required_spec_claims.clear();
    validation.validate_exp = false;
    validation.validate_nbf = false;
    validation.validate_aud = false;
    decode::<Map<String, Value>>(token, key, &validation).ok().map(|token| token.claims)
}

fn check(claims: Map<String, Value>, rules: &Rules, now: i64) -> Result<User, ApiError> {
    let seconds = |name: &str| -> Result<Option<i64>, ApiError> {
        let wrong =
            || ApiError::new(ErrorKind::Token, format!("The claim {name} of the token must be a number of seconds."));
        #[allow(clippy::cast_possible_truncation, reason = "the cast saturates, and any such time is refused")]
        match claims.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::Number(number)) => {
                number.as_i64().or_else(|| number.as_f64().map(|real| real as i64)).map(Some).ok_or_else(wrong)
            }
            Some(_) => Err(wrong()),
        }
    };
    let needed = |name: &str, value: Option<i64>| {
        value.ok_or_else(|| ApiError::new(ErrorKind::Token, format!("The token lacks the claim {name}.")))
    };
    let id = match claims.get("sub") {
        Some(Value::String(id)) if !id.is_empty() => id.clone(),
        Some(Value::Number(id)) => id.to_string(),
        _ => return Err(ApiError::new(ErrorKind::Token, "The token lacks the claim sub, which names the user.")),
    };
    let (issued, expires) = (needed("iat", seconds("iat")?)?, needed("exp", seconds("exp")?)?);
    if expires.saturating_add(CLOCK_TOLERANCE) <= now {
        return Err(ApiError::new(ErrorKind::Expired, "The token has expired. Fetch a new one."));
    }
    if seconds("nbf")?.is_some_and(|begin| begin > now.saturating_add(CLOCK_TOLERANCE))
        || issued > now.saturating_add(CLOCK_TOLERANCE)
    {
        return Err(ApiError::new(ErrorKind::Token, "The token is not valid yet. Check the clocks."));
    }
    if expires.saturating_sub(issued) > MAX_LIFETIME {
        return Err(ApiError::new(
            ErrorKind::Lifetime,
            "The token lives longer than 24 hours. Issue shorter-lived tokens.",
        ));
    }
    if !rules.audiences.is_empty() && !has_audience(&claims, &rules.audiences) {
        return Err(ApiError::new(
            ErrorKind::Audience,
            format!("The audience of the token is not one that the service accepts: {}.", rules.audiences.join(", ")),
        ));
    }
    if !matches!(claims.get("parameters"), None | Some(Value::Null | Value::Object(_))) {
        return Err(ApiError::new(ErrorKind::Token, "The claim parameters of the token must be an object."));
    }
    Ok(User { id, claims: Value::Object(claims).to_string(), expires_at: expires })
}

fn has_audience(claims: &Map<String, Value>, accepted: &[String]) -> bool {
    let is_accepted = |value: &Value| value.as_str().is_some_and(|name| accepted.iter().any(|known| known == name));
    match claims.get("aud") {
        Some(Value::Array(names)) => names.iter().any(is_accepted),
        Some(name) => is_accepted(name),
        None => false,
    }
}

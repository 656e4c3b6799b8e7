//! Tokens that are accepted, and for each reason one that is refused.

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

use super::{Keys, Rules, User, bearer, verify};
use crate::error::{ApiError, ErrorKind};

const SECRET: &str = "MDEyMzQ1Njc4OWFiY2RlZg";
const NOW: i64 = 1_800_000_000;

fn claims() -> Value {
    json!({"sub": "u1", "iat": NOW - 10, "exp": NOW + 3600, "aud": "app"})
}

fn with(name: &str, value: impl Into<Value>) -> Value {
    let mut claims = claims();
    claims[name] = value.into();
    claims
}

fn without(name: &str) -> Value {
    let mut claims = claims();
    claims.as_object_mut().unwrap().remove(name);
    claims
}

fn signed(claims: &Value, header: &Header, secret: &[u8]) -> String {
    encode(header, claims, &EncodingKey::from_secret(secret)).unwrap()
}

fn token(claims: &Value) -> String {
    signed(claims, &Header::new(Algorithm::HS256), b"0123456789abcdef")
}

fn keys() -> Keys {
    let mut keys = Keys::new();
    keys.add_secret(SECRET).unwrap();
    keys
}

fn check_with(token: &str, keys: &Keys) -> Result<User, ApiError> {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(verify(token, keys, &Rules { audiences: vec!["app".into()] }, NOW))
}

fn check(token: &str) -> Result<User, ApiError> {
    check_with(token, &keys())
}

#[track_caller]
fn refused(claims: &Value, kind: ErrorKind) {
    assert_eq!(check(&token(claims)).unwrap_err().kind, kind, "{claims}");
}

#[test]
fn a_valid_token_names_its_user_with_all_claims() {
    let user = check(&token(&with("parameters", json!({"team": 7})))).unwrap();
    assert_eq!((user.id.as_str(), user.expires_at), ("u1", NOW + 3600));
    let claims: Value = serde_json::from_str(&user.claims).unwrap();
    assert_eq!(claims["parameters"]["team"], 7);
    assert!(check(&token(&with("aud", json!(["other", "app"])))).is_ok());
    assert_eq!(check(&token(&with("sub", 12))).unwrap().id, "12");
}

#[test]
fn a_token_that_has_just_expired_is_still_known() {
    assert_eq!(check(&token(&with("exp", NOW - 59))).unwrap().expires_at, NOW - 59);
    refused(&with("exp", NOW - 60), ErrorKind::Expired);
}

#[test]
fn each_wrong_claim_has_its_error() {
    refused(&without("sub"), ErrorKind::Token);
    refused(&without("iat"), ErrorKind::Token);
    refused(&without("exp"), ErrorKind::Token);
    refused(&with("exp", "soon"), ErrorKind::Token);
    refused(&with("exp", NOW + 24 * 3600), ErrorKind::Lifetime);
    refused(&with("iat", NOW + 61), ErrorKind::Token);
    refused(&with("nbf", NOW + 61), ErrorKind::Token);
    refused(&without("aud"), ErrorKind::Audience);
    refused(&with("aud", "other"), ErrorKind::Audience);
    refused(&with("parameters", "none"), ErrorKind::Token);
    refused(&with("exp", 1e300), ErrorKind::Lifetime);
}

#[test]
fn a_token_that_is_none_is_told_so_as_the_protocol_does() {
    let error = check("not.a.token").unwrap_err();
    assert_eq!(
        error.body(),
        json!({"error": {"code": "PSYNC_S2101", "status": 401, "name": "AuthorizationError",
            "description": "Token is not a well-formed JWT. Check the token format."}})
    );
    assert_eq!(check("").unwrap_err().kind, ErrorKind::Token);
}

#[test]
fn another_secret_or_algorithm_is_refused() {
    let foreign = signed(&claims(), &Header::new(Algorithm::HS256), b"another secret 12345");
    assert_eq!(check(&foreign).unwrap_err().kind, ErrorKind::Signature);
    // "alg": "none", as {"alg":"none","typ":"JWT"} with the claims and no signature.
    let token = token(&claims());
    let payload = token.split('.').nth(1).unwrap();
    assert_eq!(check(&format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.")).unwrap_err().kind, ErrorKind::Token);
}

const RSA: &str = r#"{"kty":"RSA","kid":"r","e":"AQAB","n":"sXchDaQebHnPiGvyDOAT4saGEUetSyo9MKLOoWFsueri23bOdgWp4Dy1WlUzewbgBHod5pcM9H95GQRV3JDXboIRROSBigeC5yjU1hGzHHyXss8UDprecbAYxknTcQkhslANGRUZmdTOQ5qTRsLAt6BTYuyvVRdhS8exSZEy_c4gs_7svlJJQ4H9_NxsiIoLwAEk7-Q3UXERGYw_75IDrGA84-lA_-Ct4eTlXHBIY2EaV7t7LjJaynVJCpkv4LKjTTAumiGUIuQhrNhZLuF_RJLqHpM2kgWFLU7-VTdL1VbC2tejvcI2BlMkEpk1BzBZI0KQB0GaDWFLN-aEAw3vRw"}"#;

#[test]
fn a_public_key_is_no_secret() {
    // Whoever knows the public key must not be able to sign with it as a secret.
    let mut keys = Keys::new();
    keys.add_set(&format!(r#"{{"keys":[{RSA}]}}"#)).unwrap();
    for secret in [RSA.as_bytes(), b"AQAB"] {
        let forged = signed(&claims(), &Header::new(Algorithm::HS256), secret);
        assert_eq!(check_with(&forged, &keys).unwrap_err().kind, ErrorKind::Signature);
    }
}

#[test]
fn keys_of_a_set_are_found_by_their_id() {
    let mut keys = Keys::new();
    let set = r#"{"keys":[{"kty":"oct","kid":"a","k":"MDEyMzQ1Njc4OWFiY2RlZg","alg":"HS256"},
        {"kty":"oct","kid":"b","k":"YW5vdGhlciBzZWNyZXQgMTIzNDU","alg":"HS256"}]}"#;
    keys.add_set(set).unwrap();
    let header = |id: &str| Header { kid: Some(id.into()), ..Header::new(Algorithm::HS256) };
    let signed = |id: &str| signed(&claims(), &header(id), b"0123456789abcdef");
    assert!(check_with(&signed("a"), &keys).is_ok());
    assert_eq!(check_with(&signed("b"), &keys).unwrap_err().kind, ErrorKind::Signature);
    assert_eq!(check_with(&signed("c"), &keys).unwrap_err().kind, ErrorKind::Signature);
}

#[test]
fn keys_that_cannot_be_used_are_errors() {
    let mut keys = Keys::new();
    assert!(keys.add_secret("not base64!").is_err());
    assert!(keys.add_secret("c2hvcnQ").is_err());
    assert!(keys.add_set("{}").is_err());
    assert!(keys.add_uri("http://example.com/jwks").is_err());
    assert!(keys.add_uri("http://localhost:1/jwks").is_ok());
    assert!(keys.add_uri("https://example.com/jwks").is_err(), "only one");
}

#[test]
fn headers_have_a_scheme_and_a_token() {
    assert_eq!(bearer(Some("Token abc")).unwrap(), "abc");
    assert_eq!(bearer(Some("bearer  abc ")).unwrap(), "abc");
    for wrong in [None, Some(""), Some("abc"), Some("Basic abc"), Some("Token ")] {
        assert_eq!(bearer(wrong).unwrap_err().kind, ErrorKind::NoToken, "{wrong:?}");
    }
}

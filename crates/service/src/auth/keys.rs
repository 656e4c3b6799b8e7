//! The keys that tokens are checked with: a shared secret, a key set, or a key set that is fetched.

use std::fmt;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::{URL_SAFE, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, JwkSet};
use jsonwebtoken::{Algorithm, DecodingKey};

/// How long a fetch may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Where keys come from.
#[derive(Default)]
pub struct Keys {
    fixed: Vec<Key>,
    fetched: Option<Fetched>,
    refresh: Refresh,
}

/// When a key set is fetched again.
#[derive(Clone, Copy)]
struct Refresh {
    /// How long it is used without looking for a new one.
    fresh: Duration,
    /// The shortest time between two fetches, so that tokens with unknown keys cause no flood.
    min_interval: Duration,
}

impl Default for Refresh {
    fn default() -> Self {
        Self { fresh: Duration::from_secs(5 * 60), min_interval: Duration::from_secs(10) }
    }
}

/// A key, and which tokens it is for.
#[derive(Clone)]
struct Key {
    id: Option<String>,
    algorithms: Vec<Algorithm>,
    decoding: DecodingKey,
}

struct Fetched {
    uri: String,
    client: reqwest::Client,
    cache: Mutex<Cache>,
    /// Held while fetching, so that requests at the same time share one fetch.
    fetching: tokio::sync::Mutex<()>,
}

#[derive(Default)]
struct Cache {
    keys: Vec<Key>,
    fetched_at: Option<Instant>,
    tried_at: Option<Instant>,
}

/// Why keys cannot be used. It holds no secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyError(String);

impl fmt::Display for KeyError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for KeyError {}

impl Keys {
    /// No keys: every token is refused.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a shared secret in base64url, for HS256, HS384 and HS512.
    ///
    /// # Errors
    /// It is not base64url, or shorter than 16 bytes.
    pub fn add_secret(&mut self, base64url: &str) -> Result<(), KeyError> {
        let text = base64url.trim();
        let bytes = URL_SAFE_NO_PAD.decode(text).or_else(|_| URL_SAFE.decode(text));
        let bytes = bytes.map_err(|_| KeyError("the JWT secret must be base64url".into()))?;
        if bytes.len() < 16 {
            return Err(KeyError("the JWT secret must have at least 16 bytes".into()));
        }
        let algorithms = vec![Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
        self.fixed.push(Key { id: None, algorithms, decoding: DecodingKey::from_secret(&bytes) });
        Ok(())
    }

    /// Adds the keys of a JSON Web Key Set. Keys for other uses are left out.
    ///
    /// # Errors
    /// It is no key set, or has a key that cannot be used.
    pub fn add_set(&mut self, json: &str) -> Result<(), KeyError> {
        self.fixed.extend(read_set(json, "the key set")?);
        Ok(())
    }

    /// Has keys fetched from a URI when they are needed, and again when a token names an unknown one.
    ///
    /// # Errors
    /// The URI is neither `https` nor to this machine, or there are two.
    pub fn add_uri(&mut self, uri: &str) -> Result<(), KeyError> {
        if self.fetched.is_some() {
            return Err(KeyError("only one JWKS URI can be used".into()));
        }
        let url =
            reqwest::Url::parse(uri).map_err(|error| KeyError(format!("the JWKS URI cannot be used: {error}")))?;
        let is_local = url.host_str().is_some_and(|host| ["localhost", "127.0.0.1", "[::1]"].contains(&host));
        if url.scheme() != "https" && !(url.scheme() == "http" && is_local) {
            return Err(KeyError("the JWKS URI must begin with https:// (http:// only for localhost)".into()));
        }
        let client = reqwest::Client::builder().timeout(TIMEOUT).build();
        let client = client.map_err(|error| KeyError(format!("the JWKS URI cannot be used: {error}")))?;
        let fetching = tokio::sync::Mutex::new(());
        self.fetched = Some(Fetched { uri: uri.into(), client, cache: Mutex::default(), fetching });
        Ok(())
    }

    /// When fetched keys are fetched again: after `fresh` (5 minutes by default), and for a token with an unknown key, but
    /// never within `min_interval` (10 seconds).
    pub fn set_refresh(&mut self, fresh: Duration, min_interval: Duration) {
        self.refresh = Refresh { fresh, min_interval };
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.fixed.is_empty() && self.fetched.is_none()
    }

    /// The keys that a token with this id and algorithm can be of.
    ///
    /// # Errors
    /// The key set could not be fetched, and none is known.
    pub(super) async fn find(&self, id: Option<&str>, algorithm: Algorithm) -> Result<Vec<DecodingKey>, KeyError> {
        let mut found = fitting(&self.fixed, id, algorithm);
        if let Some(fetched) = &self.fetched {
            found.extend(fetched.find(id, algorithm, self.refresh).await?);
        }
        Ok(found)
    }
}

fn fitting(keys: &[Key], id: Option<&str>, algorithm: Algorithm) -> Vec<DecodingKey> {
    let fits = |key: &&Key| {
        key.algorithms.contains(&algorithm) && (id.is_none() || key.id.is_none() || key.id.as_deref() == id)
    };
    keys.iter().filter(fits).map(|key| key.decoding.clone()).collect()
}

impl Fetched {
    async fn find(
        &self,
        id: Option<&str>,
        algorithm: Algorithm,
        refresh: Refresh,
    ) -> Result<Vec<DecodingKey>, KeyError> {
        if let Some(found) = self.cached(id, algorithm, refresh) {
            return Ok(found);
        }
        let _fetching = match self.fetching.try_lock() {
            Ok(fetching) => fetching,
            Err(_) => {
                // While another request fetches, those with a key that was known do not wait for a slow server.
                let known = fitting(&self.cache().keys, id, algorithm);
                if !known.is_empty() {
                    return Ok(known);
                }
                self.fetching.lock().await
            }
        };
        // Another request may have fetched them meanwhile.
        if let Some(found) = self.cached(id, algorithm, refresh) {
            return Ok(found);
        }
        let fetched = if self.may_fetch(refresh) { self.fetch().await } else { Ok(()) };
        if let Err(error) = &fetched {
            tracing::warn!(%error, "checking a token");
        }
        let cache = self.cache();
        match fetched {
            Err(error) if cache.keys.is_empty() => Err(error),
            _ => Ok(fitting(&cache.keys, id, algorithm)),
        }
    }

    /// What the cache has for a token; none if it has to be fetched.
    fn cached(&self, id: Option<&str>, algorithm: Algorithm, refresh: Refresh) -> Option<Vec<DecodingKey>> {
        let cache = self.cache();
        let is_fresh = cache.fetched_at.is_some_and(|at| at.elapsed() < refresh.fresh);
        let found = fitting(&cache.keys, id, algorithm);
        (is_fresh && !found.is_empty()).then_some(found)
    }

    fn may_fetch(&self, refresh: Refresh) -> bool {
        let mut cache = self.cache();
        let may = cache.tried_at.is_none_or(|at| at.elapsed() >= refresh.min_interval);
        if may {
            cache.tried_at = Some(Instant::now());
        }
        may
    }

    async fn fetch(&self) -> Result<(), KeyError> {
        let failed = |error: reqwest::Error| KeyError(format!("fetching the key set failed: {}", error.without_url()));
        let response = self.client.get(&self.uri).send().await.map_err(failed)?;
        let text = response.error_for_status().map_err(failed)?.text().await.map_err(failed)?;
        let keys = read_set(&text, "the fetched key set")?;
        let mut cache = self.cache();
        cache.keys = keys;
        cache.fetched_at = Some(Instant::now());
        Ok(())
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, Cache> {
        self.cache.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn read_set(json: &str, what: &str) -> Result<Vec<Key>, KeyError> {
    let set: JwkSet = serde_json::from_str(json).map_err(|error| KeyError(format!("{what} is no JWKS: {error}")))?;
    let mut keys = Vec::new();
    for (number, jwk) in set.keys.iter().enumerate() {
        let algorithms = algorithms(jwk);
        if algorithms.is_empty() {
            continue;
        }
        let decoding = DecodingKey::from_jwk(jwk);
        let decoding = decoding.map_err(|error| KeyError(format!("key {number} of {what} cannot be used: {error}")))?;
        keys.push(Key { id: jwk.common.key_id.clone(), algorithms, decoding });
    }
    Ok(keys)
}

/// The algorithms that a key is for: those of its type, or the one that it names. A key is never used with the
/// algorithms of another type, whatever a token says.
fn algorithms(jwk: &Jwk) -> Vec<Algorithm> {
    use Algorithm::{ES256, ES384, EdDSA, HS256, HS384, HS512, PS256, PS384, PS512, RS256, RS384, RS512};
    let of_type = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => vec![RS256, RS384, RS512, PS256, PS384, PS512],
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => vec![ES256],
            EllipticCurve::P384 => vec![ES384],
            _ => Vec::new(),
        },
        AlgorithmParameters::OctetKeyPair(key) if key.curve == EllipticCurve::Ed25519 => vec![EdDSA],
        AlgorithmParameters::OctetKeyPair(_) => Vec::new(),
        AlgorithmParameters::OctetKey(_) => vec![HS256, HS384, HS512],
    };
    match jwk.common.key_algorithm {
        Some(named) => of_type.into_iter().filter(|known| format!("{known:?}") == named.to_string()).collect(),
        None => of_type,
    }
}

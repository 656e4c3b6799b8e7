//! Keys that are fetched from a JWKS URI, and a service that cannot start.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use rowtide_service::{Keys, StartError};
use serde_json::json;
use sync_engine::memory::MemoryStore;
use sync_engine::store::StoreError;

use crate::support::{Running, now, options, refused, source};

/// A server of a key set.
#[derive(Clone, Default)]
struct KeyServer {
    /// None: the server answers with an error.
    set: Arc<Mutex<Option<String>>>,
    asked: Arc<AtomicUsize>,
}

impl KeyServer {
    async fn start(&self) -> String {
        async fn answer(State(server): State<KeyServer>) -> (StatusCode, String) {
            server.asked.fetch_add(1, Ordering::SeqCst);
            match server.set.lock().unwrap().clone() {
                Some(set) => (StatusCode::OK, set),
                None => (StatusCode::SERVICE_UNAVAILABLE, String::new()),
            }
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/keys", get(answer)).with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        format!("http://127.0.0.1:{}/keys", address.port())
    }

    /// Serves these keys: names and secrets of 16 bytes.
    fn set(&self, keys: &[(&str, &str)]) {
        let keys: Vec<_> = keys
            .iter()
            .map(|(name, secret)| json!({"kty": "oct", "alg": "HS256", "kid": name, "k": base64url(secret.as_bytes())}))
            .collect();
        *self.set.lock().unwrap() = Some(json!({"keys": keys}).to_string());
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn base64url(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(bytes)
}

async fn service(keys: Keys) -> Running {
    Running::with(|options| options.keys = keys).await
}

async fn status_of(running: &Running, kid: Option<&str>, secret: &str) -> u16 {
    let header = Header { kid: kid.map(Into::into), ..Header::new(Algorithm::HS256) };
    let claims = json!({"sub": "u1", "iat": now(), "exp": now() + 60});
    let token = encode(&header, &claims, &EncodingKey::from_secret(secret.as_bytes())).unwrap();
    let request = running.http.get(running.url("/write-checkpoint2.json"));
    request.header("authorization", format!("Bearer {token}")).send().await.unwrap().status().as_u16()
}

const OLD: &str = "an old key 12345";
const NEW: &str = "a new key 123456";

#[tokio::test(flavor = "multi_thread")]
async fn fetched_keys_are_kept_and_fetched_again_for_a_token_with_a_new_one() {
    let server = KeyServer::default();
    server.set(&[("old", OLD)]);
    let mut keys = Keys::new();
    keys.add_uri(&server.start().await).unwrap();
    keys.set_refresh(Duration::from_secs(3600), Duration::ZERO);
    let running = service(keys).await;
    for _ in 0..5 {
        assert_eq!(status_of(&running, Some("old"), OLD).await, 200);
    }
    assert_eq!(status_of(&running, None, OLD).await, 200, "a token without a kid");
    assert_eq!(server.asked(), 1);
    assert_eq!(status_of(&running, Some("new"), NEW).await, 401);
    assert_eq!(server.asked(), 2);
    server.set(&[("old", OLD), ("new", NEW)]);
    assert_eq!(status_of(&running, Some("new"), NEW).await, 200);
    assert_eq!(server.asked(), 3);
    // A key is only what it is named.
    assert_eq!(status_of(&running, Some("new"), OLD).await, 401);
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_with_unknown_keys_cause_no_flood() {
    let server = KeyServer::default();
    server.set(&[("old", OLD)]);
    let mut keys = Keys::new();
    keys.add_uri(&server.start().await).unwrap();
    let running = service(keys).await;
    for number in 0..20 {
        assert_eq!(status_of(&running, Some(&number.to_string()), NEW).await, 401);
    }
    assert_eq!(server.asked(), 1);
    assert_eq!(status_of(&running, Some("old"), OLD).await, 200);
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_were_removed_are_forgotten_when_they_are_fetched_again() {
    let server = KeyServer::default();
    server.set(&[("old", OLD)]);
    let mut keys = Keys::new();
    keys.add_uri(&server.start().await).unwrap();
    keys.set_refresh(Duration::ZERO, Duration::ZERO);
    let running = service(keys).await;
    assert_eq!(status_of(&running, Some("old"), OLD).await, 200);
    server.set(&[("new", NEW)]);
    assert_eq!(status_of(&running, Some("old"), OLD).await, 401);
    // A server that cannot be reached takes no keys away.
    *server.set.lock().unwrap() = None;
    assert_eq!(status_of(&running, Some("new"), NEW).await, 200);
    assert_eq!(server.asked(), 3);
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_keys_every_token_is_refused_and_told_why() {
    let server = KeyServer::default();
    let mut keys = Keys::new();
    keys.add_uri(&server.start().await).unwrap();
    keys.set_refresh(Duration::ZERO, Duration::ZERO);
    let running = service(keys).await;
    assert_eq!(status_of(&running, Some("old"), OLD).await, 401);
    server.set(&[("old", OLD)]);
    assert_eq!(status_of(&running, Some("old"), OLD).await, 200, "it is asked again");
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_cannot_start_says_why_and_what_to_do() {
    let running = Running::start().await;
    let open = || -> rowtide_service::OpenStore { Box::new(|| Ok(Box::new(MemoryStore::new("0a")))) };
    let mut taken = options(Arc::new(source()), open());
    taken.address = running.service.url().trim_start_matches("http://").parse().unwrap();
    let message = refused(taken).await.to_string();
    assert!(message.contains("choose another port"), "{message}");
    let mut wrong = options(Arc::new(source()), open());
    wrong.config = "config: {edition: 3}\nstreams:\n  a:\n    query: SELECT FROM".into();
    let error = refused(wrong).await;
    assert!(matches!(&error, StartError::Config(findings) if !findings.is_empty()));
    assert!(error.to_string().contains("C0"), "{error}");
    let broken = || -> rowtide_service::OpenStore { Box::new(|| Err(StoreError::Unavailable("no disk".into()))) };
    let message = refused(options(Arc::new(source()), broken())).await.to_string();
    assert_eq!(message, "Opening the storage: no disk");
    running.service.stop().await;
}

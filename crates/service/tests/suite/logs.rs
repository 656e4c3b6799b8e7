//! What the log says of a session, and what it must never say.

use std::io;
use std::sync::{Arc, Mutex};

use tracing_subscriber::fmt::MakeWriter;

use crate::gated::Gate;
use crate::support::{ADMIN, Running, put, soon, token};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_log_names_clients_and_holds_no_secrets_and_no_rows() {
    let log = Log::default();
    let subscriber = tracing_subscriber::fmt().with_writer(log.clone()).with_max_level(tracing::Level::TRACE).finish();
    tracing::subscriber::set_global_default(subscriber).unwrap();
    let gate = Gate::default();
    let running = Running::with(|options| options.open_store = gate.store()).await;
    put(&running.source, "lists", ["secret-id", "logged-user", "secret-row"]);
    let jwt = token("logged-user", 3600);
    let ask = |body: &str| {
        let request = running.http.post(running.url("/sync/stream?x=secret-query")).body(body.to_owned());
        request.header("authorization", format!("Token {jwt}")).header("x-user-agent", "logged-agent/1").send()
    };
    let mut response = ask(
        r#"{"client_id": "logged-client", "parameters": {"p": "secret-parameter"}, "app_metadata": {"a": "secret-metadata"},
        "streams": {"subscriptions": [{"stream": "todos", "parameters": {"list": "secret-list"}, "override_priority": null}]}}"#,
    )
    .await
    .unwrap();
    soon(response.chunk()).await.unwrap();
    // Errors of every kind: a stream that is cut, wrong bodies, tokens and configurations.
    gate.fail(true);
    put(&running.source, "lists", ["secret-id", "logged-user", "secret-row-2"]);
    while let Ok(Some(_)) = soon(response.chunk()).await {}
    assert_eq!(ask("{}").await.unwrap().status(), 500);
    assert_eq!(ask(r#"{"parameters": "secret-parameter"}"#).await.unwrap().status(), 400);
    assert_eq!(ask(r#"{"secret-syntax"#).await.unwrap().status(), 400);
    let request = running.http.get(running.url("/api/admin/v1/status")).header("authorization", "Bearer secret-guess");
    assert_eq!(request.send().await.unwrap().status(), 401);
    assert_eq!(running.send_config("deploy", "secret-yaml: [").await.0.as_u16(), 422);
    running.get("logged-user", "/write-checkpoint2.json?client_id=logged-client").await;
    running.status().await;
    running.service.stop().await;
    let text = log.text();
    for expected in
        ["logged-user", "logged-client", "logged-agent/1", "sync stream opened", "sync stream closed", "disk"]
    {
        assert!(text.contains(expected), "{expected}: {text}");
    }
    assert!(!text.contains("secret"), "{:?}", text.lines().find(|line| line.contains("secret")));
    for part in jwt.split('.').chain([ADMIN, jwt.as_str()]) {
        assert!(!text.contains(part), "a token");
    }
}

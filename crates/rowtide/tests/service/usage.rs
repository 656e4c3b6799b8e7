//! Wrong usage: exit code 2, and a message that says what to do. And what `rowtide token` prints.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::support::{SECRET, folder, run, text};

fn refused(arguments: &[&str]) -> String {
    let folder = folder();
    let output = run(folder.path(), arguments);
    assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "");
    text(&output.stderr)
}

fn serve_refuses(more: &[&str]) -> String {
    let arguments = ["serve", "--config", "sync.yaml", "--port", "0", "--jwt-secret", SECRET];
    refused(&[&arguments, more].concat())
}

#[test]
fn flags_that_cannot_work_are_refused() {
    assert!(serve_refuses(&["--source", "memory:", "--no-such-flag"]).contains("--no-such-flag"));
    assert!(serve_refuses(&[]).contains("--source is missing"));
    let slot = serve_refuses(&["--source", "postgres://user:secret@host/db?slot=A"]);
    assert!(slot.contains("slot in the URL is no name") && !slot.contains("secret"), "{slot}");
    assert!(serve_refuses(&["--source", "convex:https://x.convex.cloud"]).contains("CONVEX_DEPLOY_KEY"));
    let key = ["--convex-deploy-key", "prod:x|secret"];
    let convex = |url: &str| serve_refuses(&[&["--source", url][..], &key].concat());
    assert!(convex("convex:http://x.convex.cloud").contains("by https"));
    assert!(convex("convex:https://127.0.0.1").contains("allow_private_addresses=true"));
    assert!(!convex("convex:https://127.0.0.1").contains("secret"));
    assert!(serve_refuses(&["--source", "memory:", "--storage", "postgres://host/db"]).contains("names no user"));
    assert!(serve_refuses(&["--source", "memory:", "--storage", "ram"]).contains("known are sqlite:PATH, postgres://"));
    assert!(serve_refuses(&["--source", "memory:", "--seed", "seed.sql"]).contains("--seed is for SQLite sources"));
    assert!(serve_refuses(&["--source", "memory:", "--ephemeral", "--storage", "memory:"]).contains("--ephemeral"));
    assert!(serve_refuses(&["--source", "memory:", "--host", "no host"]).contains("--host no host"));
    assert!(serve_refuses(&["--source", "memory:", "--jwks", "no.json"]).contains("no.json"));
    let storage = ["--storage", "postgres://u:secret@127.0.0.1:1/db", "--role", "api"];
    assert!(serve_refuses(&storage).contains("leave out --config"));
    assert!(!serve_refuses(&storage).contains("secret"));
    assert!(serve_refuses(&["--source", "memory:", "--role", "writer"]).contains("--storage postgres:"));
    assert!(refused(&["serve", "--source", "memory:", "--jwt-secret", SECRET]).contains("--config is missing"));
    let arguments = ["serve", "--source", "memory:", "--config"];
    assert!(refused(&[&arguments[..], &["no.yaml", "--jwt-secret", SECRET]].concat()).contains("no.yaml"));
    assert!(refused(&[&arguments[..], &["sync.yaml"]].concat()).contains("ROWTIDE_JWT_SECRET"));
    let short = refused(&[&arguments[..], &["sync.yaml", "--jwt-secret", "c2hvcnQ"]].concat());
    assert!(short.contains("at least 16 bytes"), "{short}");
}

#[test]
fn help_says_how_to_hide_secrets() {
    let folder = folder();
    let help = text(&run(folder.path(), &["serve", "--help"]).stdout);
    assert!(help.contains("Command lines can be seen by other users"), "{help}");
    assert!(help.contains("ROWTIDE_JWT_SECRET"), "{help}");
}

#[test]
fn a_source_that_cannot_be_opened_ends_it() {
    let folder = folder();
    let arguments = ["serve", "--config", "sync.yaml", "--source", "sqlite:no.db", "--jwt-secret", SECRET];
    let output = run(folder.path(), &arguments);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("no.db"), "{}", text(&output.stderr));
}

#[test]
fn a_token_has_what_was_asked_for() {
    let folder = folder();
    let arguments = ["token", "--jwt-secret", SECRET, "--user", "ann", "--audience", "app", "--expires", "60"];
    let claims = ["--claims", r#"{"role": "admin", "sub": "someone else"}"#];
    let output = run(folder.path(), &[&arguments[..], &claims].concat());
    assert_eq!(output.status.code(), Some(0));
    let token = text(&output.stdout);
    assert_eq!(token.lines().count(), 1, "the token and nothing else: {token}");
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).unwrap()).unwrap();
    let payload: Value = serde_json::from_slice(&payload).unwrap();
    assert_eq!((payload["sub"].as_str(), payload["aud"].as_str()), (Some("ann"), Some("app")));
    assert_eq!(payload["role"], "admin");
    assert_eq!(payload["exp"].as_i64().unwrap() - payload["iat"].as_i64().unwrap(), 60);
}

#[test]
fn a_token_that_no_service_would_take_is_refused() {
    let token = |more: &[&str]| refused(&[&["token", "--user", "ann"], more].concat());
    assert!(token(&["--jwt-secret", SECRET, "--expires", "86401"]).contains("86401"));
    assert!(token(&["--jwt-secret", "%"]).contains("base64url"));
    assert!(token(&["--jwt-secret", SECRET, "--claims", "[1]"]).contains("must be a JSON object"));
    assert!(token(&[]).contains("ROWTIDE_JWT_SECRET"), "there is no development service here");
}

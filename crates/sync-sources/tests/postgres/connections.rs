//! Connections with TLS and with all kinds of authentication, for statements and for the stream.
//!
//! The key in the folder `tls` is for these tests alone.

use std::path::Path;
use std::process::Command;

use pg_server::Server;
use sync_engine::source::{ErrorClass, Source, SourceError};
use sync_sources::postgres::PostgresSource;

use crate::app::patterns;

const AUTHORITY: &str = include_str!("tls/ca.pem");

/// Writes a file for the server, which may run as another user.
fn put(folder: &Path, name: &str, content: &str) -> String {
    let path = folder.join(name);
    std::fs::write(&path, content).unwrap();
    let is_changed = |program: &str, argument: &str| {
        Command::new(program).arg(argument).arg(&path).status().is_ok_and(|status| status.success())
    };
    assert!(is_changed("chmod", "600"));
    // Only root can, and only root has to.
    let _ = Command::new("chown").arg("postgres").arg(folder).arg(&path).output();
    path.to_str().unwrap().to_owned()
}

/// Reads a table and opens a stream.
fn follow(url: &str) -> Result<(), SourceError> {
    let source = PostgresSource::open(url)?;
    let table = source.tables(&patterns(&["t"]))?.remove(0);
    assert_eq!(source.snapshot_chunk(&table, None, 10)?.rows.len(), 1);
    source.stream(Some(&source.head()?)).map(|_| ())
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn with_tls_and_all_kinds_of_authentication() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let certificate = put(path, "server.pem", include_str!("tls/server.pem"));
    let key = put(path, "server.key", include_str!("tls/server.key"));
    let server = Server::start(&format!("ssl = on\nssl_cert_file = '{certificate}'\nssl_key_file = '{key}'"));
    let database = server.database();
    let mut client = database.client();
    client
        .batch_execute(
            "CREATE TABLE t(id int PRIMARY KEY); INSERT INTO t VALUES (1);
            SET password_encryption = 'scram-sha-256';
            CREATE ROLE scram SUPERUSER LOGIN PASSWORD 'p@ss ä'; CREATE ROLE clear SUPERUSER LOGIN PASSWORD 'pass';
            SET password_encryption = 'md5'; CREATE ROLE md5 SUPERUSER LOGIN PASSWORD 'pass'",
        )
        .unwrap();
    let hba = server.data().join("pg_hba.conf");
    let rules = "hostssl all scram 127.0.0.1/32 scram-sha-256\nhostssl all clear 127.0.0.1/32 password\n\
        hostssl all md5 127.0.0.1/32 md5\nhost all scram,clear,md5 127.0.0.1/32 reject\nhost all all 127.0.0.1/32 trust\n";
    std::fs::write(&hba, rules).unwrap();
    client.batch_execute("SELECT pg_reload_conf()").unwrap();
    let url = |host: &str, user: &str, password: &str, parameters: &str| {
        format!("postgres://{user}:{password}@{host}:{}/{}?{parameters}", server.port(), database.name())
    };
    // The server reads its rules again a moment later.
    while follow(&url("127.0.0.1", "scram", "wrong", "sslmode=require")).is_ok() {}

    let authority = path.join("ca.pem");
    std::fs::write(&authority, AUTHORITY).unwrap();
    let verified = format!("sslmode=verify-full&sslrootcert={}", authority.display());
    for host in ["127.0.0.1", "localhost"] {
        follow(&url(host, "scram", "p%40ss%20%C3%A4", &verified)).unwrap();
    }
    for (user, password) in [("scram", "p%40ss%20%C3%A4"), ("clear", "pass"), ("md5", "pass")] {
        follow(&url("127.0.0.1", user, password, "sslmode=require")).unwrap();
        follow(&url("127.0.0.1", user, password, "")).unwrap();
        for (password, parameters) in [("wrong", "sslmode=require"), (password, "sslmode=disable")] {
            let error = follow(&url("127.0.0.1", user, password, parameters)).unwrap_err();
            assert_eq!(error.class, ErrorClass::Configuration, "{user} {parameters}: {error}");
            assert!(!error.message.contains("wrong") && !error.message.contains("pass@"), "{error}");
        }
    }
    // The public authorities do not know this one.
    let error = follow(&url("localhost", "scram", "p%40ss%20%C3%A4", "sslmode=verify-full")).unwrap_err();
    assert!(error.message.contains("certificate"), "{error}");
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_server_without_tls() {
    let database = Server::shared().database();
    database.client().batch_execute("CREATE TABLE t(id int PRIMARY KEY); INSERT INTO t VALUES (1)").unwrap();
    let with = |mode: &str| format!("{}&slot={}", database.url().replace("sslmode=disable", mode), database.name());
    follow(&with("sslmode=prefer")).unwrap();
    let error = follow(&with("sslmode=require")).unwrap_err();
    assert!(error.message.contains("TLS"), "{error}");
}

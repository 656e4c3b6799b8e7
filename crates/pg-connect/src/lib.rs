//! Connections of the sync service to PostgreSQL: reading their URLs, TLS, and the settings that texts of values depend on.
//!
//! All calls block. A URL is `postgres://USER:PASSWORD@HOST:PORT/DATABASE?sslmode=…`, as for libpq. Known parameters are
//! `sslmode` (`disable`, `prefer`, which is the default, `require`, `verify-full`), `sslrootcert` (a file with
//! certificates in PEM, instead of the public authorities), and `connect_timeout` in seconds.

#![forbid(unsafe_code)]

mod failure;
mod tls;
mod url;

use std::sync::Arc;
use std::time::Duration;

use postgres::Client;
use tokio_postgres_rustls::MakeRustlsConnect;

pub use failure::{Failure, is_transient_code};
pub use postgres;

/// The settings of each session: they decide what texts of values look like. `extra_float_digits` gives the shortest text
/// that is read as the same number.
pub const SESSION: &str = "SET datestyle = 'ISO, YMD'; SET intervalstyle = 'postgres'; SET timezone = 'UTC'; \
    SET extra_float_digits = 1; SET bytea_output = 'hex'; SET statement_timeout = 0; \
    SET standard_conforming_strings = on; SET client_encoding = 'UTF8'";

/// A database to connect to.
#[derive(Clone)]
pub struct Target {
    /// Name or address of the server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// The role.
    pub user: String,
    /// Its password; empty without one. It appears in no message.
    pub password: String,
    /// The database.
    pub database: String,
    /// Whether the connection is encrypted, and how the server is checked.
    pub tls: TlsMode,
    /// Certificates of authorities in PEM, instead of the public ones.
    pub root_certificates: Option<String>,
    /// How long a connection may take.
    pub connect_timeout: Duration,
}

/// Whether a connection is encrypted, and how the server is checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TlsMode {
    /// It is not encrypted.
    Disable,
    /// It is encrypted if the server can; the server is not checked.
    Prefer,
    /// It is encrypted; the server is not checked.
    Require,
    /// It is encrypted, and the server has a certificate for its name.
    VerifyFull,
}

impl Target {
    /// Reads a URL.
    ///
    /// # Errors
    /// It is no such URL, or has an unknown parameter, or a file of certificates cannot be read. The message holds neither
    /// the password nor the URL.
    pub fn parse(url: &str) -> Result<Self, String> {
        url::parse(url)
    }

    /// Where it is, for people: `host:port/database`.
    pub fn location(&self) -> String {
        format!("{}:{}/{}", self.host, self.port, self.database)
    }

    /// What TLS is done with; none if it is disabled.
    ///
    /// # Errors
    /// A certificate is not readable.
    pub fn tls_config(&self) -> Result<Option<Arc<rustls::ClientConfig>>, String> {
        tls::config(self)
    }

    /// Connects, and makes the settings of [`SESSION`]. The name is shown in `pg_stat_activity`.
    ///
    /// # Errors
    /// The server cannot be reached, or refuses the connection.
    pub fn connect(&self, application_name: &str) -> Result<Client, Failure> {
        let mut config = postgres::Config::new();
        config
            .host(&self.host)
            .port(self.port)
            .user(&self.user)
            .dbname(&self.database)
            .application_name(application_name)
            .connect_timeout(self.connect_timeout)
            .keepalives_idle(Duration::from_secs(30))
            .ssl_mode(match self.tls {
                TlsMode::Disable => postgres::config::SslMode::Disable,
                TlsMode::Prefer => postgres::config::SslMode::Prefer,
                TlsMode::Require | TlsMode::VerifyFull => postgres::config::SslMode::Require,
            });
        if !self.password.is_empty() {
            config.password(&self.password);
        }
        let tls = self.tls_config().map_err(Failure::setup)?;
        let connected = match tls {
            None => config.connect(postgres::NoTls),
            Some(tls) => config.connect(MakeRustlsConnect::new(rustls::ClientConfig::clone(&tls))),
        };
        let mut client = connected.map_err(|error| Failure::new(&error))?;
        client.batch_execute(SESSION).map_err(|error| Failure::new(&error))?;
        Ok(client)
    }
}

impl std::fmt::Debug for Target {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_tuple("Target").field(&self.location()).finish()
    }
}

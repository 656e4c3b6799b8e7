//! Reads the URL of a database.

use std::time::Duration;

use percent_encoding::percent_decode_str;
use url::Url;

use crate::{Target, TlsMode};

const FORM: &str = "postgres://USER:PASSWORD@HOST:PORT/DATABASE";

pub(crate) fn parse(text: &str) -> Result<Target, String> {
    let url =
        Url::parse(text).map_err(|error| format!("the URL of the database is not of the form {FORM}: {error}"))?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err(format!("the URL of the database is not of the form {FORM}"));
    }
    let decoded = |part: &str, text: &str| {
        let decoded = percent_decode_str(text).decode_utf8();
        decoded.map(String::from).map_err(|_| format!("the {part} in the URL of the database is not UTF-8"))
    };
    let host = url.host_str().filter(|host| !host.is_empty());
    let host = host.ok_or_else(|| format!("the URL of the database names no host: {FORM}"))?;
    let user = decoded("user", url.username())?;
    if user.is_empty() {
        return Err(format!("the URL of the database names no user: {FORM}"));
    }
    let database = decoded("database", url.path().trim_start_matches('/'))?;
    let mut target = Target {
        host: decoded("host", host.trim_start_matches('[').trim_end_matches(']'))?,
        port: url.port().unwrap_or(5432),
        password: decoded("password", url.password().unwrap_or_default())?,
        database: if database.is_empty() { user.clone() } else { database },
        user,
        tls: TlsMode::Prefer,
        root_certificates: None,
        connect_timeout: Duration::from_secs(10),
    };
    for (name, value) in url.query_pairs() {
        parameter(&mut target, &name, &value)?;
    }
    Ok(target)
}

fn parameter(target: &mut Target, name: &str, value: &str) -> Result<(), String> {
    match name {
        "sslmode" => {
            target.tls = match value {
                "disable" => TlsMode::Disable,
                "allow" | "prefer" => TlsMode::Prefer,
                "require" => TlsMode::Require,
                // A certificate of an authority for another server is refused, too: more than asked for.
                "verify-ca" | "verify-full" => TlsMode::VerifyFull,
                _ => return Err("sslmode in the URL is none of disable, prefer, require, verify-full".into()),
            }
        }
        "sslrootcert" => {
            let read = std::fs::read_to_string(value);
            let read = read.map_err(|error| format!("Reading the certificates {value} (sslrootcert): {error}"))?;
            target.root_certificates = Some(read);
        }
        "connect_timeout" => {
            let seconds = value.parse().map_err(|_| "connect_timeout in the URL is no number of seconds".to_owned())?;
            target.connect_timeout = Duration::from_secs(seconds);
        }
        "application_name" => {}
        _ => {
            return Err(format!(
                "the URL of the database has an unknown parameter, {name}: known are sslmode, sslrootcert, connect_timeout"
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn all_parts_are_read() {
        let target = parse("postgresql://an%20na:p%40ss@db.example:6432/my%20app?sslmode=require&connect_timeout=3");
        let target = target.unwrap();
        let read = (&*target.host, target.port, &*target.user, &*target.password, &*target.database);
        assert_eq!(read, ("db.example", 6432, "an na", "p@ss", "my app"));
        assert_eq!((target.tls, target.connect_timeout), (TlsMode::Require, Duration::from_secs(3)));
        assert_eq!(format!("{target:?}"), "Target(\"db.example:6432/my app\")");
        let short = parse("postgres://anna@[::1]").unwrap();
        assert_eq!((&*short.host, short.port, &*short.database, short.tls), ("::1", 5432, "anna", TlsMode::Prefer));
    }

    #[test]
    fn messages_have_no_secrets() {
        for url in [
            "postgres://:secret@host/db",
            "mysql://u:secret@host/db",
            "postgres://u:secret@host/db?x=1",
            "postgres://u:secret@host:x",
        ] {
            let message = parse(url).unwrap_err();
            assert!(!message.contains("secret"), "{message}");
        }
    }
}

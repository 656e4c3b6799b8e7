//! Reads the URL of a source.

use pg_connect::Target;

use super::shared::Names;

/// What slots are called, before their epoch.
const SLOT: &str = "powersync_rowtide";

const PUBLICATION: &str = "powersync";

/// The longest name of a slot without its epoch.
const MAX_SLOT: usize = 63 - 9;

/// The database, and what the service uses there.
pub(crate) fn parse(url: &str) -> Result<(Target, Names), String> {
    let mut names = Names { slot: SLOT.to_owned(), publication: PUBLICATION.to_owned() };
    let (base, query) = url.split_once('?').unwrap_or((url, ""));
    let mut others = Vec::new();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        match parameter.split_once('=') {
            Some(("slot", name)) => names.slot = slot(name)?,
            Some(("publication", name)) => names.publication = publication(name)?,
            _ => others.push(parameter),
        }
    }
    let rest = if others.is_empty() { base.to_owned() } else { format!("{base}?{}", others.join("&")) };
    Ok((Target::parse(&rest)?, names))
}

fn slot(name: &str) -> Result<String, String> {
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if name.is_empty() || name.len() > MAX_SLOT || !name.bytes().all(is_name) {
        return Err(format!(
            "slot in the URL is no name of up to {MAX_SLOT} lower-case letters, digits and underscores"
        ));
    }
    Ok(name.to_owned())
}

fn publication(name: &str) -> Result<String, String> {
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    if name.is_empty() || name.len() > 63 || !name.bytes().all(is_name) {
        return Err("publication in the URL is no name of letters, digits, underscores and hyphens".to_owned());
    }
    Ok(name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_taken_out_of_the_url() {
        let (target, names) = parse("postgres://anna@host/db?slot=staging&sslmode=require&publication=pub").unwrap();
        assert_eq!((&*names.slot, &*names.publication), ("staging", "pub"));
        assert_eq!((&*target.database, target.tls), ("db", pg_connect::TlsMode::Require));
        let (_, names) = parse("postgres://anna@host/db").unwrap();
        assert_eq!((&*names.slot, &*names.publication), ("powersync_rowtide", "powersync"));
    }

    #[test]
    fn wrong_names_are_refused_without_secrets() {
        for parameter in ["slot=", "slot=A", "slot=a%20b", "publication=a'b", "publication=", "other=1"] {
            let message = parse(&format!("postgres://anna:secret@host/db?{parameter}")).err().unwrap();
            assert!(!message.contains("secret"), "{message}");
        }
    }
}

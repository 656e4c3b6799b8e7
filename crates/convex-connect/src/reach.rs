//! Where a deployment is: its URL with options as the query, and its key.

use std::fmt;
use std::time::Duration;

use reqwest::Url;
use reqwest::header::HeaderValue;

use crate::failure::Failure;

/// The key of a deployment. It is never shown.
#[derive(Clone)]
pub struct DeployKey(HeaderValue);

impl DeployKey {
    /// Takes a key as the dashboard shows it, for instance `prod:happy-animal-123|…`.
    ///
    /// # Errors
    /// It is empty, or has characters that no key has.
    pub fn new(key: &str) -> Result<Self, Failure> {
        let key = key.trim();
        let header = Some(key).filter(|key| !key.is_empty());
        let header = header.and_then(|key| HeaderValue::from_str(&format!("Convex {key}")).ok());
        let mut header = header.ok_or_else(|| {
            Failure::configuration(
                "the deploy key of the Convex deployment is missing or malformed: create one in the dashboard under \
                 Settings, and give it in the environment as CONVEX_DEPLOY_KEY",
            )
        })?;
        header.set_sensitive(true);
        Ok(Self(header))
    }

    /// The value of the header `Authorization`.
    pub(crate) fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

impl fmt::Debug for DeployKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("DeployKey")
    }
}

/// Where a deployment is, and how it is reached.
#[derive(Clone, Debug)]
pub struct Reach {
    /// Where it is, for instance `https://happy-animal-123.convex.cloud`.
    pub url: Url,
    /// Its key.
    pub deploy_key: DeployKey,
    /// How long one request may take.
    pub request_timeout: Duration,
    /// Whether the deployment may be on this machine or in a private network.
    pub allow_private_addresses: bool,
    /// The first pause after a request that failed; each later one is about twice as long, up to a minute.
    pub first_pause: Duration,
}

impl Reach {
    /// Reads the URL of a deployment. Its query are options: those that are not of this type are returned.
    ///
    /// # Errors
    /// It is no such URL. The message does not repeat it.
    pub fn parse(location: &str, deploy_key: DeployKey) -> Result<(Self, Vec<(String, String)>), Failure> {
        let wrong = |what: &str| {
            let form = "a Convex deployment is convex:https://DEPLOYMENT.convex.cloud, perhaps with options";
            Failure::configuration(format!("{what}: {form}"))
        };
        let mut url = Url::parse(location).map_err(|_| wrong("the URL of the Convex deployment is malformed"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("the URL of the Convex deployment must not have a user or password"));
        }
        if url.host_str().is_none_or(str::is_empty) || !["https", "http"].contains(&url.scheme()) {
            return Err(wrong("the Convex deployment needs a URL with https"));
        }
        let pairs: Vec<(String, String)> = url.query_pairs().map(|(name, value)| (name.into(), value.into())).collect();
        url.set_query(None);
        url.set_fragment(None);
        let mut reach = Self {
            url,
            deploy_key,
            request_timeout: Duration::from_secs(60),
            allow_private_addresses: false,
            first_pause: Duration::from_secs(1),
        };
        let mut others = Vec::new();
        for (name, value) in pairs {
            let is_set = match name.as_str() {
                "request_timeout_ms" => milliseconds(&value).map(|time| reach.request_timeout = time),
                "allow_private_addresses" => value.parse().ok().map(|is_on| reach.allow_private_addresses = is_on),
                _ => {
                    others.push((name, value));
                    continue;
                }
            };
            is_set.ok_or_else(|| {
                Failure::configuration(format!("the option {name} of the Convex deployment has a wrong value"))
            })?;
        }
        if reach.url.scheme() == "http" && !reach.allow_private_addresses {
            return Err(wrong("a Convex deployment is reached by https, since the deploy key is sent to it"));
        }
        Ok((reach, others))
    }
}

fn milliseconds(value: &str) -> Option<Duration> {
    value.parse().ok().filter(|time| *time > 0).map(Duration::from_millis)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(location: &str) -> Result<(Reach, Vec<(String, String)>), Failure> {
        Reach::parse(location, DeployKey::new("prod:a|secret").unwrap())
    }

    #[test]
    fn options_are_the_query_of_the_url() {
        let (reach, others) = parse("https://a.convex.cloud?request_timeout_ms=50&x=y").unwrap();
        assert_eq!((reach.url.as_str(), reach.request_timeout.as_millis()), ("https://a.convex.cloud/", 50));
        assert_eq!(others, [("x".to_owned(), "y".to_owned())]);
        assert_eq!(parse("http://127.0.0.1:3210?allow_private_addresses=true").unwrap().0.url.port(), Some(3210));
    }

    #[test]
    fn mistakes_are_named_without_the_url() {
        for (location, part) in [
            ("nowhere", "malformed"),
            ("ftp://a.b", "https"),
            ("http://a.convex.cloud", "by https"),
            ("https://me:secret@a.convex.cloud", "user or password"),
            ("https://a.convex.cloud?request_timeout_ms=0", "option request_timeout_ms"),
            ("https://a.convex.cloud?allow_private_addresses=secret", "option allow_private_addresses"),
        ] {
            let error = parse(location).unwrap_err();
            assert!(error.message.contains(part) && !error.message.contains("secret"), "{}", error.message);
        }
        assert!(!format!("{:?}", parse("https://a.convex.cloud").unwrap()).contains("secret"));
        for key in ["", " ", "a\nb"] {
            assert!(DeployKey::new(key).unwrap_err().message.contains("CONVEX_DEPLOY_KEY"));
        }
    }
}

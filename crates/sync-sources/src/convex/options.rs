//! How a deployment is reached and read: the URL of the source, and what can be set in it.

use std::time::Duration;

use convex_connect::{DeployKey, Reach};
use sync_engine::source::SourceError;

use super::client::Failure;

use crate::error::configuration;

/// What to do with the rows of a table that is gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnTableDrop {
    /// They are removed.
    #[default]
    Remove,
    /// They stay.
    Keep,
}

/// Which API changes are read by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Api {
    /// The sync API if the deployment has it, otherwise deltas.
    #[default]
    Auto,
    /// Deltas, which every deployment has.
    Deltas,
    /// The sync API.
    Sync,
}

/// How a deployment is reached and read.
#[derive(Clone, Debug)]
pub struct ConvexOptions {
    /// Where it is, and its key.
    pub reach: Reach,
    /// How often an idle deployment is asked for changes.
    pub polling_interval: Duration,
    /// What becomes of the rows of a table that is gone.
    pub on_table_drop: OnTableDrop,
    /// How often is looked for tables that are gone, with the deltas API.
    pub table_watch_interval: Duration,
    /// Which API changes are read by.
    pub api: Api,
}

impl ConvexOptions {
    /// Reads what follows `convex:` in the URL of a source: the deployment's URL, and options as its query.
    ///
    /// # Errors
    /// It is no such URL. The message does not repeat it.
    pub fn parse(location: &str, deploy_key: DeployKey) -> Result<Self, SourceError> {
        let (reach, others) = Reach::parse(location, deploy_key).map_err(Failure::from)?;
        let mut options = Self {
            reach,
            polling_interval: Duration::from_secs(1),
            on_table_drop: OnTableDrop::default(),
            table_watch_interval: Duration::from_secs(60),
            api: Api::default(),
        };
        for (name, value) in &others {
            options.set(name, value)?;
        }
        Ok(options)
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), SourceError> {
        let is_set = match name {
            "polling_interval_ms" => milliseconds(value).map(|time| self.polling_interval = time),
            "table_watch_interval_ms" => milliseconds(value).map(|time| self.table_watch_interval = time),
            "on_table_drop" => {
                let known = [("remove", OnTableDrop::Remove), ("keep", OnTableDrop::Keep)];
                one_of(value, &known).map(|choice| self.on_table_drop = choice)
            }
            "api" => {
                let known = [("auto", Api::Auto), ("deltas", Api::Deltas), ("sync", Api::Sync)];
                one_of(value, &known).map(|choice| self.api = choice)
            }
            _ => {
                return Err(configuration(
                    "the URL of the Convex deployment has an unknown option: there are polling_interval_ms, \
                     request_timeout_ms, table_watch_interval_ms, allow_private_addresses, on_table_drop and api",
                ));
            }
        };
        is_set.ok_or_else(|| configuration(format!("the option {name} of the Convex deployment has a wrong value")))
    }
}

fn milliseconds(value: &str) -> Option<Duration> {
    value.parse().ok().filter(|time| *time > 0).map(Duration::from_millis)
}

fn one_of<T: Copy>(value: &str, known: &[(&str, T)]) -> Option<T> {
    known.iter().find(|(name, _)| *name == value).map(|(_, choice)| *choice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_the_query_of_the_url() {
        let parse = |query: &str| {
            ConvexOptions::parse(&format!("https://a.convex.cloud?{query}"), DeployKey::new("prod:a|secret").unwrap())
        };
        let options = parse("polling_interval_ms=50&on_table_drop=keep&api=deltas&request_timeout_ms=9").unwrap();
        assert_eq!((options.polling_interval.as_millis(), options.on_table_drop), (50, OnTableDrop::Keep));
        assert_eq!((options.api, options.reach.request_timeout.as_millis()), (Api::Deltas, 9));
        for (query, part) in [
            ("secret=1", "unknown option"),
            ("api=secret", "option api"),
            ("polling_interval_ms=0", "option polling_interval_ms"),
        ] {
            let error = parse(query).unwrap_err();
            assert!(error.message.contains(part) && !error.message.contains("secret"), "{}", error.message);
        }
    }
}

//! Commands about stream subscriptions.

use alloc::vec::Vec;

use serde::Deserialize;

use super::Call;
use super::payload::{self, StreamJson};
use crate::engine::{Event, Outcome, StreamKey, Subscribe};
use crate::error::{Error, Result};
use crate::protocol::Priority;

/// The payload of `subscriptions`.
#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum CommandJson<'j> {
    #[serde(borrow)]
    Subscribe(SubscribeJson<'j>),
    #[serde(borrow)]
    Unsubscribe(StreamJson<'j>),
}

#[derive(Deserialize)]
struct SubscribeJson<'j> {
    #[serde(borrow)]
    stream: StreamJson<'j>,
    #[serde(default)]
    ttl: Option<i64>,
    #[serde(default)]
    priority: Option<i64>,
}

/// `update_subscriptions`
pub fn update_subscriptions(call: Call<'_>) -> Result<Outcome> {
    let text = payload::text(call.payload, "streams in use");
    call.engine.require_iteration()?;
    let streams: Vec<StreamJson<'_>> = payload::json(text?, "streams in use")?;
    let streams = streams.into_iter().map(StreamKey::from).collect();
    call.engine.handle(Event::StreamsInUse(streams), call.storage)
}

/// `subscriptions`
pub fn subscriptions(call: Call<'_>) -> Result<Outcome> {
    let event = parse(payload::text(call.payload, "a subscription")?)?;
    call.engine.handle(event, call.storage)
}

fn parse(text: &str) -> Result<Event<'static>> {
    Ok(match payload::json(text, "subscription")? {
        CommandJson::Unsubscribe(stream) => Event::Unsubscribe(stream.into()),
        CommandJson::Subscribe(SubscribeJson { stream, ttl, priority }) => {
            if ttl.is_some_and(|ttl| ttl < 0) {
                return Err(Error::argument("subscription: ttl must not be negative"));
            }
            let priority = match priority.map(Priority::try_from) {
                None => None,
                Some(Ok(priority)) => Some(priority),
                Some(Err(error)) => return Err(Error::argument(alloc::format!("subscription: {error}"))),
            };
            Event::Subscribe(Subscribe { stream: stream.into(), ttl, priority })
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    fn subscribe(text: &str) -> Subscribe {
        match parse(text).unwrap() {
            Event::Subscribe(subscribe) => subscribe,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn subscriptions_are_read_with_their_options() {
        let all = r#"{"subscribe":{"stream":{"name":"s","params":{"a" : 1.0}},"ttl":5,"priority":2}}"#;
        let expected = Subscribe {
            stream: StreamKey { name: "s".into(), parameters: r#"{"a" : 1.0}"#.into() },
            ttl: Some(5),
            priority: Some(Priority::try_from(2).unwrap()),
        };
        assert_eq!(subscribe(all), expected);
        let nulls = r#"{"subscribe":{"stream":{"name":"s","params":null},"ttl":null,"priority":null,"other":1}}"#;
        let stream = StreamKey { name: "s".into(), parameters: "null".into() };
        assert_eq!(subscribe(nulls), Subscribe { stream, ttl: None, priority: None });
        assert_eq!(subscribe(r#"{"subscribe":{"stream":{"name":"s"},"ttl":9223372036854775807}}"#).ttl, Some(i64::MAX));
    }

    #[test]
    fn endings_are_read() {
        match parse(r#"{"unsubscribe":{"name":"s","parameters":[1]}}"#).unwrap() {
            Event::Unsubscribe(stream) => assert_eq!(stream, StreamKey { name: "s".into(), parameters: "[1]".into() }),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn malformed_subscriptions_are_argument_errors() {
        for text in [
            "",
            "{}",
            "[]",
            "null",
            r#"{"other":{}}"#,
            r#"{"subscribe":{}}"#,
            r#"{"unsubscribe":{}}"#,
            r#"{"subscribe":{"stream":{"name":"s"},"ttl":-1}}"#,
            r#"{"subscribe":{"stream":{"name":"s"},"ttl":1.5}}"#,
            r#"{"subscribe":{"stream":{"name":"s"},"ttl":9223372036854775808}}"#,
            r#"{"subscribe":{"stream":{"name":"s"},"priority":4}}"#,
            r#"{"subscribe":{"stream":{"name":"s"},"priority":-1}}"#,
            r#"{"subscribe":{"stream":{"name":"s"}},"unsubscribe":{"name":"s"}}"#,
        ] {
            assert_eq!(*parse(text).unwrap_err().kind(), ErrorKind::Argument, "{text}");
        }
    }
}

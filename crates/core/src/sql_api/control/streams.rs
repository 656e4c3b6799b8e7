//! Commands about stream subscriptions.

use rowtide_protocol::{Failed, Reader, Scratch, read_argument, required};

use super::Call;
use super::payload;
use crate::error::Result;
use crate::sync_client::{Event, Subscribe};

/// `update_subscriptions`
pub(super) fn update_subscriptions(mut call: Call<'_>) -> Result<()> {
    let text = payload::text(call.payload, "streams in use");
    call.engine.require_iteration()?;
    let mut scratch = Scratch::new();
    let streams = read_argument(text?, "streams in use", &mut scratch, |reader| reader.array(payload::stream))?;
    call.handle(Event::StreamsInUse(streams))
}

/// `subscriptions`
pub(super) fn subscriptions(mut call: Call<'_>) -> Result<()> {
    let event = parse(payload::text(call.payload, "a subscription")?)?;
    call.handle(event)
}

fn parse(text: &str) -> Result<Event<'static>> {
    let event = read_argument(text, "subscription", &mut Scratch::new(), |reader| {
        reader.begin_object()?;
        let event = match reader.next_member()? {
            Some("subscribe") => Event::Subscribe(subscribe(reader)?),
            Some("unsubscribe") => Event::Unsubscribe(payload::stream(reader)?),
            _ => return Err(reader.fail("expected subscribe or unsubscribe")),
        };
        match reader.next_member()? {
            None => Ok(event),
            Some(_) => Err(reader.fail("more than one member")),
        }
    })?;
    Ok(event)
}

fn subscribe(reader: &mut Reader<'_>) -> Result<Subscribe, Failed> {
    let (mut stream, mut ttl, mut priority) = (None, None, None);
    reader.begin_object()?;
    while let Some(member) = reader.next_member()? {
        match member {
            "stream" => stream = reader.optional(payload::stream)?,
            "ttl" => ttl = reader.optional(self::ttl)?,
            "priority" => priority = reader.optional(Reader::priority)?,
            _ => reader.skip()?,
        }
    }
    Ok(Subscribe { stream: required(reader, stream, "stream")?, ttl, priority })
}

fn ttl(reader: &mut Reader<'_>) -> Result<i64, Failed> {
    let ttl = reader.integer()?;
    if ttl >= 0 { Ok(ttl) } else { Err(reader.fail("ttl must not be negative")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;
    use crate::sync_client::StreamKey;
    use rowtide_protocol::Priority;

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
            assert_eq!(parse(text).unwrap_err().kind(), ErrorKind::Argument, "{text}");
        }
    }
}

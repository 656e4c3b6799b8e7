//! Requests as clients send them, and what is answered to mistakes.

use super::*;

fn parse(body: &str) -> Result<StreamRequest, String> {
    StreamRequest::parse(body.as_bytes()).map_err(|error| error.to_string())
}

#[test]
fn a_request_with_everything() {
    let request = parse(
        r#"{"buckets":[{"name":"1#a[\"x\"]","after":"9223372036854775807","more":1},{"name":"b","after":"0"}],
        "include_checksum":true,"only":["a"],"raw_data":true,"binary_data":true,"client_id":"c 1",
        "parameters": {"n": 12345678901234567890.50, "a": [1 , 2]}, "app_metadata":{"v":"1"},
        "streams":{"include_defaults":false,"more":null,"subscriptions":[
            {"stream":"s","parameters":{"x" : 1.0},"override_priority":1.0,"more":{}},
            {"stream":"t","parameters":null,"override_priority":null}]}}"#,
    )
    .unwrap();
    let bucket = |name: &str, after| ClientBucket { name: name.into(), after };
    assert_eq!(request.buckets, [bucket("1#a[\"x\"]", i64::MAX), bucket("b", 0)]);
    assert!(request.raw_data);
    assert_eq!(request.client_id.as_deref(), Some("c 1"));
    // As sent: numbers that no type of ours holds, and blanks.
    assert_eq!(request.parameters.as_deref(), Some(r#"{"n": 12345678901234567890.50, "a": [1 , 2]}"#));
    assert_eq!(request.app_metadata.as_deref(), Some(r#"{"v":"1"}"#));
    let subscription = |stream: &str, parameters: Option<&str>, override_priority| ClientSubscription {
        stream: stream.into(),
        parameters: parameters.map(Into::into),
        override_priority,
    };
    let subscriptions = vec![subscription("s", Some(r#"{"x" : 1.0}"#), Some(1)), subscription("t", None, None)];
    assert_eq!(request.streams, StreamSelection { include_defaults: false, subscriptions });
}

#[test]
fn optional_members_may_be_absent_or_null() {
    let nothing = StreamRequest::default();
    assert!(nothing.streams.include_defaults && !nothing.raw_data);
    assert_eq!(parse("{}").unwrap(), nothing);
    let nulls =
        r#" {"buckets":null,"raw_data":null,"parameters":null,"app_metadata":null,"client_id":null,"streams":null}"#;
    assert_eq!(parse(nulls).unwrap(), nothing);
    let defaults = parse(r#"{"streams":{"subscriptions":[],"include_defaults":null}}"#).unwrap();
    assert_eq!(defaults, nothing);
}

#[test]
fn mistakes_are_reported_with_their_path() {
    let subscription = |members: &str| format!(r#"{{"streams":{{"subscriptions":[{{{members}}}]}}}}"#);
    for (body, error) in [
        ("[]", ": type must be object"),
        (r#"{"buckets":"x"}"#, "/buckets: type must be array"),
        (r#"{"buckets":{}}"#, "/buckets: type must be array"),
        (r#"{"buckets":[[]]}"#, "/buckets/0: type must be object"),
        (r#"{"buckets":[{"name":"a","after":"1"},{"name":"a"}]}"#, "/buckets/1 must have required property 'after'"),
        (r#"{"buckets":[{"after":"1"}]}"#, "/buckets/0 must have required property 'name'"),
        (r#"{"buckets":[{"name":"a","after":1}]}"#, "/buckets/0/after: type must be string"),
        (r#"{"raw_data":1}"#, "/raw_data: type must be boolean"),
        (r#"{"parameters":[]}"#, "/parameters: type must be object"),
        (r#"{"client_id":7}"#, "/client_id: type must be string"),
        (r#"{"streams":[]}"#, "/streams: type must be object"),
        (r#"{"streams":{}}"#, "/streams must have required property 'subscriptions'"),
        (r#"{"streams":{"subscriptions":null}}"#, "/streams must have required property 'subscriptions'"),
        (r#"{"streams":{"include_defaults":1,"subscriptions":[]}}"#, "/streams/include_defaults: type must be boolean"),
    ] {
        assert_eq!(parse(body).unwrap_err(), error, "{body}");
    }
    for (members, error) in [
        (r#""stream":"region""#, " must have required property 'override_priority'"),
        (r#""stream":"region","parameters":null"#, " must have required property 'override_priority'"),
        (r#""parameters":null,"override_priority":null"#, " must have required property 'stream'"),
        (r#""stream":null,"parameters":null,"override_priority":null"#, "/stream: type must be string"),
        (r#""stream":"s","parameters":"x","override_priority":null"#, "/parameters: type must be object"),
        (r#""stream":"s","parameters":{},"override_priority":"1""#, "/override_priority: type must be integer"),
        (r#""stream":"s","parameters":{},"override_priority":4"#, "/override_priority: must be an integer from 0 to 3"),
        (
            r#""stream":"s","parameters":{},"override_priority":1.5"#,
            "/override_priority: must be an integer from 0 to 3",
        ),
        (
            r#""stream":"s","parameters":{},"override_priority":-1"#,
            "/override_priority: must be an integer from 0 to 3",
        ),
    ] {
        assert_eq!(parse(&subscription(members)).unwrap_err(), format!("/streams/subscriptions/0{error}"), "{members}");
    }
    for after in ["", "-1", "+1", "1.0", " 1", "9223372036854775808", "x"] {
        let error = parse(&format!(r#"{{"buckets":[{{"name":"a","after":"{after}"}}]}}"#)).unwrap_err();
        assert_eq!(error, "/buckets/0/after: must be a decimal number from 0 to 9223372036854775807");
    }
}

#[test]
fn what_is_no_json_is_an_error() {
    for body in ["", "{", "{\"buckets\":[}", "{} x", "\u{feff}{}"] {
        let error = StreamRequest::parse(body.as_bytes()).unwrap_err();
        assert!(matches!(error.problem, RequestProblem::Syntax(_)) && error.path.is_empty(), "{error}");
    }
    assert!(matches!(StreamRequest::parse(b"{\"a\":\"\xff\"}").unwrap_err().problem, RequestProblem::Syntax(_)));
}

#[test]
#[cfg_attr(not(recorded_data), ignore = "needs POWERSYNC_INTEROP_DATA")]
fn every_recorded_request_is_read() {
    let streams = std::path::PathBuf::from(std::env::var_os("POWERSYNC_INTEROP_DATA").unwrap()).join("streams");
    let mut read = 0;
    for folder in std::fs::read_dir(streams).unwrap() {
        let Ok(body) = std::fs::read(folder.unwrap().path().join("request.json")) else { continue };
        StreamRequest::parse(&body).unwrap();
        read += 1;
    }
    assert!(read > 20);
}

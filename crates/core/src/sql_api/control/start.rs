//! The command that starts an iteration.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use serde::Deserialize;
use serde_json::value::RawValue;
use sqlite_nostd::ValueType;

use super::Call;
use super::payload::{self, StreamJson};
use crate::engine::{CheckpointMode, Event, Outcome, StartOptions, StreamKey};
use crate::error::{Error, Result};
use crate::schema::Schema;

/// StartOptions as SDKs send them.
#[derive(Deserialize)]
struct OptionsJson<'j> {
    #[serde(borrow, default)]
    parameters: Option<&'j RawValue>,
    #[serde(default)]
    include_defaults: Option<bool>,
    #[serde(borrow, default)]
    active_streams: Option<Vec<StreamJson<'j>>>,
    #[serde(borrow, default)]
    app_metadata: Option<&'j RawValue>,
    #[serde(default)]
    checkpoint_mode: Option<ModeJson>,
    #[serde(default)]
    diagnostics: Option<DiagnosticsJson>,
    #[serde(borrow, default)]
    schema: Option<&'j RawValue>,
}

/// StartOptions, taken apart into those for the state machine and those for publishing.
#[derive(Debug, Default, PartialEq)]
struct Options {
    start: StartOptions,
    schema: Option<Schema>,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum ModeJson {
    Legacy,
    Requests,
}

#[derive(Deserialize)]
struct DiagnosticsJson {}

/// `start`
pub fn start(call: Call<'_>) -> Result<Outcome> {
    let Options { start, schema } = match call.payload.value_type() {
        ValueType::Null => Options::default(),
        _ => parse(payload::text(call.payload, "start options")?)?,
    };
    let outcome = call.engine.handle(Event::Start(start), call.storage)?;
    call.session.started_schema.replace(schema.map(Rc::new));
    Ok(outcome)
}

fn parse(text: &str) -> Result<Options> {
    if !is_object(text) {
        return Err(Error::argument("start options: expected an object"));
    }
    let options: OptionsJson<'_> = payload::json(text, "start options")?;
    if options.parameters.is_some_and(|parameters| !is_object(parameters.get())) {
        return Err(Error::argument("start options: parameters must be an object"));
    }
    let start = StartOptions {
        parameters: options.parameters.map(|parameters| String::from(parameters.get())),
        include_defaults: options.include_defaults.unwrap_or(true),
        active_streams: options.active_streams.unwrap_or_default().into_iter().map(StreamKey::from).collect(),
        app_metadata: options.app_metadata.map(|metadata| String::from(metadata.get())),
        checkpoint_mode: match options.checkpoint_mode {
            Some(ModeJson::Requests) => CheckpointMode::Requests,
            Some(ModeJson::Legacy) | None => CheckpointMode::Legacy,
        },
        diagnostics: options.diagnostics.is_some(),
    };
    Ok(Options { start, schema: options.schema.map(|schema| Schema::parse(schema.get())).transpose()? })
}

fn is_object(json: &str) -> bool {
    json.trim_start().starts_with('{')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_optional_and_may_be_null() {
        let nulls = r#"{"parameters":null,"schema":null,"include_defaults":null,"active_streams":null,
            "app_metadata":null,"checkpoint_mode":null,"diagnostics":null,"future":[1]}"#;
        for text in ["{}", " {} ", nulls] {
            assert_eq!(parse(text).unwrap(), Options::default(), "{text}");
        }
    }

    #[test]
    fn json_that_is_passed_on_keeps_its_text() {
        let text = r#"{"parameters": {"b" : 1.0,"a":2}, "app_metadata": ["x" , 1e2], "include_defaults": false,
            "active_streams": [{"name":"a","params":{"x" :1}},{"name":"b"},{"name":"c","parameters":[1]},
                {"name":"d","params":null}],
            "checkpoint_mode":"requests","diagnostics":{},"schema":{"tables":[]}}"#;
        let Options { start: options, schema } = parse(text).unwrap();
        assert_eq!(schema.unwrap().tables, []);
        assert_eq!(options.parameters.as_deref(), Some(r#"{"b" : 1.0,"a":2}"#));
        assert_eq!(options.app_metadata.as_deref(), Some(r#"["x" , 1e2]"#));
        let streams: Vec<_> =
            options.active_streams.iter().map(|key| (key.name.as_str(), key.parameters.as_str())).collect();
        assert_eq!(streams, [("a", r#"{"x" :1}"#), ("b", "null"), ("c", "[1]"), ("d", "null")]);
        assert!(!options.include_defaults && options.diagnostics);
        assert_eq!(options.checkpoint_mode, CheckpointMode::Requests);
    }

    #[test]
    fn malformed_options_are_argument_errors() {
        for text in [
            "",
            "{",
            "[]",
            "[null,null,null,null,null,null]",
            "5",
            "null",
            r#"{"parameters":[]}"#,
            r#"{"parameters":1}"#,
            r#"{"include_defaults":1}"#,
            r#"{"active_streams":{}}"#,
            r#"{"active_streams":[{}]}"#,
            r#"{"checkpoint_mode":"other"}"#,
            r#"{"diagnostics":false}"#,
            r#"{} x"#,
            r#"{"schema":[]}"#,
            r#"{"schema":{"tables":[{}]}}"#,
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(*error.kind(), crate::error::ErrorKind::Argument, "{text}");
        }
    }
}

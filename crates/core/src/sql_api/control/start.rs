//! The command that starts an iteration.

use alloc::string::String;

use rowtide_protocol::{Failed, Reader, Scratch, read_argument};
use sqlite_nostd::ValueType;

use super::Call;
use super::payload;
use crate::error::Result;
use crate::migrations::require_latest;
use crate::schema::Schema;
use crate::sync_client::{CheckpointMode, Event, GateMode, StartOptions};

/// StartOptions, taken apart into those for the state machine and those for publishing.
#[derive(Debug, Default, PartialEq)]
struct Options {
    start: StartOptions,
    schema: Option<Schema>,
}

/// `start`
pub(super) fn start(mut call: Call<'_>) -> Result<()> {
    let Options { start, schema } = match call.payload.value_type() {
        ValueType::Null => Options::default(),
        _ => parse(payload::text(call.payload, "start options")?)?,
    };
    require_latest(&call.database)?;
    let started = call.session.schemas.prepare_start(&call.database, schema)?;
    call.handle(Event::Start(start))?;
    call.session.schemas.start(started);
    Ok(())
}

fn parse(text: &str) -> Result<Options> {
    let mut scratch = Scratch::new();
    let (start, schema) = read_argument(text, "start options", &mut scratch, options)?;
    Ok(Options { start, schema: schema.map(Schema::parse).transpose()? })
}

/// The options for the state machine, and the text of the schema.
fn options<'a>(reader: &mut Reader<'a>) -> Result<(StartOptions, Option<&'a str>), Failed> {
    let mut schema = None;
    let mut start = StartOptions::default();
    reader.begin_object()?;
    while let Some(member) = reader.next_member()? {
        match member {
            "parameters" => start.parameters = reader.optional(parameters)?,
            "include_defaults" => start.include_defaults = reader.optional(Reader::boolean)?.unwrap_or(true),
            "active_streams" => {
                let streams = reader.optional(|reader| reader.array(payload::stream))?;
                start.active_streams = streams.unwrap_or_default();
            }
            "app_metadata" => start.app_metadata = reader.optional(app_metadata)?,
            "checkpoint_mode" => start.checkpoint_mode = reader.optional(checkpoint_mode)?.unwrap_or_default(),
            "gate" => start.gate = reader.optional(gate)?.unwrap_or_default(),
            "diagnostics" => start.diagnostics = reader.optional(object)?.is_some(),
            "schema" => schema = reader.optional(Reader::value_text)?,
            _ => reader.skip()?,
        }
    }
    Ok((start, schema))
}

fn parameters(reader: &mut Reader<'_>) -> Result<String, Failed> {
    let text = object(reader)?;
    reader.copy(text)
}

fn app_metadata(reader: &mut Reader<'_>) -> Result<String, Failed> {
    let text = reader.value_text()?;
    reader.copy(text)
}

fn object<'a>(reader: &mut Reader<'a>) -> Result<&'a str, Failed> {
    reader.object_text()?.ok_or_else(|| reader.fail("expected an object"))
}

fn checkpoint_mode(reader: &mut Reader<'_>) -> Result<CheckpointMode, Failed> {
    match reader.string()? {
        "legacy" => Ok(CheckpointMode::Legacy),
        "requests" => Ok(CheckpointMode::Requests),
        _ => Err(reader.fail("expected \"legacy\" or \"requests\"")),
    }
}

fn gate(reader: &mut Reader<'_>) -> Result<GateMode, Failed> {
    match reader.string()? {
        "all" => Ok(GateMode::All),
        "rows" => Ok(GateMode::Rows),
        _ => Err(reader.fail("expected \"all\" or \"rows\"")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn everything_is_optional_and_may_be_null() {
        let nulls = r#"{"parameters":null,"schema":null,"include_defaults":null,"active_streams":null,
            "app_metadata":null,"checkpoint_mode":null,"gate":null,"diagnostics":null,"future":[1]}"#;
        for text in ["{}", " {} ", nulls] {
            assert_eq!(parse(text).unwrap(), Options::default(), "{text}");
        }
    }

    #[test]
    fn json_that_is_passed_on_keeps_its_text() {
        let text = r#"{"parameters": {"b" : 1.0,"a":2}, "app_metadata": ["x" , 1e2], "include_defaults": false,
            "active_streams": [{"name":"a","params":{"x" :1}},{"name":"b"},{"name":"c","parameters":[1]},
                {"name":"d","params":null}],
            "checkpoint_mode":"requests","gate":"rows","diagnostics":{},"schema":{"tables":[]}}"#;
        let Options { start: options, schema } = parse(text).unwrap();
        assert_eq!(schema.unwrap().tables, []);
        assert_eq!(options.parameters.as_deref(), Some(r#"{"b" : 1.0,"a":2}"#));
        assert_eq!(options.app_metadata.as_deref(), Some(r#"["x" , 1e2]"#));
        let streams: Vec<_> =
            options.active_streams.iter().map(|key| (key.name.as_str(), key.parameters.as_str())).collect();
        assert_eq!(streams, [("a", r#"{"x" :1}"#), ("b", "null"), ("c", "[1]"), ("d", "null")]);
        assert!(!options.include_defaults && options.diagnostics);
        assert_eq!(options.checkpoint_mode, CheckpointMode::Requests);
        assert_eq!(options.gate, GateMode::Rows);
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
            r#"{"gate":"other"}"#,
            r#"{"gate":true}"#,
            r#"{"diagnostics":false}"#,
            r#"{} x"#,
            r#"{"schema":[]}"#,
            r#"{"schema":{"tables":[{}]}}"#,
        ] {
            let error = parse(text).unwrap_err();
            assert_eq!(error.kind(), crate::error::ErrorKind::Argument, "{text}");
        }
    }
}

//! What `powersync_control` asks for.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::status::RawStatus;

/// An instruction. Those that this client does not know are left out.
#[derive(Debug)]
pub(crate) enum Instruction {
    Log(LogLine),
    Status(RawStatus),
    Establish(Establish),
    FetchCredentials { did_expire: bool },
    Close { hide_disconnect: bool },
    DidCompleteSync,
    Delayed,
}

#[derive(Debug, Deserialize)]
pub(crate) struct LogLine {
    pub(crate) severity: String,
    pub(crate) line: String,
}

/// What to open the stream with.
#[derive(Debug, Deserialize)]
pub(crate) struct Establish {
    /// The body, to be sent as it is.
    pub(crate) request: Box<RawValue>,
    /// The body of a checkpoint request, in request mode.
    pub(crate) checkpoint_request: Option<Box<RawValue>>,
}

/// Reads the answer of a call.
pub(crate) fn parse(json: &str) -> serde_json::Result<Vec<Instruction>> {
    let all: Vec<BTreeMap<String, Box<RawValue>>> = serde_json::from_str(json)?;
    let mut instructions = Vec::with_capacity(all.len());
    for (name, body) in all.into_iter().flatten() {
        instructions.extend(one(&name, &body)?);
    }
    Ok(instructions)
}

fn one(name: &str, body: &RawValue) -> serde_json::Result<Option<Instruction>> {
    #[derive(Deserialize)]
    struct Status {
        status: RawStatus,
    }
    #[derive(Deserialize)]
    struct Fetch {
        did_expire: bool,
    }
    #[derive(Deserialize)]
    struct Close {
        hide_disconnect: bool,
    }
    fn read<T: DeserializeOwned>(body: &RawValue) -> serde_json::Result<T> {
        serde_json::from_str(body.get())
    }
    Ok(Some(match name {
        "LogLine" => Instruction::Log(read(body)?),
        "UpdateSyncStatus" => Instruction::Status(read::<Status>(body)?.status),
        "EstablishSyncStream" => Instruction::Establish(read(body)?),
        "FetchCredentials" => Instruction::FetchCredentials { did_expire: read::<Fetch>(body)?.did_expire },
        "CloseSyncStream" => Instruction::Close { hide_disconnect: read::<Close>(body)?.hide_disconnect },
        "DidCompleteSync" => Instruction::DidCompleteSync,
        "CheckpointDelayedDueToLocalData" => Instruction::Delayed,
        _ => return Ok(None),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_are_read_in_order_and_unknown_ones_left_out() {
        let json = r#"[{"LogLine":{"severity":"INFO","line":"x"}},{"Something":{"new":1}},
            {"EstablishSyncStream":{"request":{"b":1, "a":2}}},{"FetchCredentials":{"did_expire":true}},
            {"DidCompleteSync":{"applied_checkpoint_request_id":"3"}},{"CheckpointDelayedDueToLocalData":{}},
            {"CloseSyncStream":{"hide_disconnect":true}}]"#;
        let instructions = parse(json).unwrap();
        let [
            Instruction::Log(log),
            Instruction::Establish(establish),
            Instruction::FetchCredentials { did_expire: true },
            Instruction::DidCompleteSync,
            Instruction::Delayed,
            Instruction::Close { hide_disconnect: true },
        ] = instructions.as_slice()
        else {
            panic!("{instructions:?}")
        };
        assert_eq!((log.severity.as_str(), log.line.as_str()), ("INFO", "x"));
        assert_eq!(establish.request.get(), "{\"b\":1, \"a\":2}", "as it came");
        assert!(establish.checkpoint_request.is_none());
    }

    #[test]
    fn what_is_no_list_of_instructions_is_an_error() {
        assert!(parse("null").is_err());
        assert!(parse(r#"[{"CloseSyncStream":{}}]"#).is_err());
    }
}

//! Both encodings, against recorded streams byte by byte, and against other readers.

use std::io::Read;
use std::path::{Path, PathBuf};

use ::bson::{self, Bson};
use rowtide_protocol::{Scratch, SyncLine, decode_binary, decode_text};
use serde_json::Value as Json;

use super::*;
use crate::store::{BucketId, OpKind, OutputRow};

fn json(line: &Line<'_>, raw_data: bool) -> String {
    let mut out = b"before".to_vec();
    Encoding::Json { raw_data }.write(line, &mut out).unwrap();
    String::from_utf8(out).unwrap().strip_prefix("before").unwrap().to_owned()
}

fn binary(line: &Line<'_>) -> Vec<u8> {
    let mut out = b"before".to_vec();
    Encoding::Bson.write(line, &mut out).unwrap();
    out.split_off(6)
}

fn name(prefix: &'static str, key: &str) -> BucketName<'static> {
    BucketName { prefix, key: key.into() }
}

fn operation(op_id: i64, checksum: u32, kind: OpKind) -> Operation {
    Operation { bucket: BucketId(1), op_id, kind, checksum }
}

fn row() -> OutputRow {
    OutputRow { object_type: "t".into(), object_id: "i\u{1}".into(), subkey: "s/\"1\"".into() }
}

fn data_line() -> Line<'static> {
    let data = "{\"id\":\"i\",\"text\":\"a\\nb ü🚀\",\"n\":9223372036854775807,\"weight\":NaN}".into();
    Line::Data {
        bucket: name("1#a|0", "[\"x\\\\\"]"),
        after: 7,
        has_more: true,
        operations: vec![
            operation(8, 4_269_879_299, OpKind::Put { row: row(), data }),
            operation(9, 0x7fff_ffff, OpKind::Remove { row: row() }),
            operation(10, 0x8000_0000, OpKind::Move),
            operation(i64::MAX, 0, OpKind::Clear),
        ],
        next_after: i64::MAX,
    }
}

#[test]
fn members_of_data_lines() {
    let start = r#"{"data":{"bucket":"1#a|0[\"x\\\\\"]","after":"7","has_more":true,"data":[{"op_id":"8","op":"PUT","object_type":"t","object_id":"i\u0001","checksum":4269879299,"subkey":"s/\"1\"","data":"#;
    let end = r#"},{"op_id":"9","op":"REMOVE","object_type":"t","object_id":"i\u0001","checksum":2147483647,"subkey":"s/\"1\"","data":null},{"op_id":"10","op":"MOVE","checksum":2147483648},{"op_id":"9223372036854775807","op":"CLEAR","checksum":0}],"next_after":"9223372036854775807"}}"#;
    let nested = r#"{"id":"i","text":"a\nb ü🚀","n":9223372036854775807,"weight":NaN}"#;
    let string = r#""{\"id\":\"i\",\"text\":\"a\\nb ü🚀\",\"n\":9223372036854775807,\"weight\":NaN}""#;
    assert_eq!(json(&data_line(), false), format!("{start}{nested}{end}\n"));
    assert_eq!(json(&data_line(), true), format!("{start}{string}{end}\n"));
}

#[test]
fn strings_are_escaped_as_a_json_library_does() {
    let every: String = (0..=0x2ff_u32).filter_map(char::from_u32).chain("\u{2028}\u{fffd}🚀".chars()).collect();
    let streams = [StreamSummary { name: every.as_str().into(), is_default: true, errors: Vec::new() }];
    let line = Line::Checkpoint { last_op_id: 0, write_checkpoint: None, buckets: Vec::new(), streams: &streams };
    let expected = serde_json::to_string(&every).unwrap();
    assert!(json(&line, true).contains(&expected));
    let document = bson::Document::from_reader(binary(&line).as_slice()).unwrap();
    let stream = &document.get_document("checkpoint").unwrap().get_array("streams").unwrap()[0];
    assert_eq!(stream.as_document().unwrap().get_str("name").unwrap(), every);
}

#[test]
fn element_types_of_bson() {
    let document = bson::Document::from_reader(binary(&data_line()).as_slice()).unwrap();
    let data = document.get_document("data").unwrap();
    assert_eq!(data.get("has_more"), Some(&Bson::Boolean(true)));
    let operations = data.get_array("data").unwrap();
    let member = |at: usize, name: &str| operations[at].as_document().unwrap().get(name).cloned();
    assert_eq!(member(0, "checksum"), Some(Bson::Double(4_269_879_299.0)));
    assert_eq!(member(1, "checksum"), Some(Bson::Int32(0x7fff_ffff)));
    assert_eq!(member(2, "checksum"), Some(Bson::Double(2_147_483_648.0)));
    assert!(matches!(member(0, "data"), Some(Bson::String(text)) if text.contains("NaN")));
    assert_eq!(member(1, "data"), Some(Bson::Null));
    assert_eq!(operations[2].as_document().unwrap().keys().collect::<Vec<_>>(), ["op_id", "op", "checksum"]);
    let bucket = |checksum, count| BucketSummary {
        name: name("a", "[]"),
        checksum,
        count,
        priority: 3,
        reasons: &[Reason::Default(2), Reason::Subscription(0)],
    };
    let line = Line::CheckpointDiff {
        last_op_id: 1,
        write_checkpoint: None,
        removed_buckets: vec![name("b", "[1]")],
        updated_buckets: vec![bucket(u32::MAX, 1), bucket(1, 1 << 40)],
    };
    let document = bson::Document::from_reader(binary(&line).as_slice()).unwrap();
    let diff = document.get_document("checkpoint_diff").unwrap();
    assert_eq!(diff.keys().collect::<Vec<_>>(), ["last_op_id", "removed_buckets", "updated_buckets"]);
    let expected = bson::bson!([
        {"bucket": "a[]", "checksum": -1, "count": 1, "priority": 3, "subscriptions": [{"default": 2}, {"sub": 0}]},
        {"bucket": "a[]", "checksum": 1, "count": (1_i64 << 40), "priority": 3, "subscriptions": [{"default": 2}, {"sub": 0}]},
    ]);
    assert_eq!(diff.get("updated_buckets"), Some(&expected));
    let expires = bson::Document::from_reader(binary(&Line::TokenExpiresIn(20)).as_slice()).unwrap();
    assert_eq!(expires, bson::doc! {"token_expires_in": 20});
}

/// Streams with every kind of error entry.
#[test]
fn checkpoint_lines() {
    let problem = |subscription, message: &str| StreamProblem { subscription, message: message.into() };
    let errors = vec![problem(Some(1), "a \"b\""), problem(None, "c")];
    let streams = [StreamSummary { name: "s".into(), is_default: false, errors }];
    let line = Line::Checkpoint { last_op_id: 5, write_checkpoint: Some(6), buckets: Vec::new(), streams: &streams };
    let expected = r#"{"checkpoint":{"last_op_id":"5","write_checkpoint":"6","buckets":[],"streams":[{"name":"s","is_default":false,"errors":[{"subscription":1,"message":"a \"b\""},{"subscription":"default","message":"c"}]}]}}"#;
    assert_eq!(json(&line, true), format!("{expected}\n"));
    let document = bson::Document::from_reader(binary(&line).as_slice()).unwrap();
    assert_eq!(serde_json::to_value(&document).unwrap(), serde_json::from_str::<Json>(expected).unwrap());
    for (line, expected) in [
        (Line::CheckpointComplete { last_op_id: 5 }, r#"{"checkpoint_complete":{"last_op_id":"5"}}"#),
        (
            Line::PartialCheckpointComplete { last_op_id: 5, priority: 0 },
            r#"{"partial_checkpoint_complete":{"last_op_id":"5","priority":0}}"#,
        ),
        (Line::TokenExpiresIn(0), r#"{"token_expires_in":0}"#),
    ] {
        assert_eq!(json(&line, true), format!("{expected}\n"));
        let document = bson::Document::from_reader(binary(&line).as_slice()).unwrap();
        assert_eq!(serde_json::to_value(&document).unwrap(), serde_json::from_str::<Json>(expected).unwrap());
    }
}

#[test]
fn clients_read_the_same_from_all_encodings() {
    let line = data_line();
    let (text, bytes) = (json(&line, true), binary(&line));
    let (mut a, mut b) = (Scratch::default(), Scratch::default());
    let text = decode_text(text.trim_end(), &mut a).unwrap();
    assert_eq!(text, decode_binary(&bytes, &mut b).unwrap());
    let SyncLine::Data(data) = text else { panic!() };
    assert_eq!(data.bucket, "1#a|0[\"x\\\\\"]");
    assert_eq!(data.entries.len(), 4);
}

/// A recorded line as ours. None if it has no valid JSON.
fn line<'a>(recorded: &'a Json, streams: &'a [StreamSummary], reasons: &'a [Vec<Reason>]) -> Line<'a> {
    let text = |value: &Json| value.as_str().unwrap().to_owned();
    let id = |value: &Json| value.as_str().unwrap().parse::<i64>().unwrap();
    let named = |value: &'a Json| BucketName { prefix: "", key: value.as_str().unwrap().into() };
    let acknowledged = |value: &Json| value.get("write_checkpoint").map(id);
    let buckets = |value: &'a Json| -> Vec<BucketSummary<'a>> {
        let buckets = value.as_array().unwrap().iter().zip(reasons);
        buckets
            .map(|(bucket, reasons)| BucketSummary {
                name: named(&bucket["bucket"]),
                checksum: i32::try_from(bucket["checksum"].as_i64().unwrap()).unwrap().cast_unsigned(),
                count: bucket["count"].as_i64().unwrap(),
                priority: u8::try_from(bucket["priority"].as_u64().unwrap()).unwrap(),
                reasons,
            })
            .collect()
    };
    let (member, value) = recorded.as_object().unwrap().iter().next().unwrap();
    match member.as_str() {
        "checkpoint" => Line::Checkpoint {
            last_op_id: id(&value["last_op_id"]),
            write_checkpoint: acknowledged(value),
            buckets: buckets(&value["buckets"]),
            streams,
        },
        "checkpoint_diff" => Line::CheckpointDiff {
            last_op_id: id(&value["last_op_id"]),
            write_checkpoint: acknowledged(value),
            removed_buckets: value["removed_buckets"].as_array().unwrap().iter().map(named).collect(),
            updated_buckets: buckets(&value["updated_buckets"]),
        },
        "data" => Line::Data {
            bucket: named(&value["bucket"]),
            after: id(&value["after"]),
            has_more: value["has_more"].as_bool().unwrap(),
            operations: value["data"].as_array().unwrap().iter().map(recorded_operation).collect(),
            next_after: id(&value["next_after"]),
        },
        "checkpoint_complete" => Line::CheckpointComplete { last_op_id: id(&value["last_op_id"]) },
        "partial_checkpoint_complete" => Line::PartialCheckpointComplete {
            last_op_id: id(&value["last_op_id"]),
            priority: u8::try_from(value["priority"].as_u64().unwrap()).unwrap(),
        },
        "token_expires_in" => Line::TokenExpiresIn(value.as_i64().unwrap()),
        other => panic!("{other} {}", text(value)),
    }
}

fn recorded_operation(value: &Json) -> Operation {
    let text = |member: &str| Arc::<str>::from(value[member].as_str().unwrap());
    let row = || OutputRow { object_type: text("object_type"), object_id: text("object_id"), subkey: text("subkey") };
    let kind = match value["op"].as_str().unwrap() {
        "PUT" if value["data"].is_object() => OpKind::Put { row: row(), data: "{}".into() },
        "PUT" => OpKind::Put { row: row(), data: text("data") },
        "REMOVE" => OpKind::Remove { row: row() },
        "MOVE" => OpKind::Move,
        _ => OpKind::Clear,
    };
    operation(
        value["op_id"].as_str().unwrap().parse().unwrap(),
        u32::try_from(value["checksum"].as_u64().unwrap()).unwrap(),
        kind,
    )
}

fn recorded_streams(line: &Json) -> Vec<StreamSummary> {
    let streams = line["checkpoint"]["streams"].as_array().into_iter().flatten();
    streams
        .map(|stream| {
            assert_eq!(stream["errors"], Json::Array(Vec::new()), "no recording has errors");
            let name = stream["name"].as_str().unwrap().into();
            StreamSummary { name, is_default: stream["is_default"].as_bool().unwrap(), errors: Vec::new() }
        })
        .collect()
}

fn recorded_reasons(line: &Json) -> Vec<Vec<Reason>> {
    let buckets = line["checkpoint"]["buckets"].as_array().or(line["checkpoint_diff"]["updated_buckets"].as_array());
    let index = |value: &Json| u32::try_from(value.as_u64().unwrap()).unwrap();
    let reason = |value: &Json| match value.get("sub") {
        Some(number) => Reason::Subscription(index(number)),
        None => Reason::Default(index(&value["default"])),
    };
    let buckets = buckets.into_iter().flatten();
    buckets.map(|bucket| bucket["subscriptions"].as_array().unwrap().iter().map(reason).collect()).collect()
}

fn content(folder: &Path, name: &str) -> Option<Vec<u8>> {
    if let Ok(content) = std::fs::read(folder.join(name)) {
        return Some(content);
    }
    let compressed = std::fs::File::open(folder.join(format!("{name}.gz"))).ok()?;
    let mut content = Vec::new();
    flate2::read::MultiGzDecoder::new(compressed).read_to_end(&mut content).unwrap();
    Some(content)
}

#[test]
#[cfg_attr(not(recorded_data), ignore = "needs POWERSYNC_INTEROP_DATA")]
fn recorded_lines_are_written_byte_for_byte() {
    let streams = PathBuf::from(std::env::var_os("POWERSYNC_INTEROP_DATA").unwrap()).join("streams");
    let mut written = 0;
    for folder in std::fs::read_dir(streams).unwrap().map(|entry| entry.unwrap().path()) {
        let (Some(recorded), Some(recorded_bson)) =
            (content(&folder, "stream.ndjson"), content(&folder, "stream.bson"))
        else {
            continue;
        };
        if folder.ends_with("64-too-many-buckets") {
            continue;
        }
        let mut documents = recorded_bson.as_slice();
        for text in std::str::from_utf8(&recorded).unwrap().lines() {
            let length = u32::from_le_bytes(*documents.first_chunk().unwrap());
            let (document, rest) = documents.split_at(length as usize);
            documents = rest;
            let parsed: Json = serde_json::from_str(text).unwrap();
            let (streams, reasons) = (recorded_streams(&parsed), recorded_reasons(&parsed));
            let line = line(&parsed, &streams, &reasons);
            assert_eq!(json(&line, true).trim_end_matches('\n'), text, "{folder:?}");
            assert_eq!(binary(&line), document, "{folder:?}");
            written += 1;
        }
    }
    assert!(written > 150, "{written}");
}

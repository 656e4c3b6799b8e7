//! Lines that services send, and variations of them that mean the same.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::tree::{Style, Tree, to_bson, to_json};
use super::{with_binary, with_text};
use crate::*;

/// Decodes the JSON text, whose strings are not escaped.
fn text(line: &str) -> SyncLine<'_> {
    let scratch = alloc::boxed::Box::leak(alloc::boxed::Box::default());
    decode_text(line, scratch).unwrap()
}

fn entry(op_id: i64, operation: Operation) -> OplogEntry<'static> {
    OplogEntry { op_id, operation, checksum: Checksum::new(7), row_type: None, row_id: None, subkey: None, data: None }
}

fn data_line<'a>(entries: Vec<OplogEntry<'a>>) -> SyncLine<'a> {
    SyncLine::Data(DataLine { bucket: "b", entries })
}

/// A data line with one operation that has these members in addition to an id, a kind and a checksum.
fn operation_with(members: &str) -> String {
    format!(r#"{{"data":{{"bucket":"b","data":[{{"op_id":"1","op":"PUT","checksum":7{members}}}]}}}}"#)
}

#[test]
fn a_checkpoint_has_buckets_and_streams() {
    let line = text(
        r#"{"checkpoint":{"last_op_id":"50","write_checkpoint":"9223372036854775807","buckets":[
        {"bucket":"1#a[]","checksum":-1,"count":15,"priority":1,"subscriptions":[{"default":0},{"sub":2},{"sub":2}]},
        {"bucket":"é","checksum":4294967295}],
        "streams":[{"name":"a","is_default":true,"errors":[]},{"name":"s","is_default":false,
        "errors":[{"subscription":"default","message":"m"},{"subscription":3,"message":""}]}]}}"#,
    );
    let reasons =
        vec![SubscriptionReason::Default(0), SubscriptionReason::Subscription(2), SubscriptionReason::Subscription(2)];
    let first = BucketChecksum {
        bucket: "1#a[]",
        checksum: Checksum::new(u32::MAX),
        priority: Priority::try_from(1).unwrap(),
        count: Some(15),
        subscriptions: reasons,
    };
    let second = BucketChecksum {
        bucket: "é",
        checksum: Checksum::new(u32::MAX),
        priority: Priority::DEFAULT,
        count: None,
        subscriptions: vec![],
    };
    let errors = vec![
        StreamError { subscription: SubscriptionReference::Default, message: "m" },
        StreamError { subscription: SubscriptionReference::Index(3), message: "" },
    ];
    let expected = Checkpoint {
        last_op_id: 50,
        write_checkpoint: Some(i64::MAX),
        buckets: vec![first, second],
        streams: vec![
            StreamDescription { name: "a", is_default: true, errors: vec![] },
            StreamDescription { name: "s", is_default: false, errors },
        ],
    };
    assert_eq!(line, SyncLine::Checkpoint(expected));
}

#[test]
fn optional_members_may_be_null_or_absent() {
    let expected = Checkpoint { last_op_id: 1, write_checkpoint: None, buckets: vec![], streams: vec![] };
    for line in [
        r#"{"checkpoint":{"last_op_id":"1","buckets":[]}}"#,
        r#"{"checkpoint":{"last_op_id":"1","buckets":[],"write_checkpoint":null,"streams":null}}"#,
    ] {
        assert_eq!(text(line), SyncLine::Checkpoint(expected.clone()));
    }
    let line = text(
        r#"{"checkpoint_diff":{"last_op_id":"1","removed_buckets":[],"updated_buckets":[
        {"bucket":"b","checksum":0,"priority":null,"count":null,"subscriptions":null}]}}"#,
    );
    let SyncLine::CheckpointDiff(diff) = line else { panic!("{line:?}") };
    assert_eq!(diff.updated_buckets[0].priority, Priority::DEFAULT);
    assert_eq!(diff.updated_buckets[0].count, None);
    assert_eq!(diff.updated_buckets[0].subscriptions, []);
    let nulls = operation_with(r#","object_type":null,"object_id":null,"subkey":null,"data":null"#);
    assert_eq!(text(&nulls), data_line(vec![entry(1, Operation::Put)]));
}

#[test]
fn a_checkpoint_diff_names_updated_and_removed_buckets() {
    let line = text(
        r#"{"checkpoint_diff":{"removed_buckets":["x","y"],"updated_buckets":[],"write_checkpoint":"3","last_op_id":"2"}}"#,
    );
    let expected = CheckpointDiff {
        last_op_id: 2,
        write_checkpoint: Some(3),
        updated_buckets: vec![],
        removed_buckets: vec!["x", "y"],
    };
    assert_eq!(line, SyncLine::CheckpointDiff(expected));
}

#[test]
fn a_data_line_has_operations_in_order() {
    let line = r#"{"data":{"data":[
        {"op_id":"1","op":"PUT","object_type":"t","object_id":"i","checksum":7,"subkey":"s","data":"{\"a\":\"\\u00e9\"}"},
        {"op_id":"2","op":"REMOVE","checksum":7},{"checksum":7,"op":"MOVE","op_id":"3"},{"op_id":"4","op":"CLEAR","checksum":7}],
        "has_more":true,"after":"0","next_after":"4","bucket":"b"}}"#;
    let first = OplogEntry {
        row_type: Some("t"),
        row_id: Some("i"),
        subkey: Some("s"),
        data: Some(r#"{"a":"\u00e9"}"#),
        ..entry(1, Operation::Put)
    };
    let others = [(2, Operation::Remove), (3, Operation::Move), (4, Operation::Clear)];
    let entries = [first].into_iter().chain(others.map(|(op_id, operation)| entry(op_id, operation)));
    assert_eq!(text(line), data_line(entries.collect()));
    assert_eq!(text(r#"{"data":{"bucket":"b","data":[]}}"#), data_line(vec![]));
}

#[test]
fn row_data_may_be_an_object_in_json_and_keeps_its_text() {
    let data = "{ \"a\" : [NaN,\"\\u0041\\\"}\", {\"data\":1}],\"op_id\":\"9\" }";
    let line = operation_with(&format!(r#","data": {data} "#));
    let expected = OplogEntry { data: Some(data), ..entry(1, Operation::Put) };
    assert_eq!(text(&line), data_line(vec![expected]));
}

#[test]
fn the_other_lines_are_small() {
    assert_eq!(
        text(r#"{"checkpoint_complete":{"last_op_id":"7"}}"#),
        SyncLine::CheckpointComplete(CheckpointComplete { last_op_id: 7 })
    );
    let partial = PartialCheckpointComplete { last_op_id: 7, priority: Priority::HIGHEST };
    assert_eq!(
        text(r#"{"partial_checkpoint_complete":{"last_op_id":"7","priority":0}}"#),
        SyncLine::PartialCheckpointComplete(partial)
    );
    for (number, seconds) in [("20", 20), ("0", 0), ("-5", -5), ("20.0", 20), ("1e2", 100)] {
        let line = format!(r#"{{"token_expires_in":{number}}}"#);
        assert_eq!(text(&line), SyncLine::KeepAlive { token_expires_in: seconds });
    }
}

#[test]
fn unknown_lines_and_members_are_skipped_whatever_they_hold() {
    for value in
        ["null", "-1.5e+3", "\"a\\\"\\\\\"", "[[],{},[1,{\"a\":[]}]]", "{\"data\":{\"data\":1}}", "NaN", "[-Infinity]"]
    {
        let line = format!(r#"{{"new kind":{value}}}"#);
        assert_eq!(text(&line), SyncLine::Unknown { name: "new kind" });
        let line = operation_with(&format!(r#","unknown":{value}"#));
        assert_eq!(text(&line), data_line(vec![entry(1, Operation::Put)]));
    }
    let line = r#"{"checkpoint":{"last_op_id":"1","x":{},"buckets":[{"bucket":"b","x":[],"checksum":1,
        "subscriptions":[{"other":1},{"x":null,"sub":0},{}]}],"streams":[{"name":"n","x":1,"is_default":true}]}}"#;
    let SyncLine::Checkpoint(checkpoint) = text(line) else { panic!() };
    assert_eq!(checkpoint.buckets[0].subscriptions, [SubscriptionReason::Subscription(0)]);
    assert_eq!(checkpoint.streams[0].errors, []);
}

#[test]
fn of_members_with_one_name_the_last_counts() {
    let line = operation_with(r#","op":"MOVE","data":"x","data":null,"op_id":"5""#);
    assert_eq!(text(&line), data_line(vec![entry(5, Operation::Move)]));
}

#[test]
fn member_names_and_values_may_be_escaped() {
    let line = operation_with(r#","\u0064ata":"\u0041","object\u005ftype":"\ud83d\ude00\ud83d""#);
    let line = line.replacen("data", "\\u0064at\\u0061", 1);
    let expected = OplogEntry { data: Some("A"), row_type: Some("😀\u{fffd}"), ..entry(1, Operation::Put) };
    assert_eq!(text(&line), data_line(vec![expected]));
    let line = r#"{"\u0064ata2":1}"#;
    assert_eq!(text(line), SyncLine::Unknown { name: "data2" });
}

#[test]
fn raw_control_characters_in_strings_are_tolerated() {
    let line = operation_with(",\"data\":\"a\n\t\u{1}\u{0}\",\"skipped\":\"\n\"");
    let expected = OplogEntry { data: Some("a\n\t\u{1}\u{0}"), ..entry(1, Operation::Put) };
    assert_eq!(text(&line), data_line(vec![expected]));
}

#[test]
fn ids_are_decimal_strings_or_whole_numbers() {
    for (id, expected) in [
        ("\"0\"", 0),
        ("\"9223372036854775807\"", i64::MAX),
        ("\"007\"", 7),
        ("7", 7),
        ("7.0", 7),
        ("9223372036854775807", i64::MAX),
    ] {
        let line = format!(r#"{{"checkpoint_complete":{{"last_op_id":{id}}}}}"#);
        assert_eq!(text(&line), SyncLine::CheckpointComplete(CheckpointComplete { last_op_id: expected }));
    }
}

#[test]
fn counts_saturate() {
    for (count, expected) in
        [("-1", 0), ("-1e300", 0), ("9223372036854775808", i64::MAX), ("1e300", i64::MAX), ("2.0", 2), ("2.9", 2)]
    {
        let line = format!(
            r#"{{"checkpoint":{{"last_op_id":"1","buckets":[{{"bucket":"b","checksum":1,"count":{count}}}]}}}}"#
        );
        let SyncLine::Checkpoint(checkpoint) = text(&line) else { panic!() };
        assert_eq!(checkpoint.buckets[0].count, Some(expected), "{count}");
    }
}

#[test]
fn checksums_come_in_several_forms_in_both_encodings() {
    let sums = [
        (Tree::Integer(-1), u32::MAX),
        (Tree::Integer(-2_147_483_648), 0x8000_0000),
        (Tree::Integer(4_294_967_295), u32::MAX),
        (Tree::Real(-1.0), u32::MAX),
        (Tree::Real(4_294_967_295.0), u32::MAX),
        (Tree::Real(-0.0), 0),
        (Tree::Integer(12), 12),
    ];
    for (checksum, expected) in sums {
        let bucket = Tree::object([("bucket", Tree::text("b")), ("checksum", checksum)]);
        let diff = Tree::object([
            ("last_op_id", Tree::text("1")),
            ("updated_buckets", Tree::Array(vec![bucket])),
            ("removed_buckets", Tree::Array(vec![])),
        ]);
        let line = Tree::object([("checkpoint_diff", diff)]);
        let check = |line: Result<SyncLine<'_>, crate::ProtocolError>| match line {
            Ok(SyncLine::CheckpointDiff(diff)) => assert_eq!(diff.updated_buckets[0].checksum.get(), expected),
            other => panic!("{other:?}"),
        };
        with_text(&to_json(&line, Style::PLAIN), check);
        with_binary(&to_bson(&line), check);
    }
}

#[test]
fn numbers_of_bson_come_as_32_bits_64_bits_or_doubles() {
    let member = |name: &str, value: (u8, Vec<u8>)| (name.to_string(), value);
    let values = [
        (0x10, 3_i32.to_le_bytes().to_vec()),
        (0x12, 3_i64.to_le_bytes().to_vec()),
        (0x01, 3_f64.to_le_bytes().to_vec()),
    ];
    for value in values {
        let error = super::tree::document([
            member("subscription", value.clone()),
            member("message", (0x02, super::tree::string("m"))),
        ]);
        let stream = super::tree::document([
            member("name", (0x02, super::tree::string("s"))),
            member("is_default", (0x08, vec![1])),
            member("errors", (0x04, super::tree::document([member("0", (0x03, error))]))),
        ]);
        let checkpoint = super::tree::document([
            member("last_op_id", value.clone()),
            member("buckets", (0x04, super::tree::document([]))),
            member("streams", (0x04, super::tree::document([member("0", (0x03, stream))]))),
        ]);
        with_binary(&super::tree::document([member("checkpoint", (0x03, checkpoint))]), |line| match line {
            Ok(SyncLine::Checkpoint(checkpoint)) => {
                assert_eq!(checkpoint.last_op_id, 3);
                assert_eq!(checkpoint.streams[0].errors[0].subscription, SubscriptionReference::Index(3));
            }
            other => panic!("{other:?}"),
        });
        with_binary(&super::tree::document([member("token_expires_in", value)]), |line| {
            assert_eq!(line, Ok(SyncLine::KeepAlive { token_expires_in: 3 }));
        });
    }
}

#[test]
fn every_other_bson_type_is_skipped_in_ignored_members() {
    use super::tree::{document, string};
    let member = |name: &str, value: (u8, Vec<u8>)| (name.to_string(), value);
    let scope = [17_i32.to_le_bytes().to_vec(), string("f()"), document([])].concat();
    let scope = (0x0f, scope);
    let ignored = vec![
        member("binary", (0x05, [3_i32.to_le_bytes().as_slice(), &[0x80, 1, 2, 3]].concat())),
        member("undefined", (0x06, vec![])),
        member("object id", (0x07, vec![0; 12])),
        member("boolean", (0x08, vec![1])),
        member("date", (0x09, vec![0; 8])),
        member("null", (0x0a, vec![])),
        member("expression", (0x0b, b"a*\0i\0".to_vec())),
        member("pointer", (0x0c, [string("x"), vec![0; 12]].concat())),
        member("code", (0x0d, string("f()"))),
        member("symbol", (0x0e, string("s"))),
        member("scope", scope),
        member("timestamp", (0x11, vec![0; 8])),
        member("decimal", (0x13, vec![0; 16])),
        member("largest", (0x7f, vec![])),
        member("smallest", (0xff, vec![])),
    ];
    let nested = member("nested", (0x04, document([member("0", (0x03, document(ignored.clone())))])));
    let members = ignored.into_iter().chain([nested, member("last_op_id", (0x02, string("1")))]);
    with_binary(&document([member("checkpoint_complete", (0x03, document(members)))]), |line| {
        assert_eq!(line, Ok(SyncLine::CheckpointComplete(CheckpointComplete { last_op_id: 1 })));
    });
}

#[test]
fn the_scratch_memory_serves_one_line_after_the_other() {
    let mut scratch = Scratch::new();
    for name in ["a\\n", "a much longer name\\u0041", "b\\t"] {
        let line = format!(r#"{{"{name}":1}}"#);
        let SyncLine::Unknown { name: decoded } = decode_text(&line, &mut scratch).unwrap() else { panic!() };
        let expected: String = serde_json::from_str(&format!("\"{name}\"")).unwrap();
        assert_eq!(decoded, expected);
    }
}

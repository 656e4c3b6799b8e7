//! Lines that break the protocol: each is an error that says what is wrong and where.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use super::tree::{Style, Tree, document, string, to_bson, to_json};
use super::{with_binary, with_text};
use crate::ProtocolErrorKind;
use crate::SyncLine;

/// The message for JSON text that is no line.
fn text_error(line: &str) -> String {
    with_text(line, |decoded| {
        let error = decoded.expect_err(line);
        assert_eq!(error.kind(), ProtocolErrorKind::Line, "{line}");
        error.to_string()
    })
}

/// The message for bytes that are no line.
fn binary_error(line: &[u8]) -> String {
    with_binary(line, |decoded| {
        let error = decoded.unwrap_err();
        assert_eq!(error.kind(), ProtocolErrorKind::Line);
        error.to_string()
    })
}

fn member(name: &str, element: u8, value: impl Into<Vec<u8>>) -> (String, (u8, Vec<u8>)) {
    (name.to_string(), (element, value.into()))
}

/// A line of an unknown kind with this value, all of which is skipped.
fn skipped(element: u8, value: impl Into<Vec<u8>>) -> Vec<u8> {
    document([member("x", element, value)])
}

#[test]
fn a_line_is_an_object_with_exactly_one_member() {
    assert!(text_error("").contains("expected an object at byte 0 of the JSON line"));
    for line in ["null", "[]", "\"data\"", "1", "[{\"a\":1}]"] {
        assert!(text_error(line).contains("expected an object"), "{line}");
    }
    assert!(text_error("{}").contains("a line without a member"));
    assert!(text_error(r#"{"a":1,"b":2}"#).contains("more than one member"));
    assert!(text_error(r#"{"a":1,"a":1}"#).contains("more than one member"));
    assert!(text_error(r#"{"a":1} x"#).contains("expected the end at byte 8"));
    assert!(text_error("{\"a\":1}\0").contains("expected the end"));
    assert!(text_error(r#"{"a":1,}"#).contains("expected a string at byte 7"));
    assert!(binary_error(&document([])).contains("a line without a member"));
    let two = document([member("a", 0x0a, []), member("b", 0x0a, [])]);
    assert!(binary_error(&two).contains("more than one member"));
}

#[test]
fn broken_json_is_an_error_with_its_position() {
    for (line, position) in [
        ("{", 1),
        ("{\"a\"", 4),
        ("{\"a", 2),
        ("{\"a\\", 3),
        ("{\"a\":", 5),
        ("{\"a\":1", 6),
        ("{\"a\" 1}", 5),
        ("{a:1}", 1),
        ("{\"a\":01}", 5),
        ("{\"a\":1.}", 7),
        ("{\"a\":-}", 6),
        ("{\"a\":+1}", 5),
        ("{\"a\":nul}", 5),
        ("{\"a\":nan}", 5),
        ("{\"a\":[1,]}", 8),
        ("{\"a\":[1 2]}", 8),
        ("{\"a\":[}", 6),
        ("{\"a\":{\"b\":1]}", 11),
        ("{\"a\":\"\\x\"}", 6),
        ("{\"a\":\"\\u12\"}", 6),
        ("{\"\\u12\":1}", 2),
        ("{\"data\":{\"bucket\":\"b", 19),
    ] {
        let message = text_error(line);
        assert!(message.contains(&format!("at byte {position} of the JSON line")), "{line}: {message}");
    }
}

#[test]
fn required_members_must_be_there_and_not_null() {
    for (kind, value, missing) in [
        ("checkpoint", "{}", "last_op_id"),
        ("checkpoint", r#"{"last_op_id":"1"}"#, "buckets"),
        ("checkpoint", r#"{"last_op_id":null,"buckets":[]}"#, "last_op_id"),
        ("checkpoint", r#"{"last_op_id":"1","buckets":[{"bucket":"b"}]}"#, "checksum"),
        ("checkpoint", r#"{"last_op_id":"1","buckets":[{"checksum":1}]}"#, "bucket"),
        ("checkpoint", r#"{"last_op_id":"1","buckets":[],"streams":[{"is_default":true}]}"#, "name"),
        ("checkpoint", r#"{"last_op_id":"1","buckets":[],"streams":[{"name":"n"}]}"#, "is_default"),
        ("checkpoint_diff", r#"{"last_op_id":"1","removed_buckets":[]}"#, "updated_buckets"),
        ("checkpoint_diff", r#"{"last_op_id":"1","updated_buckets":[]}"#, "removed_buckets"),
        ("checkpoint_complete", "{}", "last_op_id"),
        ("partial_checkpoint_complete", r#"{"last_op_id":"1"}"#, "priority"),
        ("data", r#"{"data":[]}"#, "bucket"),
        ("data", r#"{"bucket":"b"}"#, "data"),
        ("data", r#"{"bucket":"b","data":null}"#, "data"),
        ("data", r#"{"bucket":"b","data":[{"op":"PUT","checksum":1}]}"#, "op_id"),
        ("data", r#"{"bucket":"b","data":[{"op_id":"1","checksum":1}]}"#, "op"),
        ("data", r#"{"bucket":"b","data":[{"op_id":"1","op":"PUT"}]}"#, "checksum"),
    ] {
        let message = text_error(&format!(r#"{{"{kind}":{value}}}"#));
        assert!(message.contains(&format!("an object without {missing:?} ends")), "{kind} {value}: {message}");
    }
}

#[test]
fn values_of_the_wrong_type_or_range_are_refused() {
    for (kind, value, reason) in [
        ("checkpoint", "null", "expected an object"),
        ("checkpoint_complete", "7", "expected an object"),
        ("checkpoint_complete", r#"{"last_op_id":""}"#, "expected an id"),
        ("checkpoint_complete", r#"{"last_op_id":"-1"}"#, "expected an id"),
        ("checkpoint_complete", r#"{"last_op_id":"+1"}"#, "expected an id"),
        ("checkpoint_complete", r#"{"last_op_id":" 1"}"#, "expected an id"),
        ("checkpoint_complete", r#"{"last_op_id":"1x"}"#, "expected an id"),
        ("checkpoint_complete", r#"{"last_op_id":"9223372036854775808"}"#, "expected an id"),
        ("checkpoint_complete", r#"{"last_op_id":-1}"#, "expected an id"),
        ("checkpoint_complete", r#"{"last_op_id":9223372036854775808}"#, "expected an integer"),
        ("checkpoint_complete", r#"{"last_op_id":1.5}"#, "expected an integer"),
        ("checkpoint_complete", r#"{"last_op_id":NaN}"#, "expected a number"),
        ("checkpoint_complete", r#"{"last_op_id":[]}"#, "expected a number"),
        ("partial_checkpoint_complete", r#"{"last_op_id":"1","priority":4}"#, "expected a priority"),
        ("partial_checkpoint_complete", r#"{"last_op_id":"1","priority":-1}"#, "expected a priority"),
        ("partial_checkpoint_complete", r#"{"last_op_id":"1","priority":259}"#, "expected a priority"),
        ("token_expires_in", "null", "expected a number"),
        ("token_expires_in", "\"20\"", "expected a number"),
        ("token_expires_in", "1.5", "expected an integer"),
        ("data", r#"{"bucket":1}"#, "expected a string"),
        ("data", r#"{"data":{}}"#, "expected an array"),
        ("data", r#"{"data":[null]}"#, "expected an object"),
        ("data", r#"{"data":[{"op":"PUTT"}]}"#, "unknown operation \"PUTT\""),
        ("data", r#"{"data":[{"checksum":4294967296}]}"#, "expected a checksum"),
        ("data", r#"{"data":[{"checksum":-2147483649}]}"#, "expected a checksum"),
        ("data", r#"{"data":[{"checksum":0.5}]}"#, "expected an integer"),
        ("data", r#"{"data":[{"checksum":"1"}]}"#, "expected a number"),
        ("data", r#"{"data":[{"data":[]}]}"#, "expected a string"),
        ("data", r#"{"data":[{"object_id":1}]}"#, "expected a string"),
        ("checkpoint", r#"{"buckets":[{"subscriptions":[{"sub":-1}]}]}"#, "expected an index"),
        ("checkpoint", r#"{"buckets":[{"count":"1"}]}"#, "expected a number"),
        ("checkpoint", r#"{"streams":[{"is_default":1}]}"#, "expected true or false"),
        ("checkpoint", r#"{"streams":[{"errors":[{"subscription":"other"}]}]}"#, "expected \"default\" or an index"),
    ] {
        let message = text_error(&format!(r#"{{"{kind}":{value}}}"#));
        assert!(message.contains(reason), "{kind} {value}: {message}");
    }
}

#[test]
fn messages_name_the_member_and_hold_no_data() {
    let message = text_error(r#"{"data":{"bucket":"b","data":[{"op_id":"1","data":"{\"secret\":\"\x\"}"}]}}"#);
    assert_eq!(message, "invalid escape in a string at byte 65 of the JSON line, member \"data\"");
    let operation = "A very long name of an operation, which nobody wants to read to its very end";
    let message = text_error(&format!(r#"{{"data":{{"data":[{{"op":"{operation}"}}]}}}}"#));
    assert!(message.contains("\"A very long name of an operation, which \""), "{message}");
}

#[test]
fn nesting_is_bounded_alike_in_both_encodings_and_also_in_skipped_parts() {
    // The line itself is the first level.
    let nested = |levels: usize| {
        let inner = (1..levels).fold(Tree::Null, |inner, level| match level % 2 {
            0 => Tree::Array(vec![inner]),
            _ => Tree::object([("a", inner)]),
        });
        Tree::object([("x", inner)])
    };
    for (levels, is_accepted) in [(127, true), (128, true), (129, false), (130, false)] {
        let line = nested(levels);
        let check = |decoded: Result<SyncLine<'_>, crate::ProtocolError>| match decoded {
            Ok(_) => assert!(is_accepted, "{levels}"),
            Err(error) => assert!(!is_accepted && error.to_string().contains("nesting too deep"), "{levels}: {error}"),
        };
        with_text(&to_json(&line, Style::PLAIN), check);
        with_binary(&to_bson(&line), check);
    }
    let inside = |levels: usize| format!(r#"{{"data":{{"data":[{{"data":{}{}}}]}}}}"#, "{\"a\":".repeat(levels), "}");
    assert!(text_error(&inside(124)).contains("expected a value"));
    assert!(text_error(&inside(125)).contains("nesting too deep"));
    assert!(text_error(&"{\"a\":".repeat(1_000_000)).contains("nesting too deep"));
    assert!(text_error(&format!("{{\"a\":{}", "[".repeat(1_000_000))).contains("nesting too deep"));
    let mut deep = document([]);
    for _ in 0..2000 {
        deep = skipped(0x03, deep);
    }
    assert!(binary_error(&deep).contains("nesting too deep"));
}

#[test]
fn no_length_of_a_bson_document_is_trusted() {
    let line = to_bson(&Tree::object([("x", Tree::text("some text"))]));
    for length in 0..line.len() {
        binary_error(&line[..length]);
    }
    let with_length = |length: i32| [length.to_le_bytes().as_slice(), &line[4..]].concat();
    let correct = i32::try_from(line.len()).unwrap();
    for length in [i32::MIN, -1, 0, 4, 5, correct - 1, correct + 1, i32::MAX] {
        binary_error(&with_length(length));
    }
    let trailing = [line.as_slice(), &[0]].concat();
    assert!(binary_error(&trailing).contains("bytes after the end of the document"));
    assert!(binary_error(&[]).contains("at byte 0 of the BSON line"));
}

#[test]
fn a_nested_document_cannot_reach_outside() {
    let inner = document([member("a", 0x10, [0; 4])]);
    let with_length = |length: u8| {
        let mut inner = inner.clone();
        inner[0] = length;
        skipped(0x03, inner)
    };
    let correct = u8::try_from(inner.len()).unwrap();
    with_binary(&with_length(correct), |line| assert!(line.is_ok()));
    for length in [0, 4, correct - 1, correct + 1, correct + 2, 255] {
        binary_error(&with_length(length));
    }
}

#[test]
fn strings_of_bson_are_checked_also_when_skipped() {
    let raw = |length: i32, bytes: &[u8]| [length.to_le_bytes().as_slice(), bytes].concat();
    for element in [0x02, 0x0d, 0x0e] {
        assert!(binary_error(&skipped(element, raw(0, b"\0"))).contains("invalid length"));
        assert!(binary_error(&skipped(element, raw(-1, b"a\0"))).contains("invalid length"));
        assert!(binary_error(&skipped(element, raw(1, b"a"))).contains("does not end"));
        assert!(binary_error(&skipped(element, raw(i32::MAX, b"a\0"))).contains("longer than what contains it"));
        assert!(binary_error(&skipped(element, raw(2, b"\xff\0"))).contains("invalid UTF-8"));
        with_binary(&skipped(element, raw(3, b"\0\0\0")), |line| assert!(line.is_ok()));
    }
}

#[test]
fn other_broken_bson_is_an_error() {
    assert!(binary_error(&skipped(0x05, [0xff; 5])).contains("invalid length"));
    assert!(binary_error(&skipped(0x05, [100, 0, 0, 0, 0])).contains("longer than what contains it"));
    assert!(binary_error(&skipped(0x14, [])).contains("unknown element type"));
    assert!(binary_error(&skipped(0x13, [0; 9])).contains("longer than what contains it"));
    assert!(binary_error(b"\x07\0\0\0\x0aab").contains("unterminated name"));
    assert!(binary_error(b"\x08\0\0\0\x0a\xff\0\0").contains("invalid UTF-8 in a name"));
    for total in [0, 12, 16, 18, 255] {
        let scope = [[total, 0, 0, 0].as_slice(), &string("f()"), &document([])].concat();
        binary_error(&skipped(0x0f, scope));
    }
    for needed in [0x05, 0x06, 0x07, 0x09, 0x0b, 0x0d, 0x0e, 0x11, 0x13, 0x7f, 0xff, 0x02, 0x08, 0x0a] {
        assert!(binary_error(&document([member("token_expires_in", needed, [0; 16])])).contains("expected a number"));
    }
    let not_a_boolean =
        document([member("streams", 0x04, document([member("0", 0x03, document([member("is_default", 0x08, [2])]))]))]);
    assert!(binary_error(&document([member("checkpoint", 0x03, not_a_boolean)])).contains("neither 0 nor 1"));
    let object_as_data =
        document([member("data", 0x04, document([member("0", 0x03, document([member("data", 0x03, document([]))]))]))]);
    assert!(binary_error(&document([member("data", 0x03, object_as_data)])).contains("expected a string"));
}

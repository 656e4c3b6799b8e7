//! Properties of decoding: it never panics, and both encodings of a line mean the same.

use alloc::boxed::Box;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use proptest::collection::vec;
use proptest::prelude::*;

use super::tree::{Style, Tree, to_bson, to_json};
use super::{with_binary, with_text};
use rowtide_json::{RowData, publishable};

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[a-z0-9\\-]{0,40}",
        vec(prop_oneof![any::<char>(), Just('"'), Just('\\'), Just('\n'), Just('é'), Just('😀')], 0..40)
            .prop_map(String::from_iter),
    ]
}

fn any_value() -> impl Strategy<Value = Tree> {
    let leaf = prop_oneof![
        Just(Tree::Null),
        any::<bool>().prop_map(Tree::Bool),
        any::<i64>().prop_map(Tree::Integer),
        (-1e9..1e9).prop_map(Tree::Real),
        text().prop_map(Tree::Text),
    ];
    leaf.prop_recursive(4, 12, 3, |inner| {
        prop_oneof![vec(inner.clone(), 0..3).prop_map(Tree::Array), vec((name(), inner), 0..3).prop_map(Tree::Object)]
    })
}

/// The name of an unknown member: BSON has no zeros in names.
fn name() -> impl Strategy<Value = String> {
    text().prop_map(|text| text.replace('\0', "0") + "!")
}

/// An object of the given members in any order, some left out or null, with unknown ones between them.
fn object(members: Vec<(&'static str, BoxedStrategy<Tree>)>) -> BoxedStrategy<Tree> {
    let known: Vec<_> = members
        .into_iter()
        .map(|(name, value)| {
            let value = prop_oneof![30 => value.prop_map(Some), 1 => Just(Some(Tree::Null)), 1 => Just(None)];
            value.prop_map(move |value| value.map(|value| (name.to_string(), value)))
        })
        .collect();
    let unknown = vec((name(), any_value()), 0..2);
    (known, unknown)
        .prop_map(|(known, unknown)| known.into_iter().flatten().chain(unknown).collect::<Vec<_>>())
        .prop_shuffle()
        .prop_map(Tree::Object)
        .boxed()
}

fn list(element: BoxedStrategy<Tree>) -> BoxedStrategy<Tree> {
    vec(element, 0..4).prop_map(Tree::Array).boxed()
}

fn string() -> BoxedStrategy<Tree> {
    text().prop_map(Tree::Text).boxed()
}

fn id() -> BoxedStrategy<Tree> {
    prop_oneof![(0..=i64::MAX).prop_map(|id| Tree::Text(id.to_string())), (0..1000_i64).prop_map(Tree::Integer)].boxed()
}

fn checksum() -> BoxedStrategy<Tree> {
    let number = -2_147_483_648..4_294_967_296_i64;
    prop_oneof![number.clone().prop_map(Tree::Integer), number.prop_map(|number| Tree::Real(number as f64))].boxed()
}

fn small() -> BoxedStrategy<Tree> {
    (0..4_i64).prop_map(Tree::Integer).boxed()
}

fn bucket() -> BoxedStrategy<Tree> {
    let reason = prop_oneof![object(Vec::from([("sub", small())])), object(Vec::from([("default", small())]))];
    object(Vec::from([
        ("bucket", string()),
        ("checksum", checksum()),
        ("priority", small()),
        ("count", any::<i64>().prop_map(Tree::Integer).boxed()),
        ("subscriptions", list(reason.boxed())),
    ]))
}

fn operation() -> BoxedStrategy<Tree> {
    let kind = prop_oneof![Just("PUT"), Just("REMOVE"), Just("MOVE"), Just("CLEAR")].prop_map(Tree::text);
    object(Vec::from([
        ("op_id", id()),
        ("op", kind.boxed()),
        ("checksum", checksum()),
        ("object_type", string()),
        ("object_id", string()),
        ("subkey", string()),
        ("data", string()),
    ]))
}

fn stream() -> BoxedStrategy<Tree> {
    let error = object(Vec::from([
        ("subscription", prop_oneof![Just(Tree::text("default")), small()].boxed()),
        ("message", string()),
    ]));
    object(Vec::from([
        ("name", string()),
        ("is_default", any::<bool>().prop_map(Tree::Bool).boxed()),
        ("errors", list(error)),
    ]))
}

fn line() -> impl Strategy<Value = Tree> {
    let kinds = prop_oneof![
        object(Vec::from([("bucket", string()), ("data", list(operation()))])).prop_map(|value| ("data", value)),
        object(Vec::from([
            ("last_op_id", id()),
            ("write_checkpoint", id()),
            ("buckets", list(bucket())),
            ("streams", list(stream()))
        ]))
        .prop_map(|value| ("checkpoint", value)),
        object(Vec::from([
            ("last_op_id", id()),
            ("write_checkpoint", id()),
            ("updated_buckets", list(bucket())),
            ("removed_buckets", list(string())),
        ]))
        .prop_map(|value| ("checkpoint_diff", value)),
        object(Vec::from([("last_op_id", id())])).prop_map(|value| ("checkpoint_complete", value)),
        object(Vec::from([("last_op_id", id()), ("priority", small())]))
            .prop_map(|value| ("partial_checkpoint_complete", value)),
        small().prop_map(|value| ("token_expires_in", value)),
        any_value().prop_map(|value| ("something new", value)),
    ];
    kinds.prop_map(|(kind, value)| Tree::object([(kind, value)]))
}

fn style() -> impl Strategy<Value = Style> {
    any::<[bool; 3]>().prop_map(|[ascii, escape_all, spaces]| Style { ascii, escape_all, spaces })
}

/// Changes some bytes of `bytes`, or cuts or doubles a part.
fn mutate(bytes: &mut Vec<u8>, changes: &[(prop::sample::Index, u8)], kind: u8) {
    for (index, byte) in changes {
        if !bytes.is_empty() {
            let index = index.index(bytes.len());
            match kind % 3 {
                0 => bytes[index] = *byte,
                1 => _ = bytes.remove(index),
                _ => bytes.insert(index, *byte),
            }
        }
    }
}

proptest! {
    #[test]
    fn both_encodings_of_a_line_mean_the_same(line in line(), style in style()) {
        let json = to_json(&line, style);
        let bson = to_bson(&line);
        with_text(&json, |text| with_binary(&bson, |binary| match (text, binary) {
            (Ok(text), Ok(binary)) => assert_eq!(text, binary),
            (Err(text), Err(binary)) => {
                let reason = |message: String| message.split(" at byte ").next().map(Box::<str>::from);
                assert_eq!(reason(text.to_string()), reason(binary.to_string()));
            }
            (text, binary) => panic!("{json}: {text:?}, {binary:?}"),
        }));
    }

    #[test]
    fn arbitrary_input_never_panics(text in any::<String>(), bytes in vec(any::<u8>(), 0..200)) {
        with_text(&text, |_| ());
        with_text(&String::from_utf8_lossy(&bytes), |_| ());
        with_binary(&bytes, |_| ());
        prop_assert!(publishable(&text).is_ok());
    }

    #[test]
    fn damaged_lines_never_panic(
        line in line(), style in style(), kind in any::<u8>(),
        changes in vec((any::<prop::sample::Index>(), prop_oneof![any::<u8>(), prop::sample::select(b"\"\\{}[]:,0u-\x00\x02\x03\x04".to_vec())]), 1..4),
    ) {
        let mut json = to_json(&line, style).into_bytes();
        mutate(&mut json, &changes, kind);
        with_text(&String::from_utf8_lossy(&json), |_| ());
        let mut bson = to_bson(&line);
        mutate(&mut bson, &changes, kind);
        with_binary(&bson, |_| ());
    }

    #[test]
    fn rows_are_judged_as_a_strict_parser_does(
        members in vec((text(), any_value()), 0..4), style in style(), kind in any::<u8>(),
        changes in vec((any::<prop::sample::Index>(), prop::sample::select(b"\"\\{}[]:,01eE.+-ut \n\x01".to_vec())), 0..3),
    ) {
        let mut json = to_json(&Tree::Object(members), style).into_bytes();
        mutate(&mut json, &changes, kind);
        let json = String::from_utf8_lossy(&json);
        let is_valid = serde_json::from_str::<&serde_json::value::RawValue>(&json).is_ok();
        let is_object = json.trim_matches([' ', '\t', '\n', '\r']).starts_with('{');
        match publishable(&json).unwrap() {
            RowData::AsIs(data) => prop_assert!(is_valid && is_object && data == json),
            RowData::Rewritten(data) => {
                prop_assert!(is_valid && is_object);
                prop_assert_eq!(publishable(&data), Ok(RowData::AsIs(&data)));
            }
            RowData::Unreadable(reason) => prop_assert!(!(is_valid && is_object), "{}: {}", json, reason),
        }
    }

    #[test]
    fn rewritten_rows_are_readable(
        parts in vec(prop::sample::select(Vec::from([
            "NaN", "-Infinity", "Infinity", "\"\\ud800\"", "\"N\\\\\"", "\"\\\"NaN\"", "\"é\\udc00\\ud83d\\ude00\"", "-1", "null", "[NaN,\"I\"]",
        ])), 1..6),
    ) {
        let data = alloc::format!("{{\"a\":[{}]}}", parts.join(" , "));
        let expected = data.replace("\\ud800", "\\ufffd").replace("\\udc00", "\\ufffd");
        let expected = expected.replace("\"\\\"NaN\"", "<1>").replace("-Infinity", "null").replace("Infinity", "null");
        let expected = expected.replace("NaN", "null").replace("<1>", "\"\\\"NaN\"");
        match publishable(&data).unwrap() {
            RowData::AsIs(data) => prop_assert_eq!(data, expected),
            RowData::Rewritten(data) => {
                prop_assert_eq!(&data, &expected);
                prop_assert_eq!(publishable(&data), Ok(RowData::AsIs(&data)));
            }
            RowData::Unreadable(reason) => prop_assert!(false, "{}", reason),
        }
    }
}

//! Values of documents, exactly.

use fake_convex::{Convex, Options, Value as Field};

use crate::deployment::{content, follower, open, put};
use crate::follower::Row;

fn fields() -> Vec<(&'static str, Field)> {
    let object = |value| Field::Object([("inner".to_owned(), value)].into());
    vec![
        ("float", Field::Float64(1.0)),
        ("third", Field::Float64(1.0 / 3.0)),
        ("zero", Field::Float64(-0.0)),
        ("nan", Field::Float64(f64::NAN)),
        ("up", Field::Float64(f64::INFINITY)),
        ("down", Field::Float64(f64::NEG_INFINITY)),
        ("large", Field::Int64(9_007_199_254_740_993)),
        ("least", Field::Int64(i64::MIN)),
        ("bytes", Field::Bytes(vec![0, 1, 254, 255])),
        ("yes", Field::Boolean(true)),
        ("no", Field::Boolean(false)),
        ("none", Field::Null),
        ("text", Field::from("a\"ä\u{1f980}\u{0}")),
        ("object", object(object(Field::Int64(-1)))),
        ("array", Field::Array(vec![Field::Float64(1.0), object(Field::Bytes(vec![1])), Field::Float64(f64::NAN)])),
    ]
}

fn real(value: f64) -> String {
    format!("r{:016x}", value.to_bits())
}

fn expected() -> Row {
    let pairs = [
        ("_id", r#"t"a""#.to_owned()),
        ("_creationTime", real(1.5)),
        ("float", real(1.0)),
        ("third", real(1.0 / 3.0)),
        ("zero", real(-0.0)),
        ("nan", r#"t"NaN""#.into()),
        ("up", r#"t"Infinity""#.into()),
        ("down", r#"t"-Infinity""#.into()),
        ("large", r#"t"9007199254740993""#.into()),
        ("least", r#"t"-9223372036854775808""#.into()),
        ("bytes", r#"t"AAH+/w==""#.into()),
        ("yes", "i1".into()),
        ("no", "i0".into()),
        ("text", format!("t{:?}", "a\"ä\u{1f980}\u{0}")),
        ("object", format!("t{:?}", r#"{"inner":{"inner":"-1"}}"#)),
        ("array", format!("t{:?}", r#"[1.0,{"inner":"AQ=="},"NaN"]"#)),
    ];
    pairs.map(|(name, value)| (name.to_owned(), value)).into()
}

fn only_row(content: &crate::follower::Content) -> &Row {
    assert_eq!(content["t"].len(), 1);
    content["t"].values().next().unwrap()
}

#[test]
fn snapshots_deltas_and_the_sync_api_give_the_same() {
    for has_sync_api in [false, true] {
        let convex = Convex::start(Options { has_sync_api, ..Options::default() });
        convex.commit(vec![put("t", "a", &fields())]);
        assert_eq!(*only_row(&content(&convex, &["t"])), expected(), "a snapshot");
        convex.commit(vec![put("t", "a", &[])]);
        let source = open(&convex);
        let mut follower = follower(&["t"]);
        follower.start(&source).unwrap();
        follower.catch_up(&source).unwrap();
        assert_eq!(only_row(&follower.content()).len(), 2);
        convex.commit(vec![put("t", "a", &fields())]);
        follower.catch_up(&source).unwrap();
        assert_eq!(*only_row(&follower.content()), expected(), "changes, sync API: {has_sync_api}");
    }
}

#[test]
fn a_huge_document_comes_whole() {
    let convex = Convex::start(Options::default());
    let text = "ä".repeat(500_000);
    convex.commit(vec![put("t", "a", &[("text", Field::from(text.as_str()))])]);
    assert_eq!(only_row(&content(&convex, &["t"]))["text"].len(), text.len() + 3);
}

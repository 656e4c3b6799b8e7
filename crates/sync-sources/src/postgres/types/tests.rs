//! Texts of all kinds, and random ones.

use super::*;

fn shown(kind: &Kind, text: &str, edition: u8) -> Value {
    kind.value(text.as_bytes()).to_value(&Settings::of_edition(edition)).unwrap()
}

fn text_of(kind: &Kind, text: &str, edition: u8) -> String {
    match shown(kind, text, edition) {
        Value::Text(text) => text,
        other => panic!("{other:?}"),
    }
}

fn array(kind: Kind, delimiter: u8) -> Kind {
    Kind::Array(Arc::new(Element::new(kind, delimiter)))
}

fn composite() -> Kind {
    Kind::Composite([("n".to_owned(), Kind::Integer), ("t \"x\"".to_owned(), Kind::Text)].into())
}

#[test]
fn simple_values() {
    assert!(matches!(shown(&Kind::Integer, "-9223372036854775808", 3), Value::Integer(i64::MIN)));
    assert!(matches!(shown(&Kind::Integer, "9223372036854775808", 3), Value::Text(_)));
    assert!(matches!(shown(&Kind::Real, "1", 3), Value::Real(1.0)));
    assert!(matches!(shown(&Kind::Real, "-Infinity", 3), Value::Real(f64::NEG_INFINITY)));
    assert!(matches!(shown(&Kind::Real, "NaN", 3), Value::Null));
    assert!(matches!(shown(&Kind::Boolean, "t", 3), Value::Integer(1)));
    assert!(matches!(shown(&Kind::Boolean, "f", 3), Value::Integer(0)));
    assert!(matches!(shown(&Kind::Bytes, "\\x00fF", 3), Value::Blob(bytes) if bytes == [0, 255]));
    assert!(matches!(shown(&Kind::Bytes, "\\x0", 3), Value::Text(_)));
    assert_eq!(text_of(&Kind::Lsn, "1/A", 3), "00000001/0000000A");
}

#[test]
fn dates_and_times() {
    let stamp = |digits, utc| Kind::Timestamp { digits, utc };
    for (kind, text, first, third) in [
        (Kind::Date, "infinity", "9999-12-31", "9999-12-31"),
        (Kind::Date, "-infinity", "0000-01-01", "0000-01-01"),
        (Kind::Date, "0044-03-15 BC", "0044-03-15 BC", "0044-03-15 BC"),
        (Kind::Time { digits: 6 }, "01:02:03.5", "01:02:03.500000", "01:02:03.500000"),
        (Kind::Time { digits: 0 }, "01:02:03", "01:02:03", "01:02:03"),
        (Kind::Time { digits: 3 }, "01:02:03.5-07:30", "01:02:03.500-07:30", "01:02:03.500-07:30"),
        (stamp(6, false), "2024-01-02 03:04:05", "2024-01-02 03:04:05", "2024-01-02T03:04:05.000000"),
        (stamp(3, true), "2024-01-02 03:04:05.1+00", "2024-01-02 03:04:05.1Z", "2024-01-02T03:04:05.100Z"),
        (stamp(6, true), "infinity", "9999-12-31 23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
        (stamp(6, false), "-infinity", "0000-01-01 00:00:00", "0000-01-01T00:00:00.000000"),
        (stamp(6, true), "0044-03-15 00:00:00+00 BC", "0044-03-15 00:00:00+00 BC", "0044-03-15 00:00:00+00 BC"),
    ] {
        assert_eq!((&*text_of(&kind, text, 1), &*text_of(&kind, text, 3)), (first, third), "{kind:?} {text}");
    }
}

#[test]
fn arrays() {
    let texts = array(Kind::Text, b',');
    for (kind, text, json) in [
        (texts.clone(), "{}", "[]"),
        (texts.clone(), "{a,NULL,\"NULL\",\"\",\"a\\\"b\\\\c,}{\"}", r#"["a",null,"NULL","","a\"b\\c,}{"]"#),
        (texts.clone(), "{{a,b},{c,d}}", r#"[["a","b"],["c","d"]]"#),
        (texts.clone(), "[0:1][2:2]={{a},{b}}", r#"[["a"],["b"]]"#),
        (array(Kind::Integer, b','), "{1,-2,NULL}", "[1,-2,null]"),
        (array(Kind::Real, b','), "{1,0.5,1e+20,NaN,Infinity}", "[1.0,0.5,1e+20,null,9e999]"),
        (array(Kind::Boolean, b','), "{t,f}", "[1,0]"),
        (array(Kind::Json, b','), "{\"{\\\"a\\\": [1]}\"}", r#"[{"a": [1]}]"#),
        (array(Kind::Bytes, b','), "{\"\\\\x01\"}", r#"["\\x01"]"#),
        (array(Kind::Text, b';'), "{(1,1),(0,0);(2,2),(1,1)}", r#"["(1,1),(0,0)","(2,2),(1,1)"]"#),
        (array(Kind::Date, b','), "{infinity}", r#"["9999-12-31"]"#),
    ] {
        assert_eq!(text_of(&kind, text, 3), json);
    }
    // Not arrays: they stay as they are.
    for text in ["", "{", "{a", "{a}}", "{a}b", "{{a}", "a", "{\"a}", "[0:1]", "{a,}x", "{\"a\"b}"] {
        assert_eq!(text_of(&texts, text, 3), text);
    }
    let deep = format!("{}{}", "{".repeat(5_000), "}".repeat(5_000));
    assert_eq!(text_of(&texts, &deep, 3), deep);
}

#[test]
fn custom_types_are_structures_from_edition_2_on() {
    let domain = Kind::Domain(Arc::new(Kind::Integer));
    assert!(matches!((shown(&domain, "7", 1), shown(&domain, "7", 3)), (Value::Text(_), Value::Integer(7))));
    let range = |kind| Kind::Range(Arc::new(kind));
    let closed = r#"{"lower":1,"upper":5,"lower_exclusive":0,"upper_exclusive":1}"#;
    let open = r#"{"lower":null,"upper":5,"lower_exclusive":1,"upper_exclusive":0}"#;
    for (kind, text, json) in [
        (composite(), "(7,\"a \"\"b\"\" \\\\ c\")", r#"{"n":7,"t \"x\"":"a \"b\" \\ c"}"#.to_owned()),
        (composite(), "(,)", r#"{"n":null,"t \"x\"":null}"#.to_owned()),
        (composite(), "(,\"\")", r#"{"n":null,"t \"x\"":""}"#.to_owned()),
        (range(Kind::Integer), "[1,5)", closed.to_owned()),
        (range(Kind::Integer), "(,5]", open.to_owned()),
        (range(Kind::Integer), "empty", "\"empty\"".to_owned()),
        (
            range(Kind::Timestamp { digits: 6, utc: false }),
            "[\"2024-01-01 00:00:00\",infinity)",
            r#"{"lower":"2024-01-01T00:00:00.000000","upper":"9999-12-31T23:59:59.999999","lower_exclusive":0,"upper_exclusive":1}"#
                .to_owned(),
        ),
        (Kind::Multirange(Arc::new(Kind::Integer)), "{[1,5),(,5]}", format!("[{closed},{open}]")),
        (Kind::Multirange(Arc::new(Kind::Integer)), "{}", "[]".to_owned()),
        (Kind::Multirange(Arc::new(Kind::Text)), "{[\"a)\",b)}",
            r#"[{"lower":"a)","upper":"b","lower_exclusive":0,"upper_exclusive":1}]"#.to_owned()),
        (array(domain.clone(), b','), "{1}", "[1]".to_owned()),
        (array(composite(), b','), "{\"(1,x)\"}", r#"[{"n":1,"t \"x\"":"x"}]"#.to_owned()),
    ] {
        assert_eq!(text_of(&kind, text, 3), json);
        if !matches!(kind, Kind::Array(_)) {
            assert_eq!(text_of(&kind, text, 1), text);
        }
    }
    assert_eq!(text_of(&array(composite(), b','), "{\"(1,x)\"}", 1), r#"["(1,x)"]"#);
    let stamps = array(Kind::Timestamp { digits: 3, utc: true }, b',');
    let text = "{\"2024-01-02 03:04:05+00\"}";
    assert_eq!(text_of(&stamps, text, 1), r#"["2024-01-02 03:04:05Z"]"#);
    assert_eq!(text_of(&stamps, text, 3), r#"["2024-01-02T03:04:05.000Z"]"#);
    for text in ["", "(", "(1)", "(1,2,3)", "[1,5", "1,5)", "{[1,5)", "(1,\"x)"] {
        assert_eq!(text_of(&composite(), text, 3), text);
        assert_eq!(text_of(&range(Kind::Integer), text, 3), text);
        assert_eq!(text_of(&Kind::Multirange(Arc::new(Kind::Integer)), text, 3), text);
    }
}

#[test]
fn no_text_makes_it_panic() {
    let kinds = [
        Kind::Integer,
        Kind::Real,
        Kind::Bytes,
        Kind::Date,
        Kind::Time { digits: 6 },
        Kind::Timestamp { digits: 3, utc: true },
        Kind::Lsn,
        array(composite(), b','),
        array(Kind::Text, b';'),
        composite(),
        Kind::Range(Arc::new(Kind::Real)),
        Kind::Multirange(Arc::new(Kind::Date)),
    ];
    let parts =
        ["{", "}", "(", ")", "[", "]", ",", ";", "\"", "\\", "\\x", "a", "ä", "NULL", "1", "=", "+00", "", "\u{0}"];
    let mut rng = fastrand::Rng::with_seed(2);
    for _ in 0..50_000 {
        let text: String = (0..rng.usize(..12)).map(|_| parts[rng.usize(..parts.len())]).collect();
        for kind in &kinds {
            for edition in [1, 3] {
                let _ = shown(kind, &text, edition);
            }
        }
    }
    let _ = Kind::Text.value(&[0xff, 0xfe]);
}

#[test]
fn literals_of_arrays_are_read_as_what_they_are_of() {
    let texts = ["", "a", "NULL", "\"\\,{}", "ä'"];
    let literal = array_literal(texts.into_iter());
    assert_eq!(text_of(&array(Kind::Text, b','), &literal, 3), serde_json::to_string(&texts).unwrap());
    assert_eq!((quote("a'b\\"), quote_name("a\"b")), ("'a''b\\'".to_owned(), "\"a\"\"b\"".to_owned()));
}

//! SQL functions: arguments, results, errors and lifetime.

use std::cell::Cell;
use std::rc::Rc;

use sqlite_nostd::{Context, FunctionError, FunctionFlags, Parameter, ResultCode, Value};

use crate::host::Host;

type Outcome = Result<(), FunctionError>;

fn define(host: &Host, name: &str, count: i32, function: fn(&(), &Context<'_>, &[&Value]) -> Outcome) {
    host.connection().create_scalar_function(name, count, FunctionFlags::NONE, Rc::new(()), function).unwrap();
}

fn failure(code: i32, message: &str) -> FunctionError {
    FunctionError { code: ResultCode(code), message: message.into() }
}

#[test]
fn arguments_are_read_as_they_are() {
    let host = Host::open();
    define(&host, "f", 1, |(), context, arguments| {
        let value = arguments[0];
        let text = format!("{:?} {} {}", value.value_type(), value.integer(), value.real());
        // Conversions change neither the type nor what was handed out.
        let blob = value.blob()?;
        let as_text =
            value.text().map(|text| text.escape_debug().to_string()).unwrap_or_else(|error| error.to_string());
        assert_eq!((blob.as_ptr(), blob), (value.blob()?.as_ptr(), value.blob()?));
        context.result_text(&format!("{text} {as_text} {:?}", value.value_type()));
        Ok(())
    });
    for (argument, result) in [
        ("NULL", "Null 0 0  Null"),
        ("12", "Integer 12 12 12 Integer"),
        ("-1.5", "Real -1 -1.5 -1.5 Real"),
        ("''", "Text 0 0  Text"),
        ("'3ü'", "Text 3 3 3ü Text"),
        ("'a'||char(0)||'b'", "Text 0 0 a\\0b Text"),
        ("x''", "Blob 0 0  Blob"),
        ("x'33'", "Blob 3 3 3 Blob"),
        ("zeroblob(2)", "Blob 0 0 \\0\\0 Blob"),
        (
            "CAST(x'61ff' AS TEXT)",
            "Text 0 0 SQLITE_MISMATCH (20): text is not valid UTF-8: invalid utf-8 sequence of 1 bytes from index 1 Text",
        ),
    ] {
        assert_eq!(host.text(&format!("f({argument})")), result, "{argument}");
    }
}

#[test]
fn any_number_of_arguments() {
    let host = Host::open();
    define(&host, "f", -1, |(), context, arguments| {
        context.result_integer(arguments.iter().map(|value| value.integer()).sum());
        Ok(())
    });
    assert_eq!(host.text("f()"), "0");
    assert_eq!(host.text("f(1, 2, 3)"), "6");
}

#[test]
fn results_have_the_type_they_were_given() {
    let host = Host::open();
    define(&host, "f", 1, |(), context, arguments| {
        match arguments[0].integer() {
            0 => {}
            1 => context.result_integer(i64::MIN),
            2 => context.result_real(0.5),
            3 => context.result_text("a\0ü"),
            4 => context.result_blob(b"\0\xff"),
            5 => context.result_value(arguments[0]),
            6 => context.result_json("[1]"),
            7 => context.result_text_with_subtype("x", 77),
            8 => {
                context.result_text("replaced");
                context.result_null();
            }
            9 => context.result_text(""),
            10 => context.try_result_json("[2]")?,
            11 => context.try_result_json("\"a\0ü\"")?,
            12 => context.try_result_json("")?,
            _ => context.result_blob(b""),
        }
        Ok(())
    });
    for (number, expected) in [
        (0, "NULL"),
        (1, "-9223372036854775808"),
        (2, "0.5"),
        (3, "'a'||char(0)||'ü'"),
        (4, "x'00ff'"),
        (5, "5"),
        (6, "'[1]'"),
        (7, "'x'"),
        (8, "NULL"),
        (9, "''"),
        (10, "'[2]'"),
        (11, "'\"a'||char(0)||'ü\"'"),
        (12, "''"),
        (13, "x''"),
    ] {
        assert_eq!(host.text(&format!("f({number}) IS {expected}")), "1", "{number}");
        assert_eq!(host.text(&format!("typeof(f({number})) = typeof({expected})")), "1", "{number}");
    }
    // The subtype is seen by SQLite's JSON functions, and by ours.
    assert_eq!(host.text("json_array(f(6), f(3), f(10))"), r#"[[1],"a\u0000ü",[2]]"#);
    define(&host, "subtype", 1, |(), context, arguments| {
        context.result_integer(arguments[0].subtype().into());
        Ok(())
    });
    assert_eq!(host.text("subtype(f(7)) || ',' || subtype(f(6)) || ',' || subtype(f(5))"), "77,74,0");
}

#[test]
fn errors_keep_their_code_and_message() {
    let host = Host::open();
    define(&host, "f", 2, |(), _, arguments| Err(failure(arguments[0].integer() as i32, arguments[1].text()?)));
    let unknown = 5 | (99 << 8);
    for code in [1, 21, 3091, unknown] {
        assert_eq!(host.error(&format!("SELECT f({code}, 'f: it fails')")), (code, "f: it fails".into()));
    }
    assert_eq!(host.error("SELECT f(7, 'lost')"), (7, "out of memory".into()));
    // A failure never reads as success.
    for code in [0, 100, 101] {
        assert_eq!(host.error(&format!("SELECT f({code}, 'odd')")), (1, "odd".into()));
    }
    // From within, the unknown code is what the statement fails with.
    let mut statement = host.connection().prepare("SELECT f(?, 'inner')").unwrap();
    let error = statement.execute(&[i64::from(unknown).into()]).unwrap_err();
    assert_eq!(error.code(), ResultCode(unknown));
    assert_eq!(error.to_string(), "SQLITE_BUSY (25349): inner, in: SELECT f(?, 'inner')");
    assert_eq!(FunctionError::from(error.clone()), failure(unknown, &error.to_string()));
}

#[test]
fn a_function_uses_its_connection() {
    let host = Host::open();
    host.execute("CREATE TABLE t(a); CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT f(new.a); END; CREATE TABLE u(a)");
    define(&host, "f", 1, |(), context, arguments| {
        let mut insert = context.connection().prepare("INSERT INTO u VALUES (?)")?;
        Ok(insert.execute(&[Parameter::Value(arguments[0])])?)
    });
    host.execute("INSERT INTO t VALUES ('x' || char(0)), (x'ff'), (1), (NULL), (0.5)");
    assert_eq!(host.text("SELECT group_concat(quote(a)) FROM u"), host.text("SELECT group_concat(quote(a)) FROM t"));
    assert_eq!(host.running_statements(), 0);
}

#[test]
fn text_beyond_the_limit_fails() {
    let host = Host::open();
    define(&host, "f", 0, |(), context, _| {
        context.result_text("x".repeat(101).as_str());
        Ok(())
    });
    host.rusqlite().set_limit(rusqlite::limits::Limit::SQLITE_LIMIT_LENGTH, 100).unwrap();
    assert_eq!(host.error("SELECT f()").0, ResultCode::TOOBIG.0);
}

#[test]
fn json_beyond_the_limit_is_refused_before_it_is_given_to_sqlite() {
    // Both texts have 40 bytes in UTF-8, and 80 and 40 in UTF-16.
    for (text, encoding, most) in [("x", "UTF-8", 40), ("x", "UTF-16", 80), ("ü", "UTF-8", 40), ("ü", "UTF-16", 40)] {
        let host = Host::open();
        host.execute(&format!("PRAGMA encoding = '{encoding}'"));
        host.connection()
            .create_scalar_function(
                "f",
                1,
                FunctionFlags::NONE,
                Rc::new(Cell::new(0)),
                |failures, context, arguments| {
                    let text = arguments[0].text()?;
                    context
                        .try_result_json(&text.repeat(40 / text.len()))
                        .inspect_err(|_| failures.set(failures.get() + 1))?;
                    context.settle()?;
                    context.result_integer(failures.get());
                    Ok(())
                },
            )
            .unwrap();
        for (limit, failures) in [(most, Some("0")), (most - 1, None), (most, Some("1"))] {
            // SQLite's own statements take less than this limit, which is not below 30 either way.
            let sql = format!("SELECT f('{text}')");
            host.rusqlite().set_limit(rusqlite::limits::Limit::SQLITE_LIMIT_LENGTH, limit).unwrap();
            match failures {
                Some(failures) => assert_eq!(host.text(&format!("f('{text}')")), failures, "{text} {encoding}"),
                None => assert_eq!(host.error(&sql).0, ResultCode::TOOBIG.0, "{text} {encoding}"),
            }
        }
    }
}

#[test]
fn state_is_dropped_with_the_connection() {
    struct State(Rc<Cell<u32>>);
    impl Drop for State {
        fn drop(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }
    let drops = Rc::new(Cell::new(0));
    let host = Host::open();
    let state = Rc::new(State(Rc::clone(&drops)));
    for name in ["f", "g"] {
        host.connection()
            .create_scalar_function(name, 0, FunctionFlags::DETERMINISTIC, Rc::clone(&state), |state, context, _| {
                context.result_integer(state.0.get().into());
                Ok(())
            })
            .unwrap();
    }
    drop(state);
    assert_eq!(host.text("f() || g()"), "00");
    // Functions of too many arguments are refused, and what was given is dropped.
    let other = Rc::new(State(Rc::clone(&drops)));
    let refused = host.connection().create_scalar_function("h", 100_000, FunctionFlags::NONE, other, |_, _, _| Ok(()));
    assert_eq!(refused.unwrap_err().code(), ResultCode::MISUSE);
    assert_eq!(drops.get(), 1);
    host.close();
    assert_eq!(drops.get(), 2);
}

#[test]
fn flags_reach_sqlite() {
    let host = Host::open();
    for (name, flags) in [
        ("plain", FunctionFlags::NONE),
        ("direct", FunctionFlags::DIRECT_ONLY),
        ("harmless", FunctionFlags::INNOCUOUS.and(FunctionFlags::DETERMINISTIC)),
    ] {
        let function = |_: &(), context: &Context<'_>, _: &[&Value]| {
            context.result_integer(1);
            Ok(())
        };
        host.connection().create_scalar_function(name, 0, flags, Rc::new(()), function).unwrap();
        host.execute(&format!("CREATE VIEW v_{name} AS SELECT {name}()"));
    }
    host.execute("PRAGMA trusted_schema = OFF");
    assert_eq!(host.text("SELECT * FROM v_harmless"), "1");
    assert!(host.error("SELECT * FROM v_plain").1.contains("unsafe use of plain"));
    assert!(host.error("SELECT * FROM v_direct").1.contains("unsafe use of direct"));
    host.execute("CREATE TABLE t(a); CREATE INDEX deterministic ON t(harmless())");
    assert_eq!(host.text("plain() || direct()"), "11");
}

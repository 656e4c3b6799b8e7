//! Files of rules: what is wrong, and where.

use sync_config::{Severity, position};
use write_path::Rules;
use write_path::sqlite::{Options, SqlitePersister};

const TABLES: &str = "CREATE TABLE t(id TEXT PRIMARY KEY, a, b, g AS (a)); CREATE TABLE plain(x, id);
    CREATE TABLE coded(code TEXT UNIQUE, a); CREATE UNIQUE INDEX partly ON coded(a) WHERE a > 5; CREATE VIEW v AS SELECT * FROM t;
    CREATE TABLE _sync_log(id TEXT PRIMARY KEY);";

/// Code, line and column of all findings.
fn findings(yaml: &str) -> Vec<String> {
    let file = tempfile::NamedTempFile::new().unwrap();
    rusqlite::Connection::open(file.path()).unwrap().execute_batch(TABLES).unwrap();
    let persister = SqlitePersister::open(file.path(), &Options::default()).unwrap();
    let loaded = Rules::load(yaml, &persister).unwrap();
    let is_error = loaded.diagnostics.iter().any(|finding| finding.severity == Severity::Error);
    assert_eq!(loaded.rules.is_none(), is_error, "{yaml}");
    let one = |finding: &sync_config::Diagnostic| {
        let at = position(yaml, finding.span.start);
        assert!(!finding.message.is_empty());
        format!("{} {}:{}", finding.code.id(), at.line, at.column)
    };
    loaded.diagnostics.iter().map(one).collect()
}

#[test]
fn a_file_without_findings() {
    assert_eq!(findings("writes:\n  tables:\n    t: {check: a = auth.user_id()}\n"), [""; 0]);
    assert_eq!(findings("writes: {default: deny}"), [""; 0]);
}

#[test]
fn the_shape_of_the_file() {
    for (yaml, expected) in [
        ("writes: [", "C001 1:10"),
        ("", "C005 1:1"),
        ("write: {}", "C003 1:1"),
        ("writes: []", "C004 1:9"),
        ("writes: {default: yes}", "C008 1:19"),
        ("writes: {defaults: deny}", "C003 1:10"),
        ("writes: {tables: {t: 5}}", "C004 1:22"),
        ("writes: {tables: {t: {check: 'a', ops: PUT}}}", "C004 1:40"),
        ("writes: {tables: {t: {check: 'a', ops: [PUT, REPLACE]}}}", "C008 1:46"),
        ("writes: {tables: {t: {check: 'a', on_conflict: merge}}}", "C008 1:48"),
        ("writes: {tables: {t: {check: 'a', on_error: retry}}}", "C008 1:45"),
        ("writes: {tables: {t: {check: 'a', colums: [a]}}}", "C003 1:35"),
        ("writes: {tables: {t: {check: 'a', set: {b: {on: [PUT]}}}}}", "C005 1:44"),
        ("writes: {tables: {t: {check: 'a', set: {b: {value: '1', on: [DELETE]}}}}}", "C008 1:62"),
        ("writes: {tables: {t: {check: 5}}}", "C004 1:30"),
    ] {
        let found = findings(yaml);
        assert!(found.iter().any(|finding| finding == expected), "{yaml}: {found:?}");
    }
}

#[test]
fn names_are_those_of_the_database() {
    for (yaml, expected) in [
        ("writes: {tables: {none: {check: '1'}}}", "C060 1:19"),
        ("writes: {tables: {x: {table: none, check: '1'}}}", "C060 1:30"),
        ("writes: {tables: {v: {check: '1'}}}", "C060 1:19"),
        ("writes: {tables: {_sync_log: {check: '1'}}}", "C060 1:19"),
        ("writes: {tables: {_rowtide_dead_letter: {check: '1'}}}", "C060 1:19"),
        ("writes: {tables: {sqlite_master: {check: '1'}}}", "C060 1:19"),
        ("writes: {tables: {plain: {check: '1'}}}", "C062 1:19"),
        ("writes: {tables: {coded: {check: '1'}}}", "C062 1:19"),
        ("writes: {tables: {coded: {key: a, check: '1'}}}", "C062 1:32"),
        ("writes: {tables: {t: {columns: [a, c], check: '1'}}}", "C061 1:36"),
        ("writes: {tables: {t: {columns: [g], check: '1'}}}", "C061 1:33"),
        ("writes: {tables: {t: {columns: [id], check: '1'}}}", "C061 1:33"),
        ("writes: {tables: {t: {columns: {x: id}, check: '1'}}}", "C061 1:36"),
        ("writes: {tables: {t: {columns: [a, b, a], check: '1'}}}", "C061 1:39"),
        ("writes: {tables: {t: {columns: {x: a, y: a}, check: '1'}}}", "C061 1:42"),
        ("writes: {tables: {t: {set: {c: '1'}, check: '1'}}}", "C061 1:29"),
        ("writes: {tables: {t: {set: {id: '1'}, check: '1'}}}", "C061 1:29"),
        ("writes: {tables: {t: {check: 'a = c'}}}", "C061 1:35"),
        ("writes: {tables: {t: {check: 'a IN (SELECT c FROM t)'}}}", "C061 1:44"),
        ("writes: {tables: {t: {check: 'a IN (SELECT b FROM coded)'}}}", "C061 1:44"),
        ("writes: {tables: {t: {check: 'a IN (SELECT a FROM none)'}}}", "C060 1:51"),
        ("writes: {tables: {t: {check: 'a IN (SELECT a FROM sqlite_master)'}}}", "C060 1:51"),
        ("writes: {tables: {t: {check: 'x.a = 1'}}}", "C033 1:31"),
    ] {
        let found = findings(yaml);
        assert_eq!(found, [expected], "{yaml}");
    }
    assert_eq!(findings("writes: {tables: {coded: {key: code, check: '1'}}}"), [""; 0]);
}

#[test]
fn expressions_only_read() {
    for (check, expected) in [
        ("a = ", "C020"),
        ("a = 1; DROP TABLE t", "C020"),
        ("a = 1) OR (1", "C020"),
        ("DELETE FROM t", "C021"),
        ("a IN (DELETE FROM t)", "C021"),
        ("a IN (SELECT a FROM t UNION SELECT b FROM t)", "C022"),
        ("a IN (SELECT a FROM t LIMIT 1)", "C022"),
        ("load_extension('x')", "C030"),
        ("writefile('x', 'y')", "C030"),
        ("random() = 1", "C030"),
        ("base64(a) = 'x'", "C063"),
        ("length(a, b) = 1", "C031"),
        ("auth.parameter() = 1", "C031"),
        ("auth.other() = 1", "C030"),
        ("subscription.parameter('x') = 1", "C063"),
        ("connection.parameters() = 1", "C063"),
        ("(SELECT a FROM t) > 1", "C063"),
        ("a = (1, 2)", "C063"),
        ("a IN (SELECT a, b FROM t)", "C037"),
        ("a IN (SELECT * FROM t)", "C063"),
        ("a IN (SELECT a FROM t x, t y)", "C034"),
        ("a IN (SELECT x.b FROM (SELECT c.a AS b FROM coded c WHERE t.a = c.a) x)", "C033"),
        ("a IN (SELECT x.a FROM t x, t x)", "C035"),
        ("cast(a AS varchar) = 1", "C039"),
    ] {
        let yaml = format!("writes: {{tables: {{t: {{check: {check:?}}}}}}}");
        let found: Vec<String> = findings(&yaml).iter().map(|finding| finding[..4].to_owned()).collect();
        assert_eq!(found, [expected], "{check}");
    }
    let yaml = "writes: {tables: {t: {check: 'TRUE', set: {a: b, b: '(SELECT a FROM t)'}}}}";
    assert_eq!(findings(yaml), ["C063 1:47", "C063 1:54"]);
    let yaml = "writes: {tables: {t: {check: 'TRUE', set: {a: 'auth.user_id() IN (SELECT a FROM t)'}}}}";
    assert_eq!(findings(yaml), ["C063 1:67"]);
}

#[test]
fn what_everybody_may_do_is_a_warning() {
    assert_eq!(findings("writes: {tables: {t: }}"), ["C117 1:19"]);
    assert_eq!(findings("writes: {default: allow}"), ["C116 1:19"]);
}

#[test]
fn the_database_tries_the_statements() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let app = rusqlite::Connection::open(file.path()).unwrap();
    app.execute_batch(
        "CREATE TABLE t(id TEXT PRIMARY KEY, a); CREATE TRIGGER x AFTER INSERT ON t BEGIN DELETE FROM gone; END;",
    )
    .unwrap();
    let persister = SqlitePersister::open(file.path(), &Options::default()).unwrap();
    let loaded = Rules::load("writes: {tables: {t: {check: '1'}}}", &persister).unwrap();
    assert!(loaded.rules.is_none());
    let finding = &loaded.diagnostics[0];
    assert_eq!(loaded.diagnostics.len(), 1);
    assert_eq!((finding.code.id(), finding.span.start), ("C060", 18));
    assert!(finding.message.contains("gone"), "{}", finding.message);
}

#[test]
fn tables_whose_constraints_delete_other_rows_are_refused() {
    for (column, is_refused) in [
        ("mail TEXT UNIQUE on conflict\n replace", true),
        ("mail TEXT, UNIQUE(mail)ON CONFLICT REPLACE", true),
        ("mail TEXT UNIQUE ON CONFLICT IGNORE", false),
    ] {
        let file = tempfile::NamedTempFile::new().unwrap();
        let app = rusqlite::Connection::open(file.path()).unwrap();
        app.execute_batch(&format!("CREATE TABLE t(id TEXT PRIMARY KEY, {column})")).unwrap();
        let persister = SqlitePersister::open(file.path(), &Options::default()).unwrap();
        let loaded = Rules::load("writes: {tables: {t: {check: 'TRUE'}}}", &persister).unwrap();
        assert_eq!(loaded.rules.is_none(), is_refused, "{column}");
    }
}

#[test]
fn rules_follow_the_tables() {
    let tables = "CREATE TABLE t(id TEXT PRIMARY KEY); CREATE TABLE other(id TEXT PRIMARY KEY)";
    let tested = crate::support::Tested::with(tables, "writes: {default: allow}");
    let put = |table: &str, values: serde_json::Value| {
        let result = tested.send("u", serde_json::json!([crate::support::put(table, "1", values)]));
        crate::support::outcome(&result)
    };
    assert_eq!(put("t", serde_json::json!({"a": 1})), "fatal_error UNAUTHORIZED");
    tested.app.execute_batch("ALTER TABLE t ADD COLUMN a; CREATE TABLE more(id TEXT PRIMARY KEY)").unwrap();
    assert_eq!(put("t", serde_json::json!({"a": 1})), "success", "a column that was added");
    assert_eq!(put("more", serde_json::json!({})), "success", "a table that was added");
    tested
        .app
        .execute_batch("CREATE TABLE made(id TEXT PRIMARY KEY, b); DROP TABLE t; ALTER TABLE made RENAME TO t")
        .unwrap();
    assert_eq!(put("t", serde_json::json!({"b": 1})), "success", "a table that was made anew");
    assert_eq!(put("t", serde_json::json!({"a": 1})), "fatal_error UNAUTHORIZED");
}

#[test]
fn rules_that_do_not_fit_any_more_keep_the_other_tables_open() {
    let tables = "CREATE TABLE t(id TEXT PRIMARY KEY); CREATE TABLE other(id TEXT PRIMARY KEY)";
    let tested = crate::support::Tested::with(tables, "writes: {tables: {t: {check: 'TRUE'}, other: {check: 'TRUE'}}}");
    let put = |table: &str, values: serde_json::Value| {
        let result = tested.send("u", serde_json::json!([crate::support::put(table, "1", values)]));
        crate::support::outcome(&result)
    };
    tested.app.execute_batch("DROP TABLE t").unwrap();
    assert_eq!(put("t", serde_json::json!({})), "fatal_error SCHEMA_MISMATCH");
    assert_eq!(put("other", serde_json::json!({})), "success");
    tested.app.execute_batch("CREATE TABLE t(id TEXT PRIMARY KEY, a)").unwrap();
    assert_eq!(put("t", serde_json::json!({"a": 1})), "success", "they fit again");
}

#[test]
fn rules_are_loaded_again() {
    let tables = "CREATE TABLE t(id TEXT PRIMARY KEY, a)";
    let tested = crate::support::Tested::with(tables, "writes: {tables: {t: {columns: [], check: 'TRUE'}}}");
    let put = || {
        let result = tested.send("u", serde_json::json!([crate::support::put("t", "1", serde_json::json!({"a": 1}))]));
        crate::support::outcome(&result)
    };
    assert_eq!(put(), "fatal_error UNAUTHORIZED");
    assert!(tested.path.reload("writes: {tables: {t: {check: 'TRUE'}}}").unwrap().is_empty());
    assert_eq!(put(), "success");
    // Rules with errors change nothing.
    assert_eq!(tested.path.reload("writes: {tables: {none: {check: 'TRUE'}}}").unwrap()[0].code.id(), "C060");
    assert_eq!(put(), "success");
    assert!(tested.path.reload("writes: {tables: {}}").unwrap().is_empty());
    assert_eq!(put(), "fatal_error UNAUTHORIZED");
}

//! The setup test.

use sync_engine::source::{Check, ErrorClass, Source};
use sync_sources::sqlite::SqliteSource;

use super::File;
use crate::patterns;
use crate::worlds::connect;

/// Names and messages of what is wrong.
fn wrong(checks: &[Check]) -> Vec<(&str, &str)> {
    assert!(checks.iter().all(|check| check.ok || !check.fix.is_empty()), "a finding without a fix: {checks:?}");
    checks.iter().filter(|check| !check.ok).map(|check| (check.name, check.message.as_str())).collect()
}

fn unprepared(sql: &str) -> (tempfile::TempDir, SqliteSource) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    connect(&path).execute_batch(sql).unwrap();
    let source = SqliteSource::open(&path).unwrap();
    (folder, source)
}

#[test]
fn nothing_is_wrong_with_a_good_file_and_testing_does_not_change_it() {
    let (folder, source) = unprepared("PRAGMA journal_mode = wal; CREATE TABLE t(id INTEGER PRIMARY KEY)");
    let checks = source.test(&patterns(&["t"]));
    assert_eq!(wrong(&checks), []);
    assert!(checks.iter().all(|check| check.fix.is_empty()), "{checks:?}");
    let app = connect(&folder.path().join("app.db"));
    assert!(
        !app.prepare("SELECT 1 FROM sqlite_master WHERE name LIKE '!_sync!_%' ESCAPE '!'").unwrap().exists([]).unwrap()
    );
    assert_eq!(source.schema().unwrap().len(), 1);
    source.tables(&patterns(&["t"])).unwrap();
    assert_eq!(wrong(&source.test(&patterns(&["t"]))), []);
}

#[test]
fn findings_have_a_fix() {
    let (_folder, source) = unprepared(
        "CREATE TABLE Lists(id PRIMARY KEY); CREATE VIEW v AS SELECT 1 AS id; CREATE TABLE keyless(a);
        CREATE TABLE taken(rowid, oid, _rowid_); CREATE TABLE _sync_mine(id PRIMARY KEY)",
    );
    let checks = source.test(&patterns(&["lists", "v", "keyless", "taken", "nothing", "_sync_mine", "x%"]));
    let messages = wrong(&checks);
    let has = |name: &str, text: &str| messages.iter().any(|(found, message)| *found == name && message.contains(text));
    assert_eq!(messages.len(), 5, "{messages:?}");
    assert!(has("tables", "there is no table lists, but Lists"));
    assert!(has("tables", "v is a view"));
    assert!(has("tables", "there is no table nothing"));
    assert!(has("keys", "nothing identifies the rows of taken"));
    assert!(has("names", "_sync_mine is not synced"));
    let advice = |name: &str| checks.iter().any(|check| check.name == name && check.ok && !check.fix.is_empty());
    assert!(advice("journal mode"));
    assert!(advice("keys"));
}

#[test]
fn a_taken_name_is_a_matter_of_configuration() {
    for (name, columns) in [("_sync_meta", "key, value"), ("_sync_log", "a"), ("_sync_table", "a")] {
        let (_folder, source) = unprepared(&format!("CREATE TABLE t(id PRIMARY KEY); CREATE TABLE {name}({columns})"));
        let error = source.tables(&patterns(&["t"])).unwrap_err();
        assert_eq!(error.class, ErrorClass::Configuration);
        assert!(error.message.contains(name), "{error}");
        assert!(wrong(&source.test(&patterns(&["t"]))).iter().any(|(check, _)| *check == "names"), "{name}");
    }
}

#[test]
fn missing_triggers_are_found() {
    let file = File::new(&["t"], "CREATE TABLE t(id PRIMARY KEY)");
    file.run("DROP TABLE t; CREATE TABLE t(id PRIMARY KEY)");
    assert_eq!(wrong(&file.source.test(&patterns(&["t"])))[0].0, "triggers");
}

#[test]
fn a_table_that_cannot_be_read_is_found() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let app = connect(&path);
    app.create_collation("of_the_app", |a, b| a.cmp(b)).unwrap();
    app.execute_batch("CREATE TABLE t(id TEXT COLLATE of_the_app PRIMARY KEY)").unwrap();
    let source = SqliteSource::open(&path).unwrap();
    assert_eq!(wrong(&source.test(&patterns(&["t"])))[0].0, "reading");
}

#[cfg(unix)]
#[test]
fn a_file_that_cannot_be_written_is_found() {
    use std::os::unix::fs::PermissionsExt;
    let (folder, source) = unprepared("CREATE TABLE t(id PRIMARY KEY)");
    let path = folder.path().join("app.db");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o444)).unwrap();
    if std::fs::OpenOptions::new().write(true).open(&path).is_ok() {
        // Permissions do not hold for root; a file on which writing is refused by SQLite does as well.
        let app = connect(&path);
        app.execute_batch("BEGIN IMMEDIATE").unwrap();
        assert_eq!(wrong(&source.test(&patterns(&["t"])))[0].0, "writable");
        return;
    }
    let source = SqliteSource::open(&path).unwrap();
    assert_eq!(wrong(&source.test(&patterns(&["t"])))[0].0, "writable");
    assert_eq!(source.tables(&patterns(&["t"])).unwrap_err().class, ErrorClass::Configuration);
}

//! `uuid`, `gen_random_uuid`, `powersync_client_id` and `powersync_drop_view` (docs/reference/functions.md).

use std::collections::BTreeSet;

use rowtide_testkit::Host;
use rusqlite::OpenFlags;

#[test]
fn uuids_are_random_and_of_version_4() {
    let host = Host::open_in_memory();
    for function in ["uuid", "gen_random_uuid"] {
        let rows = host.rows(&format!(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT {function}() FROM n"
        ));
        let all: BTreeSet<String> = rows.iter().map(|row| row[0].as_str().unwrap().to_owned()).collect();
        assert_eq!(all.len(), 1000, "{function} repeats itself");
        for uuid in &all {
            let lengths: Vec<usize> = uuid.split('-').map(str::len).collect();
            assert_eq!(lengths, [8, 4, 4, 4, 12], "{uuid}");
            assert!(uuid.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f' | '-')), "{uuid}");
            assert_eq!(&uuid[14..15], "4", "{uuid}");
            assert!(matches!(&uuid[19..20], "8" | "9" | "a" | "b"), "{uuid}");
        }
    }
}

#[test]
fn every_database_has_its_own_client_id() {
    let ids: BTreeSet<String> = (0..3)
        .map(|_| {
            let host = Host::open_in_memory();
            host.initialize();
            host.value("SELECT powersync_client_id()").as_str().unwrap().to_owned()
        })
        .collect();
    assert_eq!(ids.len(), 3);
}

#[test]
fn the_client_id_is_read_on_read_only_connections() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("data.db");
    let host = Host::open(&file);
    host.initialize();
    let id = host.value("SELECT powersync_client_id()");
    let reader = Host::open_with_flags(&file, OpenFlags::SQLITE_OPEN_READ_ONLY);
    assert_eq!(reader.value("SELECT powersync_client_id()"), id);
    reader.try_close().unwrap();
}

#[test]
fn a_missing_client_id_is_an_error() {
    let host = Host::open_in_memory();
    assert!(host.error("SELECT powersync_client_id()").message.contains("powersync_init()"));
    host.initialize();
    host.execute("DELETE FROM ps_kv");
    let error = host.error("SELECT powersync_client_id()");
    assert_eq!(error.code, 4);
    assert_eq!(error.message, "powersync_client_id: No client_id found in ps_kv");
}

#[test]
fn views_are_dropped_by_name_in_the_main_database() {
    let host = Host::open_in_memory();
    host.execute(
        "ATTACH ':memory:' AS other; CREATE VIEW other.\"a \"\"view\" AS SELECT 1; CREATE VIEW \"a \"\"view\" AS SELECT 1;
         CREATE TABLE a_table(id)",
    );
    assert_eq!(host.value("SELECT powersync_drop_view('a \"view')"), serde_json::Value::Null);
    assert_eq!(host.value("SELECT count(*) FROM main.sqlite_schema WHERE type = 'view'"), 0);
    assert_eq!(host.value("SELECT count(*) FROM other.sqlite_schema WHERE type = 'view'"), 1);
    host.value("SELECT powersync_drop_view('a \"view')");
    assert!(host.error("SELECT powersync_drop_view('a_table')").message.contains("use DROP TABLE"));
    for argument in ["NULL", "1", "x'61'"] {
        assert_eq!(host.error(&format!("SELECT powersync_drop_view({argument})")).code, 3091);
    }
    assert!(host.error("SELECT powersync_drop_view(CAST(x'ff' AS TEXT))").message.contains("UTF-8"));
}

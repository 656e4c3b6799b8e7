//! Recorded databases of all published formats: each comes up with its content, goes down to every format's schema, and
//! comes up again (docs/reference/tables.md#formats-and-migrations).

use std::path::{Path, PathBuf};

use rowtide_testkit::Host;
use rowtide_testkit::invariants::assert_consistent;
use rowtide_testkit::recordings::data_directory;
use serde_json::json;

use crate::migrations::stored_format::{PUBLISHED, assert_kept, content, migrate, newest_migration, rows, schema};

fn databases() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(data_directory().join("databases")).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "db"));
    files.sort();
    assert_eq!(files.len(), 28);
    files
}

/// A copy of a recorded database, with a name for messages.
fn each_database(mut work: impl FnMut(&str, Host)) {
    for file in databases() {
        let directory = tempfile::tempdir().unwrap();
        let copy = directory.path().join("copy.db");
        std::fs::write(&copy, std::fs::read(&file).unwrap()).unwrap();
        let host = Host::open(&copy);
        host.execute("PRAGMA synchronous = OFF");
        work(file.file_stem().unwrap().to_str().unwrap(), host);
    }
}

/// The schema of an empty database in a published format, as recorded.
fn recorded_schema(format: i64) -> serde_json::Value {
    let host = Host::open_in_memory();
    let file: &Path = &data_directory().join(format!("databases/schema-v{format:02}.sql"));
    host.execute(&std::fs::read_to_string(file).unwrap());
    schema(&host)
}

#[test]
#[cfg_attr(not(recorded_data), ignore = "needs POWERSYNC_INTEROP_DATA")]
fn recorded_databases_come_up_with_their_content() {
    each_database(|name, host| {
        let format = newest_migration(&host);
        assert_eq!(name[1..3].parse(), Ok(format));
        let before = content(&host);
        host.initialize();
        assert_kept(&before, &content(&host), name);
        assert_consistent(&host);
        let (target, queued) = if name.ends_with("-pending") { (i64::MAX, 4) } else { (7, 0) };
        let target = if format < 5 { i64::MAX } else { target };
        let gate = host.value("SELECT value FROM ps_kv WHERE key = 'target_checkpoint_request_id'");
        assert_eq!((gate, host.value("SELECT count(*) FROM ps_crud")), (json!(target), json!(queued)), "{name}");
        let pending = "SELECT op_id, row_id FROM ps_operations WHERE id & 17179869183 >
            (SELECT settled FROM ps_buckets AS bucket WHERE bucket.id = ps_operations.id >> 34)";
        assert_eq!(host.table(pending), json!([[40, "t9"]]), "{name}");
        host.try_close().unwrap();
    });
}

#[test]
#[cfg_attr(not(recorded_data), ignore = "needs POWERSYNC_INTEROP_DATA")]
fn recorded_databases_go_down_to_every_format_and_come_up_again() {
    let schemas: Vec<_> = (1..=PUBLISHED).map(recorded_schema).collect();
    each_database(|name, host| {
        host.initialize();
        let before = content(&host);
        for format in (1..=PUBLISHED).rev() {
            migrate(&host, format);
            assert_eq!(schema(&host), schemas[usize::try_from(format - 1).unwrap()], "{name} to {format}");
            let held = content(&host);
            host.initialize();
            let mut after = content(&host);
            after.retain(|member, _| held.contains_key(member) && !(format < 4 && member == "checksums"));
            assert_kept(&after, &before, &format!("{name} by way of {format}"));
            assert_consistent(&host);
        }
    });
}

#[test]
#[cfg_attr(not(recorded_data), ignore = "needs POWERSYNC_INTEROP_DATA")]
fn recorded_databases_go_back_to_their_very_rows() {
    each_database(|name, host| {
        let format = newest_migration(&host);
        let before = rows(&host);
        host.initialize();
        migrate(&host, format);
        if format >= 5 {
            assert_eq!(rows(&host), before, "{name}");
        }
    });
}

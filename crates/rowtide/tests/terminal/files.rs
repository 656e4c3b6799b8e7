//! Files of any kind and in any state: a clear sentence and the right exit code for each.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;

use rusqlite::Connection;

use crate::app::{App, Ran, program, run};

/// Runs the program as somebody who cannot write to folders of others.
fn run_without_rights(arguments: &[&str]) -> Ran {
    let mut command = program();
    if nix::unistd::geteuid().is_root() {
        command.uid(65534).gid(65534);
    }
    command.args(arguments).stdin(Stdio::null()).output().unwrap().into()
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Every command that reads says the same.
#[track_caller]
fn assert_refused(file: &str, sentence: &str, code: i32) {
    for arguments in [
        &["inspect", file] as &[_],
        &["inspect", file, "--json"],
        &["queue", "list", file],
        &["shell", file, "SELECT 1"],
    ] {
        let ran = run(arguments);
        assert_eq!(ran.code, Some(code), "{arguments:?}: {ran:?}");
        assert!(ran.err.contains(sentence) && ran.out.is_empty(), "{arguments:?}: {ran:?}");
    }
}

#[test]
fn what_is_no_file_is_wrong_usage_and_nothing_is_made() {
    let app = App::empty();
    let missing = app.folder().join("missing.db");
    assert_refused(missing.to_str().unwrap(), "There is no file ", 2);
    for arguments in [
        &["shell", "--write", missing.to_str().unwrap(), "SELECT 1"] as &[_],
        &["inspect", missing.to_str().unwrap(), "--repair"],
    ] {
        assert_eq!(run(arguments).code, Some(2), "{arguments:?}");
    }
    assert!(!missing.exists());
    assert_refused(app.folder().to_str().unwrap(), " is a folder.", 2);
}

#[test]
fn what_is_no_database_says_so() {
    let app = App::empty();
    fs::write(app.path(), "This is text, and longer than the header of a database. ".repeat(20)).unwrap();
    assert_refused(&app.file(), "is no SQLite database, or an encrypted one", 1);
}

#[test]
fn a_database_that_powersync_never_had() {
    let app = App::empty();
    for sql in ["", "CREATE TABLE mine(a);"] {
        app.sql(sql);
        let ran = app.inspect(&[]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
        assert!(ran.out.contains("No app has used this database with PowerSync"), "{}", ran.out);
        let queue = run(&["queue", "list", &app.file()]);
        assert_eq!(queue.code, Some(1), "{queue:?}");
        assert!(queue.err.contains("no app has used this database with PowerSync"), "{}", queue.err);
    }
    assert_eq!(run(&["shell", &app.file(), "SELECT * FROM mine"]).code, Some(0));
}

#[test]
fn files_of_the_published_library_are_read_from_a_copy() {
    let app = App::synced();
    app.sql("INSERT INTO lists(id, name) VALUES ('l2', 'x'); BEGIN; SELECT powersync_test_migration(14); COMMIT;");
    let before = fs::read(app.path()).unwrap();
    let ran = app.inspect(&[]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    for line in [
        ": 1 local writes in 1 transactions wait for their upload. Downloads wait for them.\n",
        "format        14, of the published library, which was the last to have the file. What follows is from a copy",
        "oldest        transaction 1: PUT lists 'l2' (name)",
        "1 bucket with 1 operation",
    ] {
        assert!(ran.out.contains(line), "{line}: {}", ran.out);
    }
    let report: serde_json::Value = serde_json::from_str(&app.inspect(&["--json"]).out).unwrap();
    assert_eq!(report["versions"]["format"], 14);
    assert_eq!(report["problems"].as_array().unwrap().len(), 1, "{report}");
    let queue = run(&["queue", "list", &app.file()]);
    assert!(queue.out.contains("PUT lists 'l2' (name)"), "{queue:?}");
    let refused = run(&["queue", "reject", &app.file(), "1", "--yes"]);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.err.contains("format 14"), "{refused:?}");
    assert_eq!(fs::read(app.path()).unwrap(), before, "the file is as it was");

    app.sql("DELETE FROM ps_crud; DELETE FROM ps_kv WHERE key GLOB '*request_id';");
    let fine = app.inspect(&[]);
    assert_eq!(fine.code, Some(0), "another format is no problem: {fine:?}");
}

#[test]
fn files_of_newer_versions_are_read_from_a_copy() {
    let app = App::synced();
    let other = app.folder().join("elsewhere.db");
    let attach = format!("ATTACH ''{}'' AS other; CREATE TABLE other.t(a)", other.display());
    app.sql("INSERT INTO ps_migration(id, down_migrations) VALUES (1900, '[{\"sql\": \"DELETE FROM ps_migration WHERE id = 1900\"}]');");
    let ran = app.inspect(&[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("format        1900, of another version of the library"), "{}", ran.out);
    // SQL of the file must not reach other files.
    app.sql(&format!(
        "UPDATE ps_migration SET down_migrations = json_array(json_object('sql', '{attach}')) WHERE id = 1900;"
    ));
    let ran = app.inspect(&[]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.contains("format-newer"), "{ran:?}");
    assert!(!other.exists(), "{ran:?}");
}

#[test]
fn damaged_files_say_what_is_damaged() {
    let app = App::synced();
    app.sql("CREATE TABLE filler AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) SELECT i, hex(randomblob(20)) FROM n;");
    let root =
        app.rows("SELECT rootpage FROM sqlite_schema WHERE name = 'ps_buckets'")[0]["rootpage"].as_u64().unwrap();
    let mut bytes = fs::read(app.path()).unwrap();
    let page = usize::try_from(root - 1).unwrap() * 4096;
    bytes[page..page + 4096].fill(0xff);
    fs::write(app.path(), &bytes).unwrap();
    let ran = app.inspect(&[]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.contains("stored-data-invalid (buckets)"), "{ran:?}");

    // The schema itself.
    bytes[100..4096].fill(0xff);
    fs::write(app.path(), &bytes).unwrap();
    assert_refused(&app.file(), "is damaged: ", 1);
    fs::write(app.path(), &bytes[..3000]).unwrap();
    assert_eq!(app.inspect(&[]).code, Some(1));
}

#[test]
fn a_file_that_another_process_has_locked() {
    for mode in ["DELETE", "WAL"] {
        let app = App::synced();
        let other = Connection::open(app.path()).unwrap();
        other
            .execute_batch(&format!(
                "PRAGMA journal_mode = {mode}; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; DELETE FROM ps_crud"
            ))
            .unwrap();
        assert_refused(&app.file(), "is locked by another process", 1);
        other.execute_batch("ROLLBACK").unwrap();
        drop(other);
        assert_eq!(app.inspect(&[]).code, Some(0));
    }
}

#[test]
fn a_file_in_use_is_read_where_it_is() {
    let app = App::synced();
    let other = Connection::open(app.path()).unwrap();
    other.execute_batch("PRAGMA journal_mode = WAL; BEGIN IMMEDIATE; DELETE FROM ps_crud").unwrap();
    let ran = app.inspect(&[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let change = run(&["queue", "discard", &app.file(), "1", "--yes"]);
    assert_eq!(change.code, Some(1), "{change:?}");
    assert!(change.err.contains("is locked by another process"), "{change:?}");
}

#[test]
fn a_file_in_wal_mode_in_a_folder_that_must_not_be_written_to() {
    let app = App::synced();
    let other = Connection::open(app.path()).unwrap();
    other
        .execute_batch("PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 0; CREATE TABLE only_in_the_wal(a)")
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    for suffix in ["", "-wal"] {
        let target = folder.path().join(format!("app.db{suffix}"));
        fs::copy(format!("{}{suffix}", app.file()), &target).unwrap();
        set_mode(&target, 0o444);
    }
    set_mode(folder.path(), 0o555);
    let file = folder.path().join("app.db");
    let ran = run_without_rights(&["inspect", file.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(
        ran.out.contains("is in WAL mode, in a folder that must not be written to. This shows a copy"),
        "{}",
        ran.out
    );
    let tables = run_without_rights(&["shell", file.to_str().unwrap(), ".tables only%"]);
    assert_eq!(tables.out, "only_in_the_wal\n", "{tables:?}");
    let write = run_without_rights(&["shell", "--write", file.to_str().unwrap(), "SELECT 1"]);
    assert_eq!(write.code, Some(1), "{write:?}");
    set_mode(folder.path(), 0o755);
}

#[test]
fn a_file_that_must_not_be_read() {
    let app = App::synced();
    set_mode(app.folder(), 0o755);
    set_mode(&app.path(), 0o000);
    let ran = run_without_rights(&["inspect", &app.file()]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("cannot be opened: Permission denied"), "{ran:?}");
}

#[test]
fn an_app_that_was_interrupted_while_it_wrote() {
    let app = App::synced();
    let other = Connection::open(app.path()).unwrap();
    // The cache is too small for the transaction, so pages are written to the file before it ends.
    other
        .execute_batch("PRAGMA cache_size = 2; CREATE TABLE big(a); BEGIN; UPDATE ps_buckets SET op_checksum = 1")
        .unwrap();
    other.execute_batch("INSERT INTO big WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) SELECT hex(randomblob(50)) FROM n").unwrap();
    let crashed = tempfile::tempdir().unwrap();
    for suffix in ["", "-journal"] {
        fs::copy(format!("{}{suffix}", app.file()), crashed.path().join(format!("app.db{suffix}"))).unwrap();
    }
    drop(other);
    let file = crashed.path().join("app.db");
    let before = fs::read(&file).unwrap();
    let ran = run(&["inspect", "--verify", file.to_str().unwrap()]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("An app was interrupted while it wrote"), "{}", ran.out);
    let shell = run(&["shell", file.to_str().unwrap(), "--mode", "list", "SELECT count(*) FROM big"]);
    assert_eq!(shell.out, "0\n", "{shell:?}");
    assert_eq!(fs::read(&file).unwrap(), before, "the file is as it was");
}

#[test]
fn looking_at_a_file_leaves_nothing_behind() {
    let app = App::synced();
    app.sql("PRAGMA journal_mode = WAL; CREATE TABLE more(a);");
    let strange = app.folder().join("what is 100% of it?#.db");
    fs::rename(app.path(), &strange).unwrap();
    let before = fs::read(&strange).unwrap();
    let file = strange.to_str().unwrap();
    for arguments in [&["inspect", "--verify", file] as &[_], &["queue", "list", file]] {
        let ran = run(arguments);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let names: Vec<_> = fs::read_dir(app.folder()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [strange.file_name().unwrap()], "{arguments:?}");
    }
    assert_eq!(fs::read(&strange).unwrap(), before);
    assert!(run(&["inspect", file]).out.contains("journal       wal, text in UTF-8"));
    let report: serde_json::Value = serde_json::from_str(&run(&["inspect", file, "--json"]).out).unwrap();
    assert_eq!(report["versions"]["journal_mode"], "wal");
}

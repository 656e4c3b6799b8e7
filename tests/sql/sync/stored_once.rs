//! The data of a downloaded row are in its table alone, and nobody notices (docs/reference/tables.md#data-in-place).

use rowtide_testkit::Host;
use rowtide_testkit::invariants::assert_consistent;
use rowtide_testkit::service::Service;
use rowtide_testkit::session::{BUCKET, Session};
use serde_json::{Value, json};

use crate::migrations::stored_format::{NEWEST, PUBLISHED, migrate};

/// As many rows as make a large download.
const MANY: usize = 1500;

fn schema() -> Value {
    let indexes = json!([{"name": "by_a", "columns": [{"name": "a", "ascending": true, "type": "text"}]}]);
    json!({"tables": [{"name": "t", "columns": [{"name": "a", "type": "text"}], "indexes": indexes}]})
}

fn put_rows(service: &mut Service, bucket: &str, rows: std::ops::Range<usize>, content: &str) {
    for row in rows {
        service.put_text(bucket, "t", &format!("{row:05}"), None, &json!({"a": content}).to_string());
    }
}

/// A session whose first download is stored, and not published.
fn downloaded(host: Host) -> Session {
    let mut session = Session::start(host, &json!({}));
    put_rows(&mut session.service, BUCKET, 0..MANY, "first");
    let mut lines = session.service.lines(0);
    lines.pop();
    lines.iter().for_each(|line| drop(session.host.line(line)));
    session
}

fn host() -> Host {
    let host = Host::open_in_memory();
    host.replace_schema(&schema());
    host
}

fn complete(session: &Session) {
    let told = session.host.line(&session.service.complete()).to_string();
    assert!(told.contains("DidCompleteSync"), "{told}");
}

#[track_caller]
fn assert_shown(host: &Host, first: usize, second: usize) {
    let shown = host.table("SELECT sum(a = 'first'), sum(a = 'second') FROM t");
    assert_eq!(shown, json!([[first, second]]));
    let by_index = "SELECT count(*) FROM ps_data__t INDEXED BY ps_data__t__by_a
        WHERE CAST(json_extract(data, '$.a') AS text) = 'first'";
    assert_eq!(host.value(by_index), first);
    assert_consistent(host);
}

/// Local writes were uploaded, and the service has seen them.
fn acknowledge_writes(host: &Host) {
    host.execute("DELETE FROM ps_crud; DELETE FROM ps_kv WHERE key LIKE '%request_id'");
}

/// How many operations have data of their own, and how many are entered by their row.
fn stored_twice(host: &Host) -> Value {
    host.table("SELECT (SELECT count(data) FROM ps_operations), (SELECT count(*) FROM ps_row_operations)")
}

fn pending_tables(host: &Host) -> Value {
    host.value("SELECT count(*) FROM sqlite_schema WHERE name GLOB 'ps_pending__*'")
}

#[test]
fn the_first_download_is_stored_once_and_shown_when_it_is_complete() {
    let session = downloaded(host());
    assert_eq!(session.host.value("SELECT count(*) FROM t"), 0);
    assert_eq!(session.host.value("SELECT count(*) FROM ps_data__t"), 0);
    assert_eq!(session.host.value("SELECT count(*) FROM ps_pending__t"), MANY);
    assert_eq!(session.host.value("SELECT count(*) FROM ps_oplog WHERE data = '{\"a\":\"first\"}'"), MANY);
    complete(&session);
    assert_shown(&session.host, MANY, 0);
    assert_eq!(stored_twice(&session.host), json!([[0, 0]]));
    assert_eq!(pending_tables(&session.host), 0);
    assert_eq!(session.host.value("SELECT count(*) FROM ps_oplog WHERE data = '{\"a\":\"first\"}'"), MANY);
}

/// Whether a connection that is given the applied schema again finds it applied without looking at each object.
fn is_schema_known(host: &Host) -> bool {
    host.value("SELECT s.schema_version = v.schema_version FROM ps_schema AS s, pragma_schema_version AS v") == 1
}

#[test]
fn the_schema_is_still_known_after_a_clear() {
    let session = downloaded(host());
    complete(&session);
    session.host.control("stop", ());
    session.host.transaction("SELECT powersync_clear(0)", []);
    assert!(is_schema_known(&session.host), "the triggers of a large table were dropped and made again");
}

#[test]
fn who_watches_the_table_notices_and_the_schema_is_still_known() {
    let session = downloaded(host());
    session.written_tables();
    complete(&session);
    assert_eq!(session.written_tables(), json!(["ps_data__t"]));
    let before = session.host.value("PRAGMA schema_version");
    session.host.control("stop", ());
    session.host.replace_schema(&schema());
    assert_eq!(session.host.value("PRAGMA schema_version"), before);
    assert!(is_schema_known(&session.host), "another connection would look through the database");
}

#[test]
fn triggers_of_the_app_see_rows_when_they_are_published() {
    for when in ["before", "meanwhile"] {
        let trigger = "CREATE TABLE seen(id); CREATE TRIGGER watch AFTER INSERT ON ps_data__t BEGIN
            INSERT INTO seen VALUES (NEW.id); END";
        let host = host();
        if when == "before" {
            host.execute(trigger);
        }
        let session = downloaded(host);
        if when == "meanwhile" {
            session.host.execute(trigger);
        }
        assert_eq!(session.host.value("SELECT count(*) FROM seen"), 0, "{when}");
        complete(&session);
        assert_eq!(session.host.value("SELECT count(DISTINCT id) FROM seen"), MANY, "{when}");
        assert_eq!(session.host.value("SELECT count(*) FROM sqlite_schema WHERE name = 'watch'"), 1);
        assert_shown(&session.host, MANY, 0);
    }
}

#[test]
fn objects_of_the_app_on_the_table_stay() {
    let host = host();
    host.execute("CREATE INDEX mine ON ps_data__t(data); CREATE VIEW over AS SELECT a FROM t");
    let session = downloaded(host);
    complete(&session);
    assert_eq!(session.host.value("SELECT count(*) FROM over"), MANY);
    assert_eq!(session.host.value("SELECT count(*) FROM ps_data__t INDEXED BY mine WHERE data > ''"), MANY);
    assert_shown(&session.host, MANY, 0);
}

#[test]
fn a_reader_of_the_app_on_the_connection_disturbs_nothing() {
    let session = downloaded(host());
    session.host.execute("CREATE TABLE numbers(n); INSERT INTO numbers VALUES (1), (2), (3)");
    {
        let mut reading = session.host.connection().prepare("SELECT n FROM numbers").unwrap();
        let mut rows = reading.query([]).unwrap();
        rows.next().unwrap();
        complete(&session);
        assert!(rows.next().unwrap().is_some() && rows.next().unwrap().is_some());
    }
    assert_shown(&session.host, MANY, 0);
    assert_eq!(stored_twice(&session.host), json!([[0, 0]]));
}

#[test]
fn rows_of_several_buckets_and_subkeys_are_shown_as_the_newest_operation_says() {
    let mut session = Session::start(host(), &json!({}));
    put_rows(&mut session.service, "a", 0..MANY, "first");
    put_rows(&mut session.service, "b", 1000..1200, "second");
    for row in 0..10 {
        session.service.put_text("a", "t", &format!("{row:05}"), Some("other"), r#"{"a":"second"}"#);
        session.service.remove("a", "t", &format!("{:05}", 100 + row));
    }
    session.sync();
    assert_shown(&session.host, MANY - 220, 210);
    session.service.buckets.remove("b");
    session.service.put_text("a", "t", "00000", None, r#"{"a":"second"}"#);
    session.sync();
    assert_shown(&session.host, MANY - 20, 10);
}

#[test]
fn parts_of_a_checkpoint_are_appended() {
    let mut session = Session::start(host(), &json!({}));
    for (priority, bucket) in ["a", "b", "c"].into_iter().enumerate() {
        session.service.bucket(bucket).priority = priority as i64 + 1;
        put_rows(&mut session.service, bucket, priority * MANY..(priority + 1) * MANY, "first");
    }
    let mut lines = session.service.lines(0);
    let complete = lines.pop().unwrap();
    session.host.line(&lines[0]);
    for (part, line) in lines[1..].iter().enumerate() {
        session.host.line(line);
        session.host.line(&session.service.partial_complete(part as i64 + 1));
        assert_eq!(session.host.value("SELECT count(*) FROM t"), (part + 1) * MANY);
    }
    session.host.line(&complete);
    assert_shown(&session.host, 3 * MANY, 0);
    assert_eq!(stored_twice(&session.host), json!([[0, 0]]));
    assert_eq!(pending_tables(&session.host), 0);
}

#[test]
fn a_part_of_a_checkpoint_shows_no_row_that_is_removed() {
    let mut session = Session::start(host(), &json!({}));
    session.service.bucket("a").priority = 1;
    session.service.bucket("b").priority = 2;
    put_rows(&mut session.service, "a", 0..MANY, "first");
    put_rows(&mut session.service, "b", MANY..MANY + 1, "first");
    session.host.line(&session.service.checkpoint());
    let after = session.service.last_op_id;
    session.host.line(&session.service.data("a", 0));
    // Another iteration does not know what this one has stored.
    session.host.control("start", ());
    session.service.remove("a", "t", "00007");
    session.host.line(&session.service.checkpoint());
    session.host.line(&session.service.data("a", after));
    session.host.line(&session.service.partial_complete(1));
    assert_eq!(session.host.value("SELECT count(*) FROM t"), MANY - 1);
    assert_eq!(session.host.value("SELECT count(*) FROM t WHERE id = '00007'"), 0);
    session.host.line(&session.service.data("b", 0));
    complete(&session);
    assert_shown(&session.host, MANY, 0);
}

#[test]
fn what_is_downloaded_next_to_local_rows_is_appended() {
    let session = downloaded(host());
    session.host.execute("INSERT INTO t(id, a) VALUES ('00001', 'mine'), ('mine', 'mine')");
    acknowledge_writes(&session.host);
    complete(&session);
    // The service has not acknowledged the row that only the client had.
    assert_shown(&session.host, MANY, 0);
    assert_eq!(session.host.value("SELECT count(*) FROM t"), MANY);
}

#[test]
fn local_writes_keep_what_was_downloaded() {
    for write in [
        "UPDATE t SET a = 'mine' WHERE id = '00007'",
        "DELETE FROM t WHERE id = '00007'",
        "INSERT OR REPLACE INTO t(id, a) VALUES ('00007', 'mine')",
        "UPDATE ps_data__t SET data = '{}' WHERE id = '00007'",
        "DELETE FROM ps_data__t WHERE id = '00007'",
    ] {
        let session = downloaded(host());
        complete(&session);
        session.host.execute(write);
        assert_eq!(stored_twice(&session.host), json!([[1, 1]]), "{write}");
        // The backend has refused it.
        session.host.execute(
            "DELETE FROM ps_crud; DELETE FROM ps_kv WHERE key LIKE '%request_id';
             INSERT INTO ps_updated_rows(row_type, row_id, downloaded) VALUES ('t', '00007', 1)",
        );
        let mut session = session;
        session.put("unknown", "x", "{}");
        session.sync();
        assert_shown(&session.host, MANY, 0);
        session.put("t", "00007", r#"{"a":"second"}"#);
        session.sync();
        assert_shown(&session.host, MANY - 1, 1);
    }
}

#[test]
fn every_way_down_and_up_keeps_what_is_shown_and_what_waits() {
    for is_published in [false, true] {
        for format in [NEWEST - 1, PUBLISHED] {
            let session = downloaded(host());
            if is_published {
                complete(&session);
            }
            session.host.control("stop", ());
            migrate(&session.host, format);
            assert_eq!(session.host.value("SELECT count(*) FROM ps_oplog WHERE data = '{\"a\":\"first\"}'"), MANY);
            assert_eq!(pending_tables(&session.host), 0);
            session.host.replace_schema(&schema());
            session.host.control("start", ());
            session.host.line(&session.service.checkpoint());
            complete(&session);
            assert_shown(&session.host, MANY, 0);
        }
    }
}

#[test]
fn what_waits_is_forgotten_or_kept_with_its_operations() {
    let clear = |host: &Host, flags: i64| {
        host.control("stop", ());
        host.transaction("SELECT powersync_clear(?)", [flags]);
    };
    let waiting = |host: &Host| {
        let operations = host.value("SELECT count(*) FROM ps_operations");
        let data = host.value("SELECT count(*) FROM ps_oplog WHERE data = '{\"a\":\"first\"}'");
        (operations, data)
    };
    let session = downloaded(host());
    clear(&session.host, 0);
    assert_eq!(waiting(&session.host), (json!(0), json!(0)));
    assert_eq!(session.host.value("SELECT count(*) FROM ps_pending__t"), 0);
    for is_published in [false, true] {
        let session = downloaded(host());
        if is_published {
            complete(&session);
        }
        // A soft one.
        clear(&session.host, 2);
        assert_eq!(session.host.value("SELECT count(*) FROM t"), 0);
        assert_eq!(waiting(&session.host), (json!(MANY), json!(MANY)), "{is_published}");
        session.host.control("start", ());
        session.host.line(&session.service.checkpoint());
        complete(&session);
        assert_shown(&session.host, MANY, 0);
    }
    let mut session = downloaded(host());
    session.service.buckets.remove(BUCKET);
    session.service.put_text("b", "t", "b", None, r#"{"a":"second"}"#);
    session.sync();
    assert_shown(&session.host, 0, 1);
    assert_eq!(pending_tables(&session.host), 0);
}

#[test]
fn vacuum_loses_nothing() {
    for is_published in [false, true] {
        let mut session = downloaded(host());
        if is_published {
            complete(&session);
            session.host.execute("DELETE FROM t WHERE id < '00100'; DELETE FROM ps_crud");
            session.host.execute("DELETE FROM ps_kv WHERE key LIKE '%request_id'");
        }
        session.host.execute("VACUUM");
        if is_published {
            session.put("unknown", "x", "{}");
            session.sync();
        } else {
            complete(&session);
        }
        assert_shown(&session.host, MANY, 0);
    }
}

#[test]
fn tables_of_earlier_versions_serve_as_they_are() {
    let host = Host::open_in_memory();
    host.initialize();
    host.execute("CREATE TABLE \"ps_data__t\"(id TEXT PRIMARY KEY NOT NULL, data TEXT)");
    host.replace_schema(&schema());
    let mut session = downloaded(host);
    assert_eq!(pending_tables(&session.host), 0);
    complete(&session);
    assert_shown(&session.host, MANY, 0);
    assert_eq!(stored_twice(&session.host), json!([[MANY, MANY]]));
    session.host.execute("UPDATE t SET a = 'mine' WHERE id = '00001'");
    acknowledge_writes(&session.host);
    session.put("t", "00002", r#"{"a":"second"}"#);
    session.sync();
    assert_shown(&session.host, MANY - 1, 1);
    session.host.replace_schema(&json!({"tables": []}));
    session.host.replace_schema(&schema());
    assert_shown(&session.host, MANY - 1, 1);
}

#[test]
fn a_cleared_table_of_an_earlier_version_stores_rows_once_from_then_on() {
    for (object, is_renewed) in [
        ("SELECT 1", true),
        ("CREATE VIEW mine AS SELECT * FROM ps_data__t", true),
        ("CREATE INDEX mine ON ps_data__t(length(id))", true),
        ("CREATE TRIGGER mine AFTER INSERT ON ps_data__t BEGIN SELECT 1; END", false),
        ("ALTER TABLE ps_data__t ADD COLUMN mine", false),
    ] {
        let host = Host::open_in_memory();
        host.initialize();
        host.execute("CREATE TABLE \"ps_data__t\"(id TEXT PRIMARY KEY NOT NULL, data TEXT)");
        host.execute(object);
        host.replace_schema(&schema());
        let session = downloaded(host);
        complete(&session);
        session.host.control("stop", ());
        session.host.transaction("SELECT powersync_clear(0)", []);
        let host = session.host;
        assert!(is_schema_known(&host), "{object}");
        let session = downloaded(host);
        complete(&session);
        assert_shown(&session.host, MANY, 0);
        let twice = if is_renewed { 0 } else { MANY };
        assert_eq!(stored_twice(&session.host), json!([[twice, twice]]), "{object}");
        migrate(&session.host, PUBLISHED);
        assert_eq!(session.host.value("SELECT count(*) FROM ps_oplog"), MANY, "{object}");
        migrate(&session.host, NEWEST);
        assert_shown(&session.host, MANY, 0);
    }
}

#[test]
fn columns_that_the_app_adds_change_nothing() {
    for is_published in [false, true] {
        let mut session = downloaded(host());
        if is_published {
            complete(&session);
        }
        session.host.execute("ALTER TABLE ps_data__t ADD COLUMN extra");
        complete(&session);
        assert_shown(&session.host, MANY, 0);
        assert_eq!(stored_twice(&session.host), json!([[0, 0]]));
        assert_eq!(session.host.value("SELECT count(extra) FROM ps_data__t"), 0);
        session.host.execute("UPDATE t SET a = 'mine' WHERE id = '00001'");
        acknowledge_writes(&session.host);
        session.put("t", "00002", r#"{"a":"second"}"#);
        session.sync();
        assert_shown(&session.host, MANY - 1, 1);
        session.host.replace_schema(&json!({"tables": []}));
        assert_eq!(session.host.value("SELECT count(data) FROM ps_operations"), MANY);
        session.host.replace_schema(&schema());
        assert_shown(&session.host, MANY - 1, 1);
    }
}

#[test]
fn a_type_may_leave_the_schema_and_come_back() {
    for is_published in [false, true] {
        let session = downloaded(host());
        if is_published {
            complete(&session);
        }
        session.host.control("stop", ());
        session.host.replace_schema(&json!({"tables": []}));
        assert_eq!(pending_tables(&session.host), 0);
        assert_eq!(stored_twice(&session.host), json!([[MANY, if is_published { MANY } else { 0 }]]));
        session.host.control("start", ());
        session.host.line(&session.service.checkpoint());
        complete(&session);
        assert_eq!(session.host.value("SELECT count(*) FROM ps_untyped"), MANY);
        session.host.replace_schema(&schema());
        session.host.line(&session.service.checkpoint());
        assert_shown(&session.host, MANY, 0);
    }
}

#[test]
fn a_bucket_that_comes_again_under_the_same_ids_is_shown_as_it_is_now() {
    let mut session = downloaded(host());
    complete(&session);
    session.service.buckets.remove(BUCKET);
    session.host.line(&session.service.checkpoint());
    // The rows are still shown; the bucket is downloaded again before anything is published.
    put_rows(&mut session.service, BUCKET, 0..MANY - 1, "second");
    let lines = session.service.lines(0);
    for line in &lines[..lines.len() - 1] {
        session.host.line(line);
    }
    assert_eq!(session.host.value("SELECT count(*) FROM t WHERE a = 'first'"), MANY);
    session.host.execute("UPDATE t SET a = 'mine' WHERE id = '00003'; DELETE FROM ps_crud");
    session.host.execute("DELETE FROM ps_kv WHERE key LIKE '%request_id'");
    complete(&session);
    assert_shown(&session.host, 0, MANY - 1);
}

#[test]
fn when_nearly_all_rows_of_a_table_go_the_others_stay_as_they_are() {
    for (object, rest, is_replaced) in [
        ("SELECT 1", 0, true),
        ("SELECT 1", 20, true),
        ("CREATE INDEX mine ON ps_data__t(length(id))", 20, true),
        ("SELECT 1", MANY / 2, false),
        (
            "CREATE TABLE seen(id); CREATE TRIGGER mine AFTER DELETE ON ps_data__t BEGIN INSERT INTO seen VALUES (OLD.id); END",
            20,
            false,
        ),
        ("PRAGMA foreign_keys = ON; CREATE TABLE child(id REFERENCES ps_data__t(id) ON DELETE CASCADE)", 20, false),
    ] {
        let mut session = downloaded(host());
        complete(&session);
        put_rows(&mut session.service, "rest", MANY..MANY + rest, "second");
        session.sync();
        session.host.execute(object);
        let rowids = "SELECT json_group_array(rowid) FROM ps_data__t WHERE id >= '01500'";
        let before = session.host.value(rowids);
        session.service.buckets.remove(BUCKET);
        session.host.line(&session.service.checkpoint());
        // The list of rows to look at is emptied in any case.
        let total = || session.host.value("SELECT total_changes()").as_u64().unwrap_or_default() as usize;
        let changes = total();
        complete(&session);
        let changes = total() - changes;
        assert_eq!(session.host.value("SELECT count(*) FROM t WHERE a = 'second'"), rest);
        assert_consistent(&session.host);
        assert_eq!(session.host.value(rowids), before, "{object}");
        assert_eq!(changes < 2 * MANY, is_replaced, "{changes} changes, {object}, {rest}");
        if object.contains("seen") {
            assert_eq!(session.host.value("SELECT count(*) FROM seen"), MANY);
        }
        assert_eq!(is_schema_known(&session.host), object == "SELECT 1", "{object}");
        // Updates through the view still keep what was downloaded.
        session.host.execute("UPDATE t SET a = 'mine' WHERE a = 'second'");
        assert_consistent(&session.host);
        put_rows(&mut session.service, "rest", MANY..MANY + rest, "second");
        acknowledge_writes(&session.host);
        session.sync();
        assert_eq!(session.host.value("SELECT count(*) FROM t WHERE a = 'second'"), rest);
        assert_consistent(&session.host);
    }
}

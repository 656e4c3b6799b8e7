//! The start option `"gate": "rows"`: only rows with local writes are held back
//! (docs/reference/sync-client.md#the-row-wise-gate).

use rowtide_testkit::counters::Counters;
use rowtide_testkit::service::Service;
use rowtide_testkit::{Host, invariants};
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::migrations::stored_format::{FIRST_OWN, PUBLISHED, migrate};

const TARGET: &str = "target_checkpoint_request_id";

/// A client with `"gate": "rows"`, and a service.
struct Client {
    host: Host,
    service: Service,
    /// The newest operation that the client has received.
    received: i64,
}

impl Client {
    fn new() -> Self {
        Self::on(Host::open_in_memory())
    }

    fn on(host: Host) -> Self {
        host.replace_schema(&json!({"tables": [{"name": "lists", "columns": [{"name": "name", "type": "text"}]}]}));
        host.control("start", json!({"gate": "rows"}));
        Client { host, service: Service::new(), received: 0 }
    }

    /// A client that shows row 1 as `old`, and has then written `mine` to it, while row 2 is `old` too.
    fn with_local_write() -> Self {
        let mut client = Self::new();
        client.put("a", "1", "old");
        client.put("a", "2", "old");
        client.sync();
        client.host.execute("UPDATE lists SET name = 'mine' WHERE id = '1'");
        client
    }

    fn put(&mut self, bucket: &str, id: &str, name: &str) {
        self.service.put(bucket, "lists", id, &json!({"name": name}));
    }

    /// Receives a checkpoint and its data.
    fn download(&mut self) {
        let mut lines = self.service.lines(self.received);
        lines.pop();
        lines.iter().for_each(|line| drop(self.host.line(line)));
        self.received = self.service.last_op_id;
    }

    /// Receives a whole checkpoint, and gives the instructions of its end.
    fn sync(&mut self) -> Value {
        self.download();
        self.host.line(&self.service.complete())
    }

    #[track_caller]
    fn sync_behind_gate(&mut self) {
        let instructions = self.sync();
        assert_eq!(instructions[0], json!({"CheckpointDelayedDueToLocalData": {}}));
        invariants::assert_consistent(&self.host);
    }

    /// The upload arrives, and the service acknowledges it.
    fn acknowledge(&mut self) {
        self.host.execute("DELETE FROM ps_crud");
        self.host.control(TARGET, 1);
        self.service.write_checkpoint = Some(1);
    }

    /// The last checkpoint is published as a whole, and nothing is left to do.
    #[track_caller]
    fn finish(&mut self) {
        self.acknowledge();
        let instructions = self.sync();
        let kinds: Vec<&String> =
            instructions.as_array().unwrap().iter().flat_map(|one| one.as_object().unwrap().keys()).collect();
        assert!(kinds.contains(&&"DidCompleteSync".to_owned()), "{kinds:?}");
        let shown: Vec<_> = self.service.rows().into_iter().map(|((_, id), data)| json!([id, data])).collect();
        assert_eq!(self.host.table("SELECT id, data FROM ps_data__lists ORDER BY id"), json!(shown));
        assert_eq!(self.host.value("SELECT count(*) FROM ps_updated_rows"), 0);
        assert_eq!(self.host.value("SELECT count(*) FROM ps_buckets WHERE last_applied_op < last_op"), 0);
        invariants::assert_consistent(&self.host);
    }

    #[track_caller]
    fn assert_shown(&self, expected: Value) {
        assert_eq!(self.host.table("SELECT id, name FROM lists ORDER BY id"), expected);
    }

    fn held_back(&self) -> Value {
        let diagnosis = self.host.value("SELECT powersync_diagnose()");
        serde_json::from_str::<Value>(diagnosis.as_str().unwrap()).unwrap()["gate"]["rows_held_back"].clone()
    }

    fn explain(&self, id: &str) -> Value {
        let text = self.host.value_with("SELECT powersync_explain('lists', ?)", [id]);
        serde_json::from_str(text.as_str().unwrap()).unwrap()
    }
}

#[test]
fn rows_without_local_writes_are_published() {
    let mut client = Client::with_local_write();
    let applied = client.host.value("SELECT last_applied_op FROM ps_buckets");
    for name in ["theirs", "theirs again"] {
        ["1", "2", "3"].iter().for_each(|id| client.put("a", id, name));
        client.sync_behind_gate();
        client.assert_shown(json!([["1", "mine"], ["2", name], ["3", name]]));
        assert_eq!(client.host.value("SELECT last_applied_op FROM ps_buckets"), applied);
        assert_eq!(client.held_back(), 1);
    }
    // Uploaded is not acknowledged.
    client.host.execute("DELETE FROM ps_crud");
    client.host.control(TARGET, 1);
    client.put("a", "1", "too early");
    client.put("a", "2", "newest");
    client.sync_behind_gate();
    client.assert_shown(json!([["1", "mine"], ["2", "newest"], ["3", "theirs again"]]));
    client.finish();
    assert_eq!(client.held_back(), 0);
}

#[test]
fn the_status_no_longer_downloads_and_nothing_counts_as_synced() {
    let mut client = Client::new();
    client.host.execute("INSERT INTO lists(id, name) VALUES ('1', 'mine')");
    client.put("a", "2", "theirs");
    let instructions = client.sync();
    let kinds: Vec<&String> =
        instructions.as_array().unwrap().iter().flat_map(|one| one.as_object().unwrap().keys()).collect();
    assert_eq!(kinds, ["CheckpointDelayedDueToLocalData", "LogLine", "UpdateSyncStatus"]);
    let status = &instructions[2]["UpdateSyncStatus"]["status"];
    assert_eq!((&status["downloading"], &status["priority_status"]), (&Value::Null, &json!([])));
    // The same again is no news.
    let instructions = client.host.line(&client.service.complete());
    assert_eq!(instructions.as_array().unwrap().len(), 2);
    client.put("a", "3", "theirs");
    client.download();
    assert_eq!(client.host.control("completed_upload", ()), json!([]));
    client.assert_shown(json!([["1", "mine"], ["2", "theirs"]]));
    client.finish();
}

#[test]
fn without_the_option_everything_waits() {
    for options in [json!({}), json!({"gate": null}), json!({"gate": "all"})] {
        let mut client = Client::with_local_write();
        client.host.control("start", options);
        client.put("a", "2", "theirs");
        let instructions = client.sync();
        assert_eq!(instructions.as_array().unwrap().len(), 2, "{instructions}");
        client.assert_shown(json!([["1", "mine"], ["2", "old"]]));
        client.host.control("start", json!({"gate": "rows"}));
        client.sync_behind_gate();
        client.assert_shown(json!([["1", "mine"], ["2", "theirs"]]));
        client.put("a", "2", "newest");
        client.host.control("start", ());
        client.sync_behind_gate();
        client.assert_shown(json!([["1", "mine"], ["2", "theirs"]]));
        client.finish();
    }
}

#[test]
fn entries_of_the_queue_hold_rows_without_a_mark() {
    let mut client = Client::with_local_write();
    client.host.execute(
        r#"UPDATE ps_data__lists SET data = '{"name":"by trigger"}' WHERE id = '2';
        INSERT INTO powersync_crud_(data) VALUES ('{"op":"PATCH","type":"lists","id":"2","data":{}}'), ('no JSON'),
            ('{"op":"PUT"}'), (NULL)"#,
    );
    client.put("a", "2", "theirs");
    client.sync_behind_gate();
    client.assert_shown(json!([["1", "mine"], ["2", "by trigger"]]));
    assert_eq!(client.explain("2")["state"], "changed locally");
    client.host.execute("DELETE FROM ps_crud");
    assert_eq!(client.explain("2")["state"], "newer version waits for the gate");
    let version = &client.explain("2")["versions"][0];
    assert_eq!((&version["pending"], &version["published"]), (&json!(true), &json!(false)));
    assert_eq!(client.held_back(), 1);
    client.sync_behind_gate();
    client.assert_shown(json!([["1", "mine"], ["2", "theirs"]]));
    assert_eq!(client.explain("2")["state"], "as downloaded");
    assert_eq!(client.held_back(), 0);
    client.finish();
}

#[test]
fn rows_are_removed_unless_they_were_written() {
    let mut client = Client::with_local_write();
    client.put("b", "3", "other");
    client.put("b", "1", "other");
    client.sync_behind_gate();
    client.assert_shown(json!([["1", "mine"], ["2", "old"], ["3", "other"]]));
    client.service.remove("a", "lists", "1");
    client.service.remove("a", "lists", "2");
    client.sync_behind_gate();
    client.assert_shown(json!([["1", "mine"], ["3", "other"]]));
    client.service.buckets.remove("b");
    client.service.last_op_id += 1;
    client.sync_behind_gate();
    client.assert_shown(json!([["1", "mine"]]));
    assert_eq!(client.explain("1")["versions"], json!([]));
    client.put("a", "2", "back");
    client.sync_behind_gate();
    client.assert_shown(json!([["1", "mine"], ["2", "back"]]));
    client.finish();
    client.assert_shown(json!([["2", "back"]]));
}

#[test]
fn a_deleted_row_does_not_come_back_before_it_is_acknowledged() {
    let mut client = Client::with_local_write();
    client.host.execute("DELETE FROM lists WHERE id = '2'");
    client.put("a", "2", "theirs");
    client.sync_behind_gate();
    client.assert_shown(json!([["1", "mine"]]));
    client.service.remove("a", "lists", "2");
    client.finish();
}

#[test]
fn a_bucket_that_starts_over_shows_its_rows() {
    let mut client = Client::with_local_write();
    client.put("a", "1", "theirs");
    client.put("a", "2", "theirs");
    client.service.clear_start("a");
    client.received = 0;
    client.service.last_op_id += 10;
    client.host.execute("UPDATE ps_buckets SET last_op = 0; UPDATE ps_checkpoint SET last_op = 0");
    client.host.control("start", json!({"gate": "rows"}));
    client.sync_behind_gate();
    client.assert_shown(json!([["1", "mine"], ["2", "theirs"]]));
    client.finish();
}

#[test]
fn parts_of_a_checkpoint_are_published_around_local_writes_too() {
    for priority in [0, 1] {
        let mut client = Client::with_local_write();
        client.service.bucket("urgent").priority = priority;
        for id in ["1", "2", "3"] {
            client.put("a", id, "late");
            client.put("urgent", id, "urgent");
        }
        client.download();
        let instructions = client.host.line(&client.service.partial_complete(priority));
        client.assert_shown(json!([["1", "mine"], ["2", "urgent"], ["3", "urgent"]]));
        if priority == 0 {
            let times = &instructions[0]["UpdateSyncStatus"]["status"]["priority_status"];
            assert_eq!(times[0]["priority"], 0, "{instructions}");
        } else {
            assert_eq!(instructions, json!([{"CheckpointDelayedDueToLocalData": {}}]));
        }
        client.put("a", "2", "later");
        client.service.remove("urgent", "lists", "3");
        client.download();
        client.host.line(&client.service.partial_complete(priority));
        client.assert_shown(json!([["1", "mine"], ["2", "urgent"], ["3", "urgent"]]));
        client.sync_behind_gate();
        client.assert_shown(json!([["1", "mine"], ["2", "later"], ["3", "late"]]));
        client.finish();
    }
}

#[test]
fn a_checkpoint_of_priority_0_alone_overwrites_no_local_write() {
    let mut client = Client::new();
    client.service.bucket("a").priority = 0;
    client.put("a", "1", "old");
    client.sync();
    client.host.execute("UPDATE lists SET name = 'mine'");
    client.put("a", "1", "theirs");
    client.put("a", "2", "theirs");
    client.sync_behind_gate();
    client.assert_shown(json!([["1", "mine"], ["2", "theirs"]]));
    client.finish();
}

#[test]
fn a_resync_shows_all_rows_but_those_held_back() {
    let mut client = Client::with_local_write();
    // Before and after one that the gate has held back.
    for name in ["x", "y"] {
        client.host.control("stop", ());
        client.host.transaction("SELECT powersync_trigger_resync(0)", []);
        client.host.execute("DELETE FROM ps_data__lists WHERE id = '2'");
        client.host.control("start", json!({"gate": "rows"}));
        client.put("a", "3", name);
        client.sync_behind_gate();
        client.assert_shown(json!([["1", "mine"], ["2", "old"], ["3", name]]));
    }
    client.finish();
}

#[test]
fn other_formats_and_other_iterations_go_on_from_there() {
    for format in [1002, FIRST_OWN, PUBLISHED] {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("app.db");
        let mut client = Client::on(Host::open(&path));
        client.put("a", "1", "old");
        client.host.execute("INSERT INTO lists(id, name) VALUES ('1', 'mine'), ('4', 'gone')");
        client.put("a", "2", "theirs");
        client.sync_behind_gate();
        client.service.remove("a", "lists", "1");
        client.put("a", "3", "theirs");
        client.sync_behind_gate();
        migrate(&client.host, format);
        if format > PUBLISHED {
            assert_eq!(client.host.value("SELECT max(in_checkpoint) FROM ps_buckets"), 1);
        }
        let (service, received) = (client.service, client.received);
        drop(client.host);
        let host = Host::open(&path);
        let mut client = Client { service, received, ..Client::on(host) };
        client.assert_shown(json!([["1", "mine"], ["2", "theirs"], ["3", "theirs"], ["4", "gone"]]));
        client.put("a", "1", "back");
        client.put("a", "2", "newest");
        client.sync_behind_gate();
        // Of buckets that were never published as a whole, the way to format 14 marks all rows.
        let name = if format == PUBLISHED { "theirs" } else { "newest" };
        client.assert_shown(json!([["1", "mine"], ["2", name], ["3", "theirs"], ["4", "gone"]]));
        client.finish();
    }
}

#[test]
fn local_writes_of_another_client_hold_nothing_back() {
    let mut client = Client::with_local_write();
    client.host.transaction("SELECT powersync_adopt()", []);
    client.host.control("start", json!({"gate": "rows"}));
    client.host.execute("INSERT INTO lists(id, name) VALUES ('3', 'mine')");
    client.put("a", "2", "theirs");
    client.sync_behind_gate();
    client.assert_shown(json!([["1", "old"], ["2", "theirs"], ["3", "mine"]]));
    client.finish();
}

#[test]
fn rejected_writes_give_way_when_the_gate_opens() {
    let mut client = Client::with_local_write();
    client.host.transaction("SELECT powersync_crud_reject(tx_id, 'no', 'refused') FROM ps_crud", []);
    client.put("a", "2", "theirs");
    client.sync_behind_gate();
    client.assert_shown(json!([["1", "mine"], ["2", "theirs"]]));
    client.finish();
    client.assert_shown(json!([["1", "old"], ["2", "theirs"]]));
}

#[test]
fn marks_do_not_add_up_while_the_gate_is_closed() {
    let mut client = Client::with_local_write();
    for number in 0..20 {
        client.put("a", "1", &format!("theirs {number}"));
        client.sync_behind_gate();
    }
    assert_eq!(client.host.value("SELECT count(*) FROM ps_updated_rows"), 2);
    // Duplicates are dropped, but a local write stays one.
    client.host.execute("BEGIN");
    for number in 0..1500 {
        client.host.rows_with("UPDATE lists SET name = ? WHERE id = '1'", [format!("mine {number}")]);
    }
    client.host.execute("COMMIT");
    assert_eq!(client.host.value("SELECT count(*) FROM ps_updated_rows"), 2);
    client.put("a", "1", "theirs");
    client.sync_behind_gate();
    client.assert_shown(json!([["1", "mine 1499"], ["2", "old"]]));
    client.finish();
}

/// Steps that the end of a checkpoint with one changed row takes, with the gate closed, after that many rows.
fn steps_behind_gate(rows: usize, is_first_sync: bool) -> u64 {
    let mut connection = Connection::open_in_memory().unwrap();
    let counters = Counters::install(&mut connection).unwrap();
    let mut client = Client::on(Host::load_into(connection));
    if !is_first_sync {
        client.put("a", "first", "theirs");
        client.sync();
    }
    client.host.execute("INSERT INTO lists(id, name) VALUES ('mine', 'mine')");
    (0..rows).for_each(|number| client.put("a", &format!("row {number}"), "theirs"));
    client.sync_behind_gate();
    for name in ["warm", "up"] {
        client.put("a", "one", name);
        client.sync_behind_gate();
    }
    client.put("a", "one", "changed");
    client.download();
    let complete = client.service.complete();
    let (_, counts) = counters.count(|| client.host.line(&complete));
    client.finish();
    counts.steps
}

#[test]
fn a_checkpoint_behind_the_gate_costs_what_has_changed() {
    for is_first_sync in [false, true] {
        let (few, many) = (steps_behind_gate(10, is_first_sync), steps_behind_gate(2000, is_first_sync));
        assert!(many < few + 50, "{few} steps after 10 rows, {many} after 2000, first sync: {is_first_sync}");
    }
}

//! "Now" is what SQLite's file system says (docs/reference/sync-client.md#time): hosts and tests set the clock there.

use rowtide_testkit::Host;
use rowtide_testkit::faults::Disk;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

/// 2001-09-09 01:46:40 UTC, in milliseconds: long before the operating system's time.
const BEFORE: i64 = 1_000_000_000_000;

/// A time that is too far away to be the operating system's.
const FUTURE: i64 = 4_102_444_800_000;

const SECOND: i64 = 1000;

/// What the database has as times, of a time in milliseconds.
fn microseconds(time: i64) -> i64 {
    time * 1000
}

fn opened(disk: &Disk) -> Host {
    let connection = Connection::open_with_flags_and_vfs("/app.db", OpenFlags::default(), disk.vfs()).unwrap();
    let host = Host::load_into(connection);
    host.initialize();
    host
}

fn subscribe(host: &Host, name: &str, ttl: i64) {
    host.control("subscriptions", json!({"subscribe": {"stream": {"name": name}, "ttl": ttl}}));
}

fn status(instructions: &Value) -> &Value {
    let mut statuses = instructions.as_array().unwrap().iter().filter_map(|one| one.get("UpdateSyncStatus"));
    &statuses.next_back().unwrap()["status"]
}

fn offline(host: &Host) -> Value {
    serde_json::from_str(host.value("SELECT powersync_offline_sync_status()").as_str().unwrap()).unwrap()
}

fn checkpoint() -> Value {
    json!({"checkpoint": {"last_op_id": "1",
        "buckets": [{"bucket": "a", "checksum": 0, "priority": 1, "subscriptions": [{"sub": 0}]}],
        "streams": [{"name": "used", "is_default": false, "errors": []}]}})
}

#[test]
fn times_are_those_of_the_file_system() {
    for start in [BEFORE, FUTURE] {
        let disk = Disk::new();
        disk.set_time(start);
        let host = opened(&disk);
        subscribe(&host, "used", 100);
        subscribe(&host, "unused", 60);
        let expiry = "SELECT expires_at FROM ps_stream_subscriptions ORDER BY id";
        assert_eq!(
            host.table(expiry),
            json!([[microseconds(start + 100 * SECOND)], [microseconds(start + 60 * SECOND)]])
        );

        // The last moment of the second one. Streams in use are extended.
        disk.set_time(start + 60 * SECOND);
        let started = host.control("start", json!({"active_streams": [{"name": "used"}]}));
        assert_eq!(status(&started)["streams"].as_array().unwrap().len(), 2);
        assert_eq!(status(&started)["streams"][0]["expires_at"], microseconds(start + 160 * SECOND));

        host.line(&checkpoint());
        let partial = json!({"partial_checkpoint_complete": {"last_op_id": "1", "priority": 1}});
        let time = start + 60 * SECOND + 1;
        disk.set_time(time - 1);
        host.line(&json!({"token_expires_in": 3600}));
        disk.set_time(time);
        let published = host.line(&partial);
        let told = |priority: i64, time| json!([{"priority": priority, "last_synced_at": microseconds(time), "has_synced": true}]);
        assert_eq!(status(&published)["priority_status"], told(1, time));
        assert_eq!(status(&published)["streams"][0]["last_synced_at"], microseconds(time));

        let time = time + 5;
        disk.set_time(time);
        let published = host.line(&json!({"checkpoint_complete": {"last_op_id": "1"}}));
        assert_eq!(status(&published)["priority_status"], told(2_147_483_647, time));
        assert_eq!(status(&published)["streams"][1]["last_synced_at"], microseconds(time));
        assert_eq!(host.table("SELECT * FROM ps_sync_state"), json!([[2_147_483_647, microseconds(time)]]));
        let text = host.value_with("SELECT datetime(? / 1000, 'unixepoch')", [time]);
        assert_eq!(host.value("SELECT powersync_last_synced_at()"), text);
        assert_eq!(offline(&host)["priority_status"], told(2_147_483_647, time));

        // The second one has expired by now.
        let closed = host.line(&json!({"token_expires_in": 3600}));
        assert_eq!(closed.as_array().unwrap().last(), Some(&json!({"CloseSyncStream": {"hide_disconnect": true}})));
        let extended = microseconds(time + 100 * SECOND);
        assert_eq!(host.value(expiry), extended);
        let started = host.control("start", ());
        let streams = status(&started)["streams"].as_array().unwrap();
        assert_eq!((streams.len(), &streams[0]["expires_at"]), (1, &json!(extended)));
        host.try_close().unwrap();
    }
}

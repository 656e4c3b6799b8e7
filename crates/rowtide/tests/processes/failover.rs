//! Processes and servers that are killed.

use pg_server::Server;
use serde_json::{Value, json};

use crate::deployment::{Deployment, acknowledged, process, stream_from, write_checkpoint};
use crate::support::{Running, operations, puts, rows};

/// Reads the status until the process writes.
fn writes(running: &Running) {
    while process(running)["state"] != "writing" {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// Where a client with these lines is.
fn positions(lines: &[Value]) -> Value {
    let checkpoint = &lines[0]["checkpoint"];
    let last = checkpoint["last_op_id"].as_str().unwrap();
    let buckets = checkpoint["buckets"].as_array().unwrap().iter();
    buckets.map(|bucket| json!({"name": bucket["bucket"], "after": last})).collect()
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_standby_takes_over_from_a_killed_writer() {
    let deployment = Deployment::new();
    let mut first = deployment.with_source("all");
    let second = deployment.with_source("all");
    let api = deployment.api();
    let token = deployment.token("ann");
    let mut streams = [&second, &api].map(|process| process.stream(&token));
    for stream in &mut streams {
        assert_eq!(rows(&stream.checkpoint()), puts(&["n1", "n2"]));
    }
    first.signal("KILL");
    first.ended();
    deployment.write("INSERT INTO notes VALUES ('k1', 'ann', 'k')");
    // Asked while perhaps nobody writes: it is answered when somebody does.
    let id = write_checkpoint(&api, &token);
    writes(&second);
    deployment.write("UPDATE notes SET text = 'changed' WHERE id = 'n1'");
    deployment.write("INSERT INTO notes VALUES ('last', 'ann', 'k')");
    for stream in &mut streams {
        let mut seen = Vec::new();
        while !seen.iter().any(|(_, id)| id == "last") {
            seen.extend(rows(&stream.checkpoint()));
        }
        seen.sort();
        assert_eq!(seen, puts(&["k1", "last", "n1"]), "nothing is lost, nothing comes twice");
    }
    let mut fresh = stream_from(&api, &token, &json!([]));
    let lines = acknowledged(&mut fresh, id);
    let mut put: Vec<_> = operations(&lines).filter(|one| one["op"] == "PUT").map(|one| &one["object_id"]).collect();
    put.sort_by_key(ToString::to_string);
    assert_eq!(put, ["k1", "last", "n1", "n2"]);
    assert!(write_checkpoint(&second, &token) > id);
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn clients_of_a_killed_process_go_on_with_another() {
    let deployment = Deployment::new();
    let _writer = deployment.with_source("writer");
    let (mut first, second) = (deployment.api(), deployment.api());
    let token = deployment.token("ann");
    let mut other = second.stream(&token);
    other.checkpoint();
    let at = positions(&first.stream(&token).checkpoint());
    first.signal("KILL");
    first.ended();
    deployment.write("INSERT INTO notes VALUES ('k2', 'ann', 'k')");
    assert_eq!(rows(&other.checkpoint()), puts(&["k2"]));
    let mut moved = stream_from(&second, &token, &at);
    assert_eq!(rows(&moved.checkpoint()), puts(&["k2"]), "the client goes on where it was");
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn all_processes_survive_a_restart_of_the_server() {
    let server = Server::start("");
    let deployment = Deployment::on(&server);
    let (writer, api) = (deployment.with_source("all"), deployment.api());
    let token = deployment.token("ann");
    let mut streams = [&writer, &api].map(|process| process.stream(&token));
    streams.iter_mut().for_each(|stream| drop(stream.checkpoint()));
    server.kill();
    deployment.write("INSERT INTO notes VALUES ('r1', 'ann', 'r')");
    server.resume();
    for stream in &mut streams {
        let put = stream.operation(|operation| operation["object_id"] == "r1");
        assert_eq!(put["op"], "PUT", "the stream has stayed open");
    }
    assert!(write_checkpoint(&api, &token) > 0);
}

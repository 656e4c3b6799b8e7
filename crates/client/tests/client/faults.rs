//! Faults of the development service: whatever happens, in the end everything is on both sides.

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::support::{Device, Service};

/// Posts JSON to the service.
fn post(service: &Service, path: &str, body: &Value) -> Value {
    let address = service.url().trim_start_matches("http://").to_owned();
    let mut connection = TcpStream::connect(&address).unwrap();
    let body = body.to_string();
    write!(
        connection,
        "POST {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

fn set(service: &Service, fault: &str, on: bool) {
    post(service, "/dev/faults", &json!({fault: on}));
}

fn now(service: &Service, fault: &str) {
    assert!(post(service, "/dev/faults/now", &json!({"fault": fault}))["streams"].is_u64());
}

const TODOS: &str = "SELECT group_concat(id || ' ' || description || ' ' || done, '; ')
    FROM (SELECT * FROM todos WHERE list_id <> 'list-garden' ORDER BY id)";

/// Writes on both sides.
fn write(service: &Service, device: &Device, what: &str) {
    let values = |id: &str| format!("VALUES ('{id}-{what}', 'list-trip', 'Written', 0)");
    device.write(&format!("INSERT INTO todos (id, list_id, description, done) {}", values("here")));
    let there = format!("INSERT INTO todos (id, list_id, description, done) {}", values("there"));
    service.source().execute_batch(&there).unwrap();
}

/// Waits until both sides have the same rows, with what was written, and nothing is left to upload.
fn converged(service: &Service, device: &Device, what: &str) {
    device.wait_for(&format!("SELECT count(*) FROM todos WHERE id IN ('here-{what}', 'there-{what}')"), "2");
    device.wait_for("SELECT count(*) FROM ps_crud", "0");
    device.wait(|_| device.text(TODOS) == crate::support::text(&service.source(), TODOS));
}

#[test]
fn clients_converge_after_each_fault_that_stays() {
    let service = Service::start();
    let device = service.client("alice.db", "alice").synced();
    for fault in ["offline", "slow", "uploads_fail", "checkpoints_delayed"] {
        set(&service, fault, true);
        write(&service, &device, fault);
        match fault {
            "offline" => drop(device.wait(|status| status.download_error.is_some() && status.upload_error.is_some())),
            "uploads_fail" => drop(device.wait(|status| status.upload_error.is_some())),
            _ => {}
        }
        set(&service, fault, false);
        converged(&service, &device, fault);
    }
    device.wait(|status| status.connected && status.download_error.is_none() && status.upload_error.is_none());
}

#[test]
fn a_delayed_checkpoint_keeps_the_gate_closed() {
    let service = Service::start();
    let device = service.client("alice.db", "alice").synced();
    set(&service, "checkpoints_delayed", true);
    device.write("UPDATE todos SET description = 'Rye bread' WHERE id = 'todo-1'");
    // It is uploaded, but the service has not said so.
    device.wait_for("SELECT count(*) FROM ps_crud", "0");
    let source = "SELECT description FROM todos WHERE id = 'todo-1'";
    device.wait(|_| crate::support::text(&service.source(), source) == "Rye bread");
    service.source().execute_batch("UPDATE todos SET description = 'White bread' WHERE id = 'todo-1'").unwrap();
    assert_eq!(device.text(source), "Rye bread");
    set(&service, "checkpoints_delayed", false);
    device.wait_for(source, "White bread");
}

#[test]
fn clients_converge_after_each_fault_that_happens_once() {
    let service = Service::start();
    let device = service.client("alice.db", "alice").synced();
    for fault in ["cut", "expire", "compact", "redeploy"] {
        now(&service, fault);
        write(&service, &device, fault);
        converged(&service, &device, fault);
        device.wait(|status| status.connected && status.download_error.is_none());
    }
}

#[test]
fn a_wrong_checksum_leads_to_another_download_and_not_to_wrong_rows() {
    let service = Service::start();
    let device = service.client("alice.db", "alice").synced();
    let before = device.client.status().operations;
    now(&service, "checksum");
    write(&service, &device, "checksum");
    converged(&service, &device, "checksum");
    let status = device.wait(|status| status.connected && status.download_error.is_none());
    // What was written here comes back, and what was written there comes; more than these two is downloaded again.
    assert!(status.operations > before + 2, "{} after {before}", status.operations);
}

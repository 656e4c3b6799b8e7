//! Several iterations on one file whose streams are at different checkpoints: data of a newer one are no fault of the older
//! one, nothing is downloaded again for it, and nothing that was shown comes back.

use rowtide_testkit::invariants::assert_consistent;
use rowtide_testkit::service::Service;
use serde_json::{Value, json};

use crate::sync::shared_file::{Client, File, closes, completes, published, service, status};

/// A checkpoint was put off until the next one, without any harm.
#[track_caller]
fn assert_put_off(instructions: &Value) {
    assert_eq!(closes(instructions), None, "{instructions}");
    assert!(!completes(instructions) && instructions.to_string().contains("ahead of the checkpoint"), "{instructions}");
    assert!(!instructions.to_string().contains("WARNING"), "{instructions}");
}

/// Both at the same checkpoint, of which everything is published.
fn synced(service: &Service) -> (File, Client, Client) {
    let file = File::new();
    let [mut ahead, mut behind] = file.clients();
    assert!(completes(&ahead.sync(service)) && completes(&behind.sync(service)));
    published(&ahead.host);
    (file, ahead, behind)
}

/// Nobody had to connect again, and whoever looks at the end sees what the service has.
#[track_caller]
fn assert_at_peace(ahead: &Client, behind: &Client, service: &Service) {
    assert_eq!((ahead.starts, behind.starts), (1, 1));
    assert_eq!(ahead.names().as_array().unwrap().len(), service.rows().len());
    assert_consistent(&ahead.host);
}

#[test]
fn a_bucket_with_newer_operations_is_not_yet_valid() {
    let mut service = service(2);
    let (_file, mut ahead, mut behind) = synced(&service);
    service.put("a", "lists", "l", &json!({"name": "second"}));
    let second = service.clone();
    service.put("a", "lists", "l", &json!({"name": "third"}));
    service.put("b", "lists", "m", &json!({"name": "third"}));
    let third = service.clone();

    ahead.announce(&third);
    ahead.data(10);
    assert_put_off(&behind.sync(&second));
    assert_eq!(published(&ahead.host), json!([]));
    // The next checkpoint decides, for whichever of both it comes first.
    assert!(completes(&behind.sync(&third)));
    assert!(completes(&ahead.complete()));
    assert_eq!(published(&ahead.host), json!([["l", "insert"], ["m", "insert"]]));
    assert_at_peace(&ahead, &behind, &service);
    assert_eq!((ahead.received(), behind.received()), (7, 3));
}

#[test]
fn an_older_checkpoint_does_not_undo_a_newer_one() {
    let mut service = service(2);
    let (_file, mut ahead, mut behind) = synced(&service);
    service.put("a", "lists", "l", &json!({"name": "second"}));
    let second = service.clone();
    service.remove("b", "lists", "b000");
    assert!(completes(&ahead.sync(&service)));
    let put_off = behind.sync(&second);
    assert_put_off(&put_off);
    assert_eq!(published(&ahead.host), json!([["b000", "delete"], ["l", "insert"]]));
    let told = behind.sync(&service);
    assert!(completes(&told));
    assert_eq!(status(&told)["downloading"], Value::Null);
    assert_eq!(published(&ahead.host), json!([]));
    assert_at_peace(&ahead, &behind, &service);
}

#[test]
fn a_part_of_an_older_checkpoint_is_put_off_too() {
    let mut service = service(1);
    service.bucket("a").priority = 1;
    let (_file, mut ahead, mut behind) = synced(&service);
    service.put("a", "lists", "l", &json!({"name": "second"}));
    let second = service.clone();
    service.put("a", "lists", "l", &json!({"name": "third"}));
    ahead.announce(&service);
    ahead.data(10);
    behind.announce(&second);
    behind.data(10);
    assert_put_off(&behind.line(&second.partial_complete(1)));
    assert!(ahead.line(&service.partial_complete(1)).to_string().contains("UpdateSyncStatus"));
    assert_eq!(published(&ahead.host), json!([["l", "insert"]]));
    assert_put_off(&behind.line(&second.complete()));
    assert!(completes(&ahead.complete()) && completes(&behind.sync(&service)));
    assert_eq!(published(&ahead.host), json!([]));
    assert_at_peace(&ahead, &behind, &service);
}

#[test]
fn a_removed_bucket_does_not_come_back_with_an_older_checkpoint() {
    // With the removal only announced, and with the checkpoint that removes it published.
    for is_published in [false, true] {
        let mut service = service(2);
        let (_file, mut ahead, mut behind) = synced(&service);
        service.put("b", "lists", "l", &json!({"name": "second"}));
        let second = service.clone();
        service.buckets.remove("b");
        service.put("a", "lists", "m", &json!({"name": "third"}));
        ahead.announce(&service);
        if is_published {
            assert!(completes(&ahead.complete()));
        }
        behind.announce(&second);
        assert_put_off(&behind.complete());
        assert_eq!(ahead.host.table("SELECT name FROM ps_buckets"), json!([["a"]]), "data of it are not stored");
        if !is_published {
            assert!(completes(&ahead.complete()));
        }
        assert!(completes(&behind.sync(&service)));
        assert_eq!(published(&ahead.host), json!([["m", "insert"], ["b000", "delete"], ["b001", "delete"]]));
        assert_at_peace(&ahead, &behind, &service);
    }
}

#[test]
fn a_removed_bucket_of_which_nothing_was_received_does_not_come_back_either() {
    let mut service = service(2);
    let file = File::new();
    let [mut ahead, mut behind] = file.clients();
    ahead.sync(&service);
    behind.start();
    let old = {
        service.put("new", "lists", "n", &json!({"name": "new"}));
        service.clone()
    };
    behind.announce(&old);
    assert!(completes(&ahead.sync(&old)));
    service.buckets.remove("new");
    service.put("a", "lists", "m", &json!({"name": "m"}));
    ahead.announce(&service);
    assert_put_off(&behind.complete());
    assert!(completes(&ahead.complete()));
    assert_eq!(ahead.host.table("SELECT name FROM ps_buckets"), json!([["a"], ["b"]]));
    assert!(completes(&behind.sync(&service)));
    assert_at_peace(&ahead, &behind, &service);
}

#[test]
fn a_bucket_that_is_gone_is_downloaded_again_with_one_new_connection() {
    let mut service = service(3);
    let (_file, mut ahead, mut behind) = synced(&service);
    // It is taken away and given again, of which the second client's stream never hears.
    let removed = {
        let mut service = service.clone();
        service.last_op_id += 1;
        service.buckets.remove("b");
        service
    };
    assert!(completes(&ahead.sync(&removed)));
    service.last_op_id = removed.last_op_id;
    service.put("a", "lists", "m", &json!({"name": "m"}));
    let gone = behind.sync(&service);
    assert_eq!(closes(&gone), Some(false), "{gone}");
    assert!(!gone.to_string().contains("WARNING"), "{gone}");
    // Both can go on from what each of them stores.
    ahead.announce(&service);
    ahead.data(2);
    assert!(completes(&behind.sync(&service)));
    assert!(completes(&ahead.complete()));
    assert_eq!((ahead.starts, behind.starts), (1, 2));
    assert_eq!(ahead.names().as_array().unwrap().len(), service.rows().len());
    assert_consistent(&ahead.host);
}

#[test]
fn a_wrong_bucket_is_downloaded_again_by_both_together() {
    let mut service = service(3);
    let (_file, mut first, mut second) = synced(&service);
    service.put("b", "lists", "l", &json!({"name": "second"}));
    first.host.execute("UPDATE ps_buckets SET add_checksum = add_checksum + 1 WHERE name = 'b'");
    let wrong = first.sync(&service);
    assert_eq!(closes(&wrong), Some(false));
    assert!(wrong.to_string().contains("WARNING"));
    let gone = second.sync(&service);
    assert_eq!(closes(&gone), Some(false), "{gone}");
    assert!(!gone.to_string().contains("WARNING"), "{gone}");
    first.start();
    second.start();
    first.announce(&service);
    second.announce(&service);
    while first.data(1).is_some() | second.data(1).is_some() {}
    assert!(completes(&first.complete()) && completes(&second.complete()));
    assert_eq!((first.starts, second.starts), (2, 2));
    assert_eq!(published(&first.host).as_array().unwrap().iter().filter(|row| row[0] == "l").count(), 1);
    assert_consistent(&first.host);
}

#[test]
fn counts_of_a_newer_checkpoint_are_no_sign_of_compaction() {
    let mut service = service(5);
    let (_file, mut ahead, mut behind) = synced(&service);
    let second = {
        service.put("b", "lists", "m", &json!({"name": "second"}));
        service.clone()
    };
    for number in 0..5 {
        service.put("a", "lists", "l", &json!({ "name": number.to_string() }));
    }
    ahead.announce(&service);
    ahead.data(3);
    behind.announce(&second);
    // Also with a whole checkpoint line.
    behind.line(&second.checkpoint());
    let counts = "SELECT count_at_last, count_since_last FROM ps_buckets WHERE name = 'a'";
    assert_eq!(ahead.host.table(counts), json!([[5, 3]]));
    assert_put_off(&behind.complete());
    let progress = ahead.data(1).unwrap();
    assert_eq!(status(&progress)["downloading"]["buckets"]["prio_3"]["since_last"], 4, "{progress}");
    assert!(completes(&ahead.complete()) && completes(&behind.sync(&service)));
    assert_at_peace(&ahead, &behind, &service);
}

#[test]
fn a_waiting_checkpoint_is_not_spoiled_by_one_that_is_ahead() {
    let mut service = service(1);
    let (_file, mut ahead, mut behind) = synced(&service);
    behind.host.execute("INSERT INTO lists(id, name) VALUES ('l', 'x')");
    service.put("a", "lists", "l", &json!({"name": "x"}));
    service.write_checkpoint = Some(1);
    assert!(behind.sync(&service).to_string().contains("due to local data"));
    service.put("a", "lists", "m", &json!({"name": "y"}));
    ahead.announce(&service);
    ahead.data(10);
    behind.host.execute("DELETE FROM ps_crud");
    behind.host.control("target_checkpoint_request_id", 1);
    let kept = behind.host.control("completed_upload", ());
    assert_eq!(closes(&kept), None);
    assert!(kept.to_string().contains("more data arrived"), "{kept}");
    assert_eq!(behind.keep_alive(), json!([]));
    assert!(completes(&ahead.complete()));
    assert!(completes(&behind.sync(&service)));
    assert_at_peace(&ahead, &behind, &service);
}

#[test]
fn a_service_that_started_over_is_noticed_when_nobody_is_ahead() {
    // Alone, and with another client that has nothing to say either.
    for others in [0, 1] {
        let mut old = service(20);
        let (_file, mut client, mut other) = synced(&old);
        old.put("b", "lists", "old", &json!({"name": "old"}));
        assert!(completes(&client.sync(&old)));
        let service = service(3);
        other.stream = None;
        client.start();
        if others == 1 {
            other.start();
            assert_put_off(&other.sync(&service));
        }
        assert_put_off(&client.sync(&service));
        let mut clients = [&mut client, &mut other];
        for _ in 0..8 {
            for client in clients.iter_mut().take(1 + others) {
                if client.stream.is_none() {
                    client.sync(&service);
                } else {
                    client.keep_alive();
                }
            }
        }
        assert_eq!(client.names().as_array().unwrap().len(), service.rows().len(), "with {others} others");
        assert!(client.starts + other.starts <= 7, "{} and {} starts", client.starts, other.starts);
        assert_eq!(closes(&client.keep_alive()), None);
        assert_consistent(&client.host);
        // It goes on without trouble.
        let mut service = service;
        for number in 0..3 {
            service.put("a", "lists", "l", &json!({ "name": number.to_string() }));
            let told = client.sync(&service);
            assert!(completes(&told), "{told}");
        }
    }
}

//! What processes with different roles do.

use serde_json::json;

use crate::deployment::{Deployment, acknowledged, admin, deploy, process, stream_from, write_checkpoint};
use crate::support::{CONFIG, puts, rows};

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn clients_of_all_processes_see_everything() {
    let deployment = Deployment::new();
    let writer = deployment.with_source("writer");
    let api = [deployment.api(), deployment.api()];
    let token = deployment.token("ann");
    let mut streams = api.each_ref().map(|process| process.stream(&token));
    for stream in &mut streams {
        assert_eq!(rows(&stream.checkpoint()), puts(&["n1", "n2"]));
    }
    for number in 0..5 {
        deployment.write(&format!("INSERT INTO notes VALUES ('m{number}', 'ann', 'm')"));
        for stream in &mut streams {
            let put = stream.operation(|operation| operation["object_id"] == format!("m{number}"));
            assert_eq!(put["op"], "PUT");
        }
    }
    for process in &api {
        assert_eq!(process.get("/probes/readiness").send().unwrap().status(), 200);
    }
    // The one that writes serves no clients, and says where they have to go.
    let refused = writer.post("/sync/stream").bearer_auth(&token).json(&json!({})).send().unwrap();
    assert_eq!(refused.status(), 503);
    assert!(refused.text().unwrap().contains("role all or api"));
    assert_eq!(writer.get("/probes/readiness").send().unwrap().status(), 200);
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn write_checkpoints_come_through_any_process() {
    let deployment = Deployment::new();
    let _writer = deployment.with_source("all");
    let api = deployment.api();
    let token = deployment.token("ann");
    let mut stream = stream_from(&api, &token, &json!([]));
    stream.checkpoint();
    deployment.write("INSERT INTO notes VALUES ('w1', 'ann', 'w')");
    let id = write_checkpoint(&api, &token);
    let lines = acknowledged(&mut stream, id);
    assert_eq!(rows(&lines), puts(&["w1"]), "what was written before is there");
    assert_eq!(write_checkpoint(&api, &token), id + 1);

    let body = json!({"client_id": "c", "checkpoint_request_id": "900"});
    let request = api.post("/sync/checkpoint-request").bearer_auth(&token).json(&body).send().unwrap();
    assert_eq!(request.status(), 200);
    acknowledged(&mut stream, 900);

    deployment.write("INSERT INTO notes VALUES ('w2', 'ann', 'w')");
    let reached = api.get("/write-checkpoint.json").bearer_auth(&token).send().unwrap();
    assert_eq!(reached.status(), 200);
    let mut fresh = api.stream(&token);
    assert_eq!(rows(&fresh.checkpoint()), puts(&["n1", "n2", "w1", "w2"]));
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_configuration_is_deployed_through_any_process_and_the_status_says_who_writes() {
    let deployment = Deployment::new();
    let writing = deployment.with_source("all");
    let standby = deployment.with_source("all");
    let api = deployment.api();
    let states = [&writing, &standby, &api].map(|one| process(one)["state"].as_str().unwrap().to_owned());
    assert_eq!(states, ["writing", "standby", "following"]);
    let said = process(&api);
    assert_eq!((&said["role"], &said["writer"]["is_alive"]), (&json!("api"), &json!(true)));

    let token = deployment.token("ann");
    let mut streams = [&writing, &standby, &api].map(|process| process.stream(&token));
    streams.iter_mut().for_each(|stream| drop(stream.checkpoint()));
    let other = CONFIG.replace("= auth.user_id()", "= 'ben'");
    let deployed = deploy(&api, &other);
    assert_eq!(deployed["deployed"], true, "{deployed}");
    for stream in &mut streams {
        let put = stream.operation(|operation| operation["op"] == "PUT");
        assert_eq!(put["object_id"], "n3", "the stream goes on with the new configuration");
    }
    let current = admin(&api, "/api/sync-rules/v1/current");
    assert_eq!(current["current"]["content"], other);
    let refused = deploy_errors(&api);
    assert!(refused.contains("C020"), "{refused}");

    for process in [&api, &standby, &writing] {
        let request = process.post("/api/admin/v1/reprocess").bearer_auth("admin token").json(&json!({}));
        let expected = if std::ptr::eq(process, &writing) { 200 } else { 503 };
        assert_eq!(request.send().unwrap().status(), expected);
    }
}

/// What is said of a configuration with an error.
fn deploy_errors(process: &crate::support::Running) -> String {
    let request = process.post("/api/sync-rules/v1/deploy").bearer_auth("admin token");
    let answer = request.body(CONFIG.replace("WHERE", "WHER")).send().unwrap();
    assert_eq!(answer.status(), 422);
    answer.text().unwrap()
}

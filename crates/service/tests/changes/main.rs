//! What a change of the configuration costs a service that has rows and clients: counted, and foretold by a dry run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod case;
mod counting;
mod routes;
mod running;

use case::{Case, Cost};
use reqwest::StatusCode;
use running::Running;

/// Deploys a change, and counts.
async fn cost(case: &Case) -> Cost {
    let mut running = Running::start(&case.before).await;
    running.connect("u1").await;
    running.connect("u2").await;
    let (status, foretold) = running.send("/api/admin/v1/dry-run", &case.after).await;
    assert_eq!((status, &foretold["valid"]), (StatusCode::OK, &true.into()), "{}: {foretold}", case.name);
    let before = running.operations().await;
    running.source.take_read();
    let changes = running.deploy(&case.after).await;
    let cost = Cost {
        operations: running.operations().await - before,
        tables: running.source.take_read(),
        dropped: changes.iter().map(|change| change.dropped).sum(),
        downloaded: changes.iter().map(|change| change.downloaded).sum(),
        rows: changes.iter().map(|change| change.rows).sum(),
    };
    let snapshots: Vec<String> = cost.tables.iter().map(|table| format!("main.{table}")).collect();
    assert_eq!(foretold["snapshots"], serde_json::json!(snapshots), "{}: {foretold}", case.name);
    let clients = &foretold["clients"];
    assert_eq!(clients["connected"], 2);
    let kept: usize = changes.iter().map(|change| change.kept).sum();
    let told = ["kept", "dropped", "downloaded"].map(|member| clients[member].as_u64().unwrap());
    assert_eq!(told, [kept, cost.dropped, cost.downloaded].map(|count| count as u64), "{}: {foretold}", case.name);
    running.service.stop().await;
    cost
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_cost_what_they_must() {
    let mut count = 0;
    for case in case::all() {
        assert_eq!(cost(&case).await, case.expected, "{}", case.name);
        count += 1;
    }
    assert!(count >= 25, "only {count} files were found");
}

#[tokio::test(flavor = "multi_thread")]
async fn another_semantic_version_deploys_the_same_text_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("storage.db");
    let yaml = case::all().into_iter().find(|case| case.name == "same_again").unwrap().before;
    let running = Running::on_file(&yaml, &file).await;
    let first = running.status().await["config"]["id"].clone();
    running.source.take_read();
    running.service.stop().await;
    // The same version has nothing to do.
    let running = Running::on_file(&yaml, &file).await;
    assert_eq!(running.status().await["config"]["id"], first);
    assert_eq!(running.source.take_read(), [""; 0]);
    running.service.stop().await;
    running::pretend_another_version(&file);
    let mut running = Running::on_file(&yaml, &file).await;
    running.connect("u1").await;
    let status = running.status_with(|status| status["config"]["building"].is_null()).await;
    assert_ne!(status["config"]["id"], first);
    assert_eq!(running.source.take_read(), ["lists", "todos"]);
    running.service.stop().await;
}

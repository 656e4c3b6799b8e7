//! Configurations that replace each other in a running service, and what `rowtide config diff --against` says of them.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{CONFIG, Running, command, folder, puts, rows, text, token};

const ADMIN: &str = "the-admin-token";

const SERVE: [&str; 6] = ["--source", "sqlite:app.db", "--seed", "seed.sql", "--admin-token", ADMIN];

/// A second query, whose rows have another type.
fn with_texts() -> String {
    CONFIG.replace(
        "    query: ",
        "    queries:\n      - SELECT id, text FROM notes AS texts WHERE owner = auth.user_id()\n      - ",
    )
}

/// The program's answer: code, output, errors.
fn diff(path: &Path, arguments: &[&str], token: Option<&str>) -> (Option<i32>, String, String) {
    let mut command = command(path, &[&["config", "diff"], arguments].concat());
    if let Some(token) = token {
        command.env("ROWTIDE_ADMIN_TOKEN", token);
    }
    let output = command.output().unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn deploy(service: &Running, yaml: &str) -> Value {
    let request = service.post("/api/sync-rules/v1/deploy").bearer_auth(ADMIN).body(yaml.to_owned());
    let answer = request.send().unwrap();
    assert_eq!(answer.status(), 200);
    answer.json().unwrap()
}

/// Names of buckets of a checkpoint, in order.
fn buckets(lines: &[Value]) -> Vec<String> {
    let buckets = lines[0]["checkpoint"]["buckets"].as_array().expect("a full checkpoint");
    let mut names: Vec<String> = buckets.iter().map(|bucket| bucket["bucket"].as_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn a_diff_against_a_service_says_what_a_deploy_would_do() {
    let folder = folder();
    let path = folder.path();
    fs::write(path.join("next.yaml"), with_texts()).unwrap();
    fs::write(path.join("wrong.yaml"), CONFIG.replace("WHERE", "WHER")).unwrap();
    let service = Running::serve(path, &SERVE);
    let mut stream = service.stream(&token(path, "ann"));
    stream.checkpoint();

    let against =
        |file: &str, more: &[&str], token| diff(path, &[&[file, "--against", &service.url], more].concat(), token);
    let (code, answer, errors) = against("next.yaml", &["--json"], Some(ADMIN));
    assert_eq!(code, Some(0), "{errors}");
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert_eq!(answer["snapshots"], json!(["main.notes"]));
    let clients = json!({"connected": 1, "kept": 1, "dropped": 0, "downloaded": 1, "unknown": 0});
    assert_eq!((&answer["clients"], &answer["tables"][0]["rows"]), (&clients, &json!(3)));

    let (code, output, _) = against("next.yaml", &[], Some(ADMIN));
    assert_eq!(code, Some(0));
    assert!(output.contains("\nnotes   changed     1    1        0\n"), "{output}");
    assert!(output.contains("Tables that are read again: main.notes\n  main.notes: about 3 rows\n"), "{output}");
    assert!(
        output.contains("Of 1 buckets of 1 connected clients, 1 stay, 0 are dropped, and 1 are downloaded."),
        "{output}"
    );
    let (_, output, _) = against("sync.yaml", &[], Some(ADMIN));
    assert!(
        output.contains("\nnotes   same     1    0        0\n") && output.contains("No table is read again."),
        "{output}"
    );

    let (code, _, errors) = against("wrong.yaml", &[], Some(ADMIN));
    assert_eq!(code, Some(1));
    assert!(errors.starts_with("wrong.yaml:5:37: error[C020]: "), "{errors}");
    let (code, _, errors) = against("next.yaml", &[], None);
    assert_eq!(code, Some(1));
    assert!(errors.contains("--admin-token"), "{errors}");
    assert_eq!(diff(path, &["next.yaml"], None).0, Some(2), "there is nothing to compare it with");
    assert_eq!(against("next.yaml", &["sync.yaml"], Some(ADMIN)).0, Some(2));

    // It was right.
    deploy(&service, &with_texts());
    let lines = stream.checkpoint();
    assert_eq!(rows(&lines), puts(&["n1", "n2"]));
    assert_eq!(buckets(&lines).len(), 2);
}

#[test]
fn deploys_over_http_by_a_file_and_by_a_signal_are_alike() {
    let folder = folder();
    let path = folder.path();
    let mut service = Running::serve(path, &[&SERVE[..], &["--watch"]].concat());
    let mut stream = service.stream(&token(path, "ann"));
    let first = buckets(&stream.checkpoint());

    deploy(&service, &with_texts());
    let lines = stream.checkpoint();
    let (both, downloaded) = (buckets(&lines), rows(&lines));
    assert_eq!(downloaded, puts(&["n1", "n2"]));
    assert!(first.iter().all(|name| both.contains(name)), "the first query's bucket stays");

    // The file has not changed: nothing happens by itself, and a signal has it deployed.
    service.signal("HUP");
    service.error_with("sync.yaml: deployed");
    let lines = stream.checkpoint();
    assert_eq!((buckets(&lines), rows(&lines)), (first.clone(), puts(&[])));

    // What was there an hour ago is there at once, with the same names.
    fs::write(path.join("sync.yaml"), with_texts()).unwrap();
    service.error_with("sync.yaml: deployed");
    let lines = stream.checkpoint();
    assert_eq!((buckets(&lines), rows(&lines)), (both.clone(), puts(&["n1", "n2"])));
    deploy(&service, CONFIG);
    assert_eq!(buckets(&stream.checkpoint()), first);
    fs::write(path.join("sync.yaml"), format!("{}# changed\n", with_texts())).unwrap();
    service.error_with("sync.yaml: deployed");
    assert_eq!(buckets(&stream.checkpoint()), both);
    let request = service.get("/api/sync-rules/v1/current").bearer_auth(ADMIN);
    let current: Value = request.send().unwrap().json().unwrap();
    assert!(current["current"]["content"].as_str().unwrap().ends_with("# changed\n"));

    let sql = |query: &str| {
        let request = service.post("/api/admin/v1/execute-sql").bearer_auth(ADMIN);
        let answer = request.json(&json!({"sql": {"query": query, "args": []}})).send().unwrap();
        (answer.status().as_u16(), answer.json::<Value>().unwrap())
    };
    let (status, answer) = sql("SELECT id, text FROM notes ORDER BY id LIMIT 1");
    assert_eq!((status, &answer["columns"], &answer["rows"]), (200, &json!(["id", "text"]), &json!([["n1", "one"]])));
    for query in ["DELETE FROM notes", "SELECT * FROM nothing", "PRAGMA user_version = 7", "VACUUM"] {
        assert_eq!(sql(query).0, 400, "{query}");
    }
}

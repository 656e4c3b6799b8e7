//! Without `--once`: changes, other processes, and ends.

use crate::support::{Client, Service, run, text};

#[test]
fn each_checkpoint_is_a_line_until_it_is_stopped() {
    let service = Service::start();
    let mut client = Client::start(service.as_alice(&["app.db"]));
    client.line(|line| line == "checkpoint 1: 7 operations");
    service.source().execute("UPDATE todos SET done = 1 WHERE id = 'todo-1'", ()).unwrap();
    client.line(|line| line == "checkpoint 2: 1 operation");
    // A write by another process.
    service.app("app.db").execute("UPDATE todos SET done = 0 WHERE id = 'todo-1'", ()).unwrap();
    client.line(|line| line == "uploaded 1 write");
    assert_eq!(text(&service.source(), "SELECT done FROM todos WHERE id = 'todo-1'"), "0");
    #[cfg(unix)]
    {
        let ended = client.interrupt();
        assert_eq!((ended.code, ended.errors.as_str()), (Some(0), ""));
        assert_eq!(ended.lines.last().map(String::as_str), Some("stopped"));
        assert!(!service.path("app.db-wal").exists(), "the file was closed");
    }
}

#[test]
fn a_second_process_takes_over_when_the_first_is_killed() {
    let service = Service::start();
    let mut first = Client::start(service.as_alice(&["app.db"]));
    first.line(|line| line.starts_with("checkpoint 1:"));
    let mut second = Client::start(service.as_alice(&["app.db"]));
    second.line(|line| line.starts_with("another process syncs this file"));
    first.kill();
    second.line(|line| line == "connected");
    service.source().execute("DELETE FROM todos WHERE id = 'todo-1'", ()).unwrap();
    second.line(|line| line.ends_with(": 1 operation"));
    assert_eq!(text(&service.app("app.db"), "SELECT count(*) FROM todos"), "4");
    second.kill();
    // A lock of a process that is gone holds nobody up.
    assert_eq!(run(&mut service.as_alice(&["--once", "app.db"])).code, Some(0));
}

#[test]
fn it_ends_silently_when_nobody_reads_its_output_any_more() {
    let service = Service::start();
    let mut client = Client::start(service.as_alice(&["app.db"]));
    client.line(|line| line.starts_with("checkpoint 1:"));
    let ended = client.output_closed(|| {
        service.source().execute("DELETE FROM todos WHERE id = 'todo-1'", ()).unwrap();
    });
    assert_eq!((ended.code, ended.errors.as_str()), (Some(0), ""));
    assert!(!service.path("app.db-wal").exists(), "the file was closed");
}

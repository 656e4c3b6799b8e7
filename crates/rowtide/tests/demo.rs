//! `rowtide demo` as a newcomer runs it: what it shows, what it leaves, and that the commands it recommends work as they stand.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;

fn demo(folder: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rowtide"));
    // Started by Cargo, it would recommend commands that Cargo runs.
    command.current_dir(folder).env_remove("CARGO").args(["demo", "--fast"]).args(arguments).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What comes after a heading, up to the next one.
fn scene<'a>(screen: &'a str, heading: &str) -> &'a str {
    let (_, rest) = screen.split_once(heading).unwrap_or_else(|| panic!("no {heading:?} in {screen}"));
    let next =
        rest.match_indices('\n').find(|(at, _)| rest[at + 1..].starts_with(|first: char| !first.is_whitespace()));
    next.map_or(rest, |(at, _)| &rest[..at])
}

/// A line of a table: phone, laptop, server.
fn todo(scene: &str, name: &str) -> Vec<String> {
    let lines: Vec<&str> = scene.lines().filter(|line| line.trim_start().starts_with(name)).collect();
    assert_eq!(lines.len(), 1, "{name} in {scene}");
    lines[0].split_whitespace().skip(1).map(str::to_owned).collect()
}

#[test]
fn two_devices_part_and_meet_again() {
    let folder = tempfile::tempdir().unwrap();
    let output = demo(folder.path(), &[]);
    let screen = text(&output.stdout);
    assert!(output.status.success(), "{screen}{}", text(&output.stderr));

    let first = scene(&screen, "2. A phone");
    assert!(first.contains("phone   5008 rows in "), "{first}");
    assert!(first.contains("laptop  5008 rows in "), "{first}");
    assert_eq!(todo(first, "Coffee"), ["open", "open", "open"]);

    let apart = scene(&screen, "3. The phone is offline");
    assert_eq!(
        apart.lines().filter(|line| line.trim_start().starts_with("P") && line.contains(" todos ")).count(),
        2,
        "two writes wait: {apart}"
    );
    assert_eq!(todo(apart, "Milk"), ["open", "-", "-"]);
    assert_eq!(todo(apart, "Bread"), ["done", "open", "open"]);
    assert_eq!(todo(apart, "Tea"), ["-", "open", "open"]);
    assert_eq!(todo(apart, "Coffee"), ["open", "done", "done"]);

    let (closed, open) = scene(&screen, "4. The phone is online").split_once("the gate opens").unwrap();
    assert!(closed.contains("gate is closed (local writes queued): 2 rows are held"), "{closed}");
    assert_eq!(todo(closed, "Tea"), ["-", "open", "open"], "behind the gate");
    for (name, state) in [("Milk", "open"), ("Bread", "done"), ("Tea", "open"), ("Coffee", "done")] {
        assert_eq!(todo(open, name), [state; 3]);
    }
    assert!(open.contains("have the same 5007 rows"), "{open}");
}

/// The commands that the demo recommends.
fn hints(screen: &str) -> Vec<String> {
    let (_, hints) = screen.split_once("Try next:").unwrap();
    hints.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')).map(str::to_owned).collect()
}

fn shell(folder: &Path, command: &str) -> Command {
    let mut shell = Command::new("sh");
    shell.current_dir(folder).args(["-c", command]);
    shell
}

#[test]
fn its_hints_work_as_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    let screen = text(&demo(folder.path(), &["--dir", "my demo"]).stdout);
    let hints = hints(&screen);
    assert_eq!(hints.len(), 5, "{screen}");
    let [inspect, query, explain, dev, sync] = &hints[..] else { panic!("{hints:?}") };
    for (command, expected) in [(inspect, "phone.db"), (query, "list-books"), (explain, "todo-1")] {
        let output = shell(folder.path(), command).output().unwrap();
        let shown = text(&output.stdout);
        assert!(output.status.success(), "{command}: {shown}{}", text(&output.stderr));
        assert!(shown.contains(expected), "{command}: {shown}");
    }

    // Another port, since the usual one may be taken where tests run.
    let mut service =
        shell(folder.path(), &format!("exec {dev} --port 0 --json")).stdout(Stdio::piped()).spawn().unwrap();
    let mut ready = String::new();
    BufReader::new(service.stdout.take().unwrap()).read_line(&mut ready).unwrap();
    let ready: Value = serde_json::from_str(&ready).unwrap();
    let sync = sync.replace("http://127.0.0.1:8080", ready["url"].as_str().unwrap());
    let output = shell(folder.path(), &format!("{sync} --once")).output().unwrap();
    service.kill().unwrap();
    service.wait().unwrap();
    assert!(output.status.success(), "{sync}: {}{}", text(&output.stdout), text(&output.stderr));
}

#[test]
fn an_earlier_demo_is_replaced_and_other_folders_are_not() {
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..2 {
        assert!(demo(folder.path(), &[]).status.success());
    }
    let files = folder.path().join("mine");
    std::fs::create_dir(&files).unwrap();
    std::fs::write(files.join("notes.txt"), "mine").unwrap();
    let refused = demo(folder.path(), &["--dir", "mine"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(text(&refused.stderr).contains("mine exists, and is not of a demo"), "{}", text(&refused.stderr));
    assert_eq!(std::fs::read_dir(&files).unwrap().count(), 1);
}

#[test]
fn a_reader_that_has_seen_enough_ends_it_silently() {
    let folder = tempfile::tempdir().unwrap();
    let output =
        shell(folder.path(), &format!("{} demo --fast | head -2", env!("CARGO_BIN_EXE_rowtide"))).output().unwrap();
    assert_eq!(text(&output.stdout), "\n1. A sync service starts\n");
    assert_eq!(text(&output.stderr), "");
}

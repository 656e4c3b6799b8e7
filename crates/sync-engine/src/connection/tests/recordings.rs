//! The same changes as in recorded streams give lines of the same form in the same order.

use std::path::PathBuf;

use serde_json::Value as Json;

use super::super::EndReason;
use super::session::{Got, SECOND, START, World, asks, quiet};

const L1: &str = "11111111-1111-4111-8111-111111111111";
const L2: &str = "22222222-2222-4222-8222-222222222222";
const L3: &str = "33333333-3333-4333-8333-333333333333";

fn folder(name: &str) -> PathBuf {
    PathBuf::from(std::env::var_os("POWERSYNC_INTEROP_DATA").unwrap()).join("streams").join(name)
}

/// The form of each line: all but ids and checksums. Operations are counted except for those of a bucket from its
/// beginning, because the recorded buckets have a history that ours have not.
fn forms<'a>(lines: impl Iterator<Item = &'a str>) -> Vec<String> {
    let parsed = lines.map(|line| serde_json::from_str::<Json>(line).unwrap());
    let form = |line: Json| {
        let (member, value) = line.as_object().unwrap().iter().next().unwrap();
        let text = |value: &Json| value.as_str().unwrap().to_owned();
        let list = |value: &Json| value.as_array().unwrap().clone();
        let bucket = |bucket: &Json| {
            let mut reasons: Vec<String> = list(&bucket["subscriptions"]).iter().map(Json::to_string).collect();
            reasons.dedup();
            format!("{} p{} {}", text(&bucket["bucket"]), bucket["priority"], reasons.join(","))
        };
        match member.as_str() {
            "checkpoint" => {
                let streams: Vec<String> = list(&value["streams"]).iter().map(Json::to_string).collect();
                let mut buckets: Vec<String> = list(&value["buckets"]).iter().map(bucket).collect();
                // The published service lists buckets without lookups first.
                buckets.sort();
                format!("checkpoint {buckets:?} {streams:?}")
            }
            "checkpoint_diff" => {
                let removed: Vec<String> = list(&value["removed_buckets"]).iter().map(text).collect();
                let updated: Vec<String> = list(&value["updated_buckets"]).iter().map(bucket).collect();
                let has_ack = value.get("write_checkpoint").is_some();
                format!("diff {has_ack} {removed:?} {updated:?}")
            }
            "data" => {
                let kinds: Vec<String> = list(&value["data"]).iter().map(|operation| text(&operation["op"])).collect();
                let kinds = if value["after"] == "0" { Vec::new() } else { kinds };
                format!("data {} {} {kinds:?}", text(&value["bucket"]), value["has_more"])
            }
            "partial_checkpoint_complete" => format!("partial p{}", value["priority"]),
            other => format!("{other} {}", value.as_i64().unwrap_or_default()),
        }
    };
    parsed.map(form).collect()
}

fn recorded(name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(folder(name).join("stream.ndjson")).unwrap();
    forms(text.lines())
}

/// The recorded configuration and rows.
fn world() -> World {
    let rows = [
        format!("lists {L1} u1"),
        format!("lists {L2} u1"),
        format!("lists {L3} u2"),
        format!("todos a1 {L1} plain"),
        format!("todos a2 {L1} quotes"),
        format!("todos a3 {L1} nothing"),
        format!("todos a4 {L2} weight"),
        format!("todos a5 {L3} other"),
        format!("list_members m1 {L3} u1"),
        "regions eu Europe".to_owned(),
        "regions na North".to_owned(),
    ];
    let news: Vec<String> = (1..=5).map(|id| format!("announcements {id} Title")).collect();
    let rows: Vec<&str> = rows.iter().chain(&news).map(String::as_str).collect();
    World::new(&std::fs::read_to_string(folder("config-1.yaml")).unwrap(), &rows)
}

fn ask(name: &str) -> String {
    std::fs::read_to_string(folder(name).join("request.json")).unwrap()
}

/// Makes each step of a recording, and compares all lines.
fn replay(name: &str, steps: &[&dyn Fn(&mut World)]) {
    let mut world = world();
    world.connect(1, &ask(name));
    world.lines(1);
    for step in steps {
        step(&mut world);
        world.commit();
        world.lines(1);
    }
    let ours = forms(world.clients[&1].lines.iter().map(String::as_str));
    for (line, (ours, recorded)) in ours.iter().zip(&recorded(name)).enumerate() {
        assert_eq!(ours, recorded, "line {line} of {name}");
    }
    assert_eq!(ours.len(), recorded(name).len(), "{name}");
    world.check(1);
}

#[test]
#[cfg_attr(not(recorded_data), ignore = "needs POWERSYNC_INTEROP_DATA")]
fn first_checkpoints() {
    for name in
        ["01-initial-defaults", "02-initial-no-streams-member", "03-initial-subscriptions", "04-initial-no-defaults"]
    {
        replay(name, &[]);
    }
    replay("07-empty-no-streams", &[]);
}

#[test]
#[cfg_attr(not(recorded_data), ignore = "needs POWERSYNC_INTEROP_DATA")]
fn changes_of_rows() {
    replay(
        "20-incremental",
        &[
            &|world| world.put(&format!("todos b1 {L1} new")),
            &|world| world.put(&format!("todos b1 {L1} changed")),
            &|world| world.put(&format!("todos b1 {L3} changed")),
            &|world| {
                world.put(&format!("todos b1 {L1} changed"));
                world.put("announcements 1 b");
                world.put("announcements 100 Hundred");
                world.delete("announcements", "2");
            },
            &|world| world.delete("todos", "b1"),
            &|world| {
                world.put("announcements 101 a");
                world.delete("announcements", "101");
            },
            &|world| {
                world.delete("todos", "a3");
                world.put(&format!("todos b2 {L1} nothing"));
            },
        ],
    );
}

#[test]
#[cfg_attr(not(recorded_data), ignore = "needs POWERSYNC_INTEROP_DATA")]
fn buckets_that_come_and_go() {
    replay(
        "21-bucket-membership",
        &[
            &|world| world.put(&format!("list_members m2 {L2} u1")),
            &|world| world.delete("list_members", "m1"),
            &|world| world.put(&format!("lists {L1} u2")),
            &|world| {
                world.put(&format!("lists {L1} u1"));
                world.put(&format!("list_members m1 {L3} u1"));
                world.delete("list_members", "m2");
            },
        ],
    );
}

#[test]
#[cfg_attr(not(recorded_data), ignore = "needs POWERSYNC_INTEROP_DATA")]
fn write_checkpoints() {
    let acknowledge =
        |client: &'static str, id: i64| move |world: &mut World| world.backend.acknowledge("u1", client, id);
    let (first, other) = (acknowledge("lab-wc", 1), acknowledge("another", 1));
    let second = |world: &mut World| {
        world.put("lists l4 u1");
        world.backend.acknowledge("u1", "lab-wc", 2);
    };
    replay("22-write-checkpoint", &[&first, &second, &other]);
    let (ten, large) = (acknowledge("lab-cr", 10), acknowledge("lab-cr", 9_007_199_254_740_993));
    let eleven = |world: &mut World| {
        world.put("lists l4 u1");
        world.backend.acknowledge("u1", "lab-cr", 11);
    };
    replay("23-checkpoint-request", &[&ten, &eleven, &large]);
}

#[test]
#[cfg_attr(not(recorded_data), ignore = "needs POWERSYNC_INTEROP_DATA")]
fn the_end_of_a_token() {
    let mut world = world();
    world.connect_with(1, &ask("25-token-expiry"), quiet(), START + 30 * SECOND);
    world.lines(1);
    world.now = START + 10 * SECOND;
    world.lines(1);
    world.now = START + 30 * SECOND;
    world.lines(1);
    assert_eq!(world.step(1), Got::End(EndReason::TokenExpired));
    let ours = forms(world.clients[&1].lines.iter().map(String::as_str));
    assert_eq!(ours, recorded("25-token-expiry"));
}

#[test]
fn many_operations() {
    let rows: Vec<String> = (0..2_600).map(|row| format!("todos t{row} l x")).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).chain(["lists l u1"]).collect();
    let mut world = World::new(super::CONFIG, &rows);
    world.connect(1, &asks(false, &["list_todos list_id=l"]));
    let lines = world.lines(1);
    let counts: Vec<&str> = lines[1..4].iter().map(|line| line.split(' ').nth(2).unwrap()).collect();
    assert_eq!(counts, ["1000", "1000", "600"]);
}

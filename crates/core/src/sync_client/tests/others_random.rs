//! Two iterations on one file at any two moments of what a service sends, in any order.

use std::collections::BTreeMap;
use std::string::String;
use std::vec::Vec;

use proptest::prelude::*;

use super::host::{Instructions, checkpoint, complete, data, diff, keep_alive};
use super::others::{Pair, closes};
use crate::sync_client::{Event, StartOptions};

/// What the service does, and what comes to one of the clients.
#[derive(Debug, Clone)]
enum Step {
    /// The service gets an operation in a bucket.
    Change(usize),
    /// The service takes a bucket away, or gives it again.
    Toggle(usize),
    Announce(usize),
    Data(usize, usize),
    Complete(usize),
    KeepAlive(usize),
}

fn any_step(has_removals: bool) -> impl Strategy<Value = Step> {
    let removals = u32::from(has_removals);
    prop_oneof![
        6 => (0..3_usize).prop_map(Step::Change),
        removals => (0..3_usize).prop_map(Step::Toggle),
        4 => (0..2_usize).prop_map(Step::Announce),
        10 => (0..2_usize, 1..4_usize).prop_map(|(client, size)| Step::Data(client, size)),
        4 => (0..2_usize).prop_map(Step::Complete),
        2 => (0..2_usize).prop_map(Step::KeepAlive),
    ]
}

/// A service with some buckets of operations that have checksum 1 each.
#[derive(Debug, Clone, Default)]
struct Service {
    last_op_id: i64,
    buckets: BTreeMap<usize, Vec<i64>>,
    away: BTreeMap<usize, Vec<i64>>,
}

const NAMES: [&str; 3] = ["a", "b", "c"];

impl Service {
    fn listed(&self) -> Vec<(&'static str, i64, i64, i64)> {
        let listed = self.buckets.iter();
        listed.map(|(index, ops)| (NAMES[*index], ops.len() as i64, 3, ops.len() as i64)).collect()
    }
}

/// A client's connection.
#[derive(Default)]
struct Stream {
    announced: Option<Service>,
    sent: BTreeMap<usize, i64>,
    is_complete: bool,
}

/// Plays steps. Returns how often iterations ended.
fn play(steps: &[Step]) -> usize {
    let mut service = Service::default();
    for (index, _) in NAMES.iter().enumerate() {
        service.buckets.insert(index, Vec::new());
    }
    let (mut pair, mut streams, mut ends) = (Pair::default(), [None, None], 0);
    for step in steps {
        match *step {
            Step::Change(index) => {
                service.last_op_id += 1;
                let op_id = service.last_op_id;
                if let Some(bucket) = service.buckets.get_mut(&index) {
                    bucket.push(op_id);
                }
            }
            Step::Toggle(index) => {
                service.last_op_id += 1;
                match service.buckets.remove(&index) {
                    Some(bucket) => service.away.insert(index, bucket).is_some(),
                    None => service.away.remove(&index).is_some_and(|bucket| {
                        service.buckets.insert(index, bucket);
                        true
                    }),
                };
            }
            Step::Announce(client) => ends += announce(&mut pair, &mut streams[client], client, &service),
            Step::Data(client, size) => ends += send(&mut pair, &mut streams[client], client, size),
            Step::Complete(client) => ends += finish(&mut pair, &mut streams[client], client).0,
            Step::KeepAlive(client) if streams[client].is_some() => {
                let told = pair.line(client, &keep_alive(100));
                ends += after(&told, &mut streams[client]);
            }
            Step::KeepAlive(_) => {}
        }
    }
    // Left alone, both come to where the service is, and stay there.
    for round in 0..4 {
        for (client, stream) in streams.iter_mut().enumerate() {
            ends += announce(&mut pair, stream, client, &service);
            let (ended, is_published) = finish(&mut pair, stream, client);
            ends += ended;
            assert!(round < 2 || is_published, "client {client} does not publish");
        }
    }
    let stored: BTreeMap<String, i64> = pair.on(0, |host| {
        let buckets = host.storage.data.buckets.values();
        buckets.map(|bucket| (bucket.name.clone(), i64::from(bucket.checksum.get()))).collect()
    });
    for (name, checksum, ..) in service.listed() {
        assert_eq!(stored.get(name).copied().unwrap_or(0), checksum, "bucket {name}");
    }
    let listed = service.listed();
    assert!(stored.keys().all(|name| listed.iter().any(|(listed, ..)| listed == name)), "{stored:?}");
    ends
}

/// Nobody is blamed for wrong data. Returns whether the iteration ended.
fn after(told: &Instructions, stream: &mut Option<Stream>) -> usize {
    assert!(told.log().iter().all(|line| !line.starts_with("WARNING")), "{told:?}");
    let is_closed = closes(told);
    if is_closed {
        told.closed(false);
        *stream = None;
    }
    usize::from(is_closed)
}

fn announce(pair: &mut Pair, stream: &mut Option<Stream>, client: usize, service: &Service) -> usize {
    let stream_or_new = stream.get_or_insert_with(|| {
        let started = pair.on(client, |host| host.run(Event::Start(StartOptions::default())));
        let held = started.get("EstablishSyncStream")["request"]["buckets"].as_array().unwrap().clone();
        let sent = held.iter().map(|bucket| {
            let index = NAMES.iter().position(|name| bucket["name"] == *name).unwrap();
            (index, bucket["after"].as_str().unwrap().parse().unwrap())
        });
        Stream { announced: None, sent: sent.collect(), is_complete: false }
    });
    let line = match &stream_or_new.announced {
        None => checkpoint(service.last_op_id, None, &service.listed()),
        Some(before) => {
            let removed: Vec<&str> =
                before.buckets.keys().filter(|key| !service.buckets.contains_key(key)).map(|key| NAMES[*key]).collect();
            diff(service.last_op_id, None, &service.listed(), &removed)
        }
    };
    stream_or_new.sent.retain(|index, _| service.buckets.contains_key(index));
    (stream_or_new.announced, stream_or_new.is_complete) = (Some(service.clone()), false);
    let told = pair.line(client, &line);
    after(&told, stream)
}

fn send(pair: &mut Pair, stream: &mut Option<Stream>, client: usize, size: usize) -> usize {
    let Some(Stream { announced: Some(announced), sent, .. }) = stream else { return 0 };
    for (index, operations) in &announced.buckets {
        let position = sent.get(index).copied().unwrap_or(0);
        let next: Vec<i64> = operations.iter().copied().filter(|op| *op > position).take(size).collect();
        if let Some(last) = next.last() {
            sent.insert(*index, *last);
            let told = pair.line(client, &data(NAMES[*index], &next));
            return after(&told, stream);
        }
    }
    0
}

/// Sends the rest, and completes. Returns how often the iteration ended, and whether everything was published.
fn finish(pair: &mut Pair, stream: &mut Option<Stream>, client: usize) -> (usize, bool) {
    let Some(Stream { announced: Some(announced), is_complete: is_complete @ false, .. }) = stream else {
        return (0, false);
    };
    *is_complete = true;
    let last_op_id = announced.last_op_id;
    for _ in 0..1000 {
        let before = stream.as_ref().map(|stream| stream.sent.clone());
        let ended = send(pair, stream, client, 5);
        if ended > 0 || stream.is_none() {
            return (ended, false);
        }
        if stream.as_ref().map(|stream| stream.sent.clone()) == before {
            break;
        }
    }
    let told = pair.line(client, &complete(last_op_id));
    (after(&told, stream), told.kinds().contains(&"DidCompleteSync"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn streams_at_any_two_moments_do_not_end_each_other(steps in prop::collection::vec(any_step(false), 0..80)) {
        prop_assert_eq!(play(&steps), 0);
    }

    #[test]
    fn removed_buckets_cost_few_connections(steps in prop::collection::vec(any_step(true), 0..80)) {
        let toggles = steps.iter().filter(|step| matches!(step, Step::Toggle(_))).count();
        let ends = play(&steps);
        prop_assert!(ends <= 2 * toggles, "{} ends, {} changes of buckets", ends, toggles);
    }
}

//! Processes that follow a store: what they are told, what they keep from being compacted, and what they ask.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use pg_server::Server;
use sync_config::{CompileOptions, Value, compile};
use sync_engine::live::{ConfigId, ConfigRecord, ConfigState, ConfigTimes, DefinitionId, IndexId, LivePlan};
use sync_engine::notice::CommitNotice;
use sync_engine::row::Position;
use sync_engine::store::{
    Batch, BucketId, NewParameter, OpId, OpKind, Operation, Readers, Superseded, WriteCheckpoint,
};
use sync_store::{PostgresDesk, PostgresFollower, StoreEvent, StoreRequest};

use crate::support::{ALL, Tested, at, bucket_key, changes, new_bucket, parameter, put};
use crate::world::{Kind, World};

/// A process.
struct Process {
    _follower: PostgresFollower,
    desk: PostgresDesk,
    events: Receiver<StoreEvent>,
}

const LONG: Duration = Duration::from_secs(40);

impl Process {
    fn start(world: &World) -> Self {
        let (sender, events) = channel();
        let tell = move |event| drop(sender.send(event));
        let desk = PostgresDesk::new(&world.target(), &world.options());
        Self { _follower: PostgresFollower::start(&desk, tell).unwrap(), desk, events }
    }

    fn next(&self) -> StoreEvent {
        self.events.recv_timeout(LONG).expect("an event")
    }

    fn begun(&self) -> (Arc<dyn Readers>, Option<ConfigRecord>) {
        loop {
            match self.next() {
                StoreEvent::Began { readers, config } => return (readers, config),
                StoreEvent::Failed(_) | StoreEvent::Recovered => {}
                _ => panic!("it has not begun"),
            }
        }
    }

    fn notice(&self) -> CommitNotice {
        loop {
            match self.next() {
                StoreEvent::Committed(notice) => return notice,
                StoreEvent::Failed(_) | StoreEvent::Recovered => {}
                StoreEvent::Began { .. } | StoreEvent::Ended => panic!("it has begun again"),
                StoreEvent::Activated(_) | StoreEvent::Asked(_) => panic!("another event"),
            }
        }
    }

    fn asked(&self) -> StoreRequest {
        loop {
            match self.next() {
                StoreEvent::Asked(request) => return request,
                StoreEvent::Ended => panic!("it has ended"),
                _ => {}
            }
        }
    }
}

fn config(id: u32, state: ConfigState) -> ConfigRecord {
    let yaml = "config:\n  edition: 3\nstreams:\n  s:\n    query: SELECT id FROM t\n";
    let plan = compile(yaml, &CompileOptions::default()).plan.expect("a valid configuration");
    let definitions = vec![DefinitionId(1), DefinitionId(2)];
    let plan = LivePlan { config: ConfigId(id), plan, definitions, name_prefixes: vec![], indexes: vec![IndexId(1)] };
    let times = ConfigTimes { deployed: 1, activated: Some(2), retired: None };
    ConfigRecord { id: ConfigId(id), yaml: yaml.into(), plan: Arc::new(plan), state, times }
}

/// A batch that puts a row into bucket 1, which an operation before has put there.
fn version(op_id: OpId) -> Batch {
    let operations = vec![put(1, op_id, 1, "{}")];
    let superseded = Superseded { bucket: BucketId(1), op_id: op_id - 1, by: op_id };
    Batch {
        new_buckets: if op_id == 1 { vec![new_bucket(1)] } else { Vec::new() },
        configs: if op_id == 1 { vec![config(1, ConfigState::Active)] } else { Vec::new() },
        buckets: changes(&operations),
        superseded: if op_id == 1 { Vec::new() } else { vec![superseded] },
        operations,
        ..at(op_id, op_id.unsigned_abs())
    }
}

fn kinds(readers: &dyn Readers) -> Vec<Operation> {
    readers.latest().unwrap().unwrap().operations(BucketId(1), 0, ALL).unwrap().operations
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn all_processes_are_told_what_changes() {
    let mut tested = Tested::new(Kind::Postgres, 100);
    let processes = [Process::start(&tested.world), Process::start(&tested.world)];
    let readers = processes.each_ref().map(|process| {
        let (readers, config) = process.begun();
        assert!(config.is_none() && readers.latest().unwrap().is_none());
        readers
    });
    tested.store.commit(&version(1)).unwrap();
    for process in &processes {
        let StoreEvent::Activated(active) = process.next() else { panic!("no configuration") };
        assert_eq!((active.id, &*active.yaml), (ConfigId(1), &*config(1, ConfigState::Active).yaml));
        let notice = process.notice();
        // What a writer has done before it was replaced is not known.
        assert!(notice.everything && notice.activated.is_some());
        assert_eq!(notice.checkpoint.op_id, 1);
    }
    let request = |client: &str, head| WriteCheckpoint {
        user: "u".to_owned(),
        client: client.to_owned(),
        id: 1,
        head: Position::from_number(head),
        requested_at: 1,
    };
    let place = parameter(0, 1, 1);
    let unseen = parameter(1, 1, 1);
    let new = |place| NewParameter { place, outputs: vec![Value::Null] };
    let open = Batch {
        position: None,
        checkpoint: None,
        write_checkpoints: vec![request("now", 1), request("later", 3)],
        new_parameters: vec![new(place.clone()), new(unseen)],
        ..version(2)
    };
    tested.store.commit(&open).unwrap();
    tested.store.commit(&version(3)).unwrap();
    tested.store.commit(&at(3, 4)).unwrap();
    for (process, readers) in processes.iter().zip(&readers) {
        let notice = process.notice();
        assert!(!notice.everything && notice.activated.is_none());
        assert_eq!(notice.checkpoint.op_id, 3);
        let buckets: Vec<_> =
            notice.buckets.iter().map(|one| (one.definition, one.key.clone(), one.bucket.0)).collect();
        assert_eq!(buckets, [(bucket_key(1).0, bucket_key(1).1, 1)]);
        let lookups: Vec<_> = notice.lookups.iter().map(|one| (one.index, one.key.clone())).collect();
        assert_eq!(lookups, [(place.index, place.key.clone())]);
        let mut clients: Vec<_> = notice.write_checkpoints.iter().map(|one| &*one.client).collect();
        clients.sort_unstable();
        assert_eq!(clients, ["later", "now"]);
        let nothing = process.notice();
        assert!(!nothing.everything && nothing.buckets.is_empty() && nothing.lookups.is_empty());
        assert!(nothing.write_checkpoints.is_empty());
        let operations = kinds(&**readers);
        assert_eq!(operations.len(), 3);
        assert!(matches!(operations[1].kind, OpKind::Move) && matches!(operations[2].kind, OpKind::Put { .. }));
    }
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn who_misses_a_notice_is_told_that_everything_may_have_changed() {
    let mut tested = Tested::new(Kind::Postgres, 100);
    tested.store.commit(&version(1)).unwrap();
    let process = Process::start(&tested.world);
    let (_, config) = process.begun();
    assert_eq!(config.map(|config| config.id), Some(ConfigId(1)));
    tested
        .world
        .database
        .client()
        .batch_execute(
            "CREATE FUNCTION public.forget() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
        CREATE TRIGGER forget BEFORE INSERT ON rowtide.notice FOR EACH ROW EXECUTE FUNCTION public.forget()",
        )
        .unwrap();
    tested.store.commit(&version(2)).unwrap();
    tested.world.database.client().batch_execute("DROP TRIGGER forget ON rowtide.notice").unwrap();
    tested.store.commit(&version(3)).unwrap();
    tested.store.commit(&version(4)).unwrap();
    let [second, third, fourth] = [process.notice(), process.notice(), process.notice()];
    assert!(second.everything && second.activated.is_some());
    assert_eq!((third.everything, third.buckets.len()), (false, 1));
    assert_eq!((fourth.everything, fourth.buckets.len(), fourth.checkpoint.op_id), (false, 1, 4));
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn readers_of_other_processes_keep_what_they_read() {
    let mut tested = Tested::new(Kind::Postgres, 2);
    for op_id in 1..=5 {
        tested.store.commit(&version(op_id)).unwrap();
    }
    let process = Process::start(&tested.world);
    let (readers, _) = process.begun();
    let reader = readers.latest().unwrap().unwrap();
    let before = reader.operations(BucketId(1), 0, ALL).unwrap();
    let state = reader.buckets(&[bucket_key(1)]).unwrap();
    for op_id in 6..=20 {
        tested.store.commit(&version(op_id)).unwrap();
        tested.compact(100);
    }
    // The first four may be one CLEAR now, with the same meaning.
    let after = reader.operations(BucketId(1), 4, ALL).unwrap();
    assert_eq!(after.operations, before.operations[4..]);
    assert_eq!(reader.buckets(&[bucket_key(1)]).unwrap()[0].checksum, state[0].checksum);
    assert_eq!(tested.store.readers().oldest_pin(), 5);
    // A process that is silent for long is forgotten, and finds out.
    let mut client = tested.world.database.client();
    let age = "UPDATE rowtide.lease SET refreshed = refreshed - interval '2 minutes' WHERE NOT is_writer";
    client.batch_execute(age).unwrap();
    tested.compact(100);
    let error = reader.operations(BucketId(1), 4, ALL).unwrap_err();
    assert!(error.to_string().contains("compacted"), "{error}");
    assert_eq!(tested.store.readers().oldest_pin(), 20);
    loop {
        match process.next() {
            StoreEvent::Ended => break,
            StoreEvent::Committed(_) => {}
            _ => panic!("another event"),
        }
    }
    let (readers, _) = process.begun();
    assert_eq!(readers.latest().unwrap().unwrap().checkpoint().op_id, 20);
    tested.compact(100);
    assert_eq!(kinds(&*readers).len(), 2);
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_process_asks_the_one_that_writes() {
    let tested = Tested::new(Kind::Postgres, 100);
    let [asking, first, second] = [(); 3].map(|()| Process::start(&tested.world));
    for process in [&asking, &first, &second] {
        process.begun();
    }
    let (sender, answers) = channel();
    let ask = |body: &[u8]| {
        let sender = sender.clone();
        asking.desk.ask(body, move |answer| drop(sender.send(answer))).unwrap()
    };
    let _one = ask(b"one");
    first.desk.set_writing(true);
    let one = first.asked();
    assert_eq!(one.body, b"one");
    first.desk.answer(&one, b"1").unwrap();
    assert_eq!(answers.recv_timeout(LONG).unwrap(), b"1");
    let _two = ask(b"two");
    drop(ask(b"nobody waits for it"));
    assert_eq!(first.asked().body, b"two");
    // It is killed before it answers.
    drop(first);
    second.desk.set_writing(true);
    let two = second.asked();
    second.desk.release(&two);
    assert_eq!(second.asked().body, b"nobody waits for it");
    assert_eq!(second.asked(), two);
    second.desk.answer(&two, b"2").unwrap();
    assert_eq!(answers.recv_timeout(LONG).unwrap(), b"2");
    second.desk.post(b"well").unwrap();
    assert_eq!(asking.desk.writer().unwrap(), (true, Some(b"well".to_vec())));
    drop(tested.store);
    let mut is_there = true;
    while is_there {
        (is_there, _) = asking.desk.writer().unwrap();
    }
    let count = "SELECT count(*) FROM rowtide.request WHERE answer IS NOT NULL";
    assert_eq!(tested.world.database.client().query_one(count, &[]).unwrap().get::<_, i64>(0), 0);
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn readers_and_followers_survive_a_restart_of_the_server() {
    let server = Server::start("");
    let world = World::on(&server, 100);
    let mut store = world.open();
    store.commit(&version(1)).unwrap();
    let process = Process::start(&world);
    let (readers, _) = process.begun();
    let reader = readers.latest().unwrap().unwrap();
    reader.buckets(&[bucket_key(1)]).unwrap();
    server.kill();
    std::thread::scope(|scope| {
        // It waits for the server.
        let read = scope.spawn(|| kinds(&*readers).len());
        server.resume();
        assert_eq!(read.join().unwrap(), 1);
    });
    assert!(store.commit(&version(2)).is_err());
    drop(store);
    let mut store = world.open();
    store.load().unwrap();
    store.commit(&version(2)).unwrap();
    assert_eq!(process.notice().checkpoint.op_id, 2);
    assert_eq!(reader.operations(BucketId(1), 0, ALL).unwrap().operations.len(), 1);
}

//! What a source in memory can be told to do wrong, and that a follower copes with what is legal.

use std::time::Duration;

use fastrand::Rng;
use sync_config::Value;
use sync_engine::row::SourceValue;
use sync_engine::source::{ErrorClass, Source, SourceError, SourceEvent};
use sync_sources::memory::{Fault, MemorySource};
use sync_sources::open_source;

use crate::follower::{Follower, State};
use crate::patterns;
use crate::world::{Model, World};
use crate::worlds::Memory;

#[test]
fn content_converges_under_faults() {
    for seed in 0..200 {
        let mut rng = Rng::with_seed(seed);
        let mut world = Memory::new();
        let source = world.0.clone();
        let mut model = Model::new(world.specs());
        let mut follower = Follower::new(patterns(&["one", "two"]), State::default());
        follower.start(&source).unwrap();
        for _ in 0..100 {
            match rng.u8(..16) {
                0..=5 => {
                    let writes = model.random(&mut rng, crate::world::Values::All, false);
                    if !writes.is_empty() {
                        world.write(&writes, &model);
                    }
                }
                6 => source.inject(Fault::RepeatRows(rng.usize(..4))),
                7 => source.inject(Fault::HoldPages(rng.bool())),
                8 => source.inject(Fault::EventsPerCall(rng.usize(1..6))),
                9 => source.inject(Fault::CutStreamsAfter(rng.usize(..5))),
                10 if rng.u8(..5) == 0 => source.inject(Fault::LosePositions),
                _ => {}
            }
            let _ = follower.chunk(&source, rng.usize(1..4));
            if follower.step().is_err() {
                // What was being read goes on, as after a short outage. If it begins again, it reads what is there now.
                if source.stream(follower.state.position.as_ref()).is_err() {
                    source.inject(Fault::HoldPages(false));
                }
                follower.start(&source).unwrap();
            }
        }
        source.inject(Fault::HoldPages(false));
        while follower.catch_up(&source).is_err() {
            follower.start(&source).unwrap();
        }
        assert_eq!(follower.content(), model.content(), "seed {seed}");
    }
}

#[test]
fn faults_are_seen() {
    let source = MemorySource::new();
    source.create_table("t", &["id", "v"], &["id"]).unwrap();
    for id in 0..4 {
        source.begin().put("t", vec![id.into(), "x".into()]).commit().unwrap();
    }
    let table = &source.tables(&patterns(&["t"])).unwrap()[0];
    let first = source.snapshot_chunk(table, None, 2).unwrap();
    source.inject(Fault::RepeatRows(1));
    let second = source.snapshot_chunk(table, first.next.as_deref(), 2).unwrap();
    assert_eq!(second.rows.len(), 3);
    source.inject(Fault::HoldPages(true));
    let head = source.head().unwrap();
    source.begin().truncate(&["t"]).commit().unwrap();
    let held = source.snapshot_chunk(table, None, 9).unwrap();
    assert_eq!((held.rows.len(), held.read_at), (4, head.clone()));
    source.inject(Fault::CutStreamsAfter(1));
    let mut stream = source.stream(Some(&head)).unwrap();
    assert!(matches!(stream.next(Duration::ZERO).unwrap()[..], [SourceEvent::Begin]));
    assert_eq!(stream.next(Duration::ZERO).unwrap_err().class, ErrorClass::Retry);
    source.inject(Fault::LosePositions);
    assert_eq!(source.stream(Some(&head)).err().unwrap().class, ErrorClass::PositionLost);
    let error = SourceError { class: ErrorClass::RetryAfter(Duration::from_secs(3)), message: "later".into() };
    source.inject(Fault::FailNext(error.clone()));
    assert_eq!(source.head().unwrap_err(), error);
    assert!(source.head().is_ok());
}

#[test]
fn a_transaction_is_all_or_nothing() {
    let source = MemorySource::new();
    let head = source.create_table("t", &["id", "v"], &["id"]).unwrap();
    let put = |id: i64| vec![Value::Integer(id), Value::Null];
    for transaction in [
        source.begin().put("t", put(1)).put("nobody", put(1)),
        source.begin().put("t", put(1)).drop_table("t").put("t", put(2)),
        source.begin().put("t", put(1)).put("t", vec![Value::Null; 3]),
        source.begin().put("t", put(1)).delete("t", put(1)),
        source.begin().put("t", put(1)).create_table("t", &["id"], &["id"]).unwrap(),
        source.begin().put("t", put(1)).alter_table("t", &["v"]),
    ] {
        assert_eq!(transaction.commit().unwrap_err().class, ErrorClass::Configuration);
    }
    drop(source.begin().put("t", put(1)));
    assert_eq!(source.head().unwrap(), head);
    assert!(source.begin().create_table("u", &["id"], &["key"]).is_err());
}

#[test]
fn values_that_are_not_sent_are_stored() {
    let source = MemorySource::new();
    let head = source.create_table("t", &["id", "large"], &["id"]).unwrap();
    source.begin().put_unsent("t", vec!["a".into(), "large".into()], vec![1]).commit().unwrap();
    let events = source.stream(Some(&head)).unwrap().next(Duration::ZERO).unwrap();
    let change = events.iter().find_map(|event| match event {
        SourceEvent::Row(change) => Some(change),
        _ => None,
    });
    assert!(matches!(change.unwrap().row.as_ref().unwrap()[..], [_, SourceValue::Missing]));
    let table = &source.tables(&patterns(&["t"])).unwrap()[0];
    let refetched = source.refetch(table, &[vec!["a".into()]]).unwrap();
    assert!(
        matches!(&refetched.rows[0].as_ref().unwrap()[1], SourceValue::Value(Value::Text(text)) if text == "large")
    );
}

#[test]
fn lines_can_be_loaded() {
    let source = MemorySource::new();
    let lines =
        "{\"put\": {\"lists\": [{\"id\": \"1\", \"n\": 1}]}}\n\n{\"put\": {\"lists\": [{\"id\": \"2\", \"m\": 2}]}}";
    assert_eq!(source.load(lines).unwrap().number(), Some(2));
    let table = &source.tables(&patterns(&["lists"])).unwrap()[0];
    assert_eq!(table.columns.iter().map(|column| column.name.as_str()).collect::<Vec<_>>(), ["id", "n", "m"]);
    assert!(table.is_schemaless);
    assert!(source.load("{\"put\": 1}").unwrap_err().message.contains("line 1, column 9"));
}

#[test]
fn a_waiting_stream_is_woken_by_a_commit() {
    let source = MemorySource::new();
    source.create_table("t", &["id"], &["id"]).unwrap();
    let mut stream = source.stream(None).unwrap();
    let writer = source.clone();
    let thread = std::thread::spawn(move || writer.begin().put("t", vec![1.into()]).commit().unwrap());
    // Much longer than the test may take: without the wake-up it fails by that.
    assert!(!stream.next(Duration::from_secs(3600)).unwrap().is_empty());
    thread.join().unwrap();
}

#[test]
fn sources_are_opened_by_their_url() {
    assert_eq!(open_source("memory:").unwrap().describe().kind, "memory");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().display();
    assert_eq!(open_source(&format!("json:{path}")).unwrap().describe().kind, "json");
    crate::worlds::connect(&folder.path().join("a.db")).execute_batch("CREATE TABLE t(id)").unwrap();
    assert_eq!(open_source(&format!("sqlite:{path}/a.db")).unwrap().describe().kind, "sqlite");
    for url in ["mysql://root:secret@host/db", "secret", "secret secret:x", "sqlite:", "json:/secret/../nowhere.at.all"]
    {
        let error = open_source(url).err().unwrap();
        assert_eq!(error.class, ErrorClass::Configuration);
        assert!(url.starts_with("json:") || !error.message.contains("secret"), "{error}");
        assert!(url.starts_with("json:") || error.message.contains("sqlite:PATH, json:DIR"), "{error}");
    }
}

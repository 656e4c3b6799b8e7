//! Who may open a store, what it must not be opened on, and what long or damaged content does.

use std::sync::Arc;
use std::time::Duration;

use pg_connect::Target;
use sync_config::Value;
use sync_engine::live::DefinitionId;
use sync_engine::row::RowKey;
use sync_engine::store::{
    Batch, BucketId, NewBucket, NewParameter, OpKind, RowState, StoreError, TableId, WriteCheckpoint,
};
use sync_store::{PostgresOptions, PostgresStore};

use crate::support::{ALL, Tested, at, bucket_key, changes, checkpoint, key, new_bucket, parameter, put, state};
use crate::world::{Kind, World};

fn open_error(target: &Target, schema: &str) -> StoreError {
    let options = PostgresOptions { schema: schema.to_owned(), ..PostgresOptions::default() };
    PostgresStore::open(target, options).err().expect("it cannot be opened")
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_store_is_open_once_in_each_schema() {
    let tested = Tested::new(Kind::Postgres, 100);
    let target = tested.world.target();
    let error = open_error(&target, "rowtide");
    assert!(matches!(&error, StoreError::InUse(message) if message.contains("another process")), "{error}");
    let other = PostgresOptions { schema: "other \"one\"".to_owned(), ..PostgresOptions::default() };
    PostgresStore::open(&target, other).unwrap();
    drop(tested.store);
    PostgresStore::open(&target, PostgresOptions::default()).unwrap();
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn who_has_lost_the_lock_cannot_commit() {
    let mut tested = Tested::new(Kind::Postgres, 100);
    tested.store.commit(&at(1, 1)).unwrap();
    let reader = tested.latest();
    let (target, options) = (tested.world.target(), tested.world.options());
    let next = std::thread::spawn(move || PostgresStore::open(&target, options).unwrap());
    let waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    let mut client = tested.world.database.client();
    while client.query_one(waiting, &[]).unwrap().get::<_, i64>(0) == 0 {
        std::thread::sleep(Duration::from_millis(10));
    }
    // As when a machine is cut off: the server gives up its session, and it does not know.
    let holder = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted
        AND database = (SELECT oid FROM pg_database WHERE datname = current_database())";
    client.execute(holder, &[]).unwrap();
    let mut next = next.join().unwrap();
    assert!(matches!(tested.store.commit(&at(2, 2)), Err(StoreError::Unavailable(_))));
    let error = reader.buckets(&[bucket_key(1)]).unwrap_err();
    assert!(error.to_string().contains("compacted"), "{error}");
    let stored = sync_engine::store::Store::load(&mut next).unwrap();
    assert_eq!(stored.checkpoint, Some(checkpoint(1, 1)));
    sync_engine::store::Store::commit(&mut next, &at(2, 2)).unwrap();
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn other_schemas_and_newer_formats_are_refused() {
    let world = World::new(Kind::Postgres, 100);
    let target = world.target();
    let mut client = world.database.client();
    client.batch_execute("CREATE SCHEMA app; CREATE TABLE app.state(a int)").unwrap();
    let error = open_error(&target, "app");
    assert!(matches!(&error, StoreError::Invalid(message) if message.contains("another program")), "{error}");
    drop(world.open());
    client.batch_execute("UPDATE rowtide.format SET version = 2").unwrap();
    let error = open_error(&target, "rowtide");
    assert!(matches!(&error, StoreError::Invalid(message) if message.contains("format 2")), "{error}");
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_role_needs_few_rights_and_errors_say_which() {
    let world = World::new(Kind::Postgres, 100);
    let name = world.database.name();
    let mut client = world.database.client();
    let role = format!("store_{name}");
    client.batch_execute(&format!("CREATE ROLE {role} LOGIN PASSWORD 'secret'")).unwrap();
    let target = Target::parse(&world.database.url_as(&role, "secret")).unwrap();
    let error = open_error(&target, "rowtide");
    assert!(matches!(&error, StoreError::Unavailable(message) if message.contains("right")), "{error}");
    assert!(!error.to_string().contains("secret"));
    client.batch_execute(&format!("CREATE SCHEMA rowtide AUTHORIZATION {role}")).unwrap();
    let store = PostgresStore::open(&target, PostgresOptions::default()).unwrap();
    drop(store);
    let unreachable = Target { port: 1, ..target };
    let error = open_error(&unreachable, "rowtide");
    assert!(matches!(&error, StoreError::Unavailable(message) if message.contains("reached")), "{error}");
    client.batch_execute(&format!("DROP SCHEMA rowtide CASCADE; DROP ROLE {role}")).unwrap();
}

/// An index of PostgreSQL has no entries of more than 2,700 bytes, and its texts have no U+0000.
#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn keys_and_texts_of_any_length_and_content_are_kept() {
    let mut tested = Tested::new(Kind::Postgres, 100);
    let long = |end: &str| format!("{}\0{end}", "ä".repeat(10_000));
    let keys: Vec<RowKey> = ["a", "b"].iter().map(|end| RowKey::new(&[Value::text(long(end))])).collect();
    let new_buckets: Vec<_> = (1..=2)
        .zip(["a", "b"])
        .map(|(id, end)| NewBucket { id: BucketId(id), definition: DefinitionId(1), key: long(end).into() })
        .collect();
    let mut operations = vec![put(1, 1, 1, &long("x")), put(2, 2, 2, "{}")];
    if let OpKind::Put { row, .. } = &mut operations[0].kind {
        (row.object_id, row.object_type) = (long("id").into(), "with\0nothing".into());
    }
    let mut states: Vec<RowState> = vec![state(1, 1, 1), state(1, 2, 2)];
    states[0].places[0].object_type = "with\0nothing".into();
    let places: Vec<_> = keys
        .iter()
        .map(|key| {
            let mut place = parameter(1, 1, 1);
            (place.key, place.row.1) = (long("lookup").into(), key.clone());
            place
        })
        .collect();
    let request = WriteCheckpoint {
        user: long("user"),
        client: long("client"),
        id: 7,
        head: sync_engine::row::Position::from_number(9),
        requested_at: 1,
    };
    let batch = Batch {
        buckets: changes(&operations),
        operations: operations.clone(),
        row_states: keys.iter().zip(&states).map(|(key, state)| (TableId(1), key.clone(), state.clone())).collect(),
        touched: keys.iter().map(|key| (sync_engine::store::JobId(1), key.clone())).collect(),
        new_parameters: places.iter().map(|place| NewParameter { place: place.clone(), outputs: vec![] }).collect(),
        write_checkpoints: vec![request.clone()],
        new_buckets: new_buckets.clone(),
        ..at(2, 1)
    };
    tested.store.commit(&batch).unwrap();
    let mut tested = tested.reopen();
    let names: Vec<_> = new_buckets.iter().map(|new| (new.definition, Arc::clone(&new.key))).collect();
    let ids = [BucketId(1), BucketId(2)];
    assert_eq!(tested.store.find_buckets(&names).unwrap(), ids.map(Some));
    assert_eq!(
        tested.store.bucket_keys(&ids).unwrap(),
        names.iter().map(|(_, key)| Some(key.clone())).collect::<Vec<_>>()
    );
    let found = tested.store.row_states(&keys.iter().map(|key| (TableId(1), key.clone())).collect::<Vec<_>>()).unwrap();
    assert_eq!(
        found.iter().map(|state| &state.places).collect::<Vec<_>>(),
        states.iter().map(|state| &state.places).collect::<Vec<_>>()
    );
    let mut walked = tested.store.rows_of_table(TableId(1), None, 1).unwrap();
    walked.extend(tested.store.rows_of_table(TableId(1), Some(&walked[0].0.clone()), 1).unwrap());
    let mut walked: Vec<_> = walked.into_iter().map(|(key, _)| key).collect();
    walked.sort();
    assert_eq!(walked, keys);
    assert_eq!(tested.store.touched(sync_engine::store::JobId(1), &keys).unwrap(), [true, true]);
    assert_eq!(tested.store.load().unwrap().waiting_write_checkpoints, [request]);
    let reader = tested.latest();
    assert_eq!(reader.operations(BucketId(1), 0, ALL).unwrap().operations, operations[..1]);
    let mut rows = Vec::new();
    reader.lookup(places[0].index, &places[0].key, &mut rows).unwrap();
    assert_eq!(rows.len(), 2);
    tested.store.commit(&Batch { closed_parameters: places, ..at(2, 2) }).unwrap();
    rows.clear();
    let place = parameter(1, 1, 1);
    tested.latest().lookup(place.index, &long("lookup"), &mut rows).unwrap();
    assert!(rows.is_empty());
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn damage_is_reported_as_such() {
    for (damage, what) in [
        ("UPDATE rowtide.row_state SET state = '\\xff'", "row"),
        ("UPDATE rowtide.op_2 SET kind = 9", "operation"),
        ("UPDATE rowtide.op_2 SET object_type = 99", "operation"),
        ("UPDATE rowtide.state SET next_ids = '{'", "JSON"),
        ("DELETE FROM rowtide.state", "last commit"),
        ("DROP TABLE rowtide.parameter", "parameter"),
    ] {
        let mut tested = Tested::new(Kind::Postgres, 100);
        let operations = vec![put(1, 1, 1, "{}")];
        let batch = Batch {
            new_buckets: vec![new_bucket(1)],
            buckets: changes(&operations),
            operations,
            row_states: vec![(TableId(1), key(1), state(1, 1, 1))],
            ..at(1, 1)
        };
        tested.store.commit(&batch).unwrap();
        tested.world.database.client().batch_execute(damage).unwrap();
        let reader = tested.latest();
        let results = [
            tested.store.load().err(),
            tested.store.row_states(&[(TableId(1), key(1))]).err(),
            reader.operations(BucketId(1), 0, ALL).err(),
            reader.lookup(parameter(1, 1, 1).index, "[]", &mut Vec::new()).err(),
        ];
        let error = results.into_iter().flatten().next().unwrap_or_else(|| panic!("{damage} is not noticed"));
        assert!(matches!(&error, StoreError::Invalid(message) if message.contains(what)), "{damage}: {error}");
    }
}

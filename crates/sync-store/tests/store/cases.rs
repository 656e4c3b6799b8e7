//! What every store must do, case by case.

use std::sync::Arc;

use sync_config::{CompileOptions, Hash, Value, compile};
use sync_engine::live::{ConfigId, ConfigRecord, ConfigState, ConfigTimes, DefinitionId, IndexId, LivePlan};
use sync_engine::row::{Column, Position, SourceTable};
use sync_engine::store::{
    Batch, BucketId, ContentState, DefinitionRecord, IndexRecord, JobId, JobRecord, NewParameter, NextIds, OpId,
    OpKind, Operation, PageLimit, Reader, StoredParameter, Superseded, TableId, TableRecord, TableState,
    WriteCheckpoint,
};

use crate::support::{ALL, Tested, at, bucket_key, changes, key, new_bucket, parameter, put, state};
use crate::world::Kind;

kinds! {
    a_new_store_is_empty
    everything_is_loaded_as_it_was_written
    operations_of_an_open_transaction_are_not_visible
    pages_end_at_the_limit
    a_beginning_of_dead_operations_becomes_one_clear
    compaction_goes_on_in_small_steps
    a_cleared_bucket_stays_for_older_readers
    sizes_count_rows_once_and_the_largest_bucket_comes_first
    parameters_can_change_without_an_operation
    an_acknowledged_id_stays_while_newer_ones_wait
    touched_keys_are_deleted_with_their_job
    dropped_content_goes_when_no_reader_needs_it
    a_pin_is_of_the_oldest_reader
}

fn kinds(reader: &dyn Reader, bucket: i64, after: OpId) -> String {
    let page = reader.operations(BucketId(bucket), after, ALL).unwrap();
    let kinds = page.operations.iter().map(|operation| {
        let kind = match operation.kind {
            OpKind::Put { .. } => "PUT",
            OpKind::Remove { .. } => "REMOVE",
            OpKind::Move => "MOVE",
            OpKind::Clear => "CLEAR",
        };
        format!("{} {kind}", operation.op_id)
    });
    kinds.collect::<Vec<_>>().join(", ")
}

/// A batch that puts one row into bucket 1, which an operation before has put there.
fn version(op_id: OpId, previous: Option<OpId>) -> Batch {
    let operations = vec![put(1, op_id, 1, "{}")];
    let superseded = previous.map(|previous| Superseded { bucket: BucketId(1), op_id: previous, by: op_id });
    Batch {
        new_buckets: if previous.is_none() { vec![new_bucket(1)] } else { Vec::new() },
        buckets: changes(&operations),
        operations,
        superseded: superseded.into_iter().collect(),
        ..at(op_id, op_id.unsigned_abs())
    }
}

fn commit_versions(tested: &mut Tested, last: OpId) {
    for op_id in 1..=last {
        tested.store.commit(&version(op_id, (op_id > 1).then(|| op_id - 1))).unwrap();
    }
}

fn a_new_store_is_empty(kind: Kind) {
    let mut tested = Tested::new(kind, 100);
    let stored = tested.store.load().unwrap();
    assert_eq!((stored.next_op_id, stored.next_ids.bucket, stored.next_ids.config), (1, 1, 1));
    assert!(!stored.instance.is_empty());
    assert!(stored.checkpoint.is_none() && stored.position.is_none());
    assert!(stored.tables.is_empty() && stored.configs.is_empty() && stored.jobs.is_empty());
    let readers = tested.store.readers();
    assert!(readers.latest().unwrap().is_none());
    assert_eq!(readers.oldest_pin(), 0);
    drop(readers);
    assert_eq!(tested.compact(10), 0);
    let again = tested.reopen().store.load().unwrap();
    assert_eq!(again.instance, stored.instance);
}

/// A plan whose expressions are nested deeper than JSON parsers allow by default.
fn plan() -> LivePlan {
    let sum = vec!["n"; 100].join(" || ");
    let yaml = format!("config:\n  edition: 3\nstreams:\n  s:\n    query: SELECT id, {sum} AS sum FROM t\n");
    let plan = compile(&yaml, &CompileOptions::default()).plan.expect("a valid configuration");
    let names = plan.definitions.iter().map(|_| "s|1".to_owned()).collect();
    LivePlan { config: ConfigId(1), plan, definitions: vec![DefinitionId(1)], name_prefixes: names, indexes: vec![] }
}

fn everything_is_loaded_as_it_was_written(kind: Kind) {
    let mut tested = Tested::new(kind, 100);
    let column = |name: &str| Column { name: name.to_owned(), type_name: "text".to_owned() };
    let table = SourceTable {
        physical_id: "1".to_owned(),
        schema: "public".to_owned(),
        name: "t".to_owned(),
        columns: vec![column("id"), column("ä")],
        key: vec![0],
        is_schemaless: true,
    };
    let job = JobRecord {
        id: JobId(1),
        table: TableId(1),
        definitions: vec![DefinitionId(1)],
        indexes: vec![IndexId(1)],
        next: Some(vec![Value::Integer(-1), Value::text("x"), Value::Blob(vec![0])]),
        rows: u64::MAX,
        barrier: Some(Position(vec![0, 255])),
        is_read: true,
    };
    let config = |id, state| ConfigRecord {
        id: ConfigId(id),
        yaml: Arc::from("streams: {}"),
        plan: Arc::new(plan()),
        state,
        times: ConfigTimes { deployed: 1, activated: Some(2), retired: None },
    };
    let definition =
        |state| DefinitionRecord { id: DefinitionId(1), hash: Hash([7; 32]), name_prefix: "s|1.".to_owned(), state };
    let batch = Batch {
        tables: vec![TableRecord { id: TableId(1), table, state: TableState::Live }],
        configs: vec![config(1, ConfigState::Active), config(2, ConfigState::Failed("\"no\"".to_owned()))],
        definitions: vec![definition(ContentState::Snapshotting)],
        indexes: vec![IndexRecord { id: IndexId(1), hash: Hash([8; 32]), state: ContentState::Ready }],
        jobs: vec![job.clone(), JobRecord { id: JobId(2), next: None, barrier: None, ..job }],
        next_ids: NextIds { bucket: 7, table: 2, job: 3, definition: 4, index: 5, config: 6 },
        ..at(5, 5)
    };
    tested.store.commit(&batch).unwrap();
    let changed = Batch {
        configs: vec![config(2, ConfigState::Deleted)],
        definitions: vec![definition(ContentState::Ready)],
        next_ids: batch.next_ids,
        next_op_id: 9,
        ..Batch::default()
    };
    tested.store.commit(&changed).unwrap();
    let stored = tested.store.load().unwrap();
    assert_eq!((stored.next_op_id, stored.next_ids), (9, batch.next_ids));
    assert_eq!((stored.checkpoint, stored.position), (batch.checkpoint, batch.position));
    assert_eq!((&stored.tables, &stored.definitions), (&batch.tables, &changed.definitions));
    assert_eq!(stored.indexes, batch.indexes);
    assert_eq!(format!("{:?}", stored.jobs), format!("{:?}", batch.jobs));
    assert_eq!(format!("{:?}", stored.configs), format!("{:?}", [&batch.configs[0]]));
}

fn operations_of_an_open_transaction_are_not_visible(kind: Kind) {
    let mut tested = Tested::new(kind, 2);
    commit_versions(&mut tested, 2);
    let open = Batch { position: None, checkpoint: None, ..version(3, Some(2)) };
    tested.store.commit(&open).unwrap();
    tested.compact(10);
    assert_eq!(kinds(&*tested.latest(), 1, 0), "1 MOVE, 2 PUT");
    let mut tested = tested.reopen();
    let stored = tested.store.load().unwrap();
    assert_eq!((stored.next_op_id, stored.position), (4, Some(Position::from_number(2))));
    assert_eq!(kinds(&*tested.latest(), 1, 0), "1 MOVE, 2 PUT");
    assert_eq!(tested.latest().buckets(&[bucket_key(1)]).unwrap()[0].last_op, 2);
    tested.store.commit(&at(3, 3)).unwrap();
    assert_eq!(kinds(&*tested.latest(), 1, 0), "1 MOVE, 2 MOVE, 3 PUT");
}

fn pages_end_at_the_limit(kind: Kind) {
    let mut tested = Tested::new(kind, 100);
    let sizes = [10, 10, 0, 500, 1, 1];
    let operations: Vec<_> =
        (1..).zip(sizes).map(|(op_id, size)| put(1, op_id, op_id as usize, &"x".repeat(size))).collect();
    let buckets = changes(&operations);
    tested.store.commit(&Batch { new_buckets: vec![new_bucket(1)], operations, buckets, ..at(6, 1) }).unwrap();
    let reader = tested.latest();
    let lengths = |operations, bytes| {
        let (mut after, mut lengths) = (0, Vec::new());
        loop {
            let page = reader.operations(BucketId(1), after, PageLimit { operations, bytes }).unwrap();
            lengths.push(page.operations.len());
            if !page.has_more {
                return lengths;
            }
            after = page.operations.last().unwrap().op_id;
        }
    };
    assert_eq!(lengths(4, 10_000), [4, 2]);
    assert_eq!(lengths(3, 10_000), [3, 3]);
    assert_eq!(lengths(100, 20), [3, 1, 2]);
    assert_eq!(lengths(100, 1), [1, 1, 1, 1, 1, 1]);
    assert_eq!(reader.operations(BucketId(2), 0, ALL).unwrap().operations, []);
}

fn a_beginning_of_dead_operations_becomes_one_clear(kind: Kind) {
    let mut tested = Tested::new(kind, 100);
    commit_versions(&mut tested, 100);
    tested.compact(1000);
    assert!(kinds(&*tested.latest(), 1, 0).starts_with("1 MOVE, 2 MOVE, "), "99 are too few");
    let sum = tested.latest().buckets(&[bucket_key(1)]).unwrap()[0].checksum;
    tested.store.commit(&version(101, Some(100))).unwrap();
    assert!(tested.compact(1000) >= 100);
    let reader = tested.latest();
    assert_eq!(kinds(&*reader, 1, 0), "100 CLEAR, 101 PUT");
    assert_eq!(kinds(&*reader, 1, 50), "100 CLEAR, 101 PUT");
    assert_eq!(kinds(&*reader, 1, 100), "101 PUT");
    assert_eq!(reader.operations(BucketId(1), 0, ALL).unwrap().operations[0].checksum, sum);
    let state = reader.buckets(&[bucket_key(1)]).unwrap()[0];
    let last = put(1, 101, 1, "").checksum;
    assert_eq!((state.checksum, state.count, state.last_op), (sum.wrapping_add(last), 2, 101));
}

fn compaction_goes_on_in_small_steps(kind: Kind) {
    let mut tested = Tested::new(kind, 10);
    commit_versions(&mut tested, 60);
    let mut steps = 0;
    loop {
        let compacted = tested.store.compact(60, 7).unwrap();
        assert!(compacted.operations <= 59);
        steps += 1;
        if !compacted.has_more {
            break;
        }
    }
    assert!(steps > 1);
    assert!(kinds(&*tested.latest(), 1, 0).contains("CLEAR"));
    assert_eq!(tested.store.compact(60, 7).unwrap().operations, 0);
    assert_eq!(tested.store.compact(OpId::MAX, 7).unwrap().operations, 0);
}

fn a_cleared_bucket_stays_for_older_readers(kind: Kind) {
    let mut tested = Tested::new(kind, 2);
    commit_versions(&mut tested, 3);
    let old = tested.latest();
    let before = old.buckets(&[bucket_key(1)]).unwrap();
    let clear = |op_id| Operation { kind: OpKind::Clear, ..put(1, op_id, 0, "") };
    for (position, op_id) in [(4, 4), (5, 6)] {
        let operations = vec![clear(op_id), put(1, op_id + 1, 2, "{}")];
        let buckets = changes(&operations);
        let cleared_buckets = vec![BucketId(1)];
        let batch = Batch { operations, buckets, cleared_buckets, ..at(op_id + 1, position) };
        tested.store.commit(&batch).unwrap();
    }
    let new = tested.latest();
    for _ in 0..2 {
        assert_eq!(kinds(&*old, 1, 0), "1 MOVE, 2 MOVE, 3 PUT");
        assert_eq!(old.buckets(&[bucket_key(1)]).unwrap(), before);
        assert_eq!(kinds(&*new, 1, 0), "6 CLEAR, 7 PUT");
        let state = new.buckets(&[bucket_key(1)]).unwrap()[0];
        let sum = clear(6).checksum.wrapping_add(put(1, 7, 2, "").checksum);
        assert_eq!((state.count, state.last_op, state.checksum), (2, 7, sum));
        tested.compact(1);
    }
    drop(old);
    tested.compact(1);
    assert_eq!(kinds(&*new, 1, 0), "6 CLEAR, 7 PUT");
}

fn sizes_count_rows_once_and_the_largest_bucket_comes_first(kind: Kind) {
    let mut tested = Tested::new(kind, 100);
    commit_versions(&mut tested, 3);
    let large = "{\"text\":\"a row that is larger than all others together\"}";
    let operations = vec![put(3, 4, 1, large), put(3, 5, 2, "{}"), put(2, 6, 1, "{}")];
    let new_buckets = vec![new_bucket(3), new_bucket(2)];
    let batch = Batch { new_buckets, buckets: changes(&operations), operations, ..at(6, 4) };
    tested.store.commit(&batch).unwrap();
    let sizes = |tested: &Tested| {
        let readers = tested.store.readers();
        let definitions = readers.definition_sizes().unwrap().unwrap();
        let buckets = |skipped, limit| readers.bucket_sizes(DefinitionId(2), skipped, limit).unwrap().unwrap();
        let keys =
            buckets(0, 10).into_iter().map(|size| (size.key.to_string(), size.last_op, size.operations, size.rows));
        let second = buckets(1, 1).pop().unwrap().key.to_string();
        assert_eq!((buckets(1, 1).len(), buckets(2, 1).len()), (1, 0));
        let counts = definitions.iter().map(|size| (size.definition.0, size.buckets, size.operations, size.rows));
        (counts.collect::<Vec<_>>(), keys.collect::<Vec<_>>(), second)
    };
    let (definitions, buckets, second) = sizes(&tested);
    assert_eq!(definitions, [(1, 1, 1, Some(1)), (2, 2, 5, Some(3))]);
    let expected = [("[\"3\"]".to_owned(), 5, 2, Some(2)), ("[\"1\"]".to_owned(), 3, 3, Some(1))];
    assert_eq!((buckets, &*second), (expected.to_vec(), "[\"1\"]"));
    let clear = Operation { kind: OpKind::Clear, ..put(3, 7, 0, "") };
    let operations = vec![clear, put(3, 8, 9, large)];
    let cleared_buckets = vec![BucketId(3)];
    let batch = Batch { buckets: changes(&operations), operations, cleared_buckets, ..at(8, 5) };
    tested.store.commit(&batch).unwrap();
    assert_eq!(sizes(&tested).0, [(1, 1, 1, Some(1)), (2, 2, 5, Some(2))]);
}

fn parameters_can_change_without_an_operation(kind: Kind) {
    let mut tested = Tested::new(kind, 100);
    let new = |hash| NewParameter { place: parameter(1, 1, hash), outputs: vec![Value::Integer(hash as i64)] };
    tested.store.commit(&Batch { new_parameters: vec![new(1)], ..at(0, 1) }).unwrap();
    let first = tested.latest();
    let closed_parameters = vec![parameter(1, 1, 1)];
    let batch = Batch { closed_parameters, new_parameters: vec![new(2), new(u64::MAX)], ..at(0, 2) };
    tested.store.commit(&batch).unwrap();
    let second = tested.latest();
    let found = |reader: &dyn Reader| {
        let mut rows = Vec::new();
        let place = parameter(1, 1, 0);
        reader.lookup(place.index, &place.key, &mut rows).unwrap();
        let mut found: Vec<_> = rows.iter().map(|row| row[0].integer().unwrap()).collect();
        found.sort_unstable();
        found
    };
    for _ in 0..2 {
        assert_eq!(found(&*first), [1]);
        assert_eq!(found(&*second), [-1, 2]);
        tested.compact(1);
    }
    drop(first);
    tested.compact(1);
    assert_eq!(found(&*second), [-1, 2]);
}

fn an_acknowledged_id_stays_while_newer_ones_wait(kind: Kind) {
    let mut tested = Tested::new(kind, 100);
    tested.store.commit(&at(1, 1)).unwrap();
    let request = |id, head| WriteCheckpoint {
        user: "u".to_owned(),
        client: String::new(),
        id,
        head: Position::from_number(head),
        requested_at: id,
    };
    let id = |tested: &Tested| tested.latest().write_checkpoint("u", "").unwrap();
    assert_eq!(id(&tested), None);
    for (requests, acknowledged) in [(vec![request(7, 1), request(8, 2)], 7), (vec![request(7, 3), request(9, 3)], 7)] {
        tested.store.commit(&Batch { write_checkpoints: requests, next_op_id: 2, ..Batch::default() }).unwrap();
        assert_eq!(id(&tested), Some(acknowledged));
    }
    let waiting = tested.store.load().unwrap().waiting_write_checkpoints;
    assert_eq!(waiting, [request(8, 2), request(9, 3)]);
    tested.store.commit(&at(1, 2)).unwrap();
    assert_eq!(id(&tested), Some(8));
    tested.store.commit(&Batch { forget_requests_before: Some(9), ..at(1, 2) }).unwrap();
    assert_eq!(id(&tested), None);
    tested.store.commit(&at(1, 3)).unwrap();
    assert_eq!(id(&tested), Some(9));
    assert!(tested.store.load().unwrap().waiting_write_checkpoints.is_empty());
}

fn touched_keys_are_deleted_with_their_job(kind: Kind) {
    let mut tested = Tested::new(kind, 100);
    let touched = vec![(JobId(1), key(1)), (JobId(1), key(1)), (JobId(2), key(2))];
    tested.store.commit(&Batch { touched, next_op_id: 1, ..Batch::default() }).unwrap();
    let keys = [key(1), key(2), key(3)];
    assert_eq!(tested.store.touched(JobId(1), &keys).unwrap(), [true, false, false]);
    assert_eq!(tested.store.touched(JobId(2), &keys).unwrap(), [false, true, false]);
    let finished_jobs = vec![JobId(1)];
    tested.store.commit(&Batch { finished_jobs, next_op_id: 1, ..Batch::default() }).unwrap();
    assert_eq!(tested.store.touched(JobId(1), &keys).unwrap(), [false, false, false]);
    assert_eq!(tested.store.touched(JobId(2), &keys).unwrap(), [false, true, false]);
}

fn dropped_content_goes_when_no_reader_needs_it(kind: Kind) {
    let mut tested = Tested::new(kind, 100);
    let definition =
        |id, state| DefinitionRecord { id: DefinitionId(id), hash: Hash([0; 32]), name_prefix: String::new(), state };
    let index = |id, state| IndexRecord { id: IndexId(id), hash: Hash([0; 32]), state };
    // Bucket 1 is of definition 2, bucket 2 of definition 1; the same for indexes.
    let operations: Vec<_> = (0..30).map(|op| put(1 + op % 2, op + 1, op as usize, "{}")).collect();
    let mut row_states: Vec<_> =
        (0..30).map(|op| (TableId(1), key(op as usize), state(1 + op % 2, op as usize, op + 1))).collect();
    row_states.push((TableId(2), key(1), state(1, 1, 29)));
    let entry = |index| StoredParameter { index: IndexId(index), key: "[]".into(), hash: 1 };
    let of_both = &mut row_states.last_mut().unwrap().2;
    of_both.places.extend(state(2, 1, 30).places);
    of_both.parameters.extend([entry(1), entry(2)]);
    let parameters = (0..10).map(|row| NewParameter { place: parameter(row % 2, row, 1), outputs: vec![Value::Null] });
    let batch = Batch {
        new_buckets: vec![new_bucket(1), new_bucket(2)],
        buckets: changes(&operations),
        operations,
        row_states,
        new_parameters: parameters.collect(),
        definitions: vec![definition(1, ContentState::Ready), definition(2, ContentState::Ready)],
        indexes: vec![index(1, ContentState::Ready), index(2, ContentState::Ready)],
        ..at(30, 1)
    };
    tested.store.commit(&batch).unwrap();
    let old = tested.latest();
    let dropped = Batch {
        definitions: vec![definition(2, ContentState::Dropping)],
        indexes: vec![index(2, ContentState::Dropping)],
        ..at(30, 2)
    };
    tested.store.commit(&dropped).unwrap();
    tested.compact(4);
    let count = |reader: &dyn Reader, bucket, lookup| {
        let (mut rows, place) = (Vec::new(), parameter(lookup, 0, 0));
        reader.lookup(place.index, &place.key, &mut rows).unwrap();
        (reader.operations(BucketId(bucket), 0, ALL).unwrap().operations.len(), rows.len())
    };
    assert_eq!((count(&*old, 1, 1), count(&*old, 2, 0)), ((15, 5), (15, 5)));
    drop(old);
    tested.compact(4);
    let new = tested.latest();
    assert_eq!((count(&*new, 1, 1), count(&*new, 2, 0)), ((0, 0), (15, 5)));
    let keys = [bucket_key(1), bucket_key(2)];
    let ids = new.buckets(&keys).unwrap();
    assert_eq!(ids.iter().map(|state| state.id).collect::<Vec<_>>(), [None, Some(BucketId(2))]);
    assert_eq!(tested.store.find_buckets(&keys).unwrap(), [None, Some(BucketId(2))]);
    assert_eq!(tested.store.rows_of_table(TableId(1), None, 100).unwrap().len(), 15);
    let both = tested.store.row_states(&[(TableId(2), key(1))]).unwrap();
    assert_eq!((&both[0].places, &both[0].parameters), (&state(2, 1, 30).places, &vec![entry(1)]));
    let stored = tested.store.load().unwrap();
    assert_eq!(
        (stored.definitions, stored.indexes),
        (vec![batch.definitions[0].clone()], vec![batch.indexes[0].clone()])
    );
}

fn a_pin_is_of_the_oldest_reader(kind: Kind) {
    let mut tested = Tested::new(kind, 100);
    let readers = tested.store.readers();
    commit_versions(&mut tested, 2);
    let (first, same) = (tested.latest(), tested.latest());
    tested.store.commit(&version(3, Some(2))).unwrap();
    let newer = readers.latest().unwrap().unwrap();
    drop(first);
    assert_eq!((readers.oldest_pin(), newer.checkpoint().op_id), (2, 3));
    drop(same);
    assert_eq!(readers.oldest_pin(), 3);
    tested.store.commit(&version(4, Some(3))).unwrap();
    assert_eq!(readers.oldest_pin(), 3);
    drop(newer);
    assert_eq!(readers.oldest_pin(), 4);
}

//! Random batches against a model: for every position at which a client may be, what a reader gives completes it to the rows
//! and the checksum of the reader's checkpoint, whatever was written, cleared, dropped or compacted meanwhile.

use std::collections::{BTreeMap, BTreeSet};

use sync_config::Value;
use sync_engine::live::IndexId;
use sync_engine::row::Position;
use sync_engine::store::{
    Batch, BucketId, BucketState, NewParameter, OpId, OpKind, Operation, PageLimit, ParameterPlace, Reader, Superseded,
    TableId, WriteCheckpoint,
};

use crate::client::{ClientBucket, History};
use crate::support::{
    ALL, Random, Tested, bucket_key, changes, checkpoint, key, new_bucket, output, parameter, put, remove, state,
};
use crate::world::Kind;

const BUCKETS: i64 = 5;
const ROWS: usize = 12;
const LOOKUPS: usize = 4;

/// What was written, kept in the simplest way.
#[derive(Default)]
struct Model {
    histories: BTreeMap<i64, History>,
    /// The last operation of each row in each bucket.
    places: BTreeMap<(i64, usize), OpId>,
    parameters: BTreeMap<(usize, usize), u64>,
    requests: Vec<WriteCheckpoint>,
    next_op_id: OpId,
    position: u64,
}

/// What a reader must see.
struct Expected {
    reader: Box<dyn Reader>,
    parameters: BTreeMap<(usize, usize), u64>,
}

impl Model {
    fn batch(&mut self, random: &mut Random) -> Batch {
        let mut batch = Batch::default();
        for _ in 0..random.below(8) {
            self.change_row(random, &mut batch);
        }
        if random.one_in(12) {
            self.clear_bucket(random, &mut batch);
        }
        if random.one_in(3) {
            self.change_parameter(random, &mut batch);
        }
        if random.one_in(4) {
            self.request(random, &mut batch);
        }
        batch.buckets = changes(&batch.operations);
        batch.next_op_id = self.next_op_id;
        if !random.one_in(4) {
            self.position += random.below(3) as u64;
            batch.position = Some(Position::from_number(self.position));
            batch.checkpoint = Some(checkpoint(self.next_op_id - 1, self.position));
        }
        batch
    }

    fn add(&mut self, batch: &mut Batch, operation: Operation) {
        let (bucket, op_id) = (operation.bucket.0, operation.op_id);
        if !self.histories.contains_key(&bucket) {
            batch.new_buckets.push(new_bucket(bucket));
        }
        self.histories.entry(bucket).or_default().0.push((operation.clone(), None));
        batch.operations.push(operation);
        self.next_op_id = op_id + 1 + i64::from(op_id % 7 == 0);
    }

    fn change_row(&mut self, random: &mut Random, batch: &mut Batch) {
        let (bucket, row) = (1 + random.below(BUCKETS as usize) as i64, random.below(ROWS));
        let op_id = self.next_op_id;
        let previous = self.places.get(&(bucket, row)).copied();
        let is_removed = previous.is_some() && random.one_in(3);
        if is_removed {
            self.add(batch, remove(bucket, op_id, row));
            self.places.remove(&(bucket, row));
        } else {
            let data = format!("{{\"n\":{op_id},\"text\":\"{}\"}}", "x".repeat(random.below(40)));
            self.add(batch, put(bucket, op_id, row, &data));
            self.places.insert((bucket, row), op_id);
        }
        if let Some(previous) = previous {
            batch.superseded.push(Superseded { bucket: BucketId(bucket), op_id: previous, by: op_id });
            let history = self.histories.get_mut(&bucket).unwrap();
            history.0.iter_mut().find(|(operation, _)| operation.op_id == previous).unwrap().1 = Some(op_id);
        }
        batch.row_states.push((TableId(1), key(row), self.row_state(row)));
    }

    /// A row is in several buckets.
    fn row_state(&self, row: usize) -> sync_engine::store::RowState {
        let places = self.places.iter().filter(|((_, of), _)| *of == row);
        let places = places.flat_map(|((bucket, _), op_id)| state(*bucket, row, *op_id).places);
        sync_engine::store::RowState { places: places.collect(), ..Default::default() }
    }

    /// A bucket without operations in this batch so far.
    fn clear_bucket(&mut self, random: &mut Random, batch: &mut Batch) {
        let bucket = 1 + random.below(BUCKETS as usize) as i64;
        let is_changed = batch.operations.iter().any(|operation| operation.bucket == BucketId(bucket));
        if is_changed || !self.histories.contains_key(&bucket) {
            return;
        }
        let op_id = self.next_op_id;
        let clear = Operation { kind: OpKind::Clear, ..put(bucket, op_id, 0, "") };
        self.add(batch, clear);
        batch.cleared_buckets.push(BucketId(bucket));
        let rows: Vec<usize> = self.places.keys().filter(|(of, _)| *of == bucket).map(|(_, row)| *row).collect();
        self.places.retain(|(of, _), _| *of != bucket);
        for row in rows {
            batch.row_states.push((TableId(1), key(row), self.row_state(row)));
        }
    }

    fn change_parameter(&mut self, random: &mut Random, batch: &mut Batch) {
        let at = (random.below(LOOKUPS), random.below(3));
        if let Some(hash) = self.parameters.remove(&at) {
            batch.closed_parameters.push(parameter(at.0, at.1, hash));
        }
        if random.one_in(2) {
            let hash = random.next();
            let outputs = vec![Value::text(format!("{hash}")), Value::Null];
            batch.new_parameters.push(NewParameter { place: parameter(at.0, at.1, hash), outputs });
            self.parameters.insert(at, hash);
        }
    }

    fn request(&mut self, random: &mut Random, batch: &mut Batch) {
        let client = format!("client {}", random.below(2));
        let head = Position::from_number(self.position + random.below(4) as u64);
        let id = self.requests.len() as i64 + 1;
        let request = WriteCheckpoint { user: "user".to_owned(), client, id, head, requested_at: id };
        self.requests.push(request.clone());
        batch.write_checkpoints.push(request);
        if random.one_in(5) {
            let before = id - random.below(6) as i64;
            batch.forget_requests_before = Some(before);
            let is_kept = |request: &WriteCheckpoint| request.requested_at >= before || request.id == id;
            self.requests.iter_mut().filter(|request| !is_kept(request)).for_each(|request| request.client.clear());
        }
    }

    fn check(&self, expected: &Expected, random: &mut Random) {
        let reader = &*expected.reader;
        let pin = reader.checkpoint().op_id;
        let keys: Vec<_> = (1..=BUCKETS).map(bucket_key).collect();
        let states = reader.buckets(&keys).unwrap();
        for (bucket, state) in (1..=BUCKETS).zip(states) {
            let history = self.histories.get(&bucket).cloned().unwrap_or_default();
            let last_op = history.last_op(pin);
            let at_pin = history.client(pin, 0);
            let id = (last_op > 0).then_some(BucketId(bucket));
            let count = if last_op > 0 { download(reader, bucket, 0, ALL, &mut ClientBucket::default()) } else { 0 };
            let checksum = at_pin.checksum;
            assert_eq!(state, BucketState { id, last_op, count: count as i64, checksum }, "bucket {bucket} at {pin}");
            for _ in 0..4 {
                let position = random.below(pin as usize + 1) as OpId;
                let seen = position + random.below((pin - position) as usize + 1) as OpId;
                let mut client = history.client(position, seen);
                let limit = PageLimit { operations: 1 + random.below(5), bytes: 1 + random.below(100) };
                download(reader, bucket, position, limit, &mut client);
                assert_eq!(client, at_pin, "bucket {bucket} from {position}, seen at {seen}, to {pin}");
            }
        }
        self.check_parameters(expected);
        for client in ["client 0", "client 1"] {
            let acknowledged = self
                .requests
                .iter()
                .filter(|request| request.client == client && request.head <= reader.checkpoint().position);
            let id = acknowledged.map(|request| request.id).max();
            assert_eq!(reader.write_checkpoint("user", client).unwrap(), id, "{client}");
        }
        assert_eq!(reader.write_checkpoint("client 0", "user").unwrap(), None);
    }

    fn check_parameters(&self, expected: &Expected) {
        for lookup in 0..LOOKUPS {
            let ParameterPlace { index, key, .. } = parameter(lookup, 0, 0);
            let mut rows = Vec::new();
            expected.reader.lookup(index, &key, &mut rows).unwrap();
            let found: BTreeSet<String> = rows.iter().map(|row| row[0].as_text().unwrap().into_owned()).collect();
            assert_eq!(found.len(), rows.len(), "each entry is found once");
            let wanted = expected.parameters.iter().filter(|((of, _), _)| *of == lookup);
            assert_eq!(found, wanted.map(|(_, hash)| hash.to_string()).collect(), "lookup {lookup}");
            expected.reader.lookup(IndexId(index.0 + 7), &key, &mut rows).unwrap();
            assert_eq!(found.len(), rows.len(), "another index has nothing");
        }
    }

    fn check_rows(&self, tested: &mut Tested) {
        let keys: Vec<_> = (0..ROWS).map(|row| (TableId(1), key(row))).collect();
        let states = tested.store.row_states(&keys).unwrap();
        for (row, state) in states.iter().enumerate() {
            assert_eq!(state.places, self.row_state(row).places);
        }
        let mut found = Vec::new();
        loop {
            let after = found.last().map(|(key, _)| key);
            let page = tested.store.rows_of_table(TableId(1), after, 5).unwrap();
            if page.is_empty() {
                break;
            }
            found.extend(page);
        }
        let mut wanted: Vec<_> = (0..ROWS).map(|row| (key(row), self.row_state(row).places)).collect();
        wanted.retain(|(_, places)| !places.is_empty());
        wanted.sort_by(|one, other| one.0.cmp(&other.0));
        let found: Vec<_> = found.into_iter().map(|(key, state)| (key, state.places)).collect();
        assert_eq!(found, wanted);
        let buckets: Vec<_> = (1..=BUCKETS).map(bucket_key).collect();
        let found = tested.store.find_buckets(&buckets).unwrap();
        let wanted = (1..=BUCKETS).map(|bucket| self.histories.contains_key(&bucket).then_some(BucketId(bucket)));
        assert_eq!(found, wanted.collect::<Vec<_>>());
        let ids: Vec<_> = (1..=BUCKETS).map(BucketId).collect();
        let keys = found.iter().zip(buckets).map(|(id, (_, key))| id.map(|_| key)).collect::<Vec<_>>();
        assert_eq!(tested.store.bucket_keys(&ids).unwrap(), keys);
    }
}

/// Receives all pages from a position on. How many operations there were.
fn download(reader: &dyn Reader, bucket: i64, mut after: OpId, limit: PageLimit, client: &mut ClientBucket) -> usize {
    let mut count = 0;
    loop {
        let page = reader.operations(BucketId(bucket), after, limit).unwrap();
        assert!(page.operations.len() <= limit.operations);
        assert!(!page.has_more || !page.operations.is_empty(), "a page is not empty if there is more");
        for operation in &page.operations {
            assert!(operation.op_id > after && operation.op_id <= reader.checkpoint().op_id, "{after} {operation:?}");
            assert_eq!(operation.bucket, BucketId(bucket));
            after = operation.op_id;
            client.receive(operation);
        }
        count += page.operations.len();
        if !page.has_more {
            return count;
        }
    }
}

fn run(kind: Kind, seed: u64) {
    let mut random = Random(seed);
    let mut tested = Tested::new(kind, 2 + random.below(6));
    let mut model = Model { next_op_id: 1, ..Model::default() };
    let mut readers: Vec<Expected> = Vec::new();
    for _ in 0..60 {
        let batch = model.batch(&mut random);
        tested.store.commit(&batch).unwrap();
        if batch.checkpoint.is_some() && random.one_in(3) {
            readers.push(Expected { reader: tested.latest(), parameters: model.parameters.clone() });
        }
        if random.one_in(3) && !readers.is_empty() {
            readers.swap_remove(random.below(readers.len()));
        }
        if random.one_in(2) {
            let pin = tested.store.readers().oldest_pin();
            tested.store.compact(pin, 1 + random.below(20)).unwrap();
        }
        if random.one_in(20) {
            readers.clear();
            let stored = tested.store.load().unwrap();
            tested = tested.reopen();
            let again = tested.store.load().unwrap();
            assert_eq!(format!("{stored:?}"), format!("{again:?}"));
            assert_eq!(stored.next_op_id, model.next_op_id);
        }
        for expected in &readers {
            model.check(expected, &mut random);
        }
    }
    model.check_rows(&mut tested);
    readers.clear();
    tested.store.commit(&crate::support::at(model.next_op_id - 1, model.position)).unwrap();
    tested.compact(7);
    model.check(&Expected { reader: tested.latest(), parameters: model.parameters.clone() }, &mut random);
    assert_all_is_compacted(&tested, &model);
}

/// No more is stored than rows, the REMOVEs behind them and dead operations that are too few for a CLEAR.
fn assert_all_is_compacted(tested: &Tested, model: &Model) {
    let reader = tested.latest();
    for bucket in model.histories.keys() {
        let page = reader.operations(BucketId(*bucket), 0, ALL).unwrap();
        for operation in &page.operations {
            let OpKind::Put { row, .. } = &operation.kind else { continue };
            let is_live = |(of, row_number): &(i64, usize)| of == bucket && output(*row_number) == *row;
            assert!(model.places.iter().any(|(place, op_id)| is_live(place) && *op_id == operation.op_id));
        }
        let dead = page.operations.iter().take_while(|operation| !matches!(operation.kind, OpKind::Put { .. })).count();
        assert!(dead < 8, "bucket {bucket} begins with {dead} dead operations");
    }
}

fn all_positions(kind: Kind) {
    for seed in 0..kind.sessions() {
        println!("seed {seed}");
        run(kind, seed);
    }
}

kinds! {
    all_positions
}

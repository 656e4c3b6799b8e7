//! Messages by hand, and random bytes.

use super::*;

fn message(parts: &[&[u8]]) -> Vec<u8> {
    parts.concat()
}

const ROW: &[u8] = &[0, 3, b'n', b'u', b't', 0, 0, 0, 2, b'h', b'i'];
const CELLS: [Cell<'static>; 3] = [Cell::Null, Cell::Unchanged, Cell::Text(b"hi")];

fn all() -> Vec<(Vec<u8>, Message<'static>)> {
    let oid = [0, 0, 0, 9];
    let relation = Relation {
        oid: 9,
        schema: "s".into(),
        name: "t".into(),
        identity: b'd',
        columns: vec![RelationColumn { name: "id".into(), is_key: true, type_oid: 23, modifier: -1 }],
    };
    let columns = [b"\x01id\0".as_slice(), &[0, 0, 0, 23], &[0xff; 4]].concat();
    let mut catalog = relation.clone();
    catalog.schema = "pg_catalog".into();
    vec![
        (message(&[b"B", &[0, 0, 0, 0, 0, 0, 1, 0], &[0; 12]]), Message::Begin { lsn: Lsn(256) }),
        (
            message(&[b"C", &[0; 9], &[0, 0, 0, 0, 0, 0, 1, 1], &[0, 0, 0, 0, 0, 0, 0, 7]]),
            Message::Commit { end: Lsn(257), time: 7 },
        ),
        (message(&[b"R", &oid, b"s\0t\0d\0\x01", &columns]), Message::Relation(relation)),
        (message(&[b"R", &oid, b"\0t\0d\0\x01", &columns]), Message::Relation(catalog)),
        (message(&[b"I", &oid, b"N", ROW]), Message::Insert { table: 9, new: CELLS.to_vec() }),
        (message(&[b"U", &oid, b"N", ROW]), Message::Update { table: 9, old: None, new: CELLS.to_vec() }),
        (
            message(&[b"U", &oid, b"K", ROW, b"N", ROW]),
            Message::Update { table: 9, old: Some(CELLS.to_vec()), new: CELLS.to_vec() },
        ),
        (
            message(&[b"U", &oid, b"O", ROW, b"N", ROW]),
            Message::Update { table: 9, old: Some(CELLS.to_vec()), new: CELLS.to_vec() },
        ),
        (message(&[b"D", &oid, b"K", ROW]), Message::Delete { table: 9, old: CELLS.to_vec() }),
        (message(&[b"D", &oid, b"O", ROW]), Message::Delete { table: 9, old: CELLS.to_vec() }),
        (message(&[b"T", &[0, 0, 0, 2, 1], &oid, &[0, 0, 0, 10]]), Message::Truncate { tables: vec![9, 10] }),
        (
            message(&[b"M\0", &[0, 0, 0, 0, 0, 0, 1, 2], b"p\0", &[0, 0, 0, 1], b"x"]),
            Message::Logical { is_transactional: false, lsn: Lsn(258) },
        ),
        (message(&[b"O", &[0; 8], b"origin\0"]), Message::Other),
        (message(&[b"Y", &oid, b"s\0t\0"]), Message::Other),
    ]
}

#[test]
fn all_kinds_are_decoded() {
    for (bytes, expected) in all() {
        assert_eq!(decode(&bytes), Ok(expected));
    }
}

#[test]
fn a_message_that_is_cut_or_too_long_is_refused() {
    for (bytes, expected) in all() {
        if expected == Message::Other {
            continue;
        }
        for length in 0..bytes.len() {
            assert!(decode(&bytes[..length]).is_err(), "{expected:?} cut at {length}");
        }
        assert_eq!(decode(&[&bytes[..], &[0]].concat()).map_err(|error| error.part), Err("the end"));
    }
}

#[test]
fn no_bytes_make_it_panic() {
    let mut rng = fastrand::Rng::with_seed(1);
    let all = all();
    for _ in 0..100_000 {
        let mut bytes = match rng.u8(..3) {
            0 => (0..rng.usize(..40)).map(|_| rng.u8(..)).collect(),
            _ => all[rng.usize(..all.len())].0.clone(),
        };
        for _ in 0..rng.usize(..4) {
            if !bytes.is_empty() {
                let at = rng.usize(..bytes.len());
                bytes[at] = rng.u8(..);
            }
        }
        let _ = decode(&bytes);
    }
    // Counts that promise more than there is cost no memory.
    let _ = decode(b"T\xff\xff\xff\xff\0");
    let _ = decode(b"I\0\0\0\x09N\xff\xff");
}

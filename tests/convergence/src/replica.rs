//! What a client holds of the service's data by the definition of the protocol: the reference that stored buckets and
//! published rows are compared with (docs/reference/protocol.md#operations, docs/reference/sync-client.md#publishing).

use std::collections::{BTreeMap, BTreeSet};

use rowtide_testkit::service::{Action, Operation};

use crate::rows::{Key, Row, Rows, Table};

/// A row within a bucket: type, id and subkey.
type BucketKey = (String, String, Option<String>);

/// One bucket as a client holds it.
#[derive(Debug, Clone, Default)]
pub struct Held {
    /// The newest operation received.
    newest: i64,
    /// The newest operation known to be there: that of the last validated checkpoint, or received.
    last_op: i64,
    checksum: u32,
    rows: BTreeMap<BucketKey, (i64, String)>,
    /// Rows put since the bucket was last published, and still there.
    unpublished: BTreeSet<BucketKey>,
}

/// All buckets of one client, by name.
#[derive(Debug, Clone, Default)]
pub struct Replica {
    buckets: BTreeMap<String, Held>,
}

impl Held {
    /// Whether the service can go on after this operation: nothing is left out, and nothing skipped. (A partly complete
    /// checkpoint need not be noted for buckets without anything new.)
    pub fn may_continue_after(&self, op_id: i64) -> bool {
        (self.newest..=self.last_op).contains(&op_id)
    }
}

/// What a row may show after a publish of some priorities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected<'r> {
    /// Exactly this.
    Exactly(&'r Row),
    /// This, or what it showed before.
    PerhapsUnchanged(&'r Row),
    /// What it showed before.
    Unchanged,
    /// What it showed before, or nothing.
    PerhapsGone,
}

impl Replica {
    /// The buckets.
    pub fn buckets(&self) -> &BTreeMap<String, Held> {
        &self.buckets
    }

    /// Keeps only buckets that are accepted.
    pub fn retain(&mut self, keep: impl Fn(&str) -> bool) {
        self.buckets.retain(|name, _| keep(name));
    }

    /// Stores operations; those that are held already change nothing.
    pub fn store(&mut self, bucket: &str, operations: &[Operation]) {
        let held = self.buckets.entry(bucket.to_owned()).or_default();
        for operation in operations {
            if operation.op_id <= held.last_op {
                continue;
            }
            (held.newest, held.last_op) = (operation.op_id, operation.op_id);
            held.checksum = match operation.action {
                Action::Clear => operation.checksum,
                _ => held.checksum.wrapping_add(operation.checksum),
            };
            let key = (operation.row_type.clone(), operation.row_id.clone(), operation.subkey.clone());
            match &operation.action {
                Action::Put(data) => {
                    held.unpublished.insert(key.clone());
                    held.rows.insert(key, (operation.op_id, data.clone()));
                }
                Action::Remove => {
                    held.unpublished.remove(&key);
                    held.rows.remove(&key);
                }
                Action::Move => {}
                Action::Clear => {
                    held.unpublished.clear();
                    held.rows.clear();
                }
            }
        }
    }

    /// A checkpoint with these buckets was validated.
    pub fn validate(&mut self, names: &BTreeSet<&str>, last_op_id: i64) {
        for (name, held) in &mut self.buckets {
            if names.contains(name.as_str()) {
                held.last_op = held.last_op.max(last_op_id);
            }
        }
    }

    /// These buckets were published.
    pub fn publish(&mut self, names: &BTreeSet<&str>) {
        for (name, held) in &mut self.buckets {
            if names.contains(name.as_str()) {
                held.unpublished.clear();
            }
        }
    }

    /// Everything counts as not published.
    pub fn resync(&mut self) {
        for held in self.buckets.values_mut() {
            held.unpublished.extend(held.rows.keys().cloned());
        }
    }

    /// Whether a bucket holds just these operations.
    pub fn is_valid(&self, name: &str, operations: &[Operation]) -> bool {
        let expected = operations.iter().fold(0, |sum: u32, operation| sum.wrapping_add(operation.checksum));
        self.buckets.get(name).map_or(0, |held| held.checksum) == expected
    }

    /// The newest content of each row in the buckets that `is_involved` accepts.
    pub fn winners(&self, is_involved: impl Fn(&str) -> bool) -> Rows {
        self.newest(|name, _, _| is_involved(name))
    }

    /// The newest content of each row after a publish of `involved` buckets: of others, only what was published before.
    pub fn published_with(&self, involved: &BTreeSet<&str>) -> Rows {
        self.newest(|name, held, key| involved.contains(name) || !held.unpublished.contains(key))
    }

    fn newest(&self, counts: impl Fn(&str, &Held, &BucketKey) -> bool) -> Rows {
        let mut newest: BTreeMap<Key, (i64, &str)> = BTreeMap::new();
        for (name, held) in &self.buckets {
            for (key, (op_id, data)) in held.rows.iter().filter(|(key, _)| counts(name, held, key)) {
                let Some(key) = row_key(key) else { continue };
                let best = newest.entry(key).or_default();
                if *op_id > best.0 {
                    *best = (*op_id, data);
                }
            }
        }
        newest.into_iter().map(|(key, (_, data))| (key, row(data))).collect()
    }

    /// What `key` may show after `involved` buckets were published, in which `winners` win.
    pub fn after_partial<'r>(&self, key: &Key, involved: &BTreeSet<&str>, winners: &'r Rows) -> Expected<'r> {
        let of_interest = |names: &(&String, &Held)| involved.contains(names.0.as_str());
        let is_of_row = |(row_type, row_id, _): &BucketKey| row_type == key.0.name() && *row_id == key.1;
        let is_new = self.buckets.iter().filter(of_interest).any(|(_, held)| held.unpublished.iter().any(is_of_row));
        let mut others = self.buckets.iter().filter(|names| !of_interest(names));
        let is_held_elsewhere = others.any(|(_, held)| held.rows.keys().any(is_of_row));
        match winners.get(key) {
            Some(row) if is_new => Expected::Exactly(row),
            Some(row) => Expected::PerhapsUnchanged(row),
            None if is_held_elsewhere => Expected::Unchanged,
            None => Expected::PerhapsGone,
        }
    }
}

fn row_key(key: &BucketKey) -> Option<Key> {
    Some((Table::named(&key.0)?, key.1.clone()))
}

fn row(data: &str) -> Row {
    serde_json::from_str(data).map(|object| Row::from_json(&object)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rowtide_testkit::service::Service;

    fn operations(service: &Service) -> &[Operation] {
        &service.buckets["b"].operations
    }

    fn key(id: &str) -> Key {
        (Table::Items, id.to_owned())
    }

    #[test]
    fn operations_have_the_effect_that_the_service_counts_on() {
        let mut service = Service::new();
        let row = |n: i64| serde_json::json!({"name": null, "n": n});
        service.put("b", "items", "1", &row(1));
        service.put("b", "items", "2", &row(2));
        service.remove("b", "items", "1");
        let mut replica = Replica::default();
        replica.store("b", operations(&service));
        replica.store("b", operations(&service));
        assert_eq!(replica.winners(|_| true), Rows::from([(key("2"), Row { name: None, n: Some(2) })]));
        assert!(replica.buckets()["b"].may_continue_after(3) && !replica.buckets()["b"].may_continue_after(2));
        service.remove("b", "items", "2");
        service.clear_start("b");
        replica.store("b", operations(&service));
        assert_eq!(replica.winners(|_| true), Rows::new());
        replica.retain(|name| name != "b");
        assert!(replica.buckets().is_empty());
    }

    #[test]
    fn a_part_shows_what_is_new_in_it_and_hides_nothing_that_others_hold() {
        let mut service = Service::new();
        let row = Row { name: None, n: Some(1) };
        service.put_text("b", "items", "1", None, &row.data("1"));
        let mut replica = Replica::default();
        replica.store("b", operations(&service));
        let involved = BTreeSet::from(["b"]);
        let winners = replica.winners(|_| true);
        assert_eq!(replica.after_partial(&key("1"), &involved, &winners), Expected::Exactly(&row));
        replica.publish(&involved);
        assert_eq!(replica.after_partial(&key("1"), &involved, &winners), Expected::PerhapsUnchanged(&row));
        let none = Rows::new();
        assert_eq!(replica.after_partial(&key("1"), &BTreeSet::new(), &none), Expected::Unchanged);
        assert_eq!(replica.after_partial(&key("2"), &involved, &none), Expected::PerhapsGone);
    }
}

//! What has to change for the database to match a schema, found by comparing stored SQL text.
//!
//! An application's objects can have names that look like ours. Ours are recognised by their exact form, and nothing
//! else is dropped or emptied (docs/reliability.md#traps, trap 15).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use rowtide_json::Quoted;

use crate::collections::{ByName, Index, Key};
use crate::error::{Error, Result};
use crate::schema::definition::names::{DataTableName, TriggerKind};
use crate::schema::objects::data_table::DataTable;
use crate::schema::objects::direct_table::is_direct_index;
use crate::schema::objects::keep_trigger::is_keep_trigger;
use crate::schema::objects::view::{is_our_index, is_our_view};
use crate::schema::objects::{Object, ObjectKind};

/// The difference between the objects that a schema needs and those in the database.
pub(in crate::schema) struct Plan<'o> {
    wanted: &'o [Object],
    by_name: Index,
    states: Vec<State>,
    /// Objects of ours that the schema does not need, but for tables.
    unneeded: Vec<(ObjectKind, String)>,
    /// Tables of ours that have to go: the schema does not need them, or needs another of that name.
    dropped_tables: Vec<DataTable>,
    /// Tables in another form than ours, named like data tables, that the schema does not have.
    unusual_tables: Vec<DataTable>,
    /// Why the database cannot have the schema.
    conflict: Option<Error>,
}

/// What the database has of a wanted object.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    Missing,
    /// An identical one, or one that serves.
    Present,
    /// One of ours, in another form, which is dropped and made again.
    Outdated,
    /// A direct table whose columns may not be those wanted.
    Altered,
    /// A table of that name in another form, which may serve.
    Unknown,
}

impl<'o> Plan<'o> {
    /// A plan for a database that has nothing yet.
    ///
    /// # Errors
    /// Out of memory.
    pub(in crate::schema) fn new(wanted: &'o [Object]) -> Result<Self> {
        Ok(Self {
            wanted,
            by_name: Index::of(wanted.len(), &key_at(wanted))?,
            states: wanted.iter().map(|_| State::Missing).collect(),
            unneeded: Vec::new(),
            dropped_tables: Vec::new(),
            unusual_tables: Vec::new(),
            conflict: None,
        })
    }

    /// The position of the wanted object of that name.
    fn find(&self, kind: ObjectKind, name: &str) -> Option<usize> {
        self.by_name.find(key(kind, name), &key_at(self.wanted))
    }

    /// Takes note of an object of the database: a row of `sqlite_schema`.
    pub(in crate::schema) fn found(&mut self, kind: ObjectKind, name: &str, table: &str, sql: &str) {
        let index = self.find(kind, name);
        let wanted = index.and_then(|index| self.wanted.get(index));
        if kind == ObjectKind::Trigger && is_keep_trigger(name, table) && wanted.is_none_or(|at| at.table != table) {
            // It goes with its table, or serves.
            return;
        }
        let Some(wanted) = wanted.filter(|wanted| wanted.kind == kind || !self.is_ours(kind, name, table, sql)) else {
            self.found_unneeded(kind, name, table, sql);
            return;
        };
        match compare(wanted, kind, table, sql) {
            Ok(found) => {
                if kind == ObjectKind::Table && found == State::Outdated {
                    self.dropped_tables.extend(DataTable::parse(name, sql));
                }
                debug_assert_eq!(self.states.len(), self.wanted.len(), "each wanted object has a state");
                if let Some(state) = index.and_then(|index| self.states.get_mut(index)) {
                    *state = found;
                }
            }
            Err(error) => self.conflict = Some(error),
        }
    }

    fn found_unneeded(&mut self, kind: ObjectKind, name: &str, table: &str, sql: &str) {
        if kind == ObjectKind::Table {
            match DataTable::parse(name, sql) {
                Some(table) => self.dropped_tables.push(table),
                None => self.unusual_tables.extend(DataTable::unusual(name, sql)),
            }
        } else if self.is_ours(kind, name, table, sql) {
            self.unneeded.push((kind, name.into()));
        }
    }

    /// Whether an object is ours, so that it goes if the schema does not list it.
    fn is_ours(&self, kind: ObjectKind, name: &str, table: &str, sql: &str) -> bool {
        match kind {
            ObjectKind::Table => DataTable::parse(name, sql).is_some(),
            ObjectKind::View => is_our_view(name, sql),
            ObjectKind::Index => {
                is_direct_index(name, sql) || DataTableName::parse(table).is_some() && is_our_index(name, table, sql)
            }
            // Triggers of other tables and views of ours go with them.
            ObjectKind::Trigger => {
                TriggerKind::is_trigger_of(name, table) && self.find(ObjectKind::View, table).is_some()
            }
        }
    }

    /// Why the database cannot have the schema, if so.
    pub(in crate::schema) fn take_conflict(&mut self) -> Option<Error> {
        self.conflict.take()
    }

    /// Tables of a wanted name whose form is not ours: they serve if they have the right columns.
    pub(in crate::schema) fn unknown_tables(&self) -> impl Iterator<Item = &'o Object> {
        self.in_state(ObjectKind::Table, State::Unknown)
    }

    /// Tables in another form than ours, named like data tables, that the schema does not have.
    pub(in crate::schema) fn unusual_tables(&self) -> &[DataTable] {
        &self.unusual_tables
    }

    /// Whether nothing has to change.
    pub(in crate::schema) fn is_empty(&self) -> bool {
        self.unneeded.is_empty()
            && self.dropped_tables.is_empty()
            && self.states.iter().all(|state| matches!(state, State::Present | State::Unknown))
    }

    /// The names of objects of `kind`, but for tables, to drop. Triggers of views that are dropped need not be dropped
    /// themselves.
    pub(in crate::schema) fn to_drop(&self, kind: ObjectKind) -> impl Iterator<Item = &str> {
        let unneeded = self.unneeded.iter().filter(move |(of, _)| *of == kind).map(|(_, name)| name.as_str());
        let outdated = self.in_state(kind, State::Outdated).filter(|object| !self.goes_with_its_table(object));
        unneeded.chain(outdated.map(|object| object.name.as_str()))
    }

    /// The objects of `kind` to make.
    pub(in crate::schema) fn to_create(&self, kind: ObjectKind) -> impl Iterator<Item = &'o Object> {
        let states = self.wanted.iter().zip(&self.states).filter(move |(object, _)| object.kind == kind);
        states
            .filter(|(object, state)| {
                matches!(state, State::Missing | State::Outdated) || self.goes_with_its_table(object)
            })
            .map(|(object, _)| object)
    }

    /// The tables to drop.
    pub(in crate::schema) fn dropped_tables(&self) -> &[DataTable] {
        &self.dropped_tables
    }

    /// Direct tables whose columns may have to change.
    pub(in crate::schema) fn altered_tables(&self) -> impl Iterator<Item = &'o Object> {
        self.in_state(ObjectKind::Table, State::Altered)
    }

    /// Views and tables that are dropped and made again.
    pub(in crate::schema) fn replaced(&self) -> impl Iterator<Item = &'o Object> {
        self.in_state(ObjectKind::View, State::Outdated).chain(self.in_state(ObjectKind::Table, State::Outdated))
    }

    /// Names of views and tables that are dropped, while one of the same kind is made whose name differs only in case.
    /// SQLite takes the two for the same.
    ///
    /// # Errors
    /// Out of memory.
    pub(in crate::schema) fn respelled(&self) -> Result<impl Iterator<Item = &str>> {
        let mut made = ByName::default();
        for kind in [ObjectKind::View, ObjectKind::Table] {
            for object in self.to_create(kind) {
                let lower = object.name.to_ascii_lowercase();
                if made.find(&lower).is_none() {
                    made.insert(&lower, (kind, object.name.as_str()))?;
                }
            }
        }
        let views = self.unneeded.iter().filter(|(kind, _)| *kind == ObjectKind::View);
        let views = views.map(|(kind, name)| (*kind, name.as_str()));
        let tables = self.dropped_tables.iter().map(|table| (ObjectKind::Table, table.name.as_str()));
        let is_made = move |(kind, name): &(ObjectKind, &str)| {
            let found = made.find(&name.to_ascii_lowercase()).and_then(|position| made.get(position));
            found.is_some_and(|(made, spelling)| made == kind && spelling != name)
        };
        Ok(views.chain(tables).filter(is_made).map(|(_, name)| name))
    }

    fn in_state(&self, kind: ObjectKind, state: State) -> impl Iterator<Item = &'o Object> {
        let states = self.wanted.iter().zip(&self.states);
        states.filter(move |(object, found)| object.kind == kind && **found == state).map(|(object, _)| object)
    }

    /// Whether `object` is a trigger or index of a view or table that is dropped and made again.
    fn goes_with_its_table(&self, object: &Object) -> bool {
        matches!(object.kind, ObjectKind::Trigger | ObjectKind::Index)
            && self
                .find(ObjectKind::View, &object.table)
                .and_then(|index| self.states.get(index))
                .is_some_and(|state| *state == State::Outdated)
    }
}

/// Triggers have their own name space; tables, views and indexes share one.
fn key(kind: ObjectKind, name: &str) -> Key<'_> {
    if kind == ObjectKind::Trigger { Key::Part("trigger", name) } else { Key::Name(name) }
}

fn key_at<'o>(wanted: &'o [Object]) -> impl Fn(usize) -> Key<'o> {
    |position| {
        debug_assert!(position < wanted.len(), "the index is of other objects");
        wanted.get(position).map_or(Key::Name(""), |object| key(object.kind, &object.name))
    }
}

/// What an object found under the name of `wanted` is to us. An error if the name is taken.
fn compare(wanted: &Object, kind: ObjectKind, table: &str, sql: &str) -> Result<State> {
    let is_same_place = wanted.kind == kind && wanted.table == table;
    let state = match wanted.kind {
        _ if is_same_place && wanted.sql == sql => Some(State::Present),
        ObjectKind::Table if is_same_place => compare_tables(wanted, sql),
        ObjectKind::View if is_same_place && is_our_view(&wanted.name, sql) => Some(State::Outdated),
        ObjectKind::Trigger if is_same_place => Some(State::Outdated),
        ObjectKind::Index
            if is_same_place && (is_our_index(&wanted.name, table, sql) || is_direct_index(&wanted.name, sql)) =>
        {
            Some(State::Outdated)
        }
        // An index makes reading faster; the schema works without it.
        ObjectKind::Index => Some(State::Present),
        _ => None,
    };
    state.ok_or_else(|| {
        Error::argument(format!(
            "cannot create {} {}: the database has a {} of that name that is not managed by PowerSync",
            wanted.kind.name(),
            Quoted(&wanted.name),
            kind.name()
        ))
    })
}

/// What a table is to us that has the name of a wanted one; None if it is in the way.
fn compare_tables(wanted: &Object, sql: &str) -> Option<State> {
    let found = DataTable::parse(&wanted.name, sql);
    match DataTable::of(wanted) {
        Some(wanted) if wanted.is_direct => {
            found.map(|found| if found.holds_same_rows(&wanted) { State::Altered } else { State::Outdated })
        }
        // Other versions make them in another form, and so does the first download.
        Some(wanted) if found.is_some_and(|found| found.name == wanted.name) => Some(State::Present),
        _ => Some(State::Unknown),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(kind: ObjectKind, name: &str, table: &str, sql: &str) -> Object {
        Object { kind, name: name.into(), table: table.into(), sql: sql.into() }
    }

    const TABLE: &str = r#"CREATE TABLE "ps_data__a"(id TEXT PRIMARY KEY NOT NULL, data TEXT)"#;
    const VIEW: &str = r#"CREATE VIEW "a"("id") AS SELECT id FROM "ps_data__a" -- powersync-auto-generated"#;
    const OLD_VIEW: &str =
        r#"CREATE VIEW "a"("id", "x") AS SELECT id, 1 FROM "ps_data__a" -- powersync-auto-generated"#;
    const INDEX: &str = r#"CREATE INDEX "ps_data__a__i" ON "ps_data__a"(CAST(json_extract(data, '$.x') as text))"#;
    const TRIGGER: &str = r#"CREATE TRIGGER "ps_view_insert_a" INSTEAD OF INSERT ON "a" BEGIN SELECT 1; END"#;

    fn wanted() -> [Object; 4] {
        [
            object(ObjectKind::Table, "ps_data__a", "ps_data__a", TABLE),
            object(ObjectKind::Index, "ps_data__a__i", "ps_data__a", INDEX),
            object(ObjectKind::View, "a", "a", VIEW),
            object(ObjectKind::Trigger, "ps_view_insert_a", "a", TRIGGER),
        ]
    }

    const KINDS: [ObjectKind; 4] = [ObjectKind::Table, ObjectKind::Index, ObjectKind::View, ObjectKind::Trigger];

    fn drops(plan: &Plan<'_>) -> Vec<String> {
        let tables = plan.dropped_tables().iter().map(|table| table.name.as_str());
        tables.chain(KINDS[1..].iter().flat_map(|kind| plan.to_drop(*kind))).map(String::from).collect()
    }

    fn creations(plan: &Plan<'_>) -> Vec<String> {
        KINDS.iter().flat_map(|kind| plan.to_create(*kind)).map(|object| object.name.clone()).collect()
    }

    #[test]
    fn what_is_there_is_not_touched() {
        let wanted = wanted();
        let mut plan = Plan::new(&wanted).unwrap();
        assert!(!plan.is_empty());
        assert_eq!(creations(&plan), ["ps_data__a", "ps_data__a__i", "a", "ps_view_insert_a"]);
        for object in &wanted {
            plan.found(object.kind, &object.name, &object.table, &object.sql);
        }
        assert!(plan.is_empty());
        assert!(creations(&plan).is_empty() && drops(&plan).is_empty());
    }

    #[test]
    fn a_replaced_view_takes_its_triggers_along() {
        let wanted = wanted();
        let mut plan = Plan::new(&wanted).unwrap();
        plan.found(ObjectKind::Trigger, "ps_view_insert_a", "a", TRIGGER);
        plan.found(ObjectKind::View, "a", "a", OLD_VIEW);
        plan.found(ObjectKind::Trigger, "ps_view_delete_a", "a", "CREATE TRIGGER");
        plan.found(ObjectKind::Table, "ps_data__a", "ps_data__a", TABLE);
        plan.found(ObjectKind::Index, "ps_data__a__i", "ps_data__a", INDEX);
        assert_eq!(creations(&plan), ["a", "ps_view_insert_a"]);
        assert_eq!(plan.to_drop(ObjectKind::View).collect::<Vec<_>>(), ["a"]);
        assert_eq!(plan.replaced().count(), 1);
    }

    #[test]
    fn outdated_triggers_and_indexes_are_replaced_alone() {
        let wanted = wanted();
        let mut plan = Plan::new(&wanted).unwrap();
        plan.found(ObjectKind::View, "a", "a", VIEW);
        plan.found(ObjectKind::Table, "ps_data__a", "ps_data__a", TABLE);
        plan.found(ObjectKind::Trigger, "ps_view_insert_a", "a", "CREATE TRIGGER something else");
        plan.found(ObjectKind::Index, "ps_data__a__i", "ps_data__a", &INDEX.replace("text", "real"));
        assert_eq!(creations(&plan), ["ps_data__a__i", "ps_view_insert_a"]);
        assert_eq!(drops(&plan), ["ps_data__a__i", "ps_view_insert_a"]);
    }

    #[test]
    fn what_the_schema_does_not_have_is_dropped_if_it_is_ours() {
        let wanted = wanted();
        let mut plan = Plan::new(&wanted).unwrap();
        let b = |sql: &str| sql.replace("ps_data__a", "ps_data__b").replace("\"a\"", "\"b\"");
        plan.found(ObjectKind::Table, "ps_data__b", "ps_data__b", &b(TABLE));
        plan.found(ObjectKind::Index, "ps_data__b__i", "ps_data__b", &b(INDEX));
        plan.found(ObjectKind::View, "b", "b", &b(VIEW));
        plan.found(ObjectKind::Trigger, "ps_view_insert_b", "b", TRIGGER);
        plan.found(ObjectKind::Trigger, "ps_view_update_a", "a", "CREATE TRIGGER");
        assert_eq!(drops(&plan), ["ps_data__b", "ps_data__b__i", "b", "ps_view_update_a"]);
    }

    #[test]
    fn objects_of_the_application_stay() {
        let wanted = wanted();
        let mut plan = Plan::new(&wanted).unwrap();
        for object in &wanted {
            plan.found(object.kind, &object.name, &object.table, &object.sql);
        }
        let mark = "-- powersync-auto-generated";
        plan.found(ObjectKind::Table, "ps_data__mine", "ps_data__mine", "CREATE TABLE ps_data__mine(id, data)");
        plan.found(ObjectKind::View, "v", "v", &alloc::format!("CREATE VIEW v AS SELECT 1 {mark}"));
        plan.found(ObjectKind::Index, "ps_data_x", "mine", "CREATE INDEX ps_data_x ON mine(a)");
        plan.found(
            ObjectKind::Index,
            "ps_data__a__mine",
            "ps_data__a",
            "CREATE INDEX ps_data__a__mine ON ps_data__a(id)",
        );
        plan.found(ObjectKind::Trigger, "ps_view_insert_mine", "mine", "CREATE TRIGGER");
        plan.found(ObjectKind::Trigger, "audit", "a", "CREATE TRIGGER");
        assert!(plan.is_empty() && plan.take_conflict().is_none());
    }

    #[test]
    fn names_taken_by_the_application_are_conflicts_unless_an_index_can_do_without() {
        let conflict = |kind, name: &str, table: &str, sql: &str| {
            let wanted = wanted();
            let mut plan = Plan::new(&wanted).unwrap();
            plan.found(kind, name, table, sql);
            plan.take_conflict().map(|error| alloc::format!("{error}"))
        };
        let message = conflict(ObjectKind::Table, "a", "a", "CREATE TABLE a(x)").unwrap();
        assert_eq!(
            message,
            "invalid argument: cannot create view \"a\": the database has a table of that name that is not managed by \
             PowerSync"
        );
        assert!(conflict(ObjectKind::View, "a", "a", "CREATE VIEW a AS SELECT 1").is_some());
        assert!(conflict(ObjectKind::Trigger, "ps_view_insert_a", "mine", TRIGGER).is_some());
        assert!(conflict(ObjectKind::View, "ps_data__a", "ps_data__a", "CREATE VIEW").is_some());
        assert!(conflict(ObjectKind::Index, "ps_data__a__i", "mine", "CREATE INDEX").is_none());
        let wanted = wanted();
        let mut plan = Plan::new(&wanted).unwrap();
        plan.found(ObjectKind::Table, "ps_data__a", "ps_data__a", "CREATE TABLE ps_data__a(id, data, more)");
        assert_eq!(plan.unknown_tables().count(), 1);
        assert!(!creations(&plan).contains(&"ps_data__a".into()));
    }

    const DIRECT: &str = r#"CREATE TABLE "a"(id TEXT PRIMARY KEY NOT NULL /* ps-managed */, "x" ANY) STRICT"#;
    const DIRECT_INDEX: &str = r#"CREATE INDEX "a__i" /* ps-managed */ ON "a"("x")"#;
    const AFTER: &str = r#"CREATE TRIGGER "ps_view_insert_a" AFTER INSERT ON "a" BEGIN SELECT 1; END"#;

    fn wanted_direct() -> [Object; 3] {
        [
            object(ObjectKind::Table, "a", "a", DIRECT),
            object(ObjectKind::Index, "a__i", "a", DIRECT_INDEX),
            object(ObjectKind::Trigger, "ps_view_insert_a", "a", AFTER),
        ]
    }

    #[test]
    fn json_and_direct_tables_make_room_for_each_other() {
        let (json, direct) = (wanted(), wanted_direct());
        for (wanted, other) in [(&json[..], &direct[..]), (&direct, &json)] {
            let mut plan = Plan::new(wanted).unwrap();
            for object in other {
                plan.found(object.kind, &object.name, &object.table, &object.sql);
            }
            assert!(plan.take_conflict().is_none());
            let names = |objects: &[Object]| objects.iter().map(|object| object.name.clone()).collect::<Vec<_>>();
            assert_eq!(drops(&plan), names(other));
            assert_eq!(creations(&plan), names(wanted));
        }
    }

    #[test]
    fn direct_tables_are_altered_or_replaced_with_what_is_on_them() {
        let wanted = wanted_direct();
        let plan = |sql: &str| {
            let mut plan = Plan::new(&wanted).unwrap();
            plan.found(ObjectKind::Table, "a", "a", sql);
            plan.found(ObjectKind::Index, "a__i", "a", DIRECT_INDEX);
            plan.found(ObjectKind::Trigger, "ps_view_insert_a", "a", AFTER);
            plan
        };
        assert!(plan(DIRECT).is_empty());
        let altered = plan(&DIRECT.replace('x', "y"));
        assert_eq!(altered.altered_tables().count(), 1);
        assert!(!altered.is_empty() && drops(&altered).is_empty() && creations(&altered).is_empty());
        let replaced = plan(&DIRECT.replace("managed", "managed local-only"));
        assert_eq!((replaced.altered_tables().count(), replaced.replaced().count()), (0, 1));
        assert_eq!(drops(&replaced), ["a"]);
        assert_eq!(creations(&replaced), ["a", "a__i", "ps_view_insert_a"]);
        let mut foreign = plan("CREATE TABLE a(id TEXT PRIMARY KEY NOT NULL, x ANY) STRICT");
        assert!(foreign.take_conflict().is_some());
    }

    #[test]
    fn direct_tables_and_their_indexes_go_when_the_schema_does_not_have_them() {
        let mut plan = Plan::new(&[]).unwrap();
        plan.found(ObjectKind::Table, "a", "a", DIRECT);
        plan.found(ObjectKind::Index, "a__i", "a", DIRECT_INDEX);
        plan.found(ObjectKind::Index, "mine", "a", "CREATE INDEX mine ON a(x) /* ps-managed */");
        plan.found(ObjectKind::Table, "b", "b", "CREATE TABLE b(id TEXT, x /* ps-managed */)");
        assert_eq!(drops(&plan), ["a", "a__i"]);
    }
}

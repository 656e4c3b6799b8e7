//! The tables of a deployment as the engine sees them. Documents have no fixed fields, so a table gets a column when a field
//! is first seen. A document without the field has NULL there, and `*` leaves NULL out: what a document gives does not
//! depend on what is known of others.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sync_config::{TablePattern, Value};
use sync_engine::row::{Column, SourceTable, SourceValue};

use super::pages::{ID, Row};
use crate::common::{is_matched, physical_id};

/// The schema of all tables.
pub(crate) const SCHEMA: &str = "convex";

/// The table of markers. Its changes move the position, and nothing of it is synced.
pub(crate) const MARKERS: &str = "powersync_checkpoints";

const CREATED: &str = "_creationTime";

/// What is known of all tables.
#[derive(Debug, Default)]
pub(crate) struct Tables {
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    tables: BTreeMap<String, Arc<Layout>>,
    /// The tables that anybody has asked for. Changes of others are left out.
    wanted: Vec<TablePattern>,
    /// Tables of the last list.
    listed: BTreeSet<String>,
}

/// A table with the places of its columns.
#[derive(Debug)]
pub(crate) struct Layout {
    pub(crate) table: Arc<SourceTable>,
    places: HashMap<String, usize>,
}

impl Layout {
    fn new(table: SourceTable) -> Self {
        let places = table.columns.iter().enumerate().map(|(at, column)| (column.name.clone(), at)).collect();
        Self { table: Arc::new(table), places }
    }

    /// With these fields.
    fn of<'f>(name: &str, fields: impl Iterator<Item = &'f str>) -> Self {
        let others: BTreeSet<&str> = fields.filter(|field| ![ID, CREATED].contains(field)).collect();
        let names = [ID, CREATED].into_iter().chain(others);
        Self::new(SourceTable {
            physical_id: physical_id(name, [ID].into_iter(), 1),
            schema: SCHEMA.to_owned(),
            name: name.to_owned(),
            columns: names.map(|name| Column { name: name.to_owned(), type_name: String::new() }).collect(),
            key: vec![0],
            is_schemaless: true,
        })
    }

    fn has_all(&self, fields: &BTreeSet<&str>) -> bool {
        fields.iter().all(|field| self.places.contains_key(*field))
    }

    /// The values of a document by columns; none if it has a field that the table has not.
    pub(crate) fn row(&self, fields: Vec<(String, Value)>) -> Option<Vec<SourceValue>> {
        let mut row = vec![SourceValue::Value(Value::Null); self.table.columns.len()];
        for (name, value) in fields {
            let place = self.places.get(&name).and_then(|at| row.get_mut(*at));
            *place? = SourceValue::Value(value);
        }
        Some(row)
    }

    /// The layout of a table that the engine knows.
    pub(crate) fn of_table(table: &SourceTable) -> Self {
        Self::new(table.clone())
    }
}

impl Tables {
    fn lock(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The tables with these names, of those that there are. From now on their changes are given.
    pub(crate) fn list<'s>(
        &self,
        patterns: &[TablePattern],
        existing: impl Iterator<Item = (&'s str, BTreeSet<&'s str>)>,
    ) -> Vec<SourceTable> {
        let mut known = self.lock();
        for pattern in patterns {
            if !known.wanted.contains(pattern) {
                known.wanted.push(pattern.clone());
            }
        }
        let mut listed = Vec::new();
        for (name, fields) in existing {
            if name != MARKERS && is_matched(patterns, SCHEMA, name) {
                listed.push(SourceTable::clone(&known.learn(name, &fields).table));
                known.listed.insert(name.to_owned());
            }
        }
        listed
    }

    /// The tables of all lists, of which those that are gone are to be noticed.
    pub(crate) fn listed(&self) -> BTreeSet<String> {
        self.lock().listed.clone()
    }

    /// The table is gone, and needs to be noticed no more.
    pub(crate) fn unlist(&self, table: &str) {
        self.lock().listed.remove(table);
    }

    /// Whether anybody wants changes of a table.
    pub(crate) fn is_wanted(&self, table: &str) -> bool {
        table != MARKERS && is_matched(&self.lock().wanted, SCHEMA, table)
    }

    /// Notes the fields of all rows, and gives the layouts of their tables. Rows that nobody wants are left out.
    pub(crate) fn learn_page(&self, rows: &mut Vec<Row>) -> HashMap<String, Arc<Layout>> {
        let mut known = self.lock();
        let wanted = std::mem::take(&mut known.wanted);
        let mut is_wanted: HashMap<String, bool> = HashMap::new();
        rows.retain(|row| {
            let is = || row.table != MARKERS && is_matched(&wanted, SCHEMA, &row.table);
            row.component.is_empty()
                && match is_wanted.get(&row.table) {
                    Some(is_wanted) => *is_wanted,
                    None => *is_wanted.entry(row.table.clone()).or_insert_with(is),
                }
        });
        known.wanted = wanted;
        known.learn_rows(rows)
    }

    /// Notes the fields of rows, whoever wants them.
    pub(crate) fn learn_rows(&self, rows: &[Row]) {
        self.lock().learn_rows(rows);
    }

    /// The layout of a table.
    pub(crate) fn layout(&self, table: &str) -> Arc<Layout> {
        self.lock().learn(table, &BTreeSet::new())
    }
}

impl Known {
    /// The layouts of the tables of rows, with all their fields.
    fn learn_rows(&mut self, rows: &[Row]) -> HashMap<String, Arc<Layout>> {
        let mut fields: HashMap<&str, BTreeSet<&str>> = HashMap::new();
        for row in rows {
            let of_table = fields.entry(&row.table).or_default();
            of_table.extend(row.fields.iter().flatten().map(|(name, _)| name.as_str()));
        }
        fields.into_iter().map(|(table, fields)| (table.to_owned(), self.learn(table, &fields))).collect()
    }

    /// The table, with more columns if there are more fields.
    fn learn(&mut self, name: &str, fields: &BTreeSet<&str>) -> Arc<Layout> {
        let before = self.tables.get(name);
        if let Some(layout) = before.filter(|layout| layout.has_all(fields)) {
            return Arc::clone(layout);
        }
        let columns = before.iter().flat_map(|layout| &layout.table.columns).map(|column| column.name.as_str());
        let layout = Arc::new(Layout::of(name, columns.chain(fields.iter().copied())));
        self.tables.insert(name.to_owned(), Arc::clone(&layout));
        layout
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pattern(table: &str) -> TablePattern {
        TablePattern { connection: None, schema: SCHEMA.into(), table: table.into() }
    }

    fn row(table: &str, fields: &[&str]) -> Row {
        let fields = fields.iter().map(|name| ((*name).to_owned(), Value::Integer(1))).collect();
        Row { component: String::new(), table: table.into(), ts: 1, id: "a".into(), fields: Some(fields) }
    }

    fn columns(table: &SourceTable) -> Vec<&str> {
        table.columns.iter().map(|column| column.name.as_str()).collect()
    }

    #[test]
    fn columns_are_in_the_same_order_however_they_came_up() {
        let tables = Tables::default();
        let listed = tables.list(&[pattern("t")], [("t", BTreeSet::from(["b"])), ("u", BTreeSet::new())].into_iter());
        assert_eq!((listed.len(), columns(&listed[0])), (1, vec!["_id", "_creationTime", "b"]));
        let mut rows = vec![row("t", &["_id", "c", "a"]), row("u", &["x"]), row(MARKERS, &["x"])];
        let layouts = tables.learn_page(&mut rows);
        assert_eq!((rows.len(), layouts.len()), (1, 1));
        assert_eq!(columns(&layouts["t"].table), ["_id", "_creationTime", "a", "b", "c"]);
        let other = Layout::of("t", ["c", "b", "a", "_creationTime"].into_iter());
        assert_eq!(other.table, layouts["t"].table);
        assert!(layouts["t"].row(row("t", &["d"]).fields.unwrap()).is_none());
    }

    #[test]
    fn what_was_once_wanted_is_given_for_ever() {
        let tables = Tables::default();
        tables.list(&[pattern("a%")], std::iter::empty());
        tables.list(&[pattern("b")], std::iter::empty());
        assert!(tables.is_wanted("ab") && tables.is_wanted("b") && !tables.is_wanted("c"));
    }
}

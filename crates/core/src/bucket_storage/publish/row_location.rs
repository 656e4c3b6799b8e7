//! Finding where the rows of a type live, and remembering it (docs/reference/sync-client.md#publishing).

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

use crate::cell;
use crate::collections::{ByName, Names};
use crate::error::Result;
use crate::in_place;

use crate::connection::Database;
use crate::schema::{
    DataTable, KnownSchemas, RawTable, RowTable, Schema, data_tables, guarded_tables, is_same_schema, schema_version,
};
use crate::text;

/// Where the rows of a type live.
#[derive(Clone)]
pub(crate) enum RowLocation {
    /// A raw or direct table.
    Rows(Rc<RowTable>),
    /// A `ps_data__` table, with the statements for it.
    Json(Rc<JsonTable>),
    /// `ps_untyped`.
    Untyped,
}

/// Statements for a `ps_data__` table.
pub(crate) struct JsonTable {
    /// Makes ?2 the data of row ?1.
    pub put: String,
    /// Deletes row ?1.
    pub delete: String,
    /// For a table in which operations may be in place.
    pub in_place: Option<InPlace>,
}

/// Statements for a table in which operations may be in place.
pub(crate) struct InPlace {
    /// Whether more may come to be.
    pub accepts_more: bool,
    /// Gives the rowid of row ?1.
    pub find: String,
    /// Inserts row ?1 with data ?2, under the rowid ?3 unless another row has that.
    pub insert: String,
    /// Copies the data in place of operation ?1 to the operation.
    pub set_aside: String,
    /// Deletes the row with rowid ?1.
    pub delete_at: String,
    /// Gives the id of that row.
    pub id_at: String,
    /// The table that the data of pending operations wait in, if there is one.
    pub pending: Option<PendingTable>,
}

/// Statements for the table that the data of pending operations of a type wait in.
pub(crate) struct PendingTable {
    /// Inserts those of operation ?1, of row ?2.
    pub insert: String,
    /// Replaces those of operation ?1 by ?2.
    pub update: String,
    /// Deletes those of operation ?1.
    pub delete: String,
}

/// What a connection has found. Kept between publishes, so that a small one does not begin by reading the schema.
#[derive(Default)]
pub(crate) struct RowLocations {
    found: RefCell<Found>,
}

#[derive(Default)]
struct Found {
    circumstances: Option<Circumstances>,
    /// None until the first type is asked for.
    places: Option<Places>,
}

/// What decides where rows live.
struct Circumstances {
    /// The tables of the database.
    schema_version: Option<i64>,
    /// After a rollback, other tables can come to have the same version.
    rollbacks: u64,
    /// The raw tables.
    schemas: [Option<Rc<Schema>>; 2],
}

impl Circumstances {
    fn are_same(&self, other: &Self) -> bool {
        self.schema_version == other.schema_version
            && self.rollbacks == other.rollbacks
            && self.schemas.iter().zip(&other.schemas).all(|(one, other)| is_same_schema(one, other))
    }
}

impl RowLocations {
    /// Forgets what was found before the tables or schemas changed. To be called when a publish begins.
    pub(crate) fn refresh(&self, database: &Database<'_>, schemas: &KnownSchemas) -> Result<()> {
        let transaction = database.state().transaction();
        transaction.join(database)?;
        let now = Circumstances {
            schema_version: schema_version(database)?,
            rollbacks: transaction.rollbacks(),
            schemas: schemas.newest_first(database)?,
        };
        let mut found = cell::write(&self.found);
        if !found.circumstances.as_ref().is_some_and(|before| before.are_same(&now)) {
            found.places = None;
        }
        found.circumstances = Some(now);
        Ok(())
    }

    /// Where rows of a type live.
    pub(crate) fn find(&self, database: &Database<'_>, row_type: &str) -> Result<RowLocation> {
        self.with_places(database, |places| places.find(row_type))
    }

    /// The types for which the data of pending operations wait in a table.
    pub(crate) fn pending_types(&self, database: &Database<'_>) -> Result<Vec<String>> {
        self.with_places(database, |places| Ok(places.pending_types.clone()))
    }

    fn with_places<T>(&self, database: &Database<'_>, ask: impl FnOnce(&mut Places) -> Result<T>) -> Result<T> {
        if let Some(places) = &mut cell::write(&self.found).places {
            return ask(places);
        }
        debug_assert!(cell::read(&self.found).circumstances.is_some(), "rows are located before it is known where");
        let schemas = cell::read(&self.found).circumstances.as_ref().map(|now| now.schemas.clone()).unwrap_or_default();
        let mut places = Places::read(database, &schemas)?;
        let answer = ask(&mut places)?;
        cell::write(&self.found).places = Some(places);
        Ok(answer)
    }
}

/// All tables that rows of some type live in, by type. They are read at once: a search for one reads the whole schema.
#[derive(Default)]
struct Places {
    by_type: ByName<Place>,
    /// Types for which the data of pending operations wait in a table.
    pending_types: Vec<String>,
}

/// A table, and what is needed to write to it once that was asked for.
enum Place {
    Raw(Rc<RawTable>),
    Direct,
    Json {
        table: DataTable,
        /// Whether triggers keep what was downloaded.
        is_guarded: bool,
        /// Whether the data of pending operations wait in a table.
        has_pending: bool,
    },
    Found(RowLocation),
}

impl Places {
    /// Reads the tables; raw ones are those of `schemas`, the newer one first.
    fn read(database: &Database<'_>, schemas: &[Option<Rc<Schema>>; 2]) -> Result<Self> {
        let mut places = Self::default();
        for table in schemas.iter().flatten().flat_map(|schema| &schema.raw_tables) {
            places.add(&table.name, Place::Raw(Rc::clone(table)))?;
        }
        let (direct, json): (Vec<_>, Vec<_>) =
            data_tables(database)?.into_iter().filter(|table| !table.local_only).partition(|table| table.is_direct);
        for table in direct {
            places.add(&table.row_type, Place::Direct)?;
        }
        let guarded = if json.is_empty() { Names::default() } else { guarded_tables(database)? };
        let pending = in_place::pending_types(database)?;
        for table in json {
            if table.holds_operations && places.by_type.find(&table.row_type).is_some() {
                // The application has given the type another table since.
                in_place::set_type_aside(database, &table.name, &table.row_type)?;
                continue;
            }
            let row_type = text::copy(&table.row_type)?;
            let is_guarded = guarded.contains(&table.name);
            let has_pending = pending.contains(&row_type);
            places.add(&row_type, Place::Json { table, is_guarded, has_pending })?;
        }
        places.pending_types = pending;
        Ok(places)
    }

    /// Adds a place, unless rows of the type live elsewhere.
    fn add(&mut self, row_type: &str, place: Place) -> Result<()> {
        if self.by_type.find(row_type).is_none() {
            self.by_type.insert(row_type, place)?;
        }
        Ok(())
    }

    fn find(&mut self, row_type: &str) -> Result<RowLocation> {
        let Some(place) = self.by_type.find(row_type).and_then(|position| self.by_type.get_mut(position)) else {
            return Ok(RowLocation::Untyped);
        };
        let location = match place {
            Place::Found(location) => return Ok(location.clone()),
            Place::Raw(table) => RowLocation::Rows(Rc::new(RowTable::raw(Rc::clone(table)))),
            Place::Direct => RowLocation::Rows(Rc::new(RowTable::direct(row_type))),
            Place::Json { table, is_guarded, has_pending } => json_table(table, *is_guarded, *has_pending)?,
        };
        *place = Place::Found(location.clone());
        Ok(location)
    }
}

/// A JSON table with its statements.
fn json_table(table: &DataTable, is_guarded: bool, has_pending: bool) -> Result<RowLocation> {
    let name = text::Identifier(&table.name);
    // An equal row is left alone, so that update hooks and watched queries stay quiet.
    let put = text::format(format_args!(
        "INSERT INTO main.{name}(id, data) VALUES (?1, ?2) \
        ON CONFLICT(id) DO UPDATE SET data = excluded.data WHERE data IS NOT excluded.data"
    ))?;
    let delete = text::format(format_args!("DELETE FROM main.{name} WHERE id = ?1"))?;
    let in_place = if table.holds_operations {
        let pending = if has_pending { Some(PendingTable::new(&table.row_type)?) } else { None };
        Some(in_place(name, is_guarded, pending)?)
    } else {
        None
    };
    Ok(RowLocation::Json(Rc::new(JsonTable { put, delete, in_place })))
}

fn in_place(table: text::Identifier<'_>, accepts_more: bool, pending: Option<PendingTable>) -> Result<InPlace> {
    Ok(InPlace {
        accepts_more,
        pending,
        delete_at: text::format(format_args!("DELETE FROM main.{table} WHERE rowid = ?1"))?,
        id_at: text::format(format_args!("SELECT id FROM main.{table} WHERE rowid = ?1"))?,
        find: text::format(format_args!("SELECT rowid FROM main.{table} WHERE id = ?1"))?,
        insert: text::format(format_args!(
            "INSERT INTO main.{table}(id, data, rowid) VALUES \
            (?1, ?2, iif(EXISTS (SELECT 1 FROM main.{table} WHERE rowid = ?3), NULL, ?3))"
        ))?,
        set_aside: text::format(format_args!(
            "UPDATE main.ps_operations SET data = coalesce((SELECT data FROM main.{table} WHERE rowid = ?1), '{{}}') \
            WHERE id = ?1"
        ))?,
    })
}

impl PendingTable {
    /// That for a type.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn new(row_type: &str) -> Result<Self> {
        let table = in_place::pending_table(row_type)?;
        let table = text::Identifier(&table);
        Ok(Self {
            insert: text::format(format_args!("INSERT INTO main.{table}(rowid, id, data) VALUES (?1, ?2, ?3)"))?,
            update: text::format(format_args!("UPDATE main.{table} SET data = ?2 WHERE rowid = ?1"))?,
            delete: text::format(format_args!("DELETE FROM main.{table} WHERE rowid = ?1"))?,
        })
    }
}

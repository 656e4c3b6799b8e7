//! Finding where the rows of a type live, and remembering it (docs/reference/sync-client.md#publishing).

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

use crate::cell;
use crate::collections::ByName;
use crate::error::Result;

use crate::connection::Database;
use crate::schema::{KnownSchemas, RawTable, RowTable, Schema, data_tables, is_same_schema, schema_version};
use crate::text;

/// Where the rows of a type live.
#[derive(Clone)]
pub(crate) enum RowLocation {
    /// A raw or direct table.
    Rows(Rc<RowTable>),
    /// A `ps_data__` table, with the statements for it.
    Json { put: Rc<String>, delete: Rc<String> },
    /// `ps_untyped`.
    Untyped,
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
        if let Some(places) = &mut cell::write(&self.found).places {
            return places.find(row_type);
        }
        debug_assert!(cell::read(&self.found).circumstances.is_some(), "rows are located before it is known where");
        let schemas = cell::read(&self.found).circumstances.as_ref().map(|now| now.schemas.clone()).unwrap_or_default();
        let mut places = Places::read(database, &schemas)?;
        let location = places.find(row_type)?;
        cell::write(&self.found).places = Some(places);
        Ok(location)
    }
}

/// All tables that rows of some type live in, by type. They are read at once: a search for one reads the whole schema.
#[derive(Default)]
struct Places(ByName<Place>);

/// A table, and what is needed to write to it once that was asked for.
enum Place {
    Raw(Rc<RawTable>),
    Direct,
    /// The name of a JSON table.
    Json(String),
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
        for table in json {
            places.add(&table.row_type, Place::Json(table.name))?;
        }
        Ok(places)
    }

    /// Adds a place, unless rows of the type live elsewhere.
    fn add(&mut self, row_type: &str, place: Place) -> Result<()> {
        if self.0.find(row_type).is_none() {
            self.0.insert(row_type, place)?;
        }
        Ok(())
    }

    fn find(&mut self, row_type: &str) -> Result<RowLocation> {
        let Some(place) = self.0.find(row_type).and_then(|position| self.0.get_mut(position)) else {
            return Ok(RowLocation::Untyped);
        };
        let location = match place {
            Place::Found(location) => return Ok(location.clone()),
            Place::Raw(table) => RowLocation::Rows(Rc::new(RowTable::raw(Rc::clone(table)))),
            Place::Direct => RowLocation::Rows(Rc::new(RowTable::direct(row_type))),
            Place::Json(table) => json_table(table)?,
        };
        *place = Place::Found(location.clone());
        Ok(location)
    }
}

/// A JSON table with its statements.
fn json_table(table: &str) -> Result<RowLocation> {
    let table = text::Identifier(table);
    // An equal row is left alone, so that update hooks and watched queries stay quiet.
    let put = text::format(format_args!(
        "INSERT INTO main.{table}(id, data) VALUES (?1, ?2) \
        ON CONFLICT(id) DO UPDATE SET data = excluded.data WHERE data IS NOT excluded.data"
    ))?;
    let delete = text::format(format_args!("DELETE FROM main.{table} WHERE id = ?1"))?;
    Ok(RowLocation::Json { put: Rc::new(put), delete: Rc::new(delete) })
}

//! The AFTER triggers that record local writes to real tables: those of direct tables, and those that applications have
//! us make on raw tables (docs/reference/schema.md#raw-tables, docs/reference/schema.md#direct-tables).
//!
//! No library creates the triggers of raw tables again when it takes over a database. So they call nothing that
//! published versions do not have, unless no published version works with this SQLite anyway.
//!
//! Such tables have no column `_metadata`, so `include_metadata` adds nothing. With `synced_columns`, an update that
//! changes none of these is not recorded, even if it changes the id. A row whose id is NULL may get one later, from an
//! application's trigger for instance; it is then recorded under the new one. Other changes of the id are refused, in
//! local-only tables too.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use rowtide_json::Quoted;

use crate::connection::Database;
use crate::error::{Error, Result};
use crate::schema::definition::names::TriggerKind;
use crate::schema::definition::{IncludeOld, RawTable, Table, TableOptions};
use crate::schema::objects::column_comparison::rows_differ;
use crate::schema::objects::crud_insert::CrudInsert;
use crate::schema::objects::row_call::{ArgumentLimit, Row, RowFunction, portable_object, row_call};
use crate::schema::objects::table_columns::synced_columns;
use crate::schema::objects::{Object, ObjectKind};
use crate::text::{identifier, literal};

/// What a trigger is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Write {
    /// INSERT
    Insert,
    /// UPDATE
    Update,
    /// DELETE
    Delete,
}

impl Write {
    /// Reads the SQL keyword, in upper case.
    ///
    /// # Errors
    /// An argument error for anything else.
    pub(crate) fn parse(keyword: &str) -> Result<Self> {
        let mut all = [Self::Insert, Self::Update, Self::Delete].into_iter();
        all.find(|write| write.keyword() == keyword).ok_or_else(|| {
            Error::argument(format!("unexpected write type {}: expected INSERT, UPDATE or DELETE", Quoted(keyword)))
        })
    }

    fn keyword(self) -> &'static str {
        match self {
            Self::Insert => "INSERT",
            Self::Update => "UPDATE",
            Self::Delete => "DELETE",
        }
    }
}

/// Makes the trigger `name`, which records local writes to a raw table.
///
/// # Errors
/// The table does not exist, has no column `id`, or is not named; errors of SQLite, for instance because there is such a
/// trigger.
pub(crate) fn create_raw_table_trigger(
    database: &Database<'_>,
    table: &RawTable,
    name: &str,
    write: Write,
) -> Result<()> {
    let columns = synced_columns(database, table)?;
    let source = TableTriggers {
        table: table.local_name()?,
        row_type: literal(&table.name),
        columns: columns.iter().map(String::as_str).collect(),
        watches_columns: table.synced_columns.is_some(),
        options: &table.options,
        objects: RowObjects::of(database),
    };
    database.execute_batch(&source.trigger(String::from(name), write)?.creation())
}

/// The triggers of a direct table.
#[inline(never)]
pub(in crate::schema) fn triggers(table: &Table, objects: RowObjects) -> Result<Vec<Object>> {
    let source = TableTriggers {
        table: &table.name,
        row_type: literal(&table.name),
        columns: table.columns.iter().map(|column| column.name.as_str()).collect(),
        watches_columns: false,
        options: &table.options,
        objects,
    };
    let kinds = [
        (TriggerKind::Insert, Write::Insert),
        (TriggerKind::Update, Write::Update),
        (TriggerKind::Delete, Write::Delete),
    ];
    let is_needed = |write: Write| !table.options.local_only || write == Write::Update;
    let needed = kinds.into_iter().filter(|(_, write)| is_needed(*write));
    needed.map(|(kind, write)| source.trigger(kind.trigger_name(&table.name), write)).collect()
}

/// What the triggers of one table are written with.
struct TableTriggers<'t> {
    table: &'t str,
    row_type: String,
    columns: Vec<&'t str>,
    /// Whether updates of other columns do not matter.
    watches_columns: bool,
    options: &'t TableOptions,
    objects: RowObjects,
}

impl TableTriggers<'_> {
    fn trigger(&self, name: String, write: Write) -> Result<Object> {
        let body = match write {
            Write::Update | Write::Delete if self.options.is_insert_only() => {
                String::from("SELECT RAISE(ABORT,'Unexpected update on insert-only table');\n")
            }
            Write::Update => self.update()?,
            // A trigger has to do something.
            _ if self.options.local_only => String::from("SELECT NULL;\n"),
            Write::Insert => self.insert()?,
            Write::Delete => self.delete()?,
        };
        let condition = if write == Write::Update && self.watches_columns {
            format!(" AND {}", rows_differ(&self.columns, "OLD.", "NEW.", false))
        } else {
            String::new()
        };
        let sql = format!(
            "{}{} AFTER {} ON {} FOR EACH ROW WHEN NOT powersync_in_sync_operation(){condition} BEGIN\n{body}END",
            ObjectKind::Trigger.create(),
            identifier(&name),
            write.keyword(),
            identifier(self.table)
        );
        Ok(Object { kind: ObjectKind::Trigger, name, table: String::from(self.table), sql })
    }

    fn insert(&self) -> Result<String> {
        let data = self.difference("'{}'", &self.object(Row::New, &self.columns)?);
        if self.options.is_insert_only() {
            let row_type = &self.row_type;
            return Ok(format!(
                "INSERT INTO powersync_crud_(data) VALUES(json_object('op','PUT','type',{row_type},'id',NEW.id,'data',\
                 json({data})));\n"
            ));
        }
        let mut entry = CrudInsert::new("PUT", "NEW.id", &self.row_type);
        entry.add("data", data);
        Ok(entry.finish())
    }

    #[inline(never)]
    fn update(&self) -> Result<String> {
        let mut body = String::from(
            "SELECT CASE WHEN OLD.id IS NOT NULL AND OLD.id IS NOT NEW.id THEN RAISE(ABORT,'Cannot update id') END;\n",
        );
        if self.options.local_only {
            return Ok(body);
        }
        let mut entry = CrudInsert::new("PATCH", "NEW.id", &self.row_type);
        let (old, new) = (self.object(Row::Old, &self.columns)?, self.object(Row::New, &self.columns)?);
        entry.add("data", self.difference(&old, &new));
        if self.options.include_old != IncludeOld::Nothing {
            let columns = self.options.include_old.among(&self.columns);
            let mut old = self.object(Row::Old, &columns)?;
            if self.options.include_old_only_when_changed {
                // From new to old: the old values of what changed.
                old = self.difference(&self.object(Row::New, &columns)?, &old);
            }
            entry.add("old_values", old);
        }
        if self.options.bits() != 0 {
            entry.add("options", format!("{}", self.options.bits()));
        }
        body.push_str(&entry.finish());
        Ok(body)
    }

    fn delete(&self) -> Result<String> {
        let mut entry = CrudInsert::new("DELETE", "OLD.id", &self.row_type);
        if self.options.include_old != IncludeOld::Nothing {
            entry.add("old_values", self.object(Row::Old, &self.options.include_old.among(&self.columns))?);
        }
        Ok(entry.finish())
    }

    fn object(&self, row: Row, columns: &[&str]) -> Result<String> {
        self.objects.object(row, columns)
    }

    fn difference(&self, old: &str, new: &str) -> String {
        format!("powersync_diff({old},{new})")
    }
}

/// How a row's JSON is written in SQL.
#[derive(Clone, Copy)]
pub(in crate::schema) struct RowObjects {
    limit: ArgumentLimit,
    is_portable: bool,
}

impl RowObjects {
    /// The first SQLite whose `json_object` writes every number exactly. Published versions need a newer one.
    const EXACT_JSON: i32 = 3_043_000;

    pub(in crate::schema) fn of(database: &Database<'_>) -> Self {
        Self {
            limit: ArgumentLimit::of(database),
            is_portable: sqlite_nostd::sqlite_version_number() >= Self::EXACT_JSON,
        }
    }

    fn object(self, row: Row, columns: &[&str]) -> Result<String> {
        if self.is_portable {
            return Ok(portable_object(row, columns, self.limit));
        }
        row_call(RowFunction::Json, &[row], columns, self.limit)
    }
}

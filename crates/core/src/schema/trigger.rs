//! The INSTEAD OF triggers that turn writes to a view into stored rows and upload entries (schema, JSON tables).
//!
//! Their text is parsed each time a connection opens the database, so it is kept short: the work is in functions that
//! take a row's columns, and columns are sorted here, where the upload entry needs them sorted.
//!
//! Where the contract is silent: an INSERT OR IGNORE that finds the row there records nothing, because it changes
//! nothing (published versions record a PUT, which then overwrites the row on the service). `_metadata` is recorded for
//! insert-only tables too, and setting `_deleted` deletes rows of local-only tables too.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::definition::{IncludeOld, Table};
use super::names::{DELETED, METADATA, TriggerKind};
use super::object::{Object, ObjectKind};
use super::row_call::{ArgumentLimit, Row, RowFunction, row_call};
use crate::error::Result;
use crate::text::{identifier, literal};

/// All triggers of a table's view.
pub(super) fn triggers(table: &Table, limit: ArgumentLimit) -> Result<Vec<Object>> {
    let source = TriggerSource::new(table, limit);
    let mut triggers = Vec::with_capacity(4);
    triggers.push(source.insert()?);
    if !table.options.is_insert_only() {
        triggers.push(source.update()?);
        triggers.push(source.delete()?);
        if table.options.include_metadata {
            triggers.push(source.delete_by_update()?);
        }
    }
    Ok(triggers)
}

/// What the triggers of one table are written with.
struct TriggerSource<'t> {
    table: &'t Table,
    limit: ArgumentLimit,
    columns: Vec<&'t str>,
    /// By name, as upload entries have them.
    sorted: Vec<&'t str>,
    data_table: String,
    row_type: String,
}

impl<'t> TriggerSource<'t> {
    fn new(table: &'t Table, limit: ArgumentLimit) -> Self {
        let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        let mut sorted = columns.clone();
        sorted.sort_unstable();
        let data_table = identifier(&table.data_table());
        Self { table, limit, columns, sorted, data_table, row_type: literal(&table.name) }
    }

    fn insert(&self) -> Result<Object> {
        let options = &self.table.options;
        let mut body = String::new();
        if !options.local_only {
            body.push_str(
                "SELECT CASE WHEN NEW.id IS NULL THEN RAISE(FAIL,'id is required') \
                 WHEN typeof(NEW.id)!='text' THEN RAISE(FAIL,'id should be text') END;\n",
            );
        }
        if options.is_insert_only() {
            body.push_str(&self.record_insert_only()?);
        } else {
            let data = self.call(RowFunction::Json, &[Row::New], &self.columns)?;
            body.push_str(&format!("INSERT INTO {}(id,data) VALUES(NEW.id,{data});\n", self.data_table));
            if !options.local_only {
                let mut entry = CrudInsert::new("PUT", "NEW.id", &self.row_type);
                entry.add("data", self.call(RowFunction::Put, &[Row::New], &self.sorted)?);
                self.add_metadata(&mut entry);
                // INSERT OR IGNORE may have inserted nothing. Negative options make this insert nothing too.
                entry.add("options", "changes()-1".into());
                body.push_str(&entry.finish());
            }
        }
        Ok(self.trigger(TriggerKind::Insert, "INSERT", "", &body))
    }

    fn record_insert_only(&self) -> Result<String> {
        let data = self.call(RowFunction::Put, &[Row::New], &self.sorted)?;
        let metadata = if self.table.options.include_metadata { ",NEW._metadata" } else { "" };
        Ok(format!(
            "INSERT INTO powersync_crud_(data) VALUES(powersync_insert_entry({},NEW.id,{data}{metadata}));\n",
            self.row_type
        ))
    }

    fn update(&self) -> Result<Object> {
        let options = &self.table.options;
        let condition =
            if options.include_metadata { format!(" WHEN NEW.{DELETED} IS NOT TRUE") } else { String::new() };
        // Ids of local-only tables need not be text when they are written; they are stored as text.
        let other_type = if options.local_only { "" } else { " OR typeof(NEW.id)!='text'" };
        let data = self.call(RowFunction::Json, &[Row::New], &self.columns)?;
        let mut body = format!(
            "SELECT CASE WHEN OLD.id IS NOT NEW.id{other_type} THEN RAISE(FAIL,'Cannot update id') END;\n\
             UPDATE {} SET data={data} WHERE id=OLD.id;\n",
            self.data_table
        );
        if !options.local_only {
            let mut entry = CrudInsert::new("PATCH", "OLD.id", &self.row_type);
            entry.add("data", self.call(RowFunction::Patch, &[Row::Old, Row::New], &self.sorted)?);
            if options.include_old_only_when_changed && options.include_old != IncludeOld::Nothing {
                // From new to old: the old values of what changed.
                let changed =
                    self.call(RowFunction::Patch, &[Row::New, Row::Old], &self.with_old_values(&self.sorted))?;
                entry.add("old_values", changed);
            } else {
                self.add_old_values(&mut entry)?;
            }
            self.add_metadata(&mut entry);
            if options.bits() != 0 {
                entry.add("options", format!("{}", options.bits()));
            }
            body.push_str(&entry.finish());
        }
        Ok(self.trigger(TriggerKind::Update, "UPDATE", &condition, &body))
    }

    fn delete(&self) -> Result<Object> {
        Ok(self.trigger(TriggerKind::Delete, "DELETE", "", &self.delete_body(false)?))
    }

    fn delete_by_update(&self) -> Result<Object> {
        let condition = format!(" WHEN NEW.{DELETED} IS TRUE");
        Ok(self.trigger(TriggerKind::DeleteByUpdate, "UPDATE", &condition, &self.delete_body(true)?))
    }

    fn delete_body(&self, with_metadata: bool) -> Result<String> {
        let mut body = format!("DELETE FROM {} WHERE id=OLD.id;\n", self.data_table);
        if !self.table.options.local_only {
            let mut entry = CrudInsert::new("DELETE", "OLD.id", &self.row_type);
            self.add_old_values(&mut entry)?;
            if with_metadata {
                self.add_metadata(&mut entry);
            }
            body.push_str(&entry.finish());
        }
        Ok(body)
    }

    fn add_metadata(&self, entry: &mut CrudInsert) {
        if self.table.options.include_metadata {
            entry.add("metadata", format!("NEW.{METADATA}"));
        }
    }

    fn add_old_values(&self, entry: &mut CrudInsert) -> Result<()> {
        if self.table.options.include_old != IncludeOld::Nothing {
            let old = self.call(RowFunction::Old, &[Row::Old], &self.with_old_values(&self.columns))?;
            entry.add("old_values", old);
        }
        Ok(())
    }

    /// Those of `columns` whose old values are recorded.
    fn with_old_values(&self, columns: &[&'t str]) -> Vec<&'t str> {
        let is_recorded = |name: &str| match &self.table.options.include_old {
            IncludeOld::Nothing => false,
            IncludeOld::AllColumns => true,
            IncludeOld::Columns(names) => names.iter().any(|listed| listed == name),
        };
        columns.iter().copied().filter(|name| is_recorded(name)).collect()
    }

    fn call(&self, function: RowFunction, rows: &[Row], columns: &[&str]) -> Result<String> {
        row_call(function, rows, columns, self.limit)
    }

    fn trigger(&self, kind: TriggerKind, event: &str, condition: &str, body: &str) -> Object {
        let view = self.table.view_name();
        let name = kind.trigger_name(view);
        let sql = format!(
            "{}{} INSTEAD OF {event} ON {}{condition} BEGIN\n{body}END",
            ObjectKind::Trigger.create(),
            identifier(&name),
            identifier(view)
        );
        Object { kind: ObjectKind::Trigger, name, table: String::from(view), sql }
    }
}

/// An insert into `powersync_crud` under construction.
struct CrudInsert {
    columns: String,
    values: String,
}

impl CrudInsert {
    fn new(operation: &str, id: &str, row_type: &str) -> Self {
        Self { columns: String::from("op,id,type"), values: format!("'{operation}',{id},{row_type}") }
    }

    fn add(&mut self, column: &str, value: String) {
        for (list, item) in [(&mut self.columns, column), (&mut self.values, value.as_str())] {
            list.push(',');
            list.push_str(item);
        }
    }

    fn finish(self) -> String {
        format!("INSERT INTO powersync_crud({}) VALUES({});\n", self.columns, self.values)
    }
}

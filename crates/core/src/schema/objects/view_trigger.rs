//! The INSTEAD OF triggers that turn writes to a view into stored rows and upload entries
//! (docs/reference/schema.md#what-a-write-through-a-view-does).
//!
//! SQLite parses their text each time a connection opens the database, so it is kept short: the work is in functions
//! that take a row's columns. Columns are sorted here, where the upload entry needs them sorted.
//!
//! INSERT OR IGNORE of an existing row records nothing, because it changes nothing. Published versions record a PUT,
//! which then overwrites the row on the service.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::collections::sort_names;
use crate::error::Result;

use crate::schema::definition::names::{DELETED, METADATA, TriggerKind};
use crate::schema::definition::{IncludeOld, Table};
use crate::schema::objects::crud_insert::CrudInsert;
use crate::schema::objects::row_call::{ArgumentLimit, Row, RowFunction, row_call};
use crate::schema::objects::{Object, ObjectKind};
use crate::text::{identifier, literal};

/// All triggers of a table's view.
///
/// Downloaded rows are kept if `may_hold_operations`: the data of operations may be in them, and nowhere else.
#[inline(never)]
pub(in crate::schema) fn triggers(
    table: &Table,
    limit: ArgumentLimit,
    may_hold_operations: bool,
) -> Result<Vec<Object>> {
    let source = TriggerSource::new(table, limit, may_hold_operations);
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
    /// Whether downloaded rows have to be kept.
    keeps_rows: bool,
}

impl<'t> TriggerSource<'t> {
    fn new(table: &'t Table, limit: ArgumentLimit, may_hold_operations: bool) -> Self {
        let columns: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
        let mut sorted = columns.clone();
        sort_names(&mut sorted);
        let data_table = identifier(&table.data_table());
        let keeps_rows = may_hold_operations && !table.options.local_only && !table.options.is_insert_only();
        Self { table, limit, columns, sorted, data_table, row_type: literal(&table.name), keeps_rows }
    }

    #[inline(never)]
    fn insert(&self) -> Result<Object> {
        let options = &self.table.options;
        let mut body = String::new();
        if !options.local_only {
            let view = self.table.view_name();
            let raise = |problem| literal(&format!("{problem} when inserting into {view}"));
            let keep = self.keep_replaced();
            body.push_str(&format!(
                "SELECT CASE WHEN NEW.id IS NULL THEN RAISE(FAIL,{}) WHEN typeof(NEW.id)!='text' THEN RAISE(FAIL,{}) END{keep};\n",
                raise("id is required"),
                raise("id should be text")
            ));
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
                // INSERT OR IGNORE may have inserted nothing.
                body.push_str(&entry.finish_where("changes()"));
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

    #[inline(never)]
    fn update(&self) -> Result<Object> {
        let options = &self.table.options;
        let condition =
            if options.include_metadata { format!(" WHEN NEW.{DELETED} IS NOT TRUE") } else { String::new() };
        let data = self.call(RowFunction::Json, &[Row::New], &self.columns)?;
        let mut body = format!(
            "SELECT CASE WHEN OLD.id IS NOT NEW.id THEN RAISE(FAIL,'Cannot update id') END;\n\
             UPDATE {} SET data={data} WHERE id=OLD.id;\n",
            self.data_table
        );
        if !options.local_only {
            let mut entry = CrudInsert::new("PATCH", "OLD.id", &self.row_type);
            entry.add("data", self.call(RowFunction::Patch, &[Row::Old, Row::New], &self.sorted)?);
            if options.include_old_only_when_changed && options.include_old != IncludeOld::Nothing {
                // From new to old: the old values of what changed.
                let changed =
                    self.call(RowFunction::Patch, &[Row::New, Row::Old], &options.include_old.among(&self.sorted))?;
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

    /// An expression that keeps what was downloaded of a row that INSERT OR REPLACE may replace, after a comma; nothing if
    /// that is not needed.
    fn keep_replaced(&self) -> String {
        if !self.keeps_rows {
            return String::new();
        }
        format!(",(SELECT powersync_keep_row({},id,rowid) FROM {} WHERE id=NEW.id)", self.row_type, self.data_table)
    }

    fn add_metadata(&self, entry: &mut CrudInsert) {
        if self.table.options.include_metadata {
            entry.add("metadata", format!("NEW.{METADATA}"));
        }
    }

    fn add_old_values(&self, entry: &mut CrudInsert) -> Result<()> {
        let include_old = &self.table.options.include_old;
        if *include_old != IncludeOld::Nothing {
            let old = self.call(RowFunction::Old, &[Row::Old], &include_old.among(&self.columns))?;
            entry.add("old_values", old);
        }
        Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Schema;

    fn sql(table: &str) -> Vec<(String, String)> {
        let schema = Schema::parse(&format!(r#"{{"tables":[{table}]}}"#)).unwrap();
        let made = triggers(&schema.tables[0], ArgumentLimit::of_connection(100), true).unwrap();
        made.into_iter()
            .map(|object| {
                assert_eq!(object.table, schema.tables[0].view_name());
                (object.name, object.sql)
            })
            .collect()
    }

    fn names(triggers: &[(String, String)]) -> Vec<&str> {
        triggers.iter().map(|(name, _)| name.as_str()).collect()
    }

    #[test]
    fn synced_tables_store_and_record() {
        let triggers = sql(r#"{"name":"t's","view_name":"v","columns":[{"name":"y"},{"name":"x"}]}"#);
        assert_eq!(names(&triggers), ["ps_view_insert_v", "ps_view_update_v", "ps_view_delete_v"]);
        assert_eq!(
            triggers[0].1,
            r#"CREATE TRIGGER "ps_view_insert_v" INSTEAD OF INSERT ON "v" BEGIN
SELECT CASE WHEN NEW.id IS NULL THEN RAISE(FAIL,'id is required when inserting into v') WHEN typeof(NEW.id)!='text' THEN RAISE(FAIL,'id should be text when inserting into v') END,(SELECT powersync_keep_row('t''s',id,rowid) FROM "ps_data__t's" WHERE id=NEW.id);
INSERT INTO "ps_data__t's"(id,data) VALUES(NEW.id,powersync_row_json('{"y":,"x":}',NEW."y",NEW."x"));
INSERT INTO powersync_crud(op,id,type,data) SELECT 'PUT',NEW.id,'t''s',powersync_row_put('{"x":,"y":}',NEW."x",NEW."y") WHERE changes();
END"#
        );
        assert_eq!(
            triggers[1].1,
            r#"CREATE TRIGGER "ps_view_update_v" INSTEAD OF UPDATE ON "v" BEGIN
SELECT CASE WHEN OLD.id IS NOT NEW.id THEN RAISE(FAIL,'Cannot update id') END;
UPDATE "ps_data__t's" SET data=powersync_row_json('{"y":,"x":}',NEW."y",NEW."x") WHERE id=OLD.id;
INSERT INTO powersync_crud(op,id,type,data) VALUES('PATCH',OLD.id,'t''s',powersync_row_patch('{"x":,"y":}',OLD."x",NEW."x",OLD."y",NEW."y"));
END"#
        );
        assert_eq!(
            triggers[2].1,
            r#"CREATE TRIGGER "ps_view_delete_v" INSTEAD OF DELETE ON "v" BEGIN
DELETE FROM "ps_data__t's" WHERE id=OLD.id;
INSERT INTO powersync_crud(op,id,type) VALUES('DELETE',OLD.id,'t''s');
END"#
        );
    }

    #[test]
    fn all_options_together() {
        let triggers = sql(r#"{"name":"a","columns":[{"name":"z"},{"name":"x"},{"name":"y"}],"include_metadata":true,
            "include_old":["y","z"],"include_old_only_when_changed":true,"ignore_empty_update":true}"#);
        let expected = ["ps_view_insert_a", "ps_view_update_a", "ps_view_delete_a", "ps_view_delete2_a"];
        assert_eq!(names(&triggers), expected);
        assert!(triggers[0].1.contains(",NEW._metadata WHERE changes();"), "{}", triggers[0].1);
        let update = &triggers[1].1;
        assert!(update.contains(r#"ON "a" WHEN NEW._deleted IS NOT TRUE BEGIN"#), "{update}");
        assert!(
            update.contains(r#"powersync_row_patch('{"y":,"z":}',NEW."y",OLD."y",NEW."z",OLD."z"),NEW._metadata,28);"#),
            "{update}"
        );
        let old = r#"powersync_row_old('{"z":,"y":}',OLD."z",OLD."y")"#;
        assert!(triggers[2].1.contains(&format!("'DELETE',OLD.id,'a',{old});")), "{}", triggers[2].1);
        assert_eq!(
            triggers[3].1,
            format!(
                r#"CREATE TRIGGER "ps_view_delete2_a" INSTEAD OF UPDATE ON "a" WHEN NEW._deleted IS TRUE BEGIN
DELETE FROM "ps_data__a" WHERE id=OLD.id;
INSERT INTO powersync_crud(op,id,type,old_values,metadata) VALUES('DELETE',OLD.id,'a',{old},NEW._metadata);
END"#
            )
        );
    }

    #[test]
    fn old_values_without_condition_are_those_of_the_row() {
        let triggers = sql(r#"{"name":"a","columns":[{"name":"x"}],"include_old":true}"#);
        assert!(triggers[1].1.contains(r#",powersync_row_old('{"x":}',OLD."x"));"#), "{}", triggers[1].1);
        let triggers = sql(r#"{"name":"a","columns":[{"name":"x"}],"include_old_only_when_changed":true}"#);
        assert!(!triggers[1].1.contains("old_values"), "{}", triggers[1].1);
    }

    #[test]
    fn local_only_tables_record_nothing_and_do_not_ask_for_ids() {
        let triggers =
            sql(r#"{"name":"a","columns":[{"name":"x"}],"local_only":true,"insert_only":true,"include_metadata":true,
                "include_old":true}"#);
        assert_eq!(triggers.len(), 4);
        for (_, sql) in &triggers {
            assert!(!sql.contains("powersync_crud") && sql.contains("ps_data_local__a"), "{sql}");
        }
        assert!(!triggers[0].1.contains("RAISE"), "{}", triggers[0].1);
    }

    #[test]
    fn insert_only_tables_only_record_inserts() {
        let triggers = sql(r#"{"name":"a","columns":[{"name":"x"}],"insert_only":true,"include_metadata":true}"#);
        assert_eq!(names(&triggers), ["ps_view_insert_a"]);
        let insert = &triggers[0].1;
        assert!(
            insert.ends_with(
                "INSERT INTO powersync_crud_(data) VALUES(powersync_insert_entry('a',NEW.id,\
                 powersync_row_put('{\"x\":}',NEW.\"x\"),NEW._metadata));\nEND"
            ),
            "{insert}"
        );
        assert!(insert.contains("id should be text") && !insert.contains("ps_data__"), "{insert}");
    }
}

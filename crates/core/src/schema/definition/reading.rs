//! Reading a schema from the JSON that SDKs give, with all its leniencies (docs/reference/schema.md#schema-json):
//! members come in any order, unknown ones are skipped, and null equals absence.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use rowtide_json::Quoted;
use rowtide_protocol::{Failed, Reader, Scratch, read_argument, required};

use crate::error::Error;
use crate::schema::definition::{
    Column, IncludeOld, Index, IndexColumn, RawParameter, RawStatement, RawTable, Schema, Table, TableOptions,
};

type Result<T, E = Failed> = core::result::Result<T, E>;

impl Schema {
    /// Reads and checks a schema.
    ///
    /// # Errors
    /// An argument error that says what is wrong, and for malformed JSON where.
    pub(crate) fn parse(json: &str) -> crate::error::Result<Self> {
        let schema = read_argument(json, "schema", &mut Scratch::new(), Self::read)?;
        schema.check()?;
        Ok(schema)
    }

    fn read(reader: &mut Reader<'_>) -> Result<Self> {
        let (mut tables, mut raw_tables) = (None, None);
        reader.begin_object()?;
        while let Some(member) = reader.next_member()? {
            match member {
                "tables" => tables = reader.optional(|reader| reader.array(table))?,
                "raw_tables" => {
                    raw_tables = reader.optional(|reader| reader.array(|reader| raw_table(reader).map(Rc::new)))?
                }
                _ => reader.skip()?,
            }
        }
        Ok(Self { tables: required(reader, tables, "tables")?, raw_tables: raw_tables.unwrap_or_default() })
    }
}

impl RawTable {
    /// Reads and checks a raw table.
    ///
    /// # Errors
    /// As for [`Schema::parse`].
    pub(crate) fn parse(json: &str) -> crate::error::Result<Self> {
        let table = read_argument(json, "raw table", &mut Scratch::new(), raw_table)?;
        table.check().map_err(|problem| Error::argument(format!("raw table {}: {problem}", Quoted(&table.name))))?;
        Ok(table)
    }
}

fn table(reader: &mut Reader<'_>) -> Result<Table> {
    let (mut name, mut columns) = (None, None);
    let mut table = Table::default();
    reader.begin_object()?;
    while let Some(member) = reader.next_member()? {
        match member {
            "name" => name = reader.optional(string)?,
            "view_name" => table.view_name = reader.optional(string)?,
            "columns" => columns = reader.optional(|reader| reader.array(column))?,
            "indexes" => table.indexes = reader.optional(|reader| reader.array(index))?.unwrap_or_default(),
            "direct" => table.direct = flag(reader)?,
            _ => table.options.read(reader, member)?,
        }
    }
    table.name = required(reader, name, "name")?;
    table.columns = required(reader, columns, "columns")?;
    Ok(table)
}

fn column(reader: &mut Reader<'_>) -> Result<Column> {
    let (mut name, mut column_type) = (None, None);
    reader.begin_object()?;
    while let Some(member) = reader.next_member()? {
        match member {
            "name" => name = reader.optional(string)?,
            "type" => column_type = reader.optional(string)?,
            _ => reader.skip()?,
        }
    }
    let column_type = column_type.unwrap_or_else(|| String::from("text"));
    Ok(Column { name: required(reader, name, "name")?, column_type })
}

fn index(reader: &mut Reader<'_>) -> Result<Index> {
    let (mut name, mut columns) = (None, None);
    reader.begin_object()?;
    while let Some(member) = reader.next_member()? {
        match member {
            "name" => name = reader.optional(string)?,
            "columns" => columns = reader.optional(|reader| reader.array(index_column))?,
            _ => reader.skip()?,
        }
    }
    Ok(Index { name: required(reader, name, "name")?, columns: required(reader, columns, "columns")? })
}

fn index_column(reader: &mut Reader<'_>) -> Result<IndexColumn> {
    let (mut name, mut ascending, mut column_type) = (None, None, None);
    reader.begin_object()?;
    while let Some(member) = reader.next_member()? {
        match member {
            "name" => name = reader.optional(string)?,
            "ascending" => ascending = reader.optional(Reader::boolean)?,
            "type" => column_type = reader.optional(string)?,
            _ => reader.skip()?,
        }
    }
    Ok(IndexColumn { name: required(reader, name, "name")?, ascending: ascending.unwrap_or(true), column_type })
}

fn raw_table(reader: &mut Reader<'_>) -> Result<RawTable> {
    let mut name = None;
    let mut table = RawTable::default();
    reader.begin_object()?;
    while let Some(member) = reader.next_member()? {
        match member {
            "name" => name = reader.optional(string)?,
            "table_name" => table.table_name = reader.optional(string)?,
            "synced_columns" => table.synced_columns = reader.optional(strings)?,
            "put" => table.put = reader.optional(raw_statement)?,
            "delete" => table.delete = reader.optional(raw_statement)?,
            "clear" => table.clear = reader.optional(string)?,
            _ => table.options.read(reader, member)?,
        }
    }
    table.name = required(reader, name, "name")?;
    Ok(table)
}

fn raw_statement(reader: &mut Reader<'_>) -> Result<RawStatement> {
    let (mut sql, mut params) = (None, None);
    reader.begin_object()?;
    while let Some(member) = reader.next_member()? {
        match member {
            "sql" => sql = reader.optional(string)?,
            "params" => params = reader.optional(|reader| reader.array(raw_parameter))?,
            _ => reader.skip()?,
        }
    }
    Ok(RawStatement { sql: required(reader, sql, "sql")?, params: required(reader, params, "params")? })
}

fn raw_parameter(reader: &mut Reader<'_>) -> Result<RawParameter> {
    if reader.is_string() {
        return match reader.string()? {
            "Id" => Ok(RawParameter::Id),
            "Rest" => Ok(RawParameter::Rest),
            "Row" => Ok(RawParameter::Row),
            _ => Err(reader.fail(RAW_PARAMETERS)),
        };
    }
    let mut column = None;
    reader.begin_object()?;
    while let Some(member) = reader.next_member()? {
        match member {
            "Column" => column = Some(string(reader)?),
            _ => return Err(reader.fail(RAW_PARAMETERS)),
        }
    }
    Ok(RawParameter::Column(required(reader, column, "Column")?))
}

const RAW_PARAMETERS: &str = r#"expected "Id", "Rest", "Row" or {"Column": name}"#;

impl TableOptions {
    /// Reads one of the options, which are among the other members of a table.
    fn read(&mut self, reader: &mut Reader<'_>, member: &str) -> Result<()> {
        match member {
            "local_only" => self.local_only = flag(reader)?,
            "insert_only" => self.insert_only = flag(reader)?,
            "include_metadata" => self.include_metadata = flag(reader)?,
            "include_old" => self.include_old = include_old(reader)?,
            "include_old_only_when_changed" => self.include_old_only_when_changed = flag(reader)?,
            "ignore_empty_update" => self.ignore_empty_update = flag(reader)?,
            _ => reader.skip()?,
        }
        Ok(())
    }
}

fn include_old(reader: &mut Reader<'_>) -> Result<IncludeOld> {
    if reader.is_array() {
        return Ok(IncludeOld::Columns(strings(reader)?));
    }
    Ok(if flag(reader)? { IncludeOld::AllColumns } else { IncludeOld::Nothing })
}

fn flag(reader: &mut Reader<'_>) -> Result<bool> {
    Ok(reader.optional(Reader::boolean)?.unwrap_or_default())
}

fn string(reader: &mut Reader<'_>) -> Result<String> {
    reader.string().map(String::from)
}

fn strings(reader: &mut Reader<'_>) -> Result<Vec<String>> {
    reader.array(string)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    fn table(json: &str) -> Table {
        let schema = Schema::parse(&alloc::format!(r#"{{"tables":[{json}]}}"#)).unwrap();
        schema.tables.into_iter().next().unwrap()
    }

    fn message(json: &str) -> String {
        Schema::parse(json).unwrap_err().to_string()
    }

    #[test]
    fn optional_members_may_be_absent_or_null() {
        let absent = table(r#"{"name":"a","columns":[{"name":"x"}]}"#);
        let null = r#"{"name":"a","columns":[{"name":"x","type":null}],"view_name":null,"indexes":null,"direct":null,
            "local_only":null,"insert_only":null,"include_metadata":null,"include_old":null,
            "include_old_only_when_changed":null,"ignore_empty_update":null}"#;
        assert_eq!(table(null), absent);
        assert_eq!(absent.columns[0].column_type, "text");
        assert_eq!(absent.options, TableOptions::default());
        assert_eq!(table(r#"{"name":"a","columns":[{"name":"x"}],"include_old":false}"#), absent);
    }

    #[test]
    fn unknown_members_are_ignored_and_order_does_not_matter() {
        let plain = Schema::parse(r#"{"tables":[{"name":"a","columns":[{"name":"x","type":"real"}]}]}"#);
        let other = r#"{"raw_tables":null,"extra":[{"deep":{"er":[1e400]}}],
            "tables":[{"table_name":7,"columns":[{"type":"real","hint":{},"name":"x"}],"name":"a"}]}"#;
        assert_eq!(Schema::parse(other), plain);
    }

    #[test]
    fn options_are_read() {
        let all = r#"{"name":"a","view_name":"v","columns":[],"local_only":true,"insert_only":true,
            "include_metadata":true,"include_old":["x","y"],"include_old_only_when_changed":true,
            "ignore_empty_update":true}"#;
        let table = table(all);
        assert_eq!(table.view_name(), "v");
        assert_eq!(table.options.include_old, IncludeOld::Columns(["x", "y"].map(String::from).into()));
        assert_eq!(table.options.bits(), 31);
        assert!(!table.options.is_insert_only(), "has no effect on a local-only table");
    }

    #[test]
    fn each_option_has_its_bit() {
        let bits = |name: &str| table(&alloc::format!(r#"{{"name":"a","columns":[],"{name}":true}}"#)).options.bits();
        assert_eq!(bits("local_only"), 1);
        assert_eq!(bits("insert_only"), 2);
        assert_eq!(bits("include_metadata"), 4);
        assert_eq!(bits("include_old_only_when_changed"), 8);
        assert_eq!(bits("ignore_empty_update"), 16);
        assert_eq!(bits("include_old"), 0);
    }

    #[test]
    fn old_values_are_none_all_or_listed() {
        let include_old = |json: &str| {
            table(&alloc::format!(r#"{{"name":"a","columns":[],"include_old":{json}}}"#)).options.include_old
        };
        assert_eq!(include_old("true"), IncludeOld::AllColumns);
        assert_eq!(include_old("[]"), IncludeOld::Columns(Vec::new()));
        let message = message(r#"{"tables":[{"name":"a","columns":[],"include_old":1}]}"#);
        assert!(
            message.contains("expected true or false at byte 50 of the schema, member \"include_old\""),
            "{message}"
        );
    }

    #[test]
    fn indexes_default_to_ascending_and_the_type_of_the_column() {
        let columns = r#"{"name":"a","columns":[{"name":"x"}],"indexes":[{"name":"i","columns":[
            {"name":"x"},{"name":"x","ascending":null,"type":null},{"name":"x","ascending":false,"type":"real"}]}]}"#;
        let index = table(columns).indexes.into_iter().next().unwrap();
        let read: Vec<_> =
            index.columns.iter().map(|column| (column.ascending, column.column_type.as_deref())).collect();
        assert_eq!(read, [(true, None), (true, None), (false, Some("real"))]);
    }

    #[test]
    fn raw_tables_are_read() {
        let json = r#"{"tables":[],"raw_tables":[
            {"name":"r","put":{"sql":"p","params":["Id",{"Column":"c"},"Rest","Row"]},
             "delete":{"sql":"d","params":["Id"]},"clear":"c","table_name":"t","synced_columns":["x"],
             "insert_only":true,"include_old":true},
            {"name":"s","put":null,"delete":null,"clear":null,"table_name":null,"synced_columns":null}]}"#;
        let schema = Schema::parse(json).unwrap();
        let [full, empty] = schema.raw_tables.as_slice() else { panic!("two raw tables") };
        let put = full.put.as_ref().unwrap();
        let column = RawParameter::Column("c".into());
        assert_eq!(put.params, [RawParameter::Id, column, RawParameter::Rest, RawParameter::Row]);
        assert_eq!(full.delete.as_ref().unwrap().sql, "d");
        assert_eq!((full.clear.as_deref(), full.table_name.as_deref()), (Some("c"), Some("t")));
        assert_eq!(full.synced_columns.as_ref().unwrap(), &["x"]);
        assert!(full.options.is_insert_only());
        assert_eq!(**empty, RawTable { name: "s".into(), ..RawTable::default() });
    }

    #[test]
    fn malformed_json_is_an_argument_error_with_its_place() {
        for (json, problem) in [
            ("", "unexpected end at byte 0"),
            ("{}", "an object without \"tables\" ends at byte 2"),
            (r#"{"tables":null}"#, "an object without \"tables\" ends at byte 15"),
            (r#"{"tables":{}}"#, "expected an array at byte 10 of the schema, member \"tables\""),
            ("{\"tables\":[\n{\"columns\":[]}]}", "an object without \"name\" ends at byte 26"),
            (r#"{"tables":[{"name":"a"}]}"#, "an object without \"columns\" ends at byte 23"),
            (r#"{"tables":[]} x"#, "expected the end at byte 14"),
            (r#"{"tables":[{"name":"a","columns":[],"local_only":1}]}"#, "expected true or false at byte 49"),
            (
                r#"{"tables":[],"raw_tables":[{"name":"a","put":{"sql":"","params":["X"]}}]}"#,
                "expected \"Id\", \"Rest\",",
            ),
            ("{\"tables\":[{\"name\":\"a\nb\"}]}", "control character in a string at byte 21"),
        ] {
            let message = message(json);
            assert!(message.starts_with("invalid argument: ") && message.contains(" of the schema"), "{message}");
            assert!(message.contains(problem), "{message}, wanted: {problem}");
        }
    }
}

//! The tables of the database, and the types of their columns.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use pg_connect::postgres::Row;

use super::classify::Trouble;
use super::connection::Connection;
use super::setup::SCHEMA;
use super::statement::{Statement, quoted};
use crate::schema::{Column, ColumnType, Dialect, Schema, Table, TypeKind};

/// Tables that clients could write, with their columns. Partitions are written through the table that they are of.
const COLUMNS: &str = "SELECT n.nspname, c.relname, c.relrowsecurity, a.attname,
        a.attgenerated <> '' OR a.attidentity = 'a', a.atttypid
    FROM pg_catalog.pg_class AS c
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    LEFT JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
        AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname NOT IN ('information_schema', 'rowtide_writes')
    ORDER BY n.nspname, c.relname, a.attnum";

/// Columns that are unique alone, so that ON CONFLICT can name them.
const UNIQUE: &str = "SELECT n.nspname, c.relname, a.attname
    FROM pg_catalog.pg_index AS i
    JOIN pg_catalog.pg_class AS c ON c.oid = i.indrelid
    JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
    WHERE i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
        AND i.indnkeyatts = 1";

/// Types of columns, and the types that these are made of.
const TYPES: &str = "SELECT t.oid, n.nspname, t.typname, t.typtype::text, t.typcategory::text,
        CASE WHEN t.typtype = 'd' THEN t.typbasetype WHEN r.rngtypid = t.oid THEN r.rngsubtype
            WHEN r.rngtypid IS NOT NULL THEN r.rngtypid WHEN t.typcategory = 'A' THEN t.typelem ELSE 0 END
    FROM pg_catalog.pg_type AS t
    JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
    LEFT JOIN pg_catalog.pg_range AS r ON t.oid IN ";

/// Which types belong to a range, in servers that have sets of ranges, and in older ones.
const RANGES: [&str; 2] = ["(r.rngtypid, r.rngmultitypid)", "(r.rngtypid)"];

/// Another number when tables, their columns, indexes or policies have changed, in about 10 µs for each table. Temporary
/// tables are none of ours.
const VERSION: &str = "SELECT hashtextextended(concat_ws(' ',
        (SELECT sum(hashtextextended(c.relname, c.relnamespace::bigint << 32 | c.oid::bigint) + c.relrowsecurity::int4)
        FROM pg_catalog.pg_class AS c
        WHERE c.oid >= 16384 AND c.relkind IN ('r', 'p', 'i', 'I') AND c.relpersistence <> 't'),
        (SELECT sum(hashtextextended(a.attname, a.attrelid::bigint << 32 | a.atttypid::bigint) + ascii(a.attidentity::text))
        FROM pg_catalog.pg_attribute AS a JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
        WHERE a.attrelid >= 16384 AND a.attnum > 0 AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't')), 0)";

/// All tables that clients could write.
pub(super) fn read(connection: &mut Connection) -> Result<Schema, Trouble> {
    // Before the tables: if they change meanwhile, they are read again.
    let version = version(connection)?;
    let types = Types::read(connection)?;
    let default_schema = "public".to_owned();
    let key = |schema: &str, name: &str| match schema == default_schema {
        true => name.to_owned(),
        false => format!("{schema}.{name}"),
    };
    let mut tables: BTreeMap<String, Table> = BTreeMap::new();
    for row in connection.rows_once(&Statement::new(COLUMNS))? {
        let (schema, name): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        let table = tables.entry(key(&schema, &name)).or_insert_with(|| Table { schema, name, ..Table::default() });
        table.has_row_security = row.try_get(2)?;
        if let Some(name) = row.try_get::<_, Option<String>>(3)? {
            let column_type = types.get(row.try_get(5)?, 0);
            table.columns.push(Column { name, is_generated: row.try_get(4)?, column_type });
        }
    }
    for row in connection.rows_once(&Statement::new(UNIQUE))? {
        let (schema, name): (String, String) = (row.try_get(0)?, row.try_get(1)?);
        if let Some(table) = tables.get_mut(&key(&schema, &name)) {
            let column: String = row.try_get(2)?;
            if !table.unique.contains(&column) {
                table.unique.push(column);
            }
        }
    }
    tables.retain(|_, table| table.schema != SCHEMA);
    Ok(Schema { dialect: Dialect::Postgres, default_schema, version, tables })
}

/// Another number whenever the tables have changed.
pub(super) fn version(connection: &mut Connection) -> Result<i64, Trouble> {
    let rows = connection.rows(&Statement::new(VERSION))?;
    Ok(rows.first().map(|row| row.try_get(0)).transpose()?.unwrap_or_default())
}

/// A type as the catalog has it.
struct Listed {
    schema: String,
    name: String,
    kind: String,
    category: String,
    /// The base of a domain, the elements of an array, the values of a range.
    inner: u32,
}

struct Types(HashMap<u32, Listed>);

impl Types {
    fn read(connection: &mut Connection) -> Result<Self, Trouble> {
        let of_row = |row: &Row| -> Result<(u32, Listed), Trouble> {
            let inner = row.try_get::<_, Option<u32>>(5)?.unwrap_or_default();
            let (schema, name, kind) = (row.try_get(1)?, row.try_get(2)?, row.try_get(3)?);
            Ok((row.try_get(0)?, Listed { schema, name, kind, category: row.try_get(4)?, inner }))
        };
        let is_new = Statement::new("SELECT current_setting('server_version_num')::int4 >= 140000");
        let is_new = connection.rows_once(&is_new)?.first().is_some_and(|row| row.try_get(0).unwrap_or(true));
        let [new, old] = RANGES;
        let rows = connection.rows_once(&Statement::new(TYPES).sql(if is_new { new } else { old }))?;
        Ok(Self(rows.iter().map(of_row).collect::<Result<_, _>>()?))
    }

    /// A type; of a domain its base.
    fn get(&self, id: u32, depth: usize) -> Option<ColumnType> {
        // Types are made of others without circles; the catalog could be broken.
        let depth = depth.checked_add(1).filter(|depth| *depth < 16)?;
        let listed = self.0.get(&id)?;
        let inner = || self.get(listed.inner, depth).map(Arc::new);
        if listed.kind == "d" {
            return self.get(listed.inner, depth);
        }
        let kind = match (listed.kind.as_str(), listed.category.as_str(), listed.name.as_str()) {
            ("c", ..) => TypeKind::Composite,
            ("r", ..) => TypeKind::Range(inner()?),
            ("m", ..) => TypeKind::Multirange(inner()?),
            (_, "A", _) if listed.inner != 0 => TypeKind::Array(inner()?),
            (_, "B", _) => TypeKind::Boolean,
            (_, _, "int2" | "int4" | "int8" | "oid") => TypeKind::Integer,
            (_, _, "float4" | "float8" | "numeric") => TypeKind::Number,
            (_, _, "text" | "varchar" | "bpchar" | "name" | "citext") => TypeKind::Text,
            (_, _, "bytea") => TypeKind::Bytes,
            (_, "D", _) => TypeKind::Time,
            (_, _, "json") => TypeKind::Json,
            (_, _, "jsonb") => TypeKind::Jsonb,
            _ => TypeKind::Other,
        };
        Some(ColumnType { name: format!("{}.{}", quoted(&listed.schema), quoted(&listed.name)), kind })
    }
}

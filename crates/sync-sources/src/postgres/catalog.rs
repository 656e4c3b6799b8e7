//! Tables, as the server's catalog has them: columns, keys, and whether they are published.

use std::collections::HashMap;
use std::sync::Arc;

use pg_connect::postgres::Row;
use sync_config::TablePattern;
use sync_engine::row::{Column, SourceTable};

use super::sql::{Result, Session};
use super::types::{Kind, Types, quote};

/// A table that could be synced.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    pub(crate) oid: u32,
    pub(crate) schema: String,
    pub(crate) name: String,
    /// `d`, `n`, `f` or `i`.
    pub(crate) identity: u8,
    /// Whether it has partitions, and no rows of its own.
    pub(crate) is_partitioned: bool,
    pub(crate) is_published: bool,
    /// Whether its changes are not in the server's log.
    pub(crate) is_unlogged: bool,
    /// Which rows are published.
    pub(crate) filter: Option<String>,
    /// Whether the role may alter it.
    pub(crate) is_owned: bool,
    pub(crate) can_select: bool,
    /// Whether the role may use the schema.
    pub(crate) can_use_schema: bool,
    /// Whether row-level security hides rows from the role.
    pub(crate) hides_rows: bool,
    /// Those that are published; all if the table is not.
    pub(crate) columns: Vec<TableColumn>,
    /// Numbers of columns, in the order of the index.
    pub(crate) primary: Option<Vec<usize>>,
    pub(crate) identity_index: Option<Vec<usize>>,
    /// Keys of other unique indexes, whose columns are not null.
    pub(crate) unique: Vec<Vec<usize>>,
}

#[derive(Clone, Debug)]
pub(crate) struct TableColumn {
    pub(crate) name: String,
    pub(crate) type_name: String,
    /// To cast to, without a length.
    pub(crate) cast: String,
    pub(crate) kind: Kind,
    /// See [`Types::key_type`].
    key_type: String,
    number: i16,
    is_required: bool,
}

/// Which tables to read.
pub(crate) enum Which<'w> {
    All,
    Matching(&'w [TablePattern]),
    Oid(u32),
}

/// A table of the source, and how its rows are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub(crate) source: Arc<SourceTable>,
    pub(crate) kinds: Vec<Kind>,
}

impl Table {
    /// Whether the server streams its rows.
    pub(crate) fn is_streamed(&self) -> bool {
        self.is_published && !self.is_partitioned && !self.is_unlogged
    }

    /// The columns that identify a row, in the order of columns; none if the stream would not tell which row has changed.
    pub(crate) fn key(&self) -> Option<Vec<usize>> {
        let mut key = match self.identity {
            b'd' => self.primary.clone(),
            b'i' => self.identity_index.clone(),
            b'f' => Some(self.primary.clone().unwrap_or_else(|| (0..self.columns.len()).collect())),
            _ => None,
        }?;
        key.sort_unstable();
        Some(key).filter(|key| !key.is_empty())
    }

    /// Columns by whose order rows can be read, in the order of an index; none if there is no such index.
    pub(crate) fn order(&self) -> Option<&[usize]> {
        let of_identity = self.identity_index.as_ref().filter(|_| self.identity == b'i');
        of_identity.or(self.primary.as_ref()).or(self.unique.first()).map(Vec::as_slice)
    }

    /// As the service sees it; none without a key.
    pub(crate) fn layout(&self) -> Option<Layout> {
        let key = self.key()?;
        Some(Layout {
            source: Arc::new(self.source_table(key)),
            kinds: self.columns.iter().map(|column| column.kind.clone()).collect(),
        })
    }

    pub(crate) fn source_table(&self, key: Vec<usize>) -> SourceTable {
        let of_key = key.iter().filter_map(|at| self.columns.get(*at));
        let column = |column: &TableColumn| Column { name: column.name.clone(), type_name: column.type_name.clone() };
        SourceTable {
            physical_id: physical_id(self.oid, of_key.map(|column| (&*column.name, &*column.key_type))),
            schema: self.schema.clone(),
            name: self.name.clone(),
            columns: self.columns.iter().map(column).collect(),
            key,
            is_schemaless: false,
        }
    }

    /// Its name in SQL.
    pub(crate) fn sql_name(&self) -> String {
        format!("{}.{}", super::types::quote_name(&self.schema), super::types::quote_name(&self.name))
    }

    /// Its name for people.
    pub(crate) fn shown_name(&self) -> String {
        format!("{}.{}", self.schema, self.name)
    }
}

/// What a generation of a table is called: with another key, keys of rows are others.
pub(crate) fn physical_id<'k>(oid: u32, key: impl Iterator<Item = (&'k str, &'k str)>) -> String {
    let key: Vec<String> = key.map(|(name, key_type)| format!("{name} {key_type}")).collect();
    format!("{oid}({})", key.join(","))
}

/// Reads tables in the order of their names.
pub(crate) fn read(
    session: &mut Session,
    types: &mut Types,
    publication: &str,
    which: &Which<'_>,
) -> Result<Vec<Table>> {
    let rows = session.client.query(&tables_sql(session.version, which), &[&publication])?;
    let oids: Vec<u32> = rows.iter().map(|row| row.get(0)).collect();
    if oids.is_empty() {
        return Ok(Vec::new());
    }
    let column_rows = session.client.query(COLUMNS, &[&oids])?;
    types.forget_changeable();
    types.load(&mut session.client, column_rows.iter().map(|row| row.get(3)))?;
    let mut columns: HashMap<u32, Vec<&Row>> = HashMap::new();
    for row in &column_rows {
        columns.entry(row.get(0)).or_default().push(row);
    }
    let mut tables = Vec::with_capacity(rows.len());
    for row in &rows {
        let columns = columns.remove(&row.get(0)).unwrap_or_default();
        tables.push(table(row, &columns, types));
    }
    let places: HashMap<u32, usize> = tables.iter().enumerate().map(|(at, table)| (table.oid, at)).collect();
    for row in session.client.query(INDEXES, &[&oids])? {
        if let Some(table) = places.get(&row.get(0)).and_then(|at| tables.get_mut(*at)) {
            add_index(table, &row);
        }
    }
    Ok(tables)
}

fn tables_sql(version: i32, which: &Which<'_>) -> String {
    // Lists of columns and conditions on rows are new in version 15.
    let published = if version >= 150_000 {
        "SELECT schemaname, tablename, attnames::text[] AS columns, rowfilter AS filter FROM pg_publication_tables"
    } else {
        "SELECT schemaname, tablename, NULL::text[] AS columns, NULL::text AS filter FROM pg_publication_tables"
    };
    let wanted = match which {
        Which::All => "true".to_owned(),
        Which::Oid(oid) => format!("c.oid = {oid}"),
        Which::Matching(patterns) => {
            let part = |column: &str, pattern: &str| match pattern.strip_suffix('%') {
                Some(prefix) => format!("starts_with({column}::text, {})", quote(prefix)),
                None => format!("{column} = {}", quote(pattern)),
            };
            let conditions = patterns.iter().map(|pattern| {
                format!("({} AND {})", part("n.nspname", &pattern.schema), part("c.relname", &pattern.table))
            });
            let conditions: Vec<String> = conditions.chain(["false".to_owned()]).collect();
            conditions.join(" OR ")
        }
    };
    format!(
        "SELECT c.oid, n.nspname::text, c.relname::text, c.relreplident::text, c.relkind = 'p', p.tablename IS NOT NULL,
            c.relpersistence <> 'p', p.columns, p.filter,
            pg_has_role(c.relowner, 'USAGE'), has_table_privilege(c.oid, 'SELECT'), row_security_active(c.oid),
            has_schema_privilege(n.oid, 'USAGE')
        FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
        LEFT JOIN ({published} WHERE pubname = $1) p ON p.schemaname = n.nspname AND p.tablename = c.relname
        WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't' AND ({wanted})
            AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND NOT starts_with(n.nspname::text, 'pg_toast')
        ORDER BY n.nspname, c.relname"
    )
}

const COLUMNS: &str = "
    SELECT attrelid, attname::text, attnum, atttypid, atttypmod, attnotnull, attgenerated <> '',
        format_type(atttypid, atttypmod), format_type(atttypid, NULL)
    FROM pg_attribute WHERE attrelid = ANY($1) AND attnum > 0 AND NOT attisdropped ORDER BY attrelid, attnum";

/// Indexes that say which row a row is.
const INDEXES: &str = "
    SELECT indrelid, indisprimary, indisreplident,
        (string_to_array(indkey::text, ' ')::int2[])[1:indnkeyatts] FROM pg_index
    WHERE indrelid = ANY($1) AND indisunique AND indisvalid AND indimmediate AND indpred IS NULL AND indexprs IS NULL
    ORDER BY indrelid, indexrelid";

fn table(row: &Row, columns: &[&Row], types: &Types) -> Table {
    let published: Option<Vec<String>> = row.get(7);
    let is_sent = |column: &&&Row| match &published {
        Some(names) => names.contains(&column.get::<_, String>(1)),
        None => !column.get::<_, bool>(6),
    };
    let column = |row: &&Row| {
        let (oid, modifier) = (row.get(3), row.get(4));
        TableColumn {
            name: row.get(1),
            type_name: row.get(7),
            cast: row.get(8),
            kind: types.kind(oid, modifier),
            key_type: types.key_type(oid),
            number: row.get(2),
            is_required: row.get(5),
        }
    };
    Table {
        oid: row.get(0),
        schema: row.get(1),
        name: row.get(2),
        identity: row.get::<_, String>(3).bytes().next().unwrap_or(b'n'),
        is_partitioned: row.get(4),
        is_published: row.get(5),
        is_unlogged: row.get(6),
        filter: row.get(8),
        is_owned: row.get(9),
        can_select: row.get(10),
        hides_rows: row.get(11),
        can_use_schema: row.get(12),
        columns: columns.iter().filter(is_sent).map(column).collect(),
        primary: None,
        identity_index: None,
        unique: Vec::new(),
    }
}

fn add_index(table: &mut Table, row: &Row) {
    let numbers: Vec<i16> = row.get(3);
    let place = |number: &i16| table.columns.iter().position(|column| column.number == *number);
    let Some(columns) = numbers.iter().map(place).collect::<Option<Vec<usize>>>() else { return };
    let is_required = |at: &usize| table.columns.get(*at).is_some_and(|column| column.is_required);
    let is_unique = columns.iter().all(is_required);
    if row.get(1) {
        table.primary = Some(columns.clone());
    }
    if row.get(2) {
        table.identity_index = Some(columns.clone());
    }
    if is_unique {
        table.unique.push(columns);
    }
}

//! Reads from the catalog how types are made.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use pg_connect::postgres::{Client, Error, Row};

use super::{Element, Kind};

/// Types that the catalog can describe, by their ids.
#[derive(Debug, Default)]
pub(crate) struct Types {
    known: HashMap<u32, Raw>,
}

/// The first id that objects of users have.
const FIRST_USER_ID: u32 = 16_384;

/// Types that are made of others, and those of others, go no deeper.
const MAX_DEPTH: usize = 16;

/// A type as the catalog has it.
#[derive(Clone, Debug)]
struct Raw {
    name: String,
    is_builtin: bool,
    delimiter: u8,
    form: Form,
}

#[derive(Clone, Debug)]
enum Form {
    Simple,
    Array(u32),
    /// With the modifier.
    Domain(u32, i32),
    Composite(Vec<(String, u32, i32)>),
    Range(u32),
    Multirange(u32),
}

const TYPES: &str = "
    SELECT t.oid, t.typname::text, t.typnamespace = 'pg_catalog'::regnamespace, t.typtype::text, t.typcategory::text,
        t.typelem, t.typlen, t.typdelim::text, t.typbasetype, t.typtypmod, t.typrelid,
        coalesce((SELECT r.rngsubtype FROM pg_range r WHERE r.rngtypid = t.oid),
            (SELECT r.rngsubtype FROM pg_range r WHERE (to_jsonb(r)->>'rngmultitypid')::oid = t.oid), 0::oid)
    FROM pg_type t WHERE t.oid = ANY($1)";

const FIELDS: &str = "
    SELECT attrelid, attname::text, atttypid, atttypmod FROM pg_attribute
    WHERE attrelid = ANY($1) AND attnum > 0 AND NOT attisdropped ORDER BY attrelid, attnum";

impl Types {
    /// Forgets types of users, which can have changed.
    pub(crate) fn forget_changeable(&mut self) {
        self.known.retain(|oid, _| *oid < FIRST_USER_ID);
    }

    /// Reads types, and those that they are made of, unless they are known.
    pub(crate) fn load(&mut self, client: &mut Client, oids: impl Iterator<Item = u32>) -> Result<(), Error> {
        let mut wanted: BTreeSet<u32> = oids.filter(|oid| !self.known.contains_key(oid)).collect();
        while !wanted.is_empty() {
            let oids: Vec<u32> = wanted.iter().copied().collect();
            let rows = client.query(TYPES, &[&oids])?;
            let relations: Vec<u32> = rows.iter().map(|row| row.get::<_, u32>(10)).filter(|oid| *oid != 0).collect();
            let mut fields: HashMap<u32, Vec<(String, u32, i32)>> = HashMap::new();
            if !relations.is_empty() {
                for row in client.query(FIELDS, &[&relations])? {
                    fields.entry(row.get(0)).or_default().push((row.get(1), row.get(2), row.get(3)));
                }
            }
            for row in rows {
                self.known.insert(row.get(0), raw(&row, &mut fields));
            }
            let made_of = oids.iter().filter_map(|oid| self.known.get(oid)).flat_map(|raw| raw.form.parts());
            wanted = made_of.filter(|oid| !self.known.contains_key(oid) && !oids.contains(oid)).collect();
        }
        Ok(())
    }

    /// How a type is read. A type that is not known, perhaps as it does not exist any more, is a text.
    pub(crate) fn kind(&self, oid: u32, modifier: i32) -> Kind {
        self.resolve(oid, modifier, MAX_DEPTH)
    }

    /// Types of key columns whose values are the same have the same name.
    pub(crate) fn key_type(&self, oid: u32) -> String {
        let Some(raw) = self.known.get(&oid) else { return oid.to_string() };
        match raw.name.as_str() {
            "int2" | "int4" | "int8" if raw.is_builtin => "integer".to_owned(),
            "text" | "varchar" if raw.is_builtin => "text".to_owned(),
            name => name.to_owned(),
        }
    }

    fn resolve(&self, oid: u32, modifier: i32, depth: usize) -> Kind {
        let Some((raw, depth)) = self.known.get(&oid).zip(depth.checked_sub(1)) else { return Kind::Text };
        match &raw.form {
            Form::Simple if raw.is_builtin => builtin(&raw.name, modifier),
            Form::Simple => Kind::Text,
            Form::Array(element) => {
                let delimiter = self.known.get(element).map_or(b',', |element| element.delimiter);
                Kind::Array(Arc::new(Element::new(self.resolve(*element, modifier, depth), delimiter)))
            }
            Form::Domain(base, modifier) => Kind::Domain(Arc::new(self.resolve(*base, *modifier, depth))),
            Form::Composite(fields) => {
                let field =
                    |(name, oid, modifier): &(String, u32, i32)| (name.clone(), self.resolve(*oid, *modifier, depth));
                Kind::Composite(fields.iter().map(field).collect())
            }
            Form::Range(bound) => Kind::Range(Arc::new(self.resolve(*bound, -1, depth))),
            Form::Multirange(bound) => Kind::Multirange(Arc::new(self.resolve(*bound, -1, depth))),
        }
    }
}

impl Form {
    fn parts(&self) -> Vec<u32> {
        match self {
            Self::Simple => Vec::new(),
            Self::Array(oid) | Self::Domain(oid, _) | Self::Range(oid) | Self::Multirange(oid) => vec![*oid],
            Self::Composite(fields) => fields.iter().map(|(_, oid, _)| *oid).collect(),
        }
    }
}

fn raw(row: &Row, fields: &mut HashMap<u32, Vec<(String, u32, i32)>>) -> Raw {
    let (kind, category): (String, String) = (row.get(3), row.get(4));
    let (element, length): (u32, i16) = (row.get(5), row.get(6));
    let delimiter: String = row.get(7);
    let form = match (kind.as_str(), category.as_str()) {
        ("d", _) => Form::Domain(row.get(8), row.get(9)),
        ("c", _) => Form::Composite(fields.remove(&row.get(10)).unwrap_or_default()),
        ("r", _) => Form::Range(row.get(11)),
        ("m", _) => Form::Multirange(row.get(11)),
        ("b", "A") if element != 0 && length == -1 => Form::Array(element),
        _ => Form::Simple,
    };
    let delimiter = delimiter.bytes().next().unwrap_or(b',');
    Raw { name: row.get(1), is_builtin: row.get(2), delimiter, form }
}

fn builtin(name: &str, modifier: i32) -> Kind {
    // Fractions of seconds have six digits, or as many as the type says.
    let digits = u8::try_from(modifier).ok().filter(|digits| *digits <= 6).unwrap_or(6);
    match name {
        "int2" | "int4" | "int8" | "oid" => Kind::Integer,
        "float4" | "float8" => Kind::Real,
        "bool" => Kind::Boolean,
        "bytea" => Kind::Bytes,
        "date" => Kind::Date,
        "time" | "timetz" => Kind::Time { digits },
        "timestamp" => Kind::Timestamp { digits, utc: false },
        "timestamptz" => Kind::Timestamp { digits, utc: true },
        "json" | "jsonb" => Kind::Json,
        "pg_lsn" => Kind::Lsn,
        _ => Kind::Text,
    }
}

//! The rows that the workloads sync and write: four tables of nine columns, about 350 bytes of JSON each, with random
//! UUIDs. The same seed gives the same rows.

use std::fmt::Write;

use fastrand::Rng;
use rusqlite::types::Value;

/// The tables, with how many of a hundred rows are in each.
pub(crate) const TABLES: [(&str, u8); 4] = [("items", 70), ("lists", 10), ("comments", 15), ("users", 5)];

/// The columns of every table, without `id`: name and type.
pub(crate) const COLUMNS: [(&str, &str); 9] = [
    ("name", "text"),
    ("description", "text"),
    ("owner_id", "text"),
    ("list_id", "text"),
    ("status", "text"),
    ("qty", "integer"),
    ("price", "real"),
    ("created_at", "text"),
    ("updated_at", "text"),
];

/// How many owners there are.
pub(crate) const OWNERS: usize = 500;

const STATUSES: [&str; 4] = ["open", "closed", "in_progress", "archived"];

const WORDS: [&str; 20] = [
    "lorem",
    "ipsum",
    "dolor",
    "sit",
    "amet",
    "consectetur",
    "adipiscing",
    "elit",
    "sed",
    "do",
    "eiusmod",
    "tempor",
    "incididunt",
    "ut",
    "labore",
    "et",
    "dolore",
    "magna",
    "aliqua",
    "enim",
];

/// The content of one row.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    /// Its id, a UUID.
    pub id: String,
    name: String,
    description: String,
    owner_id: String,
    list_id: String,
    status: &'static str,
    quantity: usize,
    price: f64,
    created_at: String,
    updated_at: Option<String>,
}

/// Makes rows; the same seed makes the same ones.
#[derive(Debug)]
pub(crate) struct Rows {
    random: Rng,
    owners: Vec<String>,
}

impl Rows {
    /// Starts with a seed.
    pub(crate) fn new(seed: u64) -> Self {
        let mut random = Rng::with_seed(98);
        let owners = (0..OWNERS).map(|_| uuid(random.u128(..))).collect();
        Rows { random: Rng::with_seed(seed), owners }
    }

    /// The id of an owner that rows refer to, counted from 0; the numbers wrap around.
    pub(crate) fn owner(&self, number: usize) -> &str {
        pick(&self.owners, number)
    }

    /// A random UUID.
    pub(crate) fn id(&mut self) -> String {
        uuid(self.random.u128(..))
    }

    /// A random number below `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.random.usize(..end)
    }

    /// A random checksum.
    pub(crate) fn checksum(&mut self) -> u32 {
        self.random.u32(..)
    }

    /// A table, as often as [`TABLES`] says.
    pub(crate) fn table(&mut self) -> &'static str {
        let mut left = self.random.u8(..100);
        for (name, share) in TABLES {
            if left < share {
                return name;
            }
            left -= share;
        }
        TABLES[0].0
    }

    /// A new row; what is not random in it follows from its number.
    pub(crate) fn row(&mut self, number: usize) -> Row {
        let id = self.id();
        self.row_with_id(number, id)
    }

    /// New content for a row that exists.
    pub(crate) fn row_with_id(&mut self, number: usize, id: String) -> Row {
        let mut description = String::new();
        for _ in 0..10 {
            let word = self.below(WORDS.len());
            description.push_str(pick(&WORDS, word));
            description.push(' ');
        }
        // Quotes have to be escaped in JSON, which takes another way in most readers.
        description.push_str(if number.is_multiple_of(20) { "\"q\"" } else { "." });
        let (day, hour, minute) = (1 + number % 28, number % 24, number % 60);
        let (second, millisecond) = (number * 7 % 60, number % 1000);
        Row {
            id,
            name: format!("Item {number} {}", pick(&WORDS, number)),
            description,
            owner_id: self.owner(number).to_owned(),
            list_id: self.owner(number * 7).to_owned(),
            status: pick(&STATUSES, number),
            quantity: number % 1000,
            // An odd number of cents: a whole price could be stored as an integer or as a real.
            price: f64::from(self.random.u32(..100_000) | 1) / 100.0,
            created_at: format!("2026-01-{day:02}T{hour:02}:{minute:02}:{second:02}.{millisecond:03}Z"),
            updated_at: (!number.is_multiple_of(5)).then(|| format!("2026-03-{day:02} 10:11:12Z")),
        }
    }
}

impl Row {
    /// The row as the service sends it: JSON with the id first.
    pub(crate) fn json(&self) -> String {
        let mut json = String::with_capacity(400);
        json.push('{');
        member(&mut json, "id", &quoted(&self.id));
        member(&mut json, "name", &quoted(&self.name));
        member(&mut json, "description", &quoted(&self.description));
        member(&mut json, "owner_id", &quoted(&self.owner_id));
        member(&mut json, "list_id", &quoted(&self.list_id));
        member(&mut json, "status", &quoted(self.status));
        member(&mut json, "qty", &self.quantity.to_string());
        member(&mut json, "price", &self.price.to_string());
        member(&mut json, "created_at", &quoted(&self.created_at));
        member(&mut json, "updated_at", &self.updated_at.as_deref().map_or_else(|| "null".to_owned(), quoted));
        json.push('}');
        json
    }

    /// The id and the values of [`COLUMNS`], as an app binds them.
    pub(crate) fn values(&self) -> Vec<Value> {
        let text = |text: &str| Value::Text(text.to_owned());
        vec![
            text(&self.id),
            text(&self.name),
            text(&self.description),
            text(&self.owner_id),
            text(&self.list_id),
            text(self.status),
            Value::Integer(i64::try_from(self.quantity).unwrap_or_default()),
            Value::Real(self.price),
            text(&self.created_at),
            self.updated_at.clone().map_or(Value::Null, Value::Text),
        ]
    }
}

/// JSON text of a string.
pub(crate) fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// The UUID, version 4, with these random bits.
pub(crate) fn uuid(bits: u128) -> String {
    let bits = bits & !(0xf << 76) & !(0b11 << 62) | 4 << 76 | 0b10 << 62;
    let digits = |shift: u32, count: u32| bits >> shift & ((1 << (4 * count)) - 1);
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        digits(96, 8),
        digits(80, 4),
        digits(64, 4),
        digits(48, 4),
        digits(0, 12)
    )
}

fn member(json: &mut String, name: &str, value: &str) {
    if json.len() > 1 {
        json.push(',');
    }
    // Writing to a string cannot fail.
    let _ = write!(json, "\"{name}\":{value}");
}

/// The item of this number, which wraps around.
#[allow(clippy::indexing_slicing, reason = "the remainder is in the list, and no list here is empty")]
fn pick<T: AsRef<str>>(items: &[T], number: usize) -> &str {
    items[number % items.len()].as_ref()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_rows() {
        let json = |seed| Rows::new(seed).row(3).json();
        assert_eq!(json(1), json(1));
        assert_ne!(json(1), json(2));
    }

    #[test]
    fn rows_are_json_of_the_usual_size() {
        let mut rows = Rows::new(1);
        for number in 0..100 {
            let json = rows.row(number).json();
            assert!((300..480).contains(&json.len()), "{json}");
            let value: serde_json::Value = serde_json::from_str(&json).unwrap();
            assert_eq!(value.as_object().unwrap().len(), 1 + COLUMNS.len());
        }
    }

    #[test]
    fn ids_are_uuids() {
        assert_eq!(uuid(u128::MAX), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        assert_eq!(uuid(0), "00000000-0000-4000-8000-000000000000");
    }
}

//! Decodes the messages of logical replication, protocol version 1 of `pgoutput`. It does no I/O.

use super::place::Lsn;

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message<'m> {
    Begin {
        /// Of the commit record.
        lsn: Lsn,
    },
    Commit {
        /// After the commit record.
        end: Lsn,
        /// Microseconds since 2000.
        time: i64,
    },
    Relation(Relation),
    Insert {
        table: u32,
        new: Vec<Cell<'m>>,
    },
    Update {
        table: u32,
        old: Option<Vec<Cell<'m>>>,
        new: Vec<Cell<'m>>,
    },
    Delete {
        table: u32,
        old: Vec<Cell<'m>>,
    },
    Truncate {
        tables: Vec<u32>,
    },
    /// Made by `pg_logical_emit_message`.
    Logical {
        is_transactional: bool,
        lsn: Lsn,
    },
    /// Where a transaction came from, or the name of a type: nothing that is needed.
    Other,
}

/// A table, as it was when later changes were made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Relation {
    pub(crate) oid: u32,
    pub(crate) schema: String,
    pub(crate) name: String,
    /// `d`, `n`, `f` or `i`.
    pub(crate) identity: u8,
    pub(crate) columns: Vec<RelationColumn>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RelationColumn {
    pub(crate) name: String,
    /// Whether it is part of the replica identity.
    pub(crate) is_key: bool,
    pub(crate) type_oid: u32,
    pub(crate) modifier: i32,
}

/// A value of a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cell<'m> {
    Null,
    /// It is stored out of line and was not changed.
    Unchanged,
    Text(&'m [u8]),
}

/// A message that is not as the protocol says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    /// The kind of the message; 0 for an empty one.
    pub(crate) kind: u8,
    /// What was being read.
    pub(crate) part: &'static str,
}

/// Decodes a message.
pub(crate) fn decode(message: &[u8]) -> Result<Message<'_>, Malformed> {
    let kind = message.first().copied().unwrap_or(0);
    let mut reader = Reader { rest: message.get(1..).unwrap_or_default(), kind };
    let decoded = read(&mut reader)?;
    if reader.rest.is_empty() || decoded == Message::Other { Ok(decoded) } else { Err(reader.malformed("the end")) }
}

fn read<'m>(reader: &mut Reader<'m>) -> Result<Message<'m>, Malformed> {
    match reader.kind {
        b'B' => {
            let lsn = reader.lsn("the commit")?;
            reader.bytes(12, "time and transaction")?;
            Ok(Message::Begin { lsn })
        }
        b'C' => {
            reader.bytes(9, "flags and commit")?;
            Ok(Message::Commit {
                end: reader.lsn("the end of the commit")?,
                time: reader.u64("the time")?.cast_signed(),
            })
        }
        b'R' => reader.relation().map(Message::Relation),
        b'I' => {
            let table = reader.u32("the table")?;
            reader.expect(b'N', "the new row")?;
            Ok(Message::Insert { table, new: reader.tuple()? })
        }
        b'U' => {
            let table = reader.u32("the table")?;
            let old = match reader.u8("the kind of row")? {
                b'K' | b'O' => {
                    let old = reader.tuple()?;
                    reader.expect(b'N', "the new row")?;
                    Some(old)
                }
                b'N' => None,
                _ => return Err(reader.malformed("the kind of row")),
            };
            Ok(Message::Update { table, old, new: reader.tuple()? })
        }
        b'D' => {
            let table = reader.u32("the table")?;
            match reader.u8("the kind of row")? {
                b'K' | b'O' => Ok(Message::Delete { table, old: reader.tuple()? }),
                _ => Err(reader.malformed("the kind of row")),
            }
        }
        b'T' => {
            let count = reader.u32("the number of tables")?;
            // CASCADE and RESTART IDENTITY: the server lists all tables.
            reader.u8("options")?;
            let tables = (0..count).map(|_| reader.u32("a table")).collect::<Result<_, _>>()?;
            Ok(Message::Truncate { tables })
        }
        b'M' => {
            let is_transactional = reader.u8("flags")? & 1 == 1;
            let lsn = reader.lsn("the place")?;
            reader.text("the prefix")?;
            let length = reader.length("the length")?;
            reader.bytes(length, "the content")?;
            Ok(Message::Logical { is_transactional, lsn })
        }
        b'O' | b'Y' => Ok(Message::Other),
        _ => Err(reader.malformed("the kind of message")),
    }
}

struct Reader<'m> {
    rest: &'m [u8],
    kind: u8,
}

impl<'m> Reader<'m> {
    fn malformed(&self, part: &'static str) -> Malformed {
        Malformed { kind: self.kind, part }
    }

    fn bytes(&mut self, count: usize, part: &'static str) -> Result<&'m [u8], Malformed> {
        let (bytes, rest) = self.rest.split_at_checked(count).ok_or(self.malformed(part))?;
        self.rest = rest;
        Ok(bytes)
    }

    fn array<const N: usize>(&mut self, part: &'static str) -> Result<[u8; N], Malformed> {
        let bytes = self.bytes(N, part)?;
        bytes.try_into().map_err(|_| self.malformed(part))
    }

    fn u8(&mut self, part: &'static str) -> Result<u8, Malformed> {
        self.array(part).map(u8::from_be_bytes)
    }

    fn u16(&mut self, part: &'static str) -> Result<u16, Malformed> {
        self.array(part).map(u16::from_be_bytes)
    }

    fn u32(&mut self, part: &'static str) -> Result<u32, Malformed> {
        self.array(part).map(u32::from_be_bytes)
    }

    fn u64(&mut self, part: &'static str) -> Result<u64, Malformed> {
        self.array(part).map(u64::from_be_bytes)
    }

    fn lsn(&mut self, part: &'static str) -> Result<Lsn, Malformed> {
        self.u64(part).map(Lsn)
    }

    fn length(&mut self, part: &'static str) -> Result<usize, Malformed> {
        let length = self.u32(part)?;
        usize::try_from(length).map_err(|_| self.malformed(part))
    }

    fn expect(&mut self, kind: u8, part: &'static str) -> Result<(), Malformed> {
        if self.u8(part)? == kind { Ok(()) } else { Err(self.malformed(part)) }
    }

    /// A text that ends with a zero byte.
    fn text(&mut self, part: &'static str) -> Result<String, Malformed> {
        let length = self.rest.iter().position(|byte| *byte == 0).ok_or(self.malformed(part))?;
        let text = self.bytes(length, part)?;
        self.bytes(1, part)?;
        Ok(String::from_utf8_lossy(text).into_owned())
    }

    fn relation(&mut self) -> Result<Relation, Malformed> {
        let oid = self.u32("the table")?;
        let schema = self.text("the schema")?;
        // The server leaves this name out.
        let schema = if schema.is_empty() { "pg_catalog".to_owned() } else { schema };
        let name = self.text("the name")?;
        let identity = self.u8("the replica identity")?;
        let count = self.u16("the number of columns")?;
        let columns = (0..count)
            .map(|_| {
                let is_key = self.u8("flags of a column")? & 1 == 1;
                let name = self.text("the name of a column")?;
                let type_oid = self.u32("the type of a column")?;
                let modifier = self.u32("the type of a column")?.cast_signed();
                Ok(RelationColumn { name, is_key, type_oid, modifier })
            })
            .collect::<Result<_, _>>()?;
        Ok(Relation { oid, schema, name, identity, columns })
    }

    fn tuple(&mut self) -> Result<Vec<Cell<'m>>, Malformed> {
        let count = self.u16("the number of values")?;
        let mut cells = Vec::with_capacity(usize::from(count).min(self.rest.len()));
        for _ in 0..count {
            cells.push(match self.u8("the kind of a value")? {
                b'n' => Cell::Null,
                b'u' => Cell::Unchanged,
                b't' => {
                    let length = self.length("the length of a value")?;
                    Cell::Text(self.bytes(length, "a value")?)
                }
                _ => return Err(self.malformed("the kind of a value")),
            });
        }
        Ok(cells)
    }
}

#[cfg(test)]
#[path = "pgoutput/tests.rs"]
mod tests;

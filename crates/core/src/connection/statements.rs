//! Cached statements: each SQL text is prepared once per connection.

use alloc::boxed::Box;
use alloc::rc::Weak;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

use sqlite_nostd::Statement;

use super::ConnectionState;
use crate::cell;
use crate::collections::{Index, Key};
use crate::error::Result;
use crate::text;

/// The key of a cached statement.
pub(super) enum StatementText<'t> {
    /// A constant, known by its address and length: each SQL text is next to the one function that runs it. Two
    /// copies of one constant only cost a second statement.
    Constant(&'static str),
    /// SQL that was made at run time.
    Made(&'t str),
}

impl StatementText<'_> {
    pub(super) fn text(&self) -> &str {
        match self {
            Self::Constant(text) => text,
            Self::Made(text) => text,
        }
    }

    fn key(&self) -> Key<'_> {
        match self {
            Self::Constant(text) => constant_key(text),
            Self::Made(text) => Key::Name(text),
        }
    }
}

/// How many statements are kept: more than any schema has tables in sensible use.
const CAPACITY: usize = 1200;

/// A statement's place in the cache.
#[derive(Clone, Copy)]
pub(super) struct Place {
    position: usize,
    /// How often the cache had been emptied.
    generation: u64,
}

/// Statements by their text.
#[derive(Default)]
pub(super) struct Statements(RefCell<Cache>);

#[derive(Default)]
struct Cache {
    entries: Vec<Entry>,
    index: Index,
    generation: u64,
}

struct Entry {
    key: EntryKey,
    /// None while it is in use.
    kept: Option<Box<Kept>>,
}

/// A statement, and where it is kept while it is not in use.
pub(super) struct Kept {
    pub(super) statement: Statement,
    pub(super) place: Place,
    pub(super) state: Weak<ConnectionState>,
}

enum EntryKey {
    Constant(&'static str),
    Made(String),
}

impl Statements {
    /// Takes the statement for `text` out, if there is one that is not in use; otherwise gives the place for one.
    ///
    /// # Errors
    /// Out of memory.
    pub(super) fn take(&self, text: &StatementText<'_>) -> Result<Result<Box<Kept>, Place>> {
        let mut cache = cell::write(&self.0);
        let found = cache.index.find(text.key(), &key_at(&cache.entries));
        if let Some(position) = found {
            let kept = cache.entries.get_mut(position).and_then(|entry| entry.kept.take());
            return Ok(kept.ok_or(Place { position, generation: cache.generation }));
        }
        if cache.entries.len() >= CAPACITY {
            // Statements are dropped when the cache is free again.
            drop(cache);
            self.clear();
            cache = cell::write(&self.0);
        }
        cache.add(text).map(Err)
    }

    /// Puts a statement back where it was taken from, unless the cache was emptied meanwhile.
    pub(super) fn put_back(&self, kept: Box<Kept>) {
        let mut cache = cell::write(&self.0);
        let is_current = kept.place.generation == cache.generation;
        let entry = cache.entries.get_mut(kept.place.position).filter(|_| is_current);
        // Another one may be there after a nested use of the same SQL. It goes when the cache is free again.
        let left = match entry {
            Some(entry) => entry.kept.replace(kept),
            None => Some(kept),
        };
        drop(cache);
        drop(left);
    }

    /// Finalizes all statements that are not in use.
    pub(super) fn clear(&self) {
        let mut cache = cell::write(&self.0);
        let generation = cache.generation.wrapping_add(1);
        let released = core::mem::replace(&mut *cache, Cache { generation, ..Cache::default() });
        drop(cache);
        drop(released);
    }
}

impl Cache {
    fn add(&mut self, text: &StatementText<'_>) -> Result<Place> {
        self.entries.try_reserve(1)?;
        self.index.reserve(1)?;
        let position = self.entries.len();
        let key = match text {
            StatementText::Constant(text) => EntryKey::Constant(text),
            StatementText::Made(text) => EntryKey::Made(text::copy(text)?),
        };
        self.entries.push(Entry { key, kept: None });
        self.index.insert(text.key(), position);
        Ok(Place { position, generation: self.generation })
    }
}

fn constant_key(text: &'static str) -> Key<'static> {
    Key::Place(text.as_ptr().addr(), text.len())
}

fn key_at<'e>(entries: &'e [Entry]) -> impl Fn(usize) -> Key<'e> {
    |position| match entries.get(position).map(|entry| &entry.key) {
        Some(EntryKey::Constant(text)) => constant_key(text),
        Some(EntryKey::Made(text)) => Key::Name(text),
        None => {
            debug_assert!(false, "the index is of other statements");
            Key::Name("")
        }
    }
}

//! Tables that are gone. Deltas do not say so: the tables are listed from time to time, and compared.
//!
//! A table that is missing in one list may have rows in changes that were not read yet, and its name may be that of a new
//! table by then. So changes are read to their end, and the tables are listed once more.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

/// Which tables are known, and which may be gone.
#[derive(Debug)]
pub(crate) struct Watch {
    interval: Duration,
    known: BTreeSet<String>,
    suspects: BTreeSet<String>,
    next: Instant,
}

/// What a list of the tables says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Nothing,
    /// Some may be gone: read all changes, then list the tables again.
    Suspects,
    /// These are gone.
    Gone(BTreeSet<String>),
    /// This one was gone, and is there again: nobody knows which of its rows are old.
    Again(String),
}

impl Watch {
    pub(crate) fn new(interval: Duration, known: BTreeSet<String>, now: Instant) -> Self {
        Self { interval, known, suspects: BTreeSet::new(), next: now }
    }

    /// Changes had rows of a table.
    pub(crate) fn changed(&mut self, table: &str) {
        if !self.known.contains(table) {
            self.known.insert(table.to_owned());
        }
    }

    /// Whether the tables are to be listed, now that all changes were read.
    pub(crate) fn wants_list(&self, now: Instant) -> bool {
        !self.suspects.is_empty() || now >= self.next
    }

    /// The tables as they were listed, of those that are wanted.
    pub(crate) fn listed(&mut self, names: BTreeSet<String>, now: Instant) -> Seen {
        self.next = now + self.interval;
        let suspects = std::mem::take(&mut self.suspects);
        if let Some(again) = suspects.intersection(&names).next() {
            return Seen::Again(again.clone());
        }
        self.known.retain(|name| !suspects.contains(name));
        self.suspects = self.known.difference(&names).cloned().collect();
        self.known.extend(names);
        match (suspects.is_empty(), self.suspects.is_empty()) {
            (false, _) => Seen::Gone(suspects),
            (true, false) => Seen::Suspects,
            (true, true) => Seen::Nothing,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn a_table_is_gone_when_two_lists_lack_it() {
        let now = Instant::now();
        let mut watch = Watch::new(Duration::from_secs(60), names(&["a"]), now);
        assert!(watch.wants_list(now));
        watch.changed("c");
        assert_eq!(watch.listed(names(&["a", "b", "c"]), now), Seen::Nothing);
        assert!(!watch.wants_list(now));
        let later = now + Duration::from_secs(60);
        assert!(watch.wants_list(later));
        assert_eq!(watch.listed(names(&["a"]), later), Seen::Suspects);
        assert!(watch.wants_list(later));
        assert_eq!(watch.listed(names(&["a"]), later), Seen::Gone(names(&["b", "c"])));
        assert!(!watch.wants_list(later));
        assert_eq!(watch.listed(names(&["a", "b"]), later), Seen::Nothing, "a new one");
    }

    #[test]
    fn a_table_that_is_there_again_is_another_one() {
        let now = Instant::now();
        let mut watch = Watch::new(Duration::from_secs(60), names(&["a", "b"]), now);
        assert_eq!(watch.listed(names(&["a"]), now), Seen::Suspects);
        assert_eq!(watch.listed(names(&["a", "b"]), now), Seen::Again("b".into()));
        // Another one went while the first was looked for.
        let mut watch = Watch::new(Duration::from_secs(60), names(&["a", "b", "c"]), now);
        assert_eq!(watch.listed(names(&["a", "b"]), now), Seen::Suspects);
        assert_eq!(watch.listed(names(&["a"]), now), Seen::Gone(names(&["c"])));
        assert_eq!(watch.listed(names(&["a"]), now), Seen::Gone(names(&["b"])));
    }
}

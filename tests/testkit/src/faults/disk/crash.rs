//! What a crash leaves of the files of a disk, at any change that was made to them.
//!
//! A killed process leaves all changes before. Power loss may undo what was not synced since: all of it, or any part in
//! pieces of a sector, without touching what is next to it ("powersafe overwrite"). A created file lasts from its first
//! sync on; that a file was deleted lasts from the next sync of any file on.

use std::collections::BTreeMap;

use super::{Image, files};

/// The piece that is written as a whole, in bytes.
const SECTOR: usize = 512;

/// A change of a file's content.
#[derive(Debug, Clone)]
enum Edit {
    Write(usize, Vec<u8>),
    Truncate(usize),
}

impl Edit {
    fn apply(&self, content: &mut Vec<u8>) {
        match self {
            Self::Write(offset, data) => files::write(content, *offset, data),
            Self::Truncate(size) => content.truncate(*size),
        }
    }

    /// The same in pieces that happen as a whole.
    fn pieces(&self) -> Vec<Edit> {
        let Self::Write(offset, data) = self else { return vec![self.clone()] };
        let mut pieces = Vec::new();
        let (mut offset, mut rest) = (*offset, data.as_slice());
        while !rest.is_empty() {
            let (piece, remaining) = rest.split_at(rest.len().min(SECTOR - offset % SECTOR));
            pieces.push(Self::Write(offset, piece.to_vec()));
            (offset, rest) = (offset + piece.len(), remaining);
        }
        pieces
    }
}

#[derive(Debug, Clone)]
enum Change {
    Create,
    Edit(Edit),
    Sync,
    Delete,
}

/// What a crash takes of that which was not synced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Nothing: only the process ended.
    Nothing,
    /// Everything.
    Everything,
    /// Any part; the number is the seed of the choice.
    Parts(u64),
}

/// A file with what is on the medium and what is on its way there.
#[derive(Debug, Clone, Default)]
struct CachedFile {
    /// None before the first sync.
    durable: Option<Vec<u8>>,
    pending: Vec<Edit>,
    is_deleted: bool,
}

impl CachedFile {
    fn settle(&mut self) {
        let content = self.durable.get_or_insert_default();
        self.pending.drain(..).for_each(|edit| edit.apply(content));
    }

    fn after(mut self, loss: Loss, seed: &mut u64) -> Option<Vec<u8>> {
        match loss {
            Loss::Everything => self.durable,
            _ if self.is_deleted => None,
            Loss::Nothing => {
                self.settle();
                self.durable
            }
            Loss::Parts(_) => {
                let mut content = self.durable.unwrap_or_default();
                let pieces = self.pending.iter().flat_map(Edit::pieces);
                pieces.filter(|_| is_kept(seed)).for_each(|piece| piece.apply(&mut content));
                Some(content)
            }
        }
    }
}

/// All changes of a disk's named files since some time, in order.
#[derive(Debug, Clone)]
pub struct Recording {
    before: Image,
    changes: Vec<(String, Change)>,
}

impl Recording {
    pub(super) fn new(before: Image) -> Self {
        Self { before, changes: Vec::new() }
    }

    pub(super) fn create(&mut self, name: &str) {
        self.changes.push((name.to_owned(), Change::Create));
    }

    pub(super) fn delete(&mut self, name: &str) {
        self.changes.push((name.to_owned(), Change::Delete));
    }

    pub(super) fn write(&mut self, name: &str, offset: usize, data: &[u8]) {
        self.changes.push((name.to_owned(), Change::Edit(Edit::Write(offset, data.to_vec()))));
    }

    pub(super) fn truncate(&mut self, name: &str, size: usize) {
        self.changes.push((name.to_owned(), Change::Edit(Edit::Truncate(size))));
    }

    pub(super) fn sync(&mut self, name: &str) {
        self.changes.push((name.to_owned(), Change::Sync));
    }

    /// The number of changes, syncs included.
    pub fn length(&self) -> usize {
        self.changes.len()
    }

    /// The last sync of a file whose name ends so, among the first `count` changes: the number of changes up to it.
    pub fn last_sync(&self, count: usize, suffix: &str) -> usize {
        let is_sync = |(name, change): &(String, Change)| matches!(change, Change::Sync) && name.ends_with(suffix);
        self.changes[..count].iter().rposition(is_sync).map_or(0, |position| position + 1)
    }

    /// The files after a crash that came after the first `count` changes.
    pub fn crash(&self, count: usize, loss: Loss) -> Image {
        let durable = |content: &Vec<u8>| CachedFile { durable: Some(content.clone()), ..CachedFile::default() };
        let mut cached: BTreeMap<&str, CachedFile> =
            self.before.iter().map(|(name, content)| (name.as_str(), durable(content))).collect();
        for (name, change) in &self.changes[..count] {
            let file = cached.entry(name).or_default();
            match change {
                Change::Create => *file = CachedFile::default(),
                Change::Edit(edit) => file.pending.push(edit.clone()),
                Change::Delete => file.is_deleted = true,
                Change::Sync => {
                    file.settle();
                    cached.retain(|_, file| !file.is_deleted);
                }
            }
        }
        let mut seed = if let Loss::Parts(seed) = loss { seed | 1 } else { 1 };
        let files = cached.into_iter();
        files.filter_map(|(name, file)| Some((name.to_owned(), file.after(loss, &mut seed)?))).collect()
    }
}

/// Decides about one piece.
fn is_kept(seed: &mut u64) -> bool {
    *seed ^= *seed >> 12;
    *seed ^= *seed << 25;
    *seed ^= *seed >> 27;
    seed.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 63 == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recording() -> Recording {
        let mut recording = Recording::new(Image::from([("old".to_owned(), b"x".to_vec())]));
        recording.create("a");
        recording.write("a", 0, &[1; 600]);
        recording.sync("a");
        recording.write("a", 500, &[2; 100]);
        recording.truncate("a", 550);
        recording.delete("old");
        recording
    }

    #[test]
    fn a_killed_process_leaves_everything() {
        let recording = recording();
        let content = [vec![1; 500], vec![2; 50]].concat();
        assert_eq!(recording.crash(6, Loss::Nothing), Image::from([("a".to_owned(), content)]));
        assert_eq!(recording.crash(1, Loss::Nothing)["a"], b"");
    }

    #[test]
    fn power_loss_undoes_what_was_not_synced() {
        let recording = recording();
        let old = ("old".to_owned(), b"x".to_vec());
        assert_eq!(recording.crash(2, Loss::Everything), Image::from([old.clone()]));
        assert_eq!(recording.crash(6, Loss::Everything), Image::from([old, ("a".to_owned(), vec![1; 600])]));
        assert_eq!((recording.last_sync(6, "a"), recording.last_sync(2, "a")), (3, 0));
    }

    #[test]
    fn power_loss_may_tear_writes_between_sectors() {
        let recording = recording();
        let seen: std::collections::BTreeSet<Vec<u8>> =
            (0..100).map(|seed| recording.crash(5, Loss::Parts(seed * 2))["a"].clone()).collect();
        // Two pieces of a write, and the truncation: each happens or not.
        assert_eq!(seen.len(), 8);
        assert!(seen.contains(&[vec![1; 512], vec![2; 38]].concat()));
        assert!(seen.contains(&vec![1; 600]));
    }

    #[test]
    fn deleting_lasts_from_the_next_sync_on() {
        let mut recording = recording();
        recording.sync("a");
        assert!(!recording.crash(recording.length(), Loss::Everything).contains_key("old"));
    }
}

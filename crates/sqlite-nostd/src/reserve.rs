//! A reserve of memory in the library's zeroed data, used when SQLite's allocator has none.
//!
//! It costs nothing until it is used: the pages of zeroed data come into being when they are first written. Blocks are
//! runs of cells of [`CELL`] bytes, with a bit for each that says whether it is taken. Any number of threads may take
//! and give back blocks at once, without waiting.

use core::alloc::Layout;
use core::cell::UnsafeCell;
use core::ptr;
use core::sync::atomic::{AtomicUsize, Ordering};

/// The size of a cell, and the largest alignment served.
pub(crate) const CELL: usize = 64;

/// How many cells a word has bits for.
const WORD_CELLS: usize = usize::BITS as usize;

/// A reserve of `WORDS` × [`WORD_CELLS`] cells.
pub(crate) struct Reserve<const WORDS: usize> {
    taken: [AtomicUsize; WORDS],
    cells: UnsafeCell<[[Cell; WORD_CELLS]; WORDS]>,
}

#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Cell([u8; CELL]);

// SAFETY: the cells are only reached through the blocks that `take` gives out, of which no two overlap while both
// exist.
unsafe impl<const WORDS: usize> Sync for Reserve<WORDS> {}

impl<const WORDS: usize> Reserve<WORDS> {
    /// The largest block: an eighth of the reserve, so that one greedy request leaves enough for what follows.
    pub(crate) const LARGEST: usize = WORDS * WORD_CELLS * CELL / 8;

    /// A reserve of which nothing is taken.
    pub(crate) const fn new() -> Self {
        Self {
            taken: [const { AtomicUsize::new(0) }; WORDS],
            cells: UnsafeCell::new([[Cell([0; CELL]); WORD_CELLS]; WORDS]),
        }
    }

    /// Where `block` begins, in cells, if it is of this reserve.
    fn position(&self, block: *mut u8) -> Option<usize> {
        let offset = block.addr().checked_sub(self.cells.get().addr())?;
        (offset < WORDS * WORD_CELLS * CELL).then_some(offset / CELL)
    }

    /// Whether `block` is of this reserve.
    pub(crate) fn contains(&self, block: *mut u8) -> bool {
        self.position(block).is_some()
    }

    /// A block for `layout`, null if it is too large or nothing fits.
    pub(crate) fn take(&self, layout: Layout) -> *mut u8 {
        if layout.size() > Self::LARGEST || layout.align() > CELL {
            return ptr::null_mut();
        }
        let count = cell_count(layout.size());
        let position =
            if count <= WORD_CELLS { self.take_in_a_word(count) } else { self.take_words(count.div_ceil(WORD_CELLS)) };
        match position {
            // SAFETY: the position is within the cells.
            Some(position) => unsafe { self.cells.get().cast::<Cell>().add(position).cast() },
            None => ptr::null_mut(),
        }
    }

    /// Gives a block back.
    ///
    /// # Safety
    /// `take` gave it for a layout of this size, or `shrink` made it this small, and it is not used again.
    pub(crate) unsafe fn give_back(&self, block: *mut u8, size: usize) {
        let Some(position) = self.position(block) else {
            debug_assert!(false, "the block is not of this reserve");
            return;
        };
        let (first, count) = (position / WORD_CELLS, cell_count(size));
        if count <= WORD_CELLS {
            self.release_in_a_word(first, mask(count, position % WORD_CELLS));
        } else {
            self.release_words(first, count.div_ceil(WORD_CELLS));
        }
    }

    /// Gives back what a block has beyond `new_size`, no more than it has.
    ///
    /// # Safety
    /// As for [`Self::give_back`], of the part given back.
    pub(crate) unsafe fn shrink(&self, block: *mut u8, size: usize, new_size: usize) {
        let Some(position) = self.position(block) else {
            debug_assert!(false, "the block is not of this reserve");
            return;
        };
        let (first, shift) = (position / WORD_CELLS, position % WORD_CELLS);
        let (count, kept) = (cell_count(size), cell_count(new_size));
        if count <= WORD_CELLS {
            self.release_in_a_word(first, mask(count, shift) & !mask(kept, shift));
        } else {
            // Such a block has whole words.
            let kept_words = kept.div_ceil(WORD_CELLS);
            self.release_words(first + kept_words, count.div_ceil(WORD_CELLS) - kept_words);
            if kept < WORD_CELLS {
                self.release_in_a_word(first, !mask(kept, 0));
            }
        }
    }

    fn take_in_a_word(&self, count: usize) -> Option<usize> {
        self.taken.iter().zip((0..).step_by(WORD_CELLS)).find_map(|(word, position)| {
            let mut taken = word.load(Ordering::Relaxed);
            while let Some(shift) = (0..=WORD_CELLS - count).find(|shift| taken & mask(count, *shift) == 0) {
                let with_block = taken | mask(count, shift);
                match word.compare_exchange(taken, with_block, Ordering::Acquire, Ordering::Relaxed) {
                    Ok(_) => return Some(position + shift),
                    Err(found) => taken = found,
                }
            }
            None
        })
    }

    fn take_words(&self, count: usize) -> Option<usize> {
        let is_claimed =
            |word: &AtomicUsize| word.compare_exchange(0, usize::MAX, Ordering::Acquire, Ordering::Relaxed).is_ok();
        (0..).zip(self.taken.windows(count)).find_map(|(first, words)| {
            let claimed = words.iter().take_while(|word| is_claimed(word)).count();
            if claimed == count {
                return Some(first * WORD_CELLS);
            }
            self.release_words(first, claimed);
            None
        })
    }

    fn release_in_a_word(&self, index: usize, cells: usize) {
        debug_assert!(index < self.taken.len(), "the block is not within the reserve");
        if let Some(word) = self.taken.get(index) {
            word.fetch_and(!cells, Ordering::Release);
        }
    }

    fn release_words(&self, first: usize, count: usize) {
        for word in self.taken.iter().skip(first).take(count) {
            word.store(0, Ordering::Release);
        }
    }
}

/// The cells of a block of `size` bytes.
fn cell_count(size: usize) -> usize {
    size.div_ceil(CELL).max(1)
}

/// `count` (1 to [`WORD_CELLS`]) one bits, `shift` bits up.
fn mask(count: usize, shift: usize) -> usize {
    (usize::MAX >> (WORD_CELLS - count)) << shift
}

#[cfg(test)]
mod tests {
    extern crate std;
    use std::vec::Vec;

    use super::*;

    type Small = Reserve<16>;

    fn layout(size: usize) -> Layout {
        Layout::from_size_align(size, 8).unwrap()
    }

    #[test]
    fn blocks_do_not_overlap_and_come_back() {
        let reserve = Small::new();
        let sizes = [1, 64, 65, 700, 4096, 0, Small::LARGEST, 4097];
        for _ in 0..if cfg!(miri) { 2 } else { 100 } {
            let blocks: Vec<_> = sizes.map(|size| (reserve.take(layout(size)), size)).into();
            for (index, (block, size)) in blocks.iter().enumerate() {
                assert!(!block.is_null() && block.addr() % CELL == 0, "{size}");
                // SAFETY: just taken with that size.
                unsafe { block.write_bytes(index as u8, *size) };
            }
            for (index, (block, size)) in blocks.iter().enumerate() {
                // SAFETY: as above; written.
                let bytes = unsafe { core::slice::from_raw_parts(*block, *size) };
                assert!(bytes.iter().all(|byte| usize::from(*byte) == index));
            }
            for (block, size) in blocks {
                // SAFETY: not used again.
                unsafe { reserve.give_back(block, size) };
            }
            assert!(reserve.taken.iter().all(|word| word.load(Ordering::Relaxed) == 0));
        }
    }

    #[test]
    fn an_exhausted_reserve_gives_null_until_something_comes_back() {
        let reserve = Small::new();
        let blocks: Vec<_> = core::iter::from_fn(|| {
            let block = reserve.take(layout(CELL));
            (!block.is_null()).then_some(block)
        })
        .collect();
        assert_eq!(blocks.len(), 16 * WORD_CELLS);
        // SAFETY: not used again.
        unsafe { reserve.give_back(blocks[77], CELL) };
        assert_eq!(reserve.take(layout(1)), blocks[77]);
        assert!(reserve.take(layout(1)).is_null());
    }

    #[test]
    fn what_cannot_be_served_is_refused() {
        let reserve = Small::new();
        assert!(reserve.take(layout(Small::LARGEST + 1)).is_null());
        assert!(reserve.take(layout(isize::MAX as usize - 7)).is_null());
        assert!(reserve.take(Layout::from_size_align(1, 2 * CELL).unwrap()).is_null());
        assert!(!reserve.contains(ptr::null_mut()));
        assert!(!reserve.contains((&raw const reserve).wrapping_add(1).cast_mut().cast()));
    }

    #[test]
    fn a_shrunken_block_gives_back_the_rest() {
        let taken = |reserve: &Small| reserve.taken.iter().map(|word| word.load(Ordering::Relaxed).count_ones()).sum();
        for size in [CELL, 2 * CELL, 640, 4096, 4097, Small::LARGEST] {
            for new_size in [1, CELL, 640, 4000, 4096, 4097, Small::LARGEST].into_iter().filter(|new| *new <= size) {
                let reserve = Small::new();
                let block = reserve.take(layout(size));
                // SAFETY: taken with that size; the rest is not used.
                unsafe { reserve.shrink(block, size, new_size) };
                let count = cell_count(new_size);
                let whole = if count > WORD_CELLS { count.next_multiple_of(WORD_CELLS) } else { count };
                assert_eq!(u32::try_from(whole), Ok(taken(&reserve)), "{size} to {new_size}");
                // SAFETY: not used again.
                unsafe { reserve.give_back(block, new_size) };
                assert_eq!(taken(&reserve), 0, "{size} to {new_size}");
            }
        }
    }

    #[test]
    fn threads_share_it() {
        static RESERVE: Small = Small::new();
        let work = |seed: usize| {
            move || {
                for round in 0..if cfg!(miri) { 5 } else { 2000 } {
                    let size = (seed * 977 + round * 131) % Small::LARGEST;
                    let block = RESERVE.take(layout(size));
                    if !block.is_null() {
                        // SAFETY: taken with that size, and not used again after it is given back.
                        unsafe {
                            block.write_bytes(seed as u8, size);
                            std::thread::yield_now();
                            assert!((0..size).all(|index| block.add(index).read() == seed as u8));
                            RESERVE.give_back(block, size);
                        }
                    }
                }
            }
        };
        let threads: Vec<_> = (0..4).map(|seed| std::thread::spawn(work(seed))).collect();
        for thread in threads {
            thread.join().unwrap();
        }
        assert!(RESERVE.taken.iter().all(|word| word.load(Ordering::Relaxed) == 0));
    }
}

//! The allocator on SQLite's.

use std::alloc::{GlobalAlloc, Layout};

use sqlite_nostd::SqliteAllocator;
use sqlite_nostd::memory;

use crate::host::Host;

#[test]
fn blocks_are_aligned_and_keep_their_content_when_they_grow() {
    let _host = Host::open();
    for alignment in (0..13).map(|power| 1 << power) {
        for (size, new_size) in [(1, 3), (8, 4096), (100, 100_000), (5000, 10), (1_000_000, 2_000_000)] {
            let before = memory::out_of_memory_count();
            let layout = Layout::from_size_align(size, alignment).unwrap();
            // SAFETY: used as `GlobalAlloc` says.
            unsafe {
                let block = SqliteAllocator.alloc(layout);
                assert!(!block.is_null() && block.addr().is_multiple_of(alignment), "{layout:?}");
                block.write_bytes(1, size);
                block.add(size - 1).write(2);
                let grown = SqliteAllocator.realloc(block, layout, new_size);
                assert!(!grown.is_null() && grown.addr().is_multiple_of(alignment), "{layout:?}");
                let kept = size.min(new_size);
                assert!((0..kept).all(|index| grown.add(index).read() == if index == size - 1 { 2 } else { 1 }));
                grown.write_bytes(3, new_size);
                let zeroed = SqliteAllocator.alloc_zeroed(layout);
                assert!((0..size).all(|index| zeroed.add(index).read() == 0));
                SqliteAllocator.dealloc(zeroed, layout);
                SqliteAllocator.dealloc(grown, Layout::from_size_align(new_size, alignment).unwrap());
            }
            assert_eq!(memory::out_of_memory_count(), before);
        }
    }
    assert!(!memory::is_exhausted());
}

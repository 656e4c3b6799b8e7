//! Memory: the allocator through SQLite's, and what happens when there is no more.
//!
//! Rust's collections abort the process when an allocation fails. So that an application sees SQLITE_NOMEM instead:
//!
//! 1. When SQLite's allocator refuses a request, [`SqliteAllocator`] counts that and serves it from a reserve in the
//!    library's zeroed data (1 MiB, which costs nothing while it is not used; less on small targets), for any block up
//!    to an eighth of it. The running call can continue to its end.
//! 2. Every call from SQLite into Rust runs in [`guard`], which compares the count before and after it and turns the
//!    call's result into SQLITE_NOMEM, as SQLite itself does with its `mallocFailed` flag. Memory is one for all
//!    threads: calls that run at the same time on other connections may report the failure too.
//! 3. A call that needs little after the first refusal fits into the reserve. Long loops poll [`is_exhausted`] and end
//!    with an error; `Rows::next` does that for loops over rows.
//! 4. Anything whose size the caller decides is reserved with `try_reserve`, which fails for a block that neither SQLite
//!    nor the reserve has.
//!
//! A call may thus have done its work and report SQLITE_NOMEM. A function that remembers what it did would then be
//! ahead of its caller: it gives its result first, ends what can fail with [`Context::settle`](crate::Context::settle),
//! and remembers last, without needing memory. What stays in the reserve (state that outlives the call) moves out when
//! it grows, and is given back when it is dropped.

use core::alloc::{GlobalAlloc, Layout};
use core::ffi::c_void;
use core::ptr;
use core::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::api;
use crate::reserve::Reserve;

/// The reserve: 1 MiB on 64-bit targets, 256 KiB on 32-bit ones, 64 KiB in WebAssembly, where it always exists.
static RESERVE: Reserve<{ if cfg!(target_family = "wasm") { 32 } else { 4 * usize::BITS as usize } }> = Reserve::new();

/// How many requests SQLite's allocator has refused.
static REFUSALS: AtomicUsize = AtomicUsize::new(0);

/// Whether it refused the last one.
static IS_EXHAUSTED: AtomicBool = AtomicBool::new(false);

/// Allocates through SQLite, so that memory can pass between both sides and limits set there hold here.
pub struct SqliteAllocator;

/// What SQLite's allocator aligns to.
const SQLITE_ALIGNMENT: usize = 8;

/// A block from SQLite, null when it is refused.
fn request(size: usize) -> *mut u8 {
    // SAFETY: has no conditions.
    answer(unsafe { api::sqlite3_malloc64(size as u64) })
}

/// Notes whether SQLite gave what was requested.
fn answer(block: *mut c_void) -> *mut u8 {
    if block.is_null() {
        REFUSALS.fetch_add(1, Ordering::Relaxed);
        IS_EXHAUSTED.store(true, Ordering::Relaxed);
    } else if IS_EXHAUSTED.load(Ordering::Relaxed) {
        IS_EXHAUSTED.store(false, Ordering::Relaxed);
    }
    block.cast()
}

/// The size of a block of SQLite's that has room for `layout`, of greater alignment than SQLite's, at whatever address
/// the block begins, and for that address in front of it.
fn padded_size(layout: Layout) -> Option<usize> {
    layout.size().checked_add(layout.align())?.checked_add(size_of::<*mut u8>())
}

// SAFETY: blocks come from sqlite3_malloc64, or with greater alignment from within such a block whose address is in
// front of them, or from the reserve, which knows its own.
unsafe impl GlobalAlloc for SqliteAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() <= SQLITE_ALIGNMENT {
            let block = request(layout.size());
            return if block.is_null() { RESERVE.take(layout) } else { block };
        }
        let start = padded_size(layout).map_or(ptr::null_mut(), request);
        if start.is_null() {
            return RESERVE.take(layout);
        }
        // SAFETY: the block has room for the address, the alignment and the size.
        unsafe {
            let after_address = start.add(size_of::<*mut u8>());
            let aligned = after_address.add(after_address.align_offset(layout.align()));
            aligned.cast::<*mut u8>().sub(1).write(start);
            aligned
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        if RESERVE.contains(block) {
            // SAFETY: by contract.
            return unsafe { RESERVE.give_back(block, layout.size()) };
        }
        let start = if layout.align() <= SQLITE_ALIGNMENT {
            block
        } else {
            // SAFETY: written by `alloc`.
            unsafe { block.cast::<*mut u8>().sub(1).read() }
        };
        // SAFETY: from sqlite3_malloc64.
        unsafe { api::sqlite3_free(start.cast()) };
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let is_smaller = new_size <= layout.size();
        if RESERVE.contains(block) {
            if is_smaller {
                // SAFETY: by contract.
                unsafe { RESERVE.shrink(block, layout.size(), new_size) };
                return block;
            }
        } else if layout.align() <= SQLITE_ALIGNMENT {
            // SAFETY: from sqlite3_malloc64.
            let moved = answer(unsafe { api::sqlite3_realloc64(block.cast(), new_size as u64) });
            if !moved.is_null() || is_smaller {
                return if moved.is_null() { block } else { moved };
            }
        }
        let Ok(new_layout) = Layout::from_size_align(new_size, layout.align()) else { return ptr::null_mut() };
        // SAFETY: the caller keeps the rules of `realloc`.
        unsafe {
            let new = self.alloc(new_layout);
            if !new.is_null() {
                ptr::copy_nonoverlapping(block, new, layout.size().min(new_size));
                self.dealloc(block, layout);
            }
            new
        }
    }
}

/// Changes whenever SQLite's allocator refused a request.
pub fn out_of_memory_count() -> usize {
    REFUSALS.load(Ordering::Relaxed)
}

/// Whether SQLite's allocator refused the last request: what follows lives on the reserve, and should be little.
pub fn is_exhausted() -> bool {
    IS_EXHAUSTED.load(Ordering::Relaxed)
}

/// Memory ran out during a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfMemory;

/// Runs a call from SQLite into Rust; an error if memory ran out meanwhile, whatever the call came to.
pub fn guard<T>(call: impl FnOnce() -> T) -> Result<T, OutOfMemory> {
    let before = begin();
    let result = call();
    if out_of_memory_count() == before { Ok(result) } else { Err(OutOfMemory) }
}

/// Notes that a call from SQLite into Rust begins. Gives [`out_of_memory_count`] at that time.
pub(crate) fn begin() -> usize {
    // A refusal of an earlier call says nothing about this one, which may get by without a request.
    IS_EXHAUSTED.store(false, Ordering::Relaxed);
    out_of_memory_count()
}

#[cfg(test)]
mod tests {
    use super::*;

    // One test, for another thread's refusals would count.
    #[test]
    fn without_sqlite_everything_comes_from_the_reserve_and_calls_fail() {
        assert_eq!(guard(|| 1), Ok(1));
        let layout = Layout::new::<u64>();
        // SAFETY: used as `GlobalAlloc` says.
        let use_reserve = || unsafe { SqliteAllocator.dealloc(SqliteAllocator.alloc(layout), layout) };
        assert_eq!(guard(use_reserve), Err(OutOfMemory));
        for (size, alignment) in [(1, 1), (100, 8), (100, 16), (100, 64), (5000, 8)] {
            let layout = Layout::from_size_align(size, alignment).unwrap();
            let before = out_of_memory_count();
            // SAFETY: used as `GlobalAlloc` says.
            unsafe {
                let block = SqliteAllocator.alloc(layout);
                assert!(RESERVE.contains(block) && block.addr().is_multiple_of(alignment));
                assert!(out_of_memory_count() != before && is_exhausted());
                block.write_bytes(7, size);
                let grown = SqliteAllocator.realloc(block, layout, 3 * size);
                assert!((0..size).all(|index| grown.add(index).read() == 7));
                let layout = Layout::from_size_align(3 * size, alignment).unwrap();
                assert_eq!(SqliteAllocator.realloc(grown, layout, 1), grown);
                SqliteAllocator.dealloc(grown, Layout::from_size_align(1, alignment).unwrap());
            }
        }
    }
}

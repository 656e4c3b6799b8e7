//! Memory: the allocator through SQLite's.

use core::alloc::{GlobalAlloc, Layout};
use core::ffi::c_void;
use core::ptr;

use crate::api;

/// Allocates through SQLite, so that memory can pass between both sides and limits set there hold here.
pub struct SqliteAllocator;

/// What SQLite's allocator aligns to.
const SQLITE_ALIGNMENT: usize = 8;

// SAFETY: blocks come from sqlite3_malloc64, or with greater alignment from within such a block whose start stands in
// front of them.
unsafe impl GlobalAlloc for SqliteAllocator {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        if layout.align() <= SQLITE_ALIGNMENT {
            // SAFETY: has no conditions.
            return unsafe { api::sqlite3_malloc64(layout.size() as u64) }.cast();
        }
        let Some(size) =
            layout.size().checked_add(layout.align()).and_then(|size| size.checked_add(size_of::<usize>()))
        else {
            return ptr::null_mut();
        };
        // SAFETY: has no conditions.
        let start = unsafe { api::sqlite3_malloc64(size as u64) }.cast::<u8>();
        if start.is_null() {
            return start;
        }
        // SAFETY: the block has room for the address, the alignment and the size.
        unsafe {
            let after_address = start.add(size_of::<usize>());
            let aligned = after_address.add(after_address.align_offset(layout.align()));
            aligned.cast::<*mut u8>().sub(1).write(start);
            aligned
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
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
        if layout.align() <= SQLITE_ALIGNMENT {
            // SAFETY: from sqlite3_malloc64.
            return unsafe { api::sqlite3_realloc64(block.cast(), new_size as u64) }.cast();
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

/// Frees memory of SQLite: the destructor given with results.
///
/// # Safety
/// `memory` is from `sqlite3_malloc64`.
pub(crate) unsafe extern "C" fn free(memory: *mut c_void) {
    // SAFETY: by contract.
    unsafe { api::sqlite3_free(memory) }
}

/// Memory ran out during a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutOfMemory;

/// Runs a call from SQLite into Rust.
pub fn guard<T>(call: impl FnOnce() -> T) -> Result<T, OutOfMemory> {
    Ok(call())
}

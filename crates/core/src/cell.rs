//! Borrowing what cells hold, where nothing can borrow it twice: each caller is done before it calls anything that could
//! lead back to it.
//!
//! `RefCell` keeps the place of each borrow for the message of a panic. Here all have one.

use core::cell::{Ref, RefCell, RefMut};

/// Borrows for reading.
pub(crate) fn read<T>(cell: &RefCell<T>) -> Ref<'_, T> {
    cell.borrow()
}

/// Borrows for writing.
pub(crate) fn write<T>(cell: &RefCell<T>) -> RefMut<'_, T> {
    cell.borrow_mut()
}

/// Puts a value in place of the one in the cell, which is returned.
pub(crate) fn replace<T>(cell: &RefCell<T>, value: T) -> T {
    cell.replace(value)
}

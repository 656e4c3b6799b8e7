//! Which connections have something of ours, so that a second load is noticed, and another SQLite in the same process.

use alloc::boxed::Box;
use core::cell::UnsafeCell;
use core::hint;
use core::ptr::NonNull;
use core::sync::atomic::{AtomicBool, Ordering};

use crate::api;
use crate::bindings::{sqlite3, sqlite3_api_routines};

/// A connection with functions or modules of ours, in a list.
struct Node {
    db: NonNull<sqlite3>,
    /// Functions and modules that SQLite has not destroyed.
    registrations: usize,
    is_loaded: bool,
    next: List,
}

type List = Option<Box<Node>>;

/// What is known of all connections of the process.
struct Connections {
    list: List,
    /// Entry points that are running.
    loading: usize,
}

/// Connections behind a lock. It is held for a few instructions, when a connection is opened or closed.
struct Locked {
    is_locked: AtomicBool,
    connections: UnsafeCell<Connections>,
}

// SAFETY: the connections are only reached with the lock; the pointers are compared and nothing else.
unsafe impl Sync for Locked {}

static CONNECTIONS: Locked =
    Locked { is_locked: AtomicBool::new(false), connections: UnsafeCell::new(Connections { list: None, loading: 0 }) };

fn with<T>(work: impl FnOnce(&mut Connections) -> T) -> T {
    while CONNECTIONS.is_locked.swap(true, Ordering::Acquire) {
        hint::spin_loop();
    }
    // SAFETY: the lock is held, and `work` does not come here again.
    let result = work(unsafe { &mut *CONNECTIONS.connections.get() });
    CONNECTIONS.is_locked.store(false, Ordering::Release);
    result
}

impl Connections {
    fn find(&mut self, db: NonNull<sqlite3>) -> Option<&mut Node> {
        let mut node = self.list.as_deref_mut();
        while let Some(found) = node {
            if found.db == db {
                return Some(found);
            }
            node = found.next.as_deref_mut();
        }
        None
    }

    fn unlink(&mut self, db: NonNull<sqlite3>) -> List {
        let mut link = &mut self.list;
        while link.as_ref().is_some_and(|node| node.db != db) {
            link = &mut link.as_mut()?.next;
        }
        let mut node = link.take()?;
        *link = node.next.take();
        Some(node)
    }
}

/// A running entry point.
pub(crate) struct Loading(());

impl Loading {
    /// Stores the API table; None if the process has connections of another SQLite, whose functions and memory would
    /// get mixed up with this one's.
    pub(crate) fn begin(table: *const sqlite3_api_routines) -> Option<Self> {
        with(|connections| {
            let is_idle = connections.list.is_none() && connections.loading == 0;
            if !api::is_table(table) {
                if !is_idle {
                    return None;
                }
                api::set_table(table);
            }
            connections.loading = connections.loading.saturating_add(1);
            Some(Loading(()))
        })
    }
}

impl Drop for Loading {
    fn drop(&mut self) {
        with(|connections| connections.loading = connections.loading.saturating_sub(1));
    }
}

/// Notes that a function or module is being registered.
pub(crate) fn add(db: NonNull<sqlite3>) {
    let mut new = Some(Box::new(Node { db, registrations: 1, is_loaded: false, next: None }));
    with(|connections| match connections.find(db) {
        Some(node) => node.registrations = node.registrations.saturating_add(1),
        None => {
            if let Some(node) = &mut new {
                node.next = connections.list.take();
            }
            connections.list = new.take();
        }
    });
}

/// Notes that a function or module was destroyed. The connection is forgotten with its last one.
pub(crate) fn remove(db: NonNull<sqlite3>) {
    with(|connections| {
        let node = connections.find(db);
        debug_assert!(node.is_some(), "something was destroyed that was not registered");
        if let Some(node) = node {
            node.registrations = node.registrations.saturating_sub(1);
            if node.registrations == 0 {
                // Freed before the lock is given back, so that its memory goes back to the SQLite that it is from.
                drop(connections.unlink(db));
            }
        }
    });
}

/// How far a connection has been loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    /// It has nothing of ours.
    Unknown,
    /// Something is registered on it: loading is under way, or has failed.
    Begun,
    /// Everything is registered on it.
    Loaded,
}

/// How far a connection has been loaded.
pub(crate) fn state(db: NonNull<sqlite3>) -> State {
    with(|connections| match connections.find(db) {
        None => State::Unknown,
        Some(node) if node.is_loaded => State::Loaded,
        Some(_) => State::Begun,
    })
}

/// Notes that everything is registered on the connection.
pub(crate) fn set_loaded(db: NonNull<sqlite3>) {
    with(|connections| {
        if let Some(node) = connections.find(db) {
            node.is_loaded = true;
        }
    });
}

#[cfg(test)]
mod tests {
    use core::ptr;

    use super::*;

    fn connection(number: usize) -> NonNull<sqlite3> {
        NonNull::new(ptr::without_provenance_mut(number)).unwrap()
    }

    #[test]
    fn a_connection_is_known_until_its_last_registration_goes() {
        let [first, second, third] = [8, 16, 24].map(connection);
        for db in [first, second, third, second] {
            add(db);
        }
        set_loaded(second);
        assert_eq!([first, second, third].map(state), [State::Begun, State::Loaded, State::Begun]);
        remove(second);
        remove(third);
        assert_eq!([first, second, third].map(state), [State::Begun, State::Loaded, State::Unknown]);
        remove(second);
        set_loaded(third);
        assert_eq!([first, second, third].map(state), [State::Begun, State::Unknown, State::Unknown]);

        // SAFETY: a table without any function is one.
        let other: *const sqlite3_api_routines = Box::leak(Box::new(unsafe { core::mem::zeroed() }));
        #[cfg(not(feature = "static"))]
        assert!(Loading::begin(other).is_none());
        remove(first);
        let loading = Loading::begin(other);
        assert!(loading.is_some());
        #[cfg(not(feature = "static"))]
        assert!(Loading::begin(ptr::null()).is_none());
        drop(loading);
        assert!(Loading::begin(ptr::null()).is_some());
    }
}

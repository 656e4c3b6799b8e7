//! A disk in memory, as a file system for SQLite (a VFS): its calls fail on demand, and it knows what a crash would
//! leave of its files.
//!
//! It is for one connection at a time, so that locks are always granted unless they are to fail. Its clock does not
//! move until it is set. A failing write leaves half of its data, as a full disk does.

mod crash;
mod files;
mod open_file;
mod vfs;

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, c_int};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use crash::{Loss, Recording};
use files::Files;
use rusqlite::ffi;

use super::countdown::Countdown;

/// The files of a disk: content by name.
pub type Image = BTreeMap<String, Vec<u8>>;

/// The kinds of calls that can fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    /// Opening or creating a file.
    Open,
    /// Reading from a file.
    Read,
    /// Writing to a file.
    Write,
    /// Making a file durable.
    Sync,
    /// Cutting a file.
    Truncate,
    /// Asking for the size of a file.
    Size,
    /// Deleting a file.
    Delete,
    /// Asking whether a file exists.
    Access,
    /// A lock on the database file.
    Lock,
    /// Mapping a part of a WAL's index.
    MapIndex,
    /// A lock on a WAL's index.
    LockIndex,
}

/// What is to fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fault {
    /// Calls of this kind count.
    pub call: Call,
    /// The result of the call that fails. A read that fails with SQLITE_IOERR_SHORT_READ gives half of the data.
    pub code: c_int,
}

/// The time at first, in milliseconds since 1970: 2023-02-25, 00:00 UTC.
const FIRST_TIME: i64 = 1_677_283_200_000;

/// What the VFS and its open files share.
#[derive(Debug)]
struct State {
    /// The time, in milliseconds since 1970.
    time: i64,
    files: Files,
    fault: Option<Fault>,
    calls: Arc<Countdown>,
    recording: Option<Recording>,
}

impl State {
    /// The code with which this call fails, if it is to fail.
    fn refusal(&self, call: Call) -> Option<c_int> {
        let fault = self.fault.filter(|fault| fault.call == call && self.calls.is_due())?;
        Some(fault.code)
    }
}

type Shared = Arc<Mutex<State>>;

fn locked(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A disk, registered with SQLite as long as it lives. Connections to it are closed before.
#[derive(Debug)]
pub struct Disk {
    state: Shared,
    name: CString,
    /// Made by `Box::into_raw`; SQLite keeps the address.
    vfs: *mut ffi::sqlite3_vfs,
}

impl Disk {
    /// An empty disk.
    pub fn new() -> Self {
        Self::with_files(Image::new())
    }

    /// A disk with these files.
    ///
    /// # Panics
    /// If SQLite does not take it.
    pub fn with_files(image: Image) -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = CString::new(format!("faulty disk {number}")).expect("a name without NUL");
        let files = Files::from(image);
        let state = State { time: FIRST_TIME, files, fault: None, calls: Arc::default(), recording: None };
        let state = Shared::new(Mutex::new(state));
        let vfs = vfs::register(&name, &state);
        Self { state, name, vfs }
    }

    /// The name of its VFS.
    pub fn vfs(&self) -> &CStr {
        &self.name
    }

    /// Sets the clock, in milliseconds since 1970.
    pub fn set_time(&self, time: i64) {
        locked(&self.state).time = time;
    }

    /// Plans a fault. Which calls fail is up to what is returned.
    pub fn fail(&self, fault: Fault) -> Arc<Countdown> {
        let mut state = locked(&self.state);
        state.fault = Some(fault);
        Arc::clone(&state.calls)
    }

    /// Begins to record all changes.
    pub fn record(&self) {
        let mut state = locked(&self.state);
        state.recording = Some(Recording::new(state.files.image()));
    }

    /// How many changes were recorded.
    pub fn recorded(&self) -> usize {
        locked(&self.state).recording.as_ref().map_or(0, Recording::length)
    }

    /// Ends recording.
    pub fn take_recording(&self) -> Option<Recording> {
        locked(&self.state).recording.take()
    }
}

impl Default for Disk {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // SAFETY: registered by `with_files` and not used any more.
        unsafe { vfs::unregister(self.vfs) };
    }
}

//! The methods of a disk's open files, as C functions that SQLite calls with valid arguments.

use std::ffi::{c_int, c_void};
use std::{ptr, slice};

use rusqlite::ffi;

use super::{Call, Shared, State, files, locked};

/// A part of a WAL's index as SQLite maps it.
type IndexPart = Box<[u64]>;

/// An open file. SQLite gives room for it and knows its beginning.
#[repr(C)]
pub(super) struct OpenFile {
    base: ffi::sqlite3_file,
    /// Made by `Box::into_raw`.
    inner: *mut OpenFileState,
}

struct OpenFileState {
    disk: Shared,
    number: usize,
    /// None for temporary files.
    name: Option<String>,
    /// Made by `Box::into_raw`: SQLite keeps addresses in them.
    index: Vec<*mut [u64]>,
}

impl OpenFile {
    /// Makes `file` an open file.
    ///
    /// # Safety
    /// SQLite's place for an open file of this size.
    pub(super) unsafe fn begin(file: *mut ffi::sqlite3_file, disk: Shared, number: usize, name: Option<String>) {
        let inner = Box::into_raw(Box::new(OpenFileState { disk, number, name, index: Vec::new() }));
        // SAFETY: by contract.
        unsafe { file.cast::<Self>().write(Self { base: ffi::sqlite3_file { pMethods: &raw const METHODS }, inner }) };
    }
}

static METHODS: ffi::sqlite3_io_methods = ffi::sqlite3_io_methods {
    iVersion: 2,
    xClose: Some(close),
    xRead: Some(read),
    xWrite: Some(write),
    xTruncate: Some(truncate),
    xSync: Some(sync),
    xFileSize: Some(file_size),
    xLock: Some(lock),
    xUnlock: Some(unlock),
    xCheckReservedLock: Some(check_reserved_lock),
    xFileControl: Some(file_control),
    xSectorSize: Some(sector_size),
    xDeviceCharacteristics: Some(device_characteristics),
    xShmMap: Some(map_index),
    xShmLock: Some(lock_index),
    xShmBarrier: Some(index_barrier),
    xShmUnmap: Some(unmap_index),
    xFetch: None,
    xUnfetch: None,
};

/// The open file behind SQLite's pointer.
///
/// # Safety
/// A file that [`OpenFile::begin`] has made, used by nobody else for `'a`.
unsafe fn opened<'a>(file: *mut ffi::sqlite3_file) -> &'a mut OpenFileState {
    // SAFETY: by contract.
    unsafe { &mut *(*file.cast::<OpenFile>()).inner }
}

/// Does `work` unless the call is to fail.
///
/// # Safety
/// As for [`opened`].
unsafe fn call(file: *mut ffi::sqlite3_file, call: Call, work: impl FnOnce(&OpenFileState, &mut State)) -> c_int {
    // SAFETY: by contract.
    let file = unsafe { opened(file) };
    let mut state = locked(&file.disk);
    if let Some(code) = state.refusal(call) {
        return code;
    }
    work(file, &mut state);
    ffi::SQLITE_OK
}

fn position(number: ffi::sqlite3_int64) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    // SAFETY: by SQLite's contract; closed once.
    unsafe {
        unmap_index(file, 0);
        drop(Box::from_raw((*file.cast::<OpenFile>()).inner));
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn read(
    file: *mut ffi::sqlite3_file,
    buffer: *mut c_void,
    size: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    let size = usize::try_from(size).unwrap_or(0);
    // SAFETY: by SQLite's contract; the buffer has this size.
    let (file, buffer) = unsafe { (opened(file), slice::from_raw_parts_mut(buffer.cast::<u8>(), size)) };
    let mut state = locked(&file.disk);
    let wanted = match state.refusal(Call::Read) {
        None => size,
        Some(ffi::SQLITE_IOERR_SHORT_READ) => size / 2,
        Some(code) => return code,
    };
    let content = state.files.content(file.number);
    let found = content.get(position(offset)..).unwrap_or_default();
    let found = &found[..found.len().min(wanted)];
    buffer[..found.len()].copy_from_slice(found);
    buffer[found.len()..].fill(0);
    if found.len() == size { ffi::SQLITE_OK } else { ffi::SQLITE_IOERR_SHORT_READ }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    data: *const c_void,
    size: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    let size = usize::try_from(size).unwrap_or(0);
    // SAFETY: by SQLite's contract; so much data is there.
    let (file, data) = unsafe { (opened(file), slice::from_raw_parts(data.cast::<u8>(), size)) };
    let mut state = locked(&file.disk);
    let refusal = state.refusal(Call::Write);
    let data = if refusal.is_some() { &data[..size / 2] } else { data };
    files::write(state.files.content(file.number), position(offset), data);
    if let (Some(recording), Some(name)) = (&mut state.recording, &file.name) {
        recording.write(name, position(offset), data);
    }
    refusal.unwrap_or(ffi::SQLITE_OK)
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, size: ffi::sqlite3_int64) -> c_int {
    let work = |file: &OpenFileState, state: &mut State| {
        state.files.content(file.number).truncate(position(size));
        if let (Some(recording), Some(name)) = (&mut state.recording, &file.name) {
            recording.truncate(name, position(size));
        }
    };
    // SAFETY: by SQLite's contract.
    unsafe { call(file, Call::Truncate, work) }
}

unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    let work = |file: &OpenFileState, state: &mut State| {
        if let (Some(recording), Some(name)) = (&mut state.recording, &file.name) {
            recording.sync(name);
        }
    };
    // SAFETY: by SQLite's contract.
    unsafe { call(file, Call::Sync, work) }
}

unsafe extern "C" fn file_size(file: *mut ffi::sqlite3_file, result: *mut ffi::sqlite3_int64) -> c_int {
    let work = |file: &OpenFileState, state: &mut State| {
        let size = state.files.content(file.number).len();
        // SAFETY: by SQLite's contract.
        unsafe { *result = ffi::sqlite3_int64::try_from(size).unwrap_or(ffi::sqlite3_int64::MAX) };
    };
    // SAFETY: by SQLite's contract.
    unsafe { call(file, Call::Size, work) }
}

unsafe extern "C" fn lock(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    // SAFETY: by SQLite's contract.
    unsafe { call(file, Call::Lock, |_, _| {}) }
}

unsafe extern "C" fn unlock(_: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    ffi::SQLITE_OK
}

unsafe extern "C" fn check_reserved_lock(_: *mut ffi::sqlite3_file, result: *mut c_int) -> c_int {
    // SAFETY: by SQLite's contract.
    unsafe { *result = 0 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn file_control(_: *mut ffi::sqlite3_file, _: c_int, _: *mut c_void) -> c_int {
    ffi::SQLITE_NOTFOUND
}

unsafe extern "C" fn sector_size(_: *mut ffi::sqlite3_file) -> c_int {
    512
}

unsafe extern "C" fn device_characteristics(_: *mut ffi::sqlite3_file) -> c_int {
    ffi::SQLITE_IOCAP_POWERSAFE_OVERWRITE
}

unsafe extern "C" fn map_index(
    file: *mut ffi::sqlite3_file,
    part: c_int,
    size: c_int,
    extend: c_int,
    result: *mut *mut c_void,
) -> c_int {
    // SAFETY: by SQLite's contract.
    let (file, result) = unsafe { (opened(file), &mut *result) };
    *result = ptr::null_mut();
    if let Some(code) = locked(&file.disk).refusal(Call::MapIndex) {
        return code;
    }
    let part = usize::try_from(part).unwrap_or(0);
    let words = usize::try_from(size).unwrap_or(0).div_ceil(size_of::<u64>());
    while extend != 0 && file.index.len() <= part {
        let empty: IndexPart = vec![0; words].into();
        file.index.push(Box::into_raw(empty));
    }
    if let Some(part) = file.index.get(part) {
        *result = part.cast();
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn lock_index(file: *mut ffi::sqlite3_file, _: c_int, _: c_int, flags: c_int) -> c_int {
    if flags & ffi::SQLITE_SHM_UNLOCK != 0 {
        return ffi::SQLITE_OK;
    }
    // SAFETY: by SQLite's contract.
    unsafe { call(file, Call::LockIndex, |_, _| {}) }
}

unsafe extern "C" fn index_barrier(_: *mut ffi::sqlite3_file) {}

unsafe extern "C" fn unmap_index(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    // SAFETY: by SQLite's contract; made by `map_index`, and SQLite uses them no more.
    unsafe { opened(file).index.drain(..).for_each(|part| drop(Box::from_raw(part))) };
    ffi::SQLITE_OK
}

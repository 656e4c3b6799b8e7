//! The disk as SQLite sees it: a VFS, as C functions.

use std::ffi::{CStr, c_char, c_int};
use std::ptr;
use std::sync::{Arc, Mutex};

use rusqlite::ffi;

use super::open_file::OpenFile;
use super::{Call, Shared, State, locked};

/// Registers a VFS over `state`, to which the disk keeps a reference as long as the VFS is registered.
pub(super) fn register(name: &CStr, state: &Shared) -> *mut ffi::sqlite3_vfs {
    // SAFETY: the default VFS is always there; it is copied for the functions that load libraries.
    let default = unsafe { *ffi::sqlite3_vfs_find(ptr::null()) };
    let vfs = Box::into_raw(Box::new(ffi::sqlite3_vfs {
        iVersion: 2,
        szOsFile: c_int::try_from(size_of::<OpenFile>()).unwrap_or(c_int::MAX),
        pNext: ptr::null_mut(),
        zName: name.as_ptr(),
        pAppData: Arc::as_ptr(state).cast_mut().cast(),
        xOpen: Some(open),
        xDelete: Some(delete),
        xAccess: Some(access),
        xFullPathname: Some(full_pathname),
        xSleep: Some(sleep),
        xCurrentTime: Some(current_time),
        xCurrentTimeInt64: Some(current_time_int64),
        xGetLastError: Some(last_error),
        ..default
    }));
    // SAFETY: a complete VFS that lives until it is unregistered.
    let code = unsafe { ffi::sqlite3_vfs_register(vfs, 0) };
    assert_eq!(code, ffi::SQLITE_OK, "SQLite takes a VFS");
    vfs
}

/// Takes a VFS back.
///
/// # Safety
/// `vfs` is from [`register`], and nothing is open on it.
pub(super) unsafe fn unregister(vfs: *mut ffi::sqlite3_vfs) {
    // SAFETY: by contract.
    unsafe {
        ffi::sqlite3_vfs_unregister(vfs);
        drop(Box::from_raw(vfs));
    }
}

/// The disk of a VFS.
///
/// # Safety
/// A registered VFS of [`register`].
unsafe fn disk(vfs: *mut ffi::sqlite3_vfs) -> Shared {
    // SAFETY: by contract, the disk keeps a reference.
    unsafe {
        let state = (*vfs).pAppData.cast_const().cast::<Mutex<State>>();
        Arc::increment_strong_count(state);
        Arc::from_raw(state)
    }
}

/// The text of a C string; None for NULL.
///
/// # Safety
/// NULL or a C string.
unsafe fn text(name: *const c_char) -> Option<String> {
    // SAFETY: by contract.
    (!name.is_null()).then(|| unsafe { CStr::from_ptr(name) }.to_string_lossy().into_owned())
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    out_flags: *mut c_int,
) -> c_int {
    // SAFETY: SQLite passes valid arguments, here and in all functions below.
    let (disk, name) = unsafe {
        (*file).pMethods = ptr::null();
        (disk(vfs), text(name))
    };
    let mut state = locked(&disk);
    if let Some(code) = state.refusal(Call::Open) {
        return code;
    }
    let number = match name.as_deref().and_then(|name| state.files.find(name)) {
        Some(number) => number,
        None if flags & ffi::SQLITE_OPEN_CREATE == 0 => return ffi::SQLITE_CANTOPEN,
        None => {
            if let (Some(recording), Some(name)) = (&mut state.recording, &name) {
                recording.create(name);
            }
            state.files.create(name.as_deref())
        }
    };
    drop(state);
    // SAFETY: see above; the place for the flags may be NULL.
    unsafe {
        OpenFile::begin(file, disk, number, name);
        if !out_flags.is_null() {
            *out_flags = flags;
        }
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn delete(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, _: c_int) -> c_int {
    // SAFETY: see `open`.
    let (disk, name) = unsafe { (disk(vfs), text(name).unwrap_or_default()) };
    let mut state = locked(&disk);
    if let Some(code) = state.refusal(Call::Delete) {
        return code;
    }
    if !state.files.delete(&name) {
        return ffi::SQLITE_IOERR_DELETE_NOENT;
    }
    if let Some(recording) = &mut state.recording {
        recording.delete(&name);
    }
    ffi::SQLITE_OK
}

unsafe extern "C" fn access(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, _: c_int, result: *mut c_int) -> c_int {
    // SAFETY: see `open`.
    let (disk, name) = unsafe { (disk(vfs), text(name).unwrap_or_default()) };
    let state = locked(&disk);
    if let Some(code) = state.refusal(Call::Access) {
        return code;
    }
    // SAFETY: see `open`.
    unsafe { *result = c_int::from(state.files.find(&name).is_some()) };
    ffi::SQLITE_OK
}

unsafe extern "C" fn full_pathname(
    _: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    size: c_int,
    result: *mut c_char,
) -> c_int {
    // SAFETY: see `open`; the name with its NUL is copied if there is room.
    unsafe {
        let bytes = CStr::from_ptr(name).to_bytes_with_nul();
        if usize::try_from(size).is_ok_and(|size| size >= bytes.len()) {
            ptr::copy_nonoverlapping(bytes.as_ptr().cast(), result, bytes.len());
            return ffi::SQLITE_OK;
        }
    }
    ffi::SQLITE_CANTOPEN
}

unsafe extern "C" fn sleep(_: *mut ffi::sqlite3_vfs, microseconds: c_int) -> c_int {
    microseconds
}

/// The first moment of 1970, in milliseconds of Julian days.
const JULIAN_1970: i64 = 210_866_760_000_000;

const MILLISECONDS_PER_DAY: f64 = 86_400_000.0;

#[expect(clippy::cast_precision_loss, reason = "as SQLite computes it")]
unsafe extern "C" fn current_time(vfs: *mut ffi::sqlite3_vfs, result: *mut f64) -> c_int {
    // SAFETY: see `open`.
    unsafe { *result = (locked(&disk(vfs)).time + JULIAN_1970) as f64 / MILLISECONDS_PER_DAY };
    ffi::SQLITE_OK
}

unsafe extern "C" fn current_time_int64(vfs: *mut ffi::sqlite3_vfs, result: *mut ffi::sqlite3_int64) -> c_int {
    // SAFETY: see `open`.
    unsafe { *result = locked(&disk(vfs)).time + JULIAN_1970 };
    ffi::SQLITE_OK
}

unsafe extern "C" fn last_error(_: *mut ffi::sqlite3_vfs, _: c_int, _: *mut c_char) -> c_int {
    0
}

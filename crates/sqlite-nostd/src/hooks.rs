//! Update, commit and rollback hooks, installed in addition to those of the application or not at all.
//!
//! SQLite has one place for each kind of hook. Installing a hook replaces the last one and returns its argument, but
//! not its function, so it cannot be restored. SQLite also does not say whether there is a hook. An application's
//! hook must not be lost. So the function is read where SQLite keeps it, next to the argument in the connection's own
//! memory, whose size SQLite's allocator knows. The place is found by comparing that memory before and after our hook
//! is installed: it is the one pair of words that now is our argument and function, and that before began with the
//! argument that SQLite returned. Nothing else is assumed about the layout, and nothing is written.
//!
//! With SQLite's interface alone, an application's hook would be lost whenever ours are installed, and nobody could
//! find out later whether ours are still installed.
//!
//! If a later SQLite keeps hooks elsewhere, a hook whose argument is not NULL is still noticed, but lost; one
//! whose argument is NULL is not noticed. Ours are then never removed, since one that came later could be hit, and
//! their memory is given up.

use alloc::format;
use alloc::rc::Rc;
use alloc::vec::Vec;
use core::ffi::{CStr, c_char, c_int, c_void};
use core::mem;
use core::ptr::{self, NonNull};

use crate::api::{self, CommitHook, RollbackHook, UpdateHook};
use crate::bindings::{sqlite3, sqlite3_int64};
use crate::registry::{self, State};
use crate::{Connection, ResultCode, SqliteError};

/// What is called when a connection changes a row, and commits or rolls back.
///
/// The connection must not be used from these, as SQLite says of its hooks.
pub trait Hooks: 'static {
    /// A row of `table` in the database `database` ("main", "temp" or an attached one) was inserted, updated or
    /// deleted.
    fn update(&self, database: &str, table: &str);

    /// A transaction is about to commit. It may still fail, and be rolled back or committed again.
    fn commit(&self);

    /// A transaction was rolled back.
    fn rollback(&self);
}

/// A kind of hook.
#[derive(Clone, Copy)]
enum Kind {
    Update,
    Commit,
    Rollback,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Update, Self::Commit, Self::Rollback];

    fn name(self) -> &'static str {
        match self {
            Self::Update => "an update hook",
            Self::Commit => "a commit hook",
            Self::Rollback => "a rollback hook",
        }
    }
}

/// A hook as SQLite keeps it. Without a function there is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Hook {
    argument: *mut c_void,
    function: *mut c_void,
}

impl Hook {
    const NONE: Self = Self { argument: ptr::null_mut(), function: ptr::null_mut() };

    /// The hook of `kind` that calls `hooks`.
    fn new<H: Hooks>(kind: Kind, hooks: *const H) -> Self {
        let function = match kind {
            Kind::Update => update::<H> as *mut c_void,
            Kind::Commit => commit::<H> as *mut c_void,
            Kind::Rollback => rollback::<H> as *mut c_void,
        };
        Self { argument: hooks.cast_mut().cast(), function }
    }

    /// Installs the hook, and gives the argument of the one that it replaces.
    ///
    /// # Safety
    /// `db` is open. The function is null or one for this kind, and may be called with the argument until another hook
    /// is installed.
    unsafe fn install(self, kind: Kind, db: NonNull<sqlite3>) -> *mut c_void {
        // SAFETY: by contract; a null pointer is None, and functions have the size of pointers.
        unsafe {
            match kind {
                Kind::Update => api::sqlite3_update_hook(
                    db.as_ptr(),
                    mem::transmute::<*mut c_void, UpdateHook>(self.function),
                    self.argument,
                ),
                Kind::Commit => api::sqlite3_commit_hook(
                    db.as_ptr(),
                    mem::transmute::<*mut c_void, CommitHook>(self.function),
                    self.argument,
                ),
                Kind::Rollback => api::sqlite3_rollback_hook(
                    db.as_ptr(),
                    mem::transmute::<*mut c_void, RollbackHook>(self.function),
                    self.argument,
                ),
            }
        }
    }
}

/// How much of a connection's memory is searched, in bytes. From SQLite 3.38 to 3.54, with pointers of 64 bits, hooks
/// are 272 to 320 bytes from its start, and it has 768 bytes or more. So everything that is read has been written:
/// behind the connection, an allocator may have memory that was not.
const LOOKED_AT: u64 = 512;

/// The words of a connection's memory.
///
/// # Safety
/// `db` is open, and not in use on another thread.
unsafe fn words(db: NonNull<sqlite3>) -> impl Iterator<Item = *mut c_void> {
    // SAFETY: SQLite allocates connections with its own allocator.
    let size = unsafe { api::sqlite3_msize(db.as_ptr().cast()) };
    let count = usize::try_from(size.min(LOOKED_AT)).unwrap_or(0) / size_of::<*mut c_void>();
    let start = db.as_ptr().cast::<*mut c_void>();
    // SAFETY: within the allocation, which SQLite fills with zeros. Volatile, because it belongs to SQLite; the only
    // word that another thread may write is the flag of `sqlite3_interrupt`, of which the value does not matter.
    (0..count).map(move |index| unsafe { start.add(index).read_volatile() })
}

/// The hook kept at a place in a connection's memory.
///
/// # Safety
/// As for [`words`].
unsafe fn hook_at(db: NonNull<sqlite3>, place: usize) -> Option<Hook> {
    // SAFETY: by contract.
    let mut words = unsafe { words(db) }.skip(place);
    Some(Hook { argument: words.next()?, function: words.next()? })
}

/// Installed hooks. Dropping this removes those that are still in place.
#[must_use = "hooks are removed when this is dropped"]
pub struct InstalledHooks {
    db: NonNull<sqlite3>,
    installed: Vec<Installed>,
    hooks: Option<Rc<dyn Hooks>>,
}

struct Installed {
    kind: Kind,
    hook: Hook,
    /// Where SQLite keeps it, in words; None if that was not found.
    place: Option<usize>,
}

/// Installs hooks on a connection.
///
/// Fails with SQLITE_MISUSE if there is one already, which stays, or if nothing else is registered on the connection.
pub(crate) fn install<H: Hooks>(connection: Connection<'_>, hooks: Rc<H>) -> Result<InstalledHooks, SqliteError> {
    let db = connection.handle();
    // What is registered shows later whether the connection is still open.
    if registry::state(db) == State::Unknown {
        return Err(SqliteError::new(ResultCode::MISUSE, "hooks need a connection with functions or modules"));
    }
    let argument = Rc::as_ptr(&hooks);
    let mut result = InstalledHooks { db, installed: Vec::new(), hooks: Some(hooks) };
    result.installed.try_reserve_exact(Kind::ALL.len()).map_err(|_| SqliteError::out_of_memory())?;
    for kind in Kind::ALL {
        // SAFETY: the connection is open and in use on this thread. What is installed keeps the hooks alive.
        let installed = unsafe { install_one(db, kind, Hook::new(kind, argument)) }?;
        result.installed.push(installed);
    }
    Ok(result)
}

/// Installs one hook, unless there is one of another owner.
///
/// # Safety
/// As for [`words`] and [`Hook::install`].
unsafe fn install_one(db: NonNull<sqlite3>, kind: Kind, hook: Hook) -> Result<Installed, SqliteError> {
    let mut before = Vec::new();
    // SAFETY: by contract, here and below.
    unsafe {
        before.try_reserve_exact(words(db).count()).map_err(|_| SqliteError::out_of_memory())?;
        before.extend(words(db));
        let replaced_argument = hook.install(kind, db);
        let place = find(&before, words(db), hook, replaced_argument);
        let replaced = match place.and_then(|place| before.get(place..)) {
            Some([argument, function, ..]) => Hook { argument: *argument, function: *function },
            _ if replaced_argument.is_null() => Hook::NONE,
            _ => Hook { argument: replaced_argument, function: ptr::null_mut() },
        };
        if replaced != hook && (!replaced.function.is_null() || (place.is_none() && !replaced.argument.is_null())) {
            replaced.install(kind, db);
            return Err(SqliteError::new(ResultCode::MISUSE, format!("{} is installed already", kind.name())));
        }
        Ok(Installed { kind, hook, place })
    }
}

/// Where a connection's memory now has `hook`, and had `replaced_argument` before.
fn find(
    before: &[*mut c_void],
    after: impl Iterator<Item = *mut c_void>,
    hook: Hook,
    replaced_argument: *mut c_void,
) -> Option<usize> {
    let mut previous = None;
    let mut places = before.iter().zip(after).enumerate().filter_map(|(index, (old, new))| {
        let (old_argument, argument) = previous.replace((*old, new))?;
        let is_it = argument == hook.argument && new == hook.function && old_argument == replaced_argument;
        is_it.then_some(index - 1)
    });
    let place = places.next()?;
    places.next().is_none().then_some(place)
}

impl InstalledHooks {
    /// Whether all hooks are still in place, so that none was replaced by the application.
    pub fn are_in_place(&self) -> bool {
        registry::state(self.db) != State::Unknown
            && self.installed.iter().all(|installed| self.is_in_place(installed) != Some(false))
    }

    /// Whether the connection has statements, and so would not close now. To be asked while it is open.
    pub fn connection_has_statements(&self) -> bool {
        // SAFETY: a connection with something of ours is open.
        registry::state(self.db) != State::Unknown
            && unsafe { !api::sqlite3_next_stmt(self.db.as_ptr(), ptr::null_mut()).is_null() }
    }

    /// Puts those hooks back that the application has removed.
    ///
    /// Fails with SQLITE_MISUSE, as [`Connection::install_hooks`] does, if the application has installed one.
    pub fn restore(&mut self) -> Result<(), SqliteError> {
        if registry::state(self.db) == State::Unknown {
            return Err(SqliteError::new(ResultCode::MISUSE, "the connection of the hooks is closed"));
        }
        for installed in &mut self.installed {
            // SAFETY: the connection is open, and what it is called with keeps it on this thread. The hooks are alive.
            *installed = unsafe { install_one(self.db, installed.kind, installed.hook) }?;
        }
        Ok(())
    }

    /// Whether a hook is in place; None if that cannot be known.
    fn is_in_place(&self, installed: &Installed) -> Option<bool> {
        // SAFETY: the callers know that the connection is open; what they are called with keeps it on this thread.
        let found = unsafe { hook_at(self.db, installed.place?) }?;
        Some(found == installed.hook)
    }
}

impl Drop for InstalledHooks {
    fn drop(&mut self) {
        // A closed connection calls nothing, and another one may have its address, on which our hooks are not found.
        // But the application can also have replaced all that is registered on an open one.
        let mut is_certain = registry::state(self.db) != State::Unknown;
        for installed in core::mem::take(&mut self.installed) {
            match if is_certain { self.is_in_place(&installed) } else { None } {
                Some(true) => {
                    // SAFETY: the connection is open, because it has something of ours.
                    unsafe { Hook::NONE.install(installed.kind, self.db) };
                }
                Some(false) => {}
                None => is_certain = false,
            }
        }
        if !is_certain {
            mem::forget(self.hooks.take());
        }
    }
}

/// The hooks behind an argument, which stay alive while they are called, whatever they do.
///
/// # Safety
/// `argument` is from a living `Rc<H>`.
unsafe fn hooks<H: Hooks>(argument: *mut c_void) -> Rc<H> {
    let hooks = argument.cast::<H>().cast_const();
    // SAFETY: by contract.
    unsafe {
        Rc::increment_strong_count(hooks);
        Rc::from_raw(hooks)
    }
}

unsafe extern "C" fn update<H: Hooks>(
    argument: *mut c_void,
    _operation: c_int,
    database: *const c_char,
    table: *const c_char,
    _rowid: sqlite3_int64,
) {
    if database.is_null() || table.is_null() {
        return;
    }
    // SAFETY: the argument is of an installed hook of this type; SQLite passes C strings.
    let (hooks, database, table) = unsafe { (hooks::<H>(argument), CStr::from_ptr(database), CStr::from_ptr(table)) };
    hooks.update(&database.to_string_lossy(), &table.to_string_lossy());
}

unsafe extern "C" fn commit<H: Hooks>(argument: *mut c_void) -> c_int {
    // SAFETY: the argument is of an installed hook of this type.
    unsafe { hooks::<H>(argument) }.commit();
    0
}

unsafe extern "C" fn rollback<H: Hooks>(argument: *mut c_void) {
    // SAFETY: the argument is of an installed hook of this type.
    unsafe { hooks::<H>(argument) }.rollback();
}

//! SQLite's result codes: numbers with names, of which unknown ones are kept.

use core::fmt;

use crate::bindings;

/// A primary or extended result code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct ResultCode(pub i32);

macro_rules! codes {
    ($($name:ident = $constant:ident,)*) => {
        impl ResultCode {
            $(
                #[doc = concat!("`", stringify!($constant), "`")]
                pub const $name: Self = Self(bindings::$constant);
            )*

            /// The name of this code, or of its primary code if this one is not known; `unknown` without either.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$name => stringify!($constant),)*
                    _ if self.0 != self.primary().0 => self.primary().name(),
                    _ => "unknown",
                }
            }
        }
    };
}

codes! {
    OK = SQLITE_OK, ERROR = SQLITE_ERROR, INTERNAL = SQLITE_INTERNAL, PERM = SQLITE_PERM, ABORT = SQLITE_ABORT,
    BUSY = SQLITE_BUSY, LOCKED = SQLITE_LOCKED, NOMEM = SQLITE_NOMEM, READONLY = SQLITE_READONLY,
    INTERRUPT = SQLITE_INTERRUPT, IOERR = SQLITE_IOERR, CORRUPT = SQLITE_CORRUPT, NOTFOUND = SQLITE_NOTFOUND,
    FULL = SQLITE_FULL, CANTOPEN = SQLITE_CANTOPEN, PROTOCOL = SQLITE_PROTOCOL, SCHEMA = SQLITE_SCHEMA,
    TOOBIG = SQLITE_TOOBIG, CONSTRAINT = SQLITE_CONSTRAINT, MISMATCH = SQLITE_MISMATCH, MISUSE = SQLITE_MISUSE,
    NOLFS = SQLITE_NOLFS, AUTH = SQLITE_AUTH, FORMAT = SQLITE_FORMAT, RANGE = SQLITE_RANGE, NOTADB = SQLITE_NOTADB,
    ROW = SQLITE_ROW, DONE = SQLITE_DONE,
    BUSY_RECOVERY = SQLITE_BUSY_RECOVERY, BUSY_SNAPSHOT = SQLITE_BUSY_SNAPSHOT, BUSY_TIMEOUT = SQLITE_BUSY_TIMEOUT,
    CONSTRAINT_CHECK = SQLITE_CONSTRAINT_CHECK, CONSTRAINT_DATATYPE = SQLITE_CONSTRAINT_DATATYPE,
    CONSTRAINT_FOREIGNKEY = SQLITE_CONSTRAINT_FOREIGNKEY, CONSTRAINT_NOTNULL = SQLITE_CONSTRAINT_NOTNULL,
    CONSTRAINT_PRIMARYKEY = SQLITE_CONSTRAINT_PRIMARYKEY, CONSTRAINT_TRIGGER = SQLITE_CONSTRAINT_TRIGGER,
    CONSTRAINT_UNIQUE = SQLITE_CONSTRAINT_UNIQUE,
    IOERR_READ = SQLITE_IOERR_READ, IOERR_SHORT_READ = SQLITE_IOERR_SHORT_READ, IOERR_WRITE = SQLITE_IOERR_WRITE,
    IOERR_FSYNC = SQLITE_IOERR_FSYNC, IOERR_TRUNCATE = SQLITE_IOERR_TRUNCATE, IOERR_NOMEM = SQLITE_IOERR_NOMEM,
    READONLY_DBMOVED = SQLITE_READONLY_DBMOVED, READONLY_DIRECTORY = SQLITE_READONLY_DIRECTORY,
}

impl ResultCode {
    /// The primary code of an extended one.
    pub fn primary(self) -> Self {
        Self(self.0 & 0xff)
    }
}

impl fmt::Debug for ResultCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.name(), self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_codes_keep_their_number_and_primary_name() {
        let code = ResultCode(5 | (99 << 8));
        assert_eq!((code.0, code.primary(), code.name()), (25349, ResultCode::BUSY, "SQLITE_BUSY"));
        assert_eq!(ResultCode(200).name(), "unknown");
    }
}

//! Files in WAL mode that no process uses.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use rusqlite::{Connection, OpenFlags};

/// Where the header of a file says that it is in WAL mode, for writers and for readers.
const MODES: std::ops::Range<usize> = 18..20;

/// Whether the file is in WAL mode, and there is no WAL, as whoever uses the file has one.
///
/// Not to be called while a connection to it is open: closing the file would give that one's locks back.
pub(super) fn is_unused_in_wal_mode(path: &Path) -> bool {
    let mut header = [0; MODES.end];
    let is_read = File::open(path).and_then(|mut file| file.read_exact(&mut header)).is_ok();
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    is_read && header.get(MODES) == Some(&[2, 2]) && !Path::new(&wal).exists()
}

/// Opens it as a file that does not change.
pub(super) fn open(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(format!("file:{}?immutable=1", escaped(path)), flags)
}

/// The path as a part of a URI.
fn escaped(path: &Path) -> String {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut uri = String::new();
    for byte in absolute.as_os_str().as_encoded_bytes() {
        match byte {
            b'\\' if cfg!(windows) => uri.push('/'),
            b'/' | b'.' | b'_' | b'-' | b':' => uri.push(char::from(*byte)),
            byte if byte.is_ascii_alphanumeric() => uri.push(char::from(*byte)),
            byte => uri += &format!("%{byte:02X}"),
        }
    }
    if cfg!(windows) { format!("/{uri}") } else { uri }
}

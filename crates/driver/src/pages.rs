//! How many pages SQLite has read and written for a connection.

use std::ffi::c_int;

use rusqlite::{Connection, ffi};

/// The pages written to the write-ahead log or the database file since the connection was opened. A page that leaves a
/// full cache before the transaction ends, and is changed again, counts each time.
pub fn written(connection: &Connection) -> u64 {
    counter(connection, ffi::SQLITE_DBSTATUS_CACHE_WRITE)
}

/// The pages that were not in the cache, and were read for that reason, since the connection was opened.
pub fn read(connection: &Connection) -> u64 {
    counter(connection, ffi::SQLITE_DBSTATUS_CACHE_MISS)
}

fn counter(connection: &Connection, counter: c_int) -> u64 {
    let (mut pages, mut unused) = (0, 0);
    // SAFETY: the handle is valid as long as the connection is borrowed, and is used for this call only. Both pointers
    // are to integers that live until it returns. On failure they keep their values.
    unsafe {
        ffi::sqlite3_db_status(connection.handle(), counter, &raw mut pages, &raw mut unused, 0);
    }
    u64::try_from(pages).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_page_of_a_transaction_is_counted() {
        let path = std::env::temp_dir().join(format!("powersync-pages-{}.db", std::process::id()));
        let _ = std::fs::remove_file(&path);
        let connection = Connection::open(&path).unwrap();
        connection.execute_batch("PRAGMA journal_mode = WAL; CREATE TABLE t(a); CREATE TABLE u(a)").unwrap();
        let before = written(&connection);
        connection.execute_batch("BEGIN; INSERT INTO t VALUES (1); INSERT INTO u VALUES (1); COMMIT").unwrap();
        assert_eq!(written(&connection) - before, 2);
        connection.close().unwrap();
        let connection = Connection::open(&path).unwrap();
        let rows = |sql| connection.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        rows("SELECT count(*) FROM t");
        let before = read(&connection);
        assert_eq!((rows("SELECT count(*) FROM t"), read(&connection) - before), (1, 0));
        assert_eq!((rows("SELECT count(*) FROM u"), read(&connection) - before), (1, 1));
        connection.close().unwrap();
        std::fs::remove_file(&path).unwrap();
    }
}

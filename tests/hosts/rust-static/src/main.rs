//! A program with rusqlite and the extension linked into it: a sync and a local write, in two connections to one file.

use rusqlite::{Connection, Result};

const SCHEMA: &str = r#"{"tables": [{"name": "lists", "columns": [{"name": "name", "type": "text"}]}]}"#;

/// What the service sends.
const LINES: [&str; 3] = [
    r#"{"checkpoint": {"last_op_id": "1", "buckets": [{"bucket": "a", "checksum": 10, "count": 1, "priority": 3}]}}"#,
    r#"{"data": {"bucket": "a", "data": [{"op_id": "1", "op": "PUT", "object_type": "lists", "object_id": "l1",
        "data": "{\"name\":\"Groceries\"}", "checksum": 10}]}}"#,
    r#"{"checkpoint_complete": {"last_op_id": "1"}}"#,
];

fn main() -> Result<()> {
    // From here on, each connection has the extension. Again does no harm, whichever way.
    rowtide_core::load_into_new_connections().expect("SQLite takes the extension");
    assert_eq!(published_name::powersync_init_static(), 0);
    let file = std::env::temp_dir().join(format!("powersync-rust-{}.db", std::process::id()));
    let result = sync_and_write(&Connection::open(&file)?).and_then(|()| queue(&Connection::open(&file)?));
    std::fs::remove_file(&file).expect("the database is there");
    println!("{}", result?);
    Ok(())
}

fn sync_and_write(db: &Connection) -> Result<()> {
    in_transaction(db, "SELECT powersync_replace_schema(?)", &[SCHEMA])?;
    in_transaction(db, "SELECT powersync_control('start', NULL)", &[])?;
    for line in LINES {
        in_transaction(db, "SELECT powersync_control('line_text', ?)", &[line])?;
    }
    let name: String = db.query_row("SELECT name FROM lists WHERE id = 'l1'", [], |row| row.get(0))?;
    assert_eq!(name, "Groceries");
    db.execute_batch("UPDATE lists SET name = 'Shopping' WHERE id = 'l1'")
}

fn in_transaction(db: &Connection, sql: &str, parameters: &[&str]) -> Result<()> {
    db.execute_batch("BEGIN")?;
    db.query_row(sql, rusqlite::params_from_iter(parameters), |_| Ok(()))?;
    db.execute_batch("COMMIT")
}

/// The queued write, in a connection that has never seen the schema.
fn queue(db: &Connection) -> Result<String> {
    db.query_row("SELECT data FROM ps_crud", [], |row| row.get(0))
}

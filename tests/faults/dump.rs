//! Everything in a database that does not depend on how often something was tried.

use rowtide_testkit::faults::{Database, Failure};

/// The schema, and the rows of each table and view in no order. Left out are the numbers that distinguish iterations
/// and schemas apart, what attempts to sync ran into, and how much was downloaded, which includes what is sent twice.
pub(crate) fn dump(database: &Database) -> Result<Vec<String>, Failure> {
    let mut dump = Vec::new();
    let objects = database.run("SELECT type, name, quote(sql) FROM sqlite_schema ORDER BY name", &[])?;
    for object in &objects {
        let mut parts = object.splitn(3, '|');
        let (Some(kind), Some(name)) = (parts.next(), parts.next()) else { continue };
        // Attempts and how often they failed.
        if name != "ps_diagnostics" && (kind == "table" || kind == "view") {
            let columns = match name {
                "ps_checkpoint" => "last_op",
                "ps_schema" => "fingerprint",
                "ps_buckets" => {
                    "id, name, last_applied_op, last_op, add_checksum, op_checksum, pending_delete, \
                    count_at_last, count_since_last, settled, in_checkpoint"
                }
                _ => "*",
            };
            let mut rows = database.run(&format!("SELECT {columns} FROM \"{name}\""), &[])?;
            rows.sort();
            dump.extend(rows.iter().map(|row| format!("{name}: {row}")));
        }
    }
    dump.extend(objects);
    Ok(dump)
}

/// What differs: the lines of one side only.
pub(crate) fn difference(actual: &[String], expected: &[String]) -> String {
    let only = |left: &[String], right: &[String], mark: &str| -> Vec<String> {
        left.iter().filter(|line| !right.contains(line)).map(|line| format!("{mark} {line}")).collect()
    };
    [only(actual, expected, "is      "), only(expected, actual, "expected")].concat().join("\n")
}

//! What a diagnosis costs, in steps of SQLite's virtual machine.

use rowtide_testkit::counters::Counters;
use rowtide_testkit::session::Session;
use serde_json::json;

/// The steps of `powersync_diagnose` with so many rows, of so many bytes each.
fn steps(rows: usize, size: usize, verifies: bool) -> u64 {
    let schema = json!({"tables": [{"name": "lists", "columns": [{"name": "name", "type": "text"}]}]});
    let mut session = Session::with_schema(&schema);
    for id in 0..rows {
        session.put("lists", &id.to_string(), &json!({"name": "x".repeat(size)}).to_string());
    }
    session.sync();
    let counters = Counters::install(session.host.connection_mut()).unwrap();
    let sql = if verifies { "SELECT powersync_diagnose('verify')" } else { "SELECT powersync_diagnose()" };
    counters.count(|| session.host.value(sql)).1.steps
}

#[test]
fn a_diagnosis_reads_no_rows() {
    let (few, many) = (steps(10, 10, false), steps(1010, 10, false));
    // It goes through the keys of operations.
    assert!(many - few < 30 * 1000, "{few} steps with 10 rows, {many} with 1010");
    // Nor does their size matter.
    assert!(steps(10, 10_000, false).abs_diff(few) < 10);
}

#[test]
fn each_bucket_costs_the_same() {
    let steps = [10, 210, 410].map(|buckets| {
        let schema = json!({"tables": [{"name": "lists", "columns": [{"name": "name", "type": "text"}]}]});
        let mut session = Session::with_schema(&schema);
        for id in 0..buckets {
            session.service.put(&format!("bucket {id}"), "lists", &id.to_string(), &json!({}));
        }
        session.sync();
        let counters = Counters::install(session.host.connection_mut()).unwrap();
        counters.count(|| session.host.value("SELECT powersync_diagnose('verify')")).1.steps
    });
    let (first, second) = (steps[1] - steps[0], steps[2] - steps[1]);
    assert!(second < 600 * 200 && second <= first + first / 20, "{steps:?}");
}

#[test]
fn a_verification_takes_as_many_steps_for_each_row() {
    let steps = [10, 1010, 2010].map(|rows| steps(rows, 10, true));
    let (first, second) = (steps[1] - steps[0], steps[2] - steps[1]);
    assert!(second < 250 * 1000 && second <= first + first / 20, "{steps:?}");
}

//! Sessions of a client between whose steps rows of the internal tables change at random, see `script`: errors may come
//! of it, but nothing worse, and after a hard clear the client works as new.

use crate::invariants::{assert_sensible, assert_works_after_clear};
use crate::script::{Client, SCHEMAS, steps};

/// Runs the target.
pub(crate) fn run(input: &[u8]) {
    let script = String::from_utf8_lossy(input);
    let mut client = Client::new();
    for step in steps(&script) {
        if let Err(error) = client.run(&step, false) {
            assert_sensible(&error);
        }
    }
    // Whether they succeed depends on what was damaged.
    for sql in ["SELECT powersync_offline_sync_status()", "SELECT powersync_client_id()"] {
        if let Err(error) = client.host.try_rows(sql, []) {
            assert_sensible(&error);
        }
    }
    assert_works_after_clear(&client.host, SCHEMAS[0]);
    client.host.try_close().expect("nothing keeps the connection from closing");
}

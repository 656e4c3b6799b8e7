//! Internal tables in which something lost, doubled or overwrote a row: errors may come of it, but a new iteration or a
//! clear repairs what it can, and nothing stays broken for ever.

use powersync_testkit::session::Session;
use serde_json::json;

fn session() -> Session {
    let schema = json!({ "tables": [{ "name": "lists", "columns": [{ "name": "name", "type": "text" }] }] });
    Session::with_schema(&schema)
}

/// Syncs one more row after a new start.
fn assert_syncs(session: &mut Session) {
    session.host.control("start", ());
    session.put("lists", "l1", "{\"name\":\"one\"}");
    let published = session.sync();
    assert!(published.to_string().contains("DidCompleteSync"), "{published}");
    assert_eq!(session.host.table("SELECT id, name FROM lists"), json!([["l1", "one"]]));
}

#[test]
fn a_lost_checkpoint_row_is_made_again() {
    let mut session = session();
    session.host.execute("DELETE FROM ps_checkpoint");
    assert_syncs(&mut session);
}

#[test]
fn a_generation_at_the_end_of_its_range_goes_on() {
    let mut session = session();
    session.host.execute("UPDATE ps_checkpoint SET generation = 9223372036854775807");
    assert_syncs(&mut session);
    session.host.execute("UPDATE ps_checkpoint SET generation = -9223372036854775808");
    assert_syncs(&mut session);
}

#[test]
fn a_clear_makes_a_lost_client_id_again_and_keeps_one_that_is_there() {
    let mut session = session();
    let client_id = session.host.value("SELECT powersync_client_id()");
    session.host.transaction("SELECT powersync_clear(0)", []);
    assert_eq!(session.host.value("SELECT powersync_client_id()"), client_id);
    for damage in ["DELETE FROM ps_kv", "UPDATE ps_kv SET value = x'ff' WHERE key = 'client_id'"] {
        session.host.execute(damage);
        assert!(session.host.try_control("start", ()).is_err(), "{damage}");
        session.host.transaction("SELECT powersync_clear(0)", []);
        session.host.control("start", ());
        let new = session.host.value("SELECT powersync_client_id()");
        assert!(new != client_id && new.as_str().is_some_and(|id| id.len() == 36), "{damage}: {new}");
    }
    assert_syncs(&mut session);
}

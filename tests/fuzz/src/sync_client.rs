//! Whole sessions of a client, see `script`: two clients run the same one, the second with its lines as BSON, and without
//! some of the steps that the first refuses. They must report the same and hold the same in the end.

use rowtide_testkit::host::HostError;
use rowtide_testkit::invariants;
use serde_json::Value;

use crate::invariants::{assert_instructions, assert_refusal, assert_undamaged, assert_views_readable};
use crate::script::{Client, SCHEMAS, Step, steps};

/// A client, and what it last reported.
struct Observed {
    client: Client,
    status: Value,
}

impl Observed {
    fn new() -> Self {
        Observed { client: Client::new(), status: Value::Null }
    }

    /// What came of a step, in a form that does not depend on the clock or on where in a line an error is: times are
    /// replaced, and so a status is left out that differs from the last one only in these.
    fn outcome(&mut self, result: Result<Value, HostError>) -> Result<Value, i32> {
        let mut results = result.map(without_times).map_err(|error| error.code)?;
        self.forget_equal_statuses(&mut results);
        Ok(results)
    }

    fn forget_equal_statuses(&mut self, results: &mut Value) {
        let Value::Array(items) = results else { return };
        items.retain(|item| {
            item.get("UpdateSyncStatus").is_none_or(|update| {
                let is_new = update["status"] != self.status;
                self.status = update["status"].clone();
                is_new
            })
        });
        items.iter_mut().for_each(|item| self.forget_equal_statuses(item));
    }
}

/// Runs the target.
pub(crate) fn run(input: &[u8]) {
    let script = String::from_utf8_lossy(input);
    let (mut text, mut binary) = (Observed::new(), Observed::new());
    for (index, step) in steps(&script).iter().enumerate().filter(|(_, step)| !is_left_out(step)) {
        let result = text.client.run(step, false);
        check(step, &result);
        // What fails changes nothing: whether it is tried at all makes no difference later.
        if result.is_err() && index % 2 == 0 && !matches!(step, Step::Sql(_) | Step::Complete(_)) {
            continue;
        }
        let other = binary.client.run(step, true);
        assert_eq!(text.outcome(result), binary.outcome(other), "step {}: {step:?}", index + 1);
    }
    let (text, binary) = (text.client, binary.client);
    for client in [&text, &binary] {
        invariants::assert_checksums(&client.host);
        assert_views_readable(&client.host);
    }
    assert_eq!(status(&text), status(&binary));
    assert_eq!(invariants::dump(&text.host), invariants::dump(&binary.host));
    crate::invariants::assert_works_after_clear(&text.host, SCHEMAS[0]);
    text.host.try_close().expect("nothing keeps the connection from closing");
}

/// Whether a step is one that only a fault, not a client, does, or one whose outcome depends on the clock: a subscription
/// that expires at once.
fn is_left_out(step: &Step<'_>) -> bool {
    const LEAST_SECONDS: i64 = 1000;
    let damage = ["UPDATE OR REPLACE ", "DELETE FROM ps_", "INSERT OR REPLACE INTO ps_"];
    match step {
        Step::Sql(sql) => damage.iter().any(|start| sql.starts_with(start)) && sql != "DELETE FROM ps_crud",
        Step::Control("subscriptions", rusqlite::types::Value::Text(text)) => {
            let payload = serde_json::from_str::<Value>(text).unwrap_or_default();
            payload["subscribe"]["ttl"].as_f64().is_some_and(|ttl| ttl < LEAST_SECONDS as f64)
        }
        _ => false,
    }
}

fn check(step: &Step<'_>, result: &Result<Value, HostError>) {
    match (result, step) {
        (Ok(results), _) => results.as_array().into_iter().flatten().for_each(|result| match step {
            Step::Complete(_) => assert_instructions(&result[0]),
            _ => assert_instructions(result),
        }),
        (Err(error), Step::Sql(_)) => assert_undamaged(error),
        (Err(error), _) => assert_refusal(error),
    }
}

fn without_times(mut value: Value) -> Value {
    match &mut value {
        Value::Array(items) => items.iter_mut().for_each(|item| *item = without_times(item.take())),
        Value::Object(members) => {
            for (name, member) in members.iter_mut() {
                let is_time = ["last_synced_at", "expires_at"].contains(&name.as_str()) && member.is_i64();
                *member = if is_time { "a time".into() } else { without_times(member.take()) };
            }
        }
        _ => {}
    }
    value
}

fn status(client: &Client) -> Value {
    let status = client.host.value("SELECT powersync_offline_sync_status()");
    let status = status.as_str().and_then(|text| serde_json::from_str(text).ok());
    without_times(status.expect("the status is JSON"))
}

//! Whether a deployment is set up as it must be, and what to do if it is not.

use convex_connect::Called;
use sync_config::TablePattern;
use sync_engine::source::{Check, SourceError};

use super::client::{Client, Failure};
use super::options::Api;
use super::pages::Schemas;
use super::tables::{MARKERS, SCHEMA};

const SET_UP: &str = "Copy convex/powersync_checkpoints.ts of docs/examples/convex into the app's convex folder, add the \
                      table powersync_checkpoints to convex/schema.ts as its first lines say, and run `npx convex deploy`.";

/// Everything that can be checked.
pub(crate) fn checks(client: &Client, api: Api, patterns: &[TablePattern]) -> Vec<Check> {
    let mut checks = Vec::new();
    let schemas = match client.schemas() {
        Ok(schemas) => schemas,
        // Nothing else would work either.
        Err(failure) => return vec![bad("deployment", failure.error.message.clone(), fix_of(&failure))],
    };
    checks.push(good("deployment", format!("it can be read, and has {} tables", schemas.len())));
    checks.extend(patterns_checks(patterns, &schemas));
    checks.push(match schemas.contains_key(MARKERS) {
        true => good("markers", format!("the table {MARKERS} exists")),
        false => bad("markers", format!("there is no table {MARKERS}"), SET_UP),
    });
    checks.push(match client.mark() {
        Ok(Called::Value(_)) => good("marker mutation", "it can be called".into()),
        Ok(Called::Missing) => bad("marker mutation", format!("there is no {MARKERS}:createCheckpoint"), SET_UP),
        Ok(Called::Thrown(_)) => bad("marker mutation", format!("{MARKERS}:createCheckpoint fails"), SET_UP),
        Err(failure) => bad("marker mutation", failure.error.message.clone(), fix_of(&failure)),
    });
    checks.push(changes_check(client, api));
    checks
}

/// Why a table name of a configuration cannot work.
pub(crate) fn wrong_schema(pattern: &TablePattern) -> Option<String> {
    let (schema, table) = (&pattern.schema, &pattern.table);
    if schema.ends_with('%') {
        return Some(format!(
            "{schema}.{table} has a wildcard in the schema, and all tables of Convex are in the schema {SCHEMA}"
        ));
    }
    (schema != SCHEMA).then(|| format!("{schema}.{table} is not in the schema {SCHEMA}, as all tables of Convex are"))
}

fn patterns_checks(patterns: &[TablePattern], schemas: &Schemas) -> Vec<Check> {
    let mut checks = Vec::new();
    for pattern in patterns {
        if let Some(message) = wrong_schema(pattern) {
            checks.push(bad("tables", message, format!("Write {}, without a schema.", pattern.table)));
        } else if !pattern.is_wildcard() && !schemas.contains_key(&pattern.table) {
            let fix = "Correct the name, or define the table in convex/schema.ts. If it only has no documents yet, it will be \
                       synced when it has.";
            checks.push(bad("tables", format!("there is no table {}", pattern.table), fix));
        }
    }
    checks
}

/// How changes are read.
fn changes_check(client: &Client, api: Api) -> Check {
    let can_sync = || client.now().and_then(|now| client.sync_cursor(now)).is_ok();
    match api {
        Api::Deltas => good("changes", "they are read by deltas, as the URL says".into()),
        Api::Auto | Api::Sync if can_sync() => good("changes", "they are read by the sync API".into()),
        Api::Auto => good("changes", "they are read by deltas: there is no sync API that can be used".into()),
        Api::Sync => bad(
            "changes",
            "there is no sync API that can be used".into(),
            "Leave out api=sync in the URL of the source.",
        ),
    }
}

fn fix_of(failure: &Failure) -> String {
    use sync_engine::source::ErrorClass::Configuration;
    let SourceError { class, .. } = failure.error;
    match class == Configuration {
        true => "Create a deploy key in the dashboard of the deployment under Settings, and give it as \
                 CONVEX_DEPLOY_KEY; check that the URL is that of the same deployment, and that its plan has streaming export."
            .to_owned(),
        false => "Check the URL of the source, and that the deployment runs.".to_owned(),
    }
}

fn good(name: &'static str, message: String) -> Check {
    Check { name, ok: true, message, fix: String::new() }
}

fn bad(name: &'static str, message: String, fix: impl Into<String>) -> Check {
    Check { name, ok: false, message, fix: fix.into() }
}

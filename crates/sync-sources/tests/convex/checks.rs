//! What `test` finds, and that each fix helps.

use fake_convex::{Convex, Options};
use sync_engine::source::{Check, Source};

use crate::deployment::{open, put};
use crate::follower::patterns_in;

fn wrong(convex: &Convex, schema: &str, tables: &[&str]) -> Vec<(&'static str, String)> {
    let checks = open(convex).test(&patterns_in(schema, tables));
    let bad = checks.into_iter().filter(|check| !check.ok);
    let named = bad.map(|Check { name, message, fix, .. }| {
        assert!(!fix.is_empty(), "{name}: {message}");
        (name, format!("{message} | {fix}"))
    });
    named.collect()
}

fn names(found: &[(&'static str, String)]) -> Vec<&'static str> {
    found.iter().map(|(name, _)| *name).collect()
}

#[test]
fn each_step_of_the_setup_is_checked() {
    let convex = Convex::start(Options::default());
    convex.remove_functions(true);
    let found = wrong(&convex, "convex", &["t", "u%"]);
    assert_eq!(names(&found), ["tables", "markers", "marker mutation"]);
    assert!(found[0].1.contains("no table t") && found[2].1.contains("powersync_checkpoints.ts"), "{found:?}");
    convex.commit(vec![put("t", "a", &[])]);
    convex.define("powersync_checkpoints", &[]);
    assert_eq!(names(&wrong(&convex, "convex", &["t"])), ["marker mutation"]);
    convex.remove_functions(false);
    assert_eq!(wrong(&convex, "convex", &["t"]), []);
    assert_eq!(names(&wrong(&convex, "c%", &["t"])), ["tables"]);
    convex.revoke_key(true);
    let found = wrong(&convex, "convex", &["t"]);
    assert_eq!(names(&found), ["deployment"]);
    assert!(found[0].1.contains("CONVEX_DEPLOY_KEY") && !found[0].1.contains("ZmFrZS1rZXk"), "{found:?}");
}

#[test]
fn it_says_how_changes_are_read() {
    let convex = Convex::start(Options::default());
    let says = |part: &str| open(&convex).test(&[]).iter().any(|check| check.ok && check.message.contains(part));
    assert!(says("by deltas"));
    convex.set_sync_api(true);
    assert!(says("by the sync API"));
}

#[test]
fn it_describes_itself_without_the_key() {
    let convex = Convex::start(Options::default());
    let described = open(&convex).describe();
    assert_eq!((described.kind, described.default_schema.as_str()), ("convex", "convex"));
    assert_eq!(described.location, convex.url());
}

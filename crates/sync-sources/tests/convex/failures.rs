//! Answers that are errors, or none: what the service is to do about each, and that no message has the key.

use std::time::Duration;

use fake_convex::{Convex, Fault, Options, Route};
use sync_engine::row::Position;
use sync_engine::source::{ErrorClass, Source, SourceError};
use sync_sources::convex::ConvexSource;

use crate::deployment::{follower, open, options, put};

fn class(error: &SourceError) -> ErrorClass {
    assert!(!error.message.contains("ZmFrZS1rZXk") && !error.message.is_empty(), "{}", error.message);
    error.class
}

#[test]
fn busy_and_broken_deployments_are_tried_again() {
    let convex = Convex::start(Options::default());
    let source = open(&convex);
    for (fault, asked) in [
        (Fault::Status(429, "TooManyRequests", Some(7)), Some(7)),
        (Fault::Status(429, "TooManyRequests", None), None),
        (Fault::Status(500, "InternalServerError", None), None),
        (Fault::Status(503, "Overloaded", Some(2)), Some(2)),
        (Fault::Cut, None),
        (Fault::AnswerLost, None),
        (Fault::Garbage, None),
    ] {
        convex.fail(Route::ListSnapshot, fault.clone());
        let error = source.head().unwrap_err();
        let ErrorClass::RetryAfter(pause) = class(&error) else { panic!("{fault:?}: {error:?}") };
        match asked {
            Some(seconds) => assert_eq!(pause, Duration::from_secs(seconds), "{fault:?}"),
            None => assert!(pause < Duration::from_secs(1), "{fault:?}"),
        }
        source.head().unwrap();
    }
}

#[test]
fn pauses_grow_until_a_request_works() {
    let convex = Convex::start(Options::default());
    let mut options = options(&convex);
    options.reach.first_pause = Duration::from_secs(1);
    let source = ConvexSource::with_options(options).unwrap();
    let mut pauses = Vec::new();
    for _ in 0..10 {
        convex.fail(Route::JsonSchemas, Fault::Status(503, "Overloaded", None));
        match source.schema().unwrap_err().class {
            ErrorClass::RetryAfter(pause) => pauses.push(pause),
            other => panic!("{other:?}"),
        }
    }
    assert!(pauses[0] <= Duration::from_secs(1) && pauses[9] >= Duration::from_secs(30), "{pauses:?}");
    assert!(pauses.iter().all(|pause| *pause <= Duration::from_secs(60)));
    source.schema().unwrap();
    convex.fail(Route::JsonSchemas, Fault::Status(503, "Overloaded", None));
    assert!(
        matches!(source.schema().unwrap_err().class, ErrorClass::RetryAfter(pause) if pause <= Duration::from_secs(1))
    );
}

#[test]
fn an_answer_that_does_not_end_is_given_up() {
    let convex = Convex::start(Options::default());
    let mut options = options(&convex);
    options.reach.request_timeout = Duration::from_millis(300);
    let source = ConvexSource::with_options(options).unwrap();
    convex.fail(Route::ListSnapshot, Fault::Stall);
    assert!(matches!(class(&source.head().unwrap_err()), ErrorClass::RetryAfter(_)));
    source.head().unwrap();
}

#[test]
fn a_deployment_that_is_not_there_is_tried_again() {
    let convex = Convex::start(Options::default());
    let source = open(&convex);
    drop(convex);
    let error = source.head().unwrap_err();
    assert!(matches!(class(&error), ErrorClass::RetryAfter(_)));
    assert!(error.message.contains("cannot be reached"), "{}", error.message);
}

#[test]
fn keys_and_plans_are_a_persons_matter() {
    let convex = Convex::start(Options::default());
    let source = open(&convex);
    convex.revoke_key(true);
    let error = source.head().unwrap_err();
    assert_eq!(class(&error), ErrorClass::Configuration);
    assert!(error.message.contains("CONVEX_DEPLOY_KEY"), "{}", error.message);
    convex.revoke_key(false);
    convex.disable_export(true);
    let error = source.head().unwrap_err();
    assert_eq!(class(&error), ErrorClass::Configuration);
    assert!(error.message.contains("streaming export"), "{}", error.message);
    convex.disable_export(false);
    convex.fail(Route::DocumentDeltas, Fault::Status(400, "BadFormat", None));
    assert_eq!(class(&source.stream(None).err().unwrap()), ErrorClass::Configuration);
    convex.remove_functions(true);
    let error = source.mark().unwrap_err();
    assert_eq!(class(&error), ErrorClass::Configuration);
    assert!(error.message.contains("createCheckpoint"), "{}", error.message);
}

#[test]
fn what_the_deployment_has_forgotten_is_a_lost_position() {
    for has_sync_api in [false, true] {
        let convex = Convex::start(Options { has_sync_api, ..Options::default() });
        convex.commit(vec![put("t", "a", &[])]);
        let source = open(&convex);
        let mut follower = follower(&["t"]);
        follower.start(&source).unwrap();
        follower.catch_up(&source).unwrap();
        let old = follower.state.position.clone();
        convex.commit(vec![put("t", "b", &[])]);
        convex.forget_deltas();
        assert_eq!(class(&source.stream(old.as_ref()).err().unwrap()), ErrorClass::PositionLost);
        follower.start(&source).unwrap();
        follower.catch_up(&source).unwrap();
        assert_eq!((follower.lost, follower.content()["t"].len()), (1, 2));
        // A deployment that was restored from a backup, and positions of other sources.
        for position in
            [Position(b"9000000000000000000".to_vec()), Position::from_number(7), Position(b"00AB".to_vec())]
        {
            assert_eq!(class(&source.stream(Some(&position)).err().unwrap()), ErrorClass::PositionLost, "{position:?}");
        }
    }
    for code in ["InvalidWindowToReadDocuments", "SnapshotTooOld", "SnapshotTooNew", "InvalidListSnapshotCursor"] {
        let convex = Convex::start(Options::default());
        convex.fail(Route::DocumentDeltas, Fault::Status(400, code, None));
        assert_eq!(class(&open(&convex).stream(None).err().unwrap()), ErrorClass::PositionLost, "{code}");
    }
}

#[test]
fn a_cursor_of_the_sync_api_that_has_expired_is_made_again() {
    let convex = Convex::start(Options { has_sync_api: true, ..Options::default() });
    convex.commit(vec![put("t", "a", &[])]);
    let source = open(&convex);
    let mut follower = follower(&["t"]);
    follower.start(&source).unwrap();
    follower.catch_up(&source).unwrap();
    convex.expire_sync_cursors();
    convex.commit(vec![put("t", "b", &[])]);
    source.head().unwrap();
    let error = loop {
        match follower.step() {
            Ok(_) => std::thread::yield_now(),
            Err(error) => break error,
        }
    };
    assert!(matches!(class(&error), ErrorClass::RetryAfter(_)));
    follower.start(&source).unwrap();
    follower.catch_up(&source).unwrap();
    assert_eq!((follower.lost, follower.content()["t"].len()), (0, 2));
}

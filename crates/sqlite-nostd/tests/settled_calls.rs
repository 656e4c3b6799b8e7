//! Functions that remember what they did: when their result remains although memory was refused. In a separate process,
//! for a refusal counts for every call that is running.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[allow(dead_code, reason = "shared with other tests")]
#[path = "bindings/host.rs"]
mod host;

use std::alloc::{GlobalAlloc, Layout};
use std::cell::Cell;
use std::rc::Rc;

use host::Host;
use rowtide_testkit::faults::allocator;
use sqlite_nostd::{FunctionFlags, ResultCode, SqliteAllocator};

/// Asks for more memory than there can be.
fn be_refused() {
    let layout = Layout::from_size_align(1 << 60, 8).unwrap();
    // SAFETY: a valid layout; nothing is given back because nothing is given.
    assert!(unsafe { SqliteAllocator.alloc(layout) }.is_null());
}

#[test]
fn a_call_fails_exactly_if_it_remembers_nothing() {
    // SQLite is not in use yet.
    allocator::install();
    refusals_of_the_library();
    for encoding in ["UTF-8", "UTF-16"] {
        refusals_of_sqlite(encoding);
    }
}

fn refusals_of_sqlite(encoding: &str) {
    let host = Host::open();
    host.execute(&format!("PRAGMA encoding = '{encoding}'"));
    let remembered = Rc::new(Cell::new(0));
    host.connection()
        .create_scalar_function("f", 0, FunctionFlags::NONE, Rc::clone(&remembered), |remembered, context, _| {
            context.try_result_json(&"x".repeat(1000))?;
            context.settle()?;
            remembered.set(remembered.get() + 1);
            Ok(())
        })
        .unwrap();
    let mut statement = host.rusqlite().prepare("SELECT f() IS NULL").unwrap();
    let mut failures = 0;
    for number in 0.. {
        let before = remembered.get();
        let (outcome, has_failed) =
            allocator::failing(number, false, || statement.query_row((), |row| row.get::<_, bool>(0)));
        if outcome.is_ok() {
            assert_eq!(remembered.get(), before + 1, "request {number}, {encoding}");
        } else {
            assert_eq!(remembered.get(), before, "request {number}, {encoding}: {outcome:?}");
            failures += 1;
        }
        if !has_failed {
            break;
        }
    }
    assert!(failures > 0, "{encoding}");
}

fn refusals_of_the_library() {
    let host = Host::open();
    let remembered = Rc::new(Cell::new(0));
    host.connection()
        .create_scalar_function(
            "f",
            2,
            FunctionFlags::NONE,
            Rc::clone(&remembered),
            |remembered, context, arguments| {
                if arguments[0].integer() == 1 {
                    be_refused();
                }
                context.try_result_json("[1]")?;
                context.settle()?;
                remembered.set(remembered.get() + 1);
                if arguments[1].integer() == 1 {
                    be_refused();
                }
                Ok(())
            },
        )
        .unwrap();
    assert_eq!(host.text("f(0, 0)"), "[1]");
    assert_eq!(host.text("f(0, 1)"), "[1]");
    assert_eq!(remembered.get(), 2);
    for later in [0, 1] {
        assert_eq!(host.error(&format!("SELECT f(1, {later})")).0, ResultCode::NOMEM.0);
        assert_eq!(remembered.get(), 2);
    }
    assert_eq!(host.text("f(0, 0)"), "[1]");
}

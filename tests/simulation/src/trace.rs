//! What happened last, for people who look at a failure.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;

/// How many events are kept.
const KEPT: usize = 60;

/// The last events of a session. Printed when the session panics, with the seed and the step.
#[derive(Clone)]
pub(crate) struct Trace(Rc<RefCell<Events>>);

struct Events {
    seed: u64,
    step: u64,
    last: VecDeque<String>,
    is_printed: bool,
}

impl Trace {
    pub(crate) fn new(seed: u64) -> Self {
        let is_printed = std::env::var_os("ROWTIDE_SIMULATION_TRACE").is_some();
        Self(Rc::new(RefCell::new(Events { seed, step: 0, last: VecDeque::new(), is_printed })))
    }

    pub(crate) fn step(&self, step: u64) {
        self.0.borrow_mut().step = step;
    }

    pub(crate) fn note(&self, event: impl FnOnce() -> String) {
        let events = &mut *self.0.borrow_mut();
        let event = format!("{:>5} {}", events.step, event());
        if events.is_printed {
            eprintln!("{event}");
        }
        if events.last.len() == KEPT {
            events.last.pop_front();
        }
        events.last.push_back(event);
    }
}

impl Drop for Events {
    fn drop(&mut self) {
        if std::thread::panicking() && !self.is_printed {
            let last: Vec<&str> = self.last.iter().map(String::as_str).collect();
            eprintln!("seed {}, step {}; what happened before:\n{}", self.seed, self.step, last.join("\n"));
        }
    }
}

//! How output looks: for people on a terminal, as plain text elsewhere.
//!
//! | | on a terminal | elsewhere |
//! | --- | --- | --- |
//! | tables | boxes that fit, if it has at least 40 columns | plain columns |
//! | colours | unless `NO_COLOR` is set, or `TERM` is `dumb` | none |
//! | numbers | with separators of thousands | without |
//! | progress | a line that changes, if it has at least 40 columns and can move its cursor | nothing |

mod grid;
mod moment;
mod progress;
mod terminal;
mod text;
mod value;

pub(crate) use grid::{Border, Grid};
pub(crate) use moment::{ago, moment};
pub(crate) use progress::{Outcome, Progress, working};
pub(crate) use terminal::{Style, Terminal, has_colour};
pub(crate) use text::{bytes, count, counted, hexadecimal, item, paragraph, real, visible, wrapped};
pub(crate) use value::cell;

//! `rowtide dead-letters`: the writes that a service has refused.

mod page;
mod place;

use std::io::{self, IsTerminal, Write};

use anyhow::{Context, Result};
use serde_json::{Value, json};

use self::place::{Place, PlaceArguments};
use crate::confirm;
use crate::exit::{Outcome, usage};
use crate::member::at;
use crate::output::visible;

/// Lists, shows, replays and discards writes that a service has refused.
#[derive(clap::Subcommand)]
pub(crate) enum DeadLetters {
    List(List),
    Show(Show),
    Replay(Replay),
    Discard(Discard),
}

/// Lists refused transactions, the newest first
#[derive(clap::Args)]
pub(crate) struct List {
    /// Only those in this state
    #[arg(long, value_name = "STATE", default_value = "open", value_parser = ["open", "replayed", "discarded", "all"])]
    state: String,
    /// At most so many
    #[arg(long, value_name = "NUMBER", default_value_t = 100, value_parser = clap::value_parser!(u16).range(1..=1000))]
    limit: u16,
    #[command(flatten)]
    place: PlaceArguments,
}

/// Shows a refused transaction: who sent it, what it writes, and why it was refused
#[derive(clap::Args)]
pub(crate) struct Show {
    /// Its number
    id: i64,
    #[command(flatten)]
    place: PlaceArguments,
}

/// Applies refused transactions again, by the rules and rows of now, with the claims that the token had
#[derive(clap::Args)]
pub(crate) struct Replay {
    /// Their numbers
    #[arg(required = true)]
    id: Vec<i64>,
    /// Does not ask
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    place: PlaceArguments,
}

/// Marks refused transactions as done with. What they would have written is never written
#[derive(clap::Args)]
pub(crate) struct Discard {
    /// Their numbers
    #[arg(required = true)]
    id: Vec<i64>,
    /// Why, for those who look at them later
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Does not ask
    #[arg(long, short)]
    yes: bool,
    #[command(flatten)]
    place: PlaceArguments,
}

impl DeadLetters {
    pub(crate) fn run(&self) -> Result<Outcome> {
        match self {
            Self::List(command) => command.run(),
            Self::Show(command) => command.run(),
            Self::Replay(command) => command.run(),
            Self::Discard(command) => command.run(),
        }
    }
}

impl List {
    fn run(&self) -> Result<Outcome> {
        let state = Some(self.state.as_str()).filter(|state| *state != "all");
        let answer = self.place.open()?.list(state, self.limit)?;
        if self.place.json {
            println!("{answer}");
        } else {
            page::print_list(&answer, &self.state);
        }
        Ok(Outcome::Fine)
    }
}

impl Show {
    fn run(&self) -> Result<Outcome> {
        let answer = self.place.open()?.show(self.id)?;
        if self.place.json {
            println!("{answer}");
        } else {
            page::print_letter(at(&answer, "dead_letter"));
        }
        Ok(Outcome::Fine)
    }
}

impl Replay {
    fn run(&self) -> Result<Outcome> {
        let place = self.place.open()?;
        if !confirmed(&place, &self.id, "Replay", self.yes)? {
            return Ok(Outcome::Problem);
        }
        let mut has_failed = false;
        for id in &self.id {
            let answer = place.replay(*id)?;
            has_failed |= *at(&answer, "result.status") != "success";
            if self.place.json {
                println!("{answer}");
            } else {
                page::print_replayed(*id, &answer);
            }
        }
        Ok(if has_failed { Outcome::Problem } else { Outcome::Fine })
    }
}

impl Discard {
    fn run(&self) -> Result<Outcome> {
        let place = self.place.open()?;
        if !confirmed(&place, &self.id, "Discard", self.yes)? {
            return Ok(Outcome::Problem);
        }
        for id in &self.id {
            let answer = place.discard(*id, self.note.as_deref())?;
            if self.place.json {
                println!("{answer}");
            } else {
                println!("Dead letter {id} is discarded.");
            }
        }
        Ok(Outcome::Fine)
    }
}

/// Whether somebody agrees, who is shown what it is about.
fn confirmed(place: &Place, ids: &[i64], verb: &str, is_agreed: bool) -> Result<bool> {
    if is_agreed {
        return Ok(true);
    }
    if !io::stdin().is_terminal() || !io::stderr().is_terminal() {
        return Err(usage("there is no terminal to ask on: give --yes"));
    }
    let mut out = io::stderr();
    for id in ids {
        let answer = place.show(*id)?;
        writeln!(out, "{}", visible(&page::summary(at(&answer, "dead_letter")), false))?;
    }
    let question = format!("{verb} {}?", if ids.len() == 1 { "it" } else { "them" });
    let is_agreed = confirm::ask(&question).context("reading the answer")?.unwrap_or_default();
    if !is_agreed {
        writeln!(out, "Nothing was changed.")?;
    }
    Ok(is_agreed)
}

/// A note as the service takes it.
fn note(note: Option<&str>) -> Value {
    json!({ "note": note })
}

//! What is wrong, with a stable code and a remedy (docs/reference/functions.md#problems).

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use rowtide_json::writer::Json;
use sqlite_nostd::Parameter;

use super::repair::{Attempt, Fix, Repair};
use crate::connection::Database;
use crate::error::{Error, Result};
use crate::migrations::{LATEST, Version};
use crate::text;

/// One problem.
pub(super) struct Problem<'p> {
    pub(super) code: &'p str,
    pub(super) subject: Option<&'p str>,
    /// What is wrong.
    pub(super) text: &'p str,
    /// What to do about it.
    pub(super) remedy: &'p str,
    /// How `powersync_repair` does it.
    pub(super) fix: Fix<'p>,
}

/// How many problems of one code are listed.
const LISTED: i64 = 100;

/// Problems as a JSON array that is being written.
pub(super) struct List {
    json: Json,
    /// What is before the text, if that and the remedy are written.
    text: Option<&'static str>,
    /// How many there are of each code.
    counts: Vec<(String, i64)>,
}

impl List {
    pub(super) fn new(text: Option<&'static str>) -> Self {
        Self { json: Json::with_room(), text, counts: Vec::new() }
    }

    /// Adds a problem, or counts it if there are enough of the kind.
    fn add(&mut self, problem: &Problem<'_>) -> Result<()> {
        let known = self.counts.iter_mut().find(|(code, _)| code == problem.code);
        let is_listed = match known {
            Some((_, count)) => {
                *count = count.saturating_add(1);
                *count <= LISTED
            }
            None => {
                self.counts.try_reserve(1)?;
                self.counts.push((text::copy(problem.code)?, 1));
                true
            }
        };
        if is_listed {
            self.write(problem);
        }
        Ok(())
    }

    fn write(&mut self, problem: &Problem<'_>) {
        let json = &mut self.json;
        json.comma();
        json.string("{\"code\":", problem.code);
        json.optional_string(",\"subject\":", problem.subject);
        if let Some(before) = self.text {
            json.string(before, problem.text);
            json.string(",\"remedy\":", problem.remedy);
        }
        json.raw("}");
    }

    /// The array. What was only counted is its last elements.
    pub(super) fn finish(mut self) -> Result<String> {
        for (code, count) in core::mem::take(&mut self.counts) {
            if count > LISTED {
                let text = format!("{} more.", count.saturating_sub(LISTED));
                self.write(&Problem {
                    code: &code,
                    subject: None,
                    text: &text,
                    remedy: "As for those listed.",
                    fix: Fix::Nothing,
                });
            }
        }
        Ok(format!("[{}]", self.json.finish()?))
    }
}

/// What is done with problems.
pub(super) struct Problems<'p> {
    /// Those found, or those that are left.
    pub(super) list: List,
    /// If they are to be repaired.
    pub(super) repair: Option<Repair<'p>>,
}

impl<'p> Problems<'p> {
    pub(super) fn new(repair: Option<Repair<'p>>) -> Self {
        let text = if repair.is_some() { ",\"why\":" } else { ",\"text\":" };
        Self { list: List::new(Some(text)), repair }
    }

    /// Those found up to now, as JSON.
    pub(super) fn take(&mut self) -> Result<String> {
        let empty = List::new(self.list.text);
        core::mem::replace(&mut self.list, empty).finish()
    }

    /// A problem was found.
    pub(super) fn add(&mut self, problem: &Problem<'_>) -> Result<()> {
        match &mut self.repair {
            None => self.list.add(problem),
            Some(repair) => match repair.attempt(problem)? {
                Attempt::Done => repair.repaired.add(problem),
                Attempt::NotMeant => Ok(()),
                Attempt::NotPossible => self.list.add(problem),
                Attempt::Failed(why) => self.list.add(&Problem { text: &why, ..*problem }),
            },
        }
    }

    /// Internal tables in another format than the newest are a problem.
    pub(super) fn add_format(&mut self, format: i64) -> Result<()> {
        const OLDER: &str = "Call powersync_init() or powersync_replace_schema() in a transaction.";
        let (code, remedy) = match Version::from_number(format) {
            Some(LATEST) => return Ok(()),
            None if format > 0 => (
                "format-newer",
                "Use a newer version of the library, or call powersync_init(), which restores the newest format that this one knows.",
            ),
            _ => ("format-older", OLDER),
        };
        let text = match format {
            0 => "There are no internal tables.".into(),
            _ => format!("The internal tables are in format {format}, and format {LATEST} is needed."),
        };
        self.add(&Problem { code, subject: None, text: &text, remedy, fix: Fix::Nothing })
    }

    /// What could not be read.
    pub(super) fn add_invalid(&mut self, subject: &str, error: &Error) -> Result<()> {
        const REMEDY: &str = "Something other than the library has changed the internal tables, or the disk has. \
            powersync_clear(0) restores them, without local writes that were not uploaded.";
        let text = format!("{error}");
        let (code, subject) = ("stored-data-invalid", Some(subject));
        self.add(&Problem { code, subject, text: &text, remedy: REMEDY, fix: Fix::Nothing })
    }

    /// Adds those that `sql` finds: code, subject, text and remedy.
    pub(super) fn find(
        &mut self,
        database: &Database<'_>,
        sql: &str,
        parameters: &[Parameter<'_>],
        fix: Fix<'_>,
    ) -> Result<()> {
        let mut statement = database.prepare(sql)?;
        let parameters = parameters.get(..statement.parameter_count()).unwrap_or_default();
        let mut rows = statement.query(parameters)?;
        while let Some(row) = rows.next()? {
            let (subject, text, remedy) = (row.optional_text(1)?, row.text(2)?, row.text(3)?);
            self.add(&Problem { code: row.text(0)?, subject, text, remedy, fix })?;
        }
        Ok(())
    }
}

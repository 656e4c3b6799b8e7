//! What is wrong, with a stable code and a remedy (docs/reference/functions.md#problems).

use alloc::format;
use alloc::string::String;

use rowtide_json::writer::{begin, write_raw, write_string};

use crate::connection::Database;
use crate::error::{Error, Result};
use crate::migrations::{LATEST, Version};

/// Problems, after the tables of `super::GATE`: code, subject, text and remedy. ?1: whether an iteration is running.
pub(super) const SQL: &str = ", attempt(detail) AS (SELECT iif(json_valid(detail), detail, '{}') \
    FROM main.ps_diagnostics WHERE kind = 'attempt' UNION ALL SELECT NULL LIMIT 1) \
SELECT 'never-connected', NULL, iif(detail IS NULL, 'No attempt to sync has ended, and nothing was ever downloaded.', \
    'The service did not answer the last attempt to sync, and nothing was ever downloaded.'), \
    'Check that the app connects, the address of the service, the network, and that the token is accepted.' \
  FROM attempt WHERE NOT ?1 AND NOT coalesce(detail ->> '$.connected', 0) \
    AND NOT EXISTS (SELECT 1 FROM main.ps_buckets) AND NOT EXISTS (SELECT 1 FROM main.ps_sync_state) \
UNION ALL SELECT 'last-attempt-failed', detail ->> '$.last_error.class', \
    'The last attempt to sync ended because a call failed: ' || coalesce(detail ->> '$.last_error.message', 'unknown'), \
    'Look the message up in the list of errors (docs/reference/errors.md).' \
  FROM attempt WHERE detail ->> '$.ended_by' = 'error' \
UNION ALL SELECT iif(times > 2, 'repeated-checksum-failures', 'checksum-mismatch'), subject, \
    'The checksum of the bucket was wrong at the last ' || times || ' attempts: expected ' || \
    coalesce(detail ->> '$.expected', '?') || ', got ' || coalesce(detail ->> '$.actual', '?') || '.', \
    iif(times > 2, 'The bucket is downloaded again each time, with the same result: the service sends operations that do \
not fit its checksums. Compact or reprocess the bucket on the service, and report it.', \
    'Nothing: the bucket is downloaded again.') \
  FROM (SELECT subject, detail, CAST(detail ->> '$.times' AS INTEGER) AS times \
    FROM (SELECT subject, iif(json_valid(detail), detail, '{}') AS detail FROM main.ps_diagnostics WHERE kind = 'checksum')) \
UNION ALL SELECT 'subscription-error', subject, 'The service reports: ' || coalesce(detail ->> '$.message', 'an error'), \
    'Correct the stream in the service''s sync config, or the parameters of the subscription.' \
  FROM (SELECT subject, iif(json_valid(detail), detail, '{}') AS detail FROM main.ps_diagnostics WHERE kind = 'stream') \
UNION ALL SELECT iif(state = 'local writes queued', 'uploads-waiting', \
      iif(state = 'not acknowledged', 'gate-not-acknowledged', 'gate-unknown-request-id')), \
    CAST(oldest AS TEXT), CASE state WHEN 'local writes queued' THEN entries || ' local writes in ' || transactions || \
      ' transactions wait for their upload. Downloads wait for them.' \
    WHEN 'not acknowledged' THEN 'All local writes were uploaded, and the service has not acknowledged write checkpoint ' \
      || target || ' yet. Downloads wait for that.' \
    ELSE 'All local writes were uploaded, but no write checkpoint was stored for them, so nothing can acknowledge them. \
Downloads wait for that.' END, remedy FROM gate JOIN remedies ON of_state = state \
UNION ALL SELECT 'untyped-rows', type, count(*) || ' rows were downloaded of a type that the schema does not have.', \
    'Add a table with this name to the schema, or stop syncing the type.' FROM main.ps_untyped GROUP BY type";

/// Problems found, as a JSON array that is being written.
pub(super) struct Problems(String);

impl Problems {
    pub(super) fn new() -> Result<Self> {
        Ok(Self(begin()?))
    }

    pub(super) fn add(&mut self, code: &str, subject: Option<&str>, text: &str, remedy: &str) -> Result<()> {
        let json = &mut self.0;
        write_raw(json, if json.is_empty() { "{\"code\":" } else { ",{\"code\":" })?;
        write_string(json, code)?;
        write_raw(json, ",\"subject\":")?;
        match subject {
            Some(subject) => write_string(json, subject)?,
            None => write_raw(json, "null")?,
        }
        write_raw(json, ",\"text\":")?;
        write_string(json, text)?;
        write_raw(json, ",\"remedy\":")?;
        write_string(json, remedy)?;
        Ok(write_raw(json, "}")?)
    }

    /// Internal tables in another format than the newest are a problem.
    pub(super) fn add_format(&mut self, format: i64) -> Result<()> {
        const OLDER: &str = "Call powersync_init() or powersync_replace_schema() in a transaction.";
        const NEWER: &str = "Use a newer version of the library, or call powersync_init(), which restores format ";
        match Version::from_number(format) {
            Some(LATEST) => Ok(()),
            None if format > 0 => {
                let text = format!("The internal tables are in format {format}, which this version does not know.");
                self.add("format-newer", None, &text, &format!("{NEWER}{LATEST}."))
            }
            _ if format == 0 => self.add("format-older", None, "There are no internal tables.", OLDER),
            _ => {
                let text = format!("The internal tables are in format {format}, and format {LATEST} is needed.");
                self.add("format-older", None, &text, OLDER)
            }
        }
    }

    /// What could not be read.
    pub(super) fn add_invalid(&mut self, subject: &str, error: &Error) -> Result<()> {
        const REMEDY: &str = "Something other than the library has changed the internal tables, or the disk has. \
            powersync_clear(0) restores them, without local writes that were not uploaded.";
        self.add("stored-data-invalid", Some(subject), &format!("{error}"), REMEDY)
    }

    /// Adds those that `sql` finds.
    pub(super) fn find(&mut self, database: &Database<'_>, sql: &str, has_iteration: bool) -> Result<()> {
        let mut statement = database.prepare(sql)?;
        let mut rows = statement.query(&[i64::from(has_iteration).into()])?;
        while let Some(row) = rows.next()? {
            self.add(row.text(0)?, row.optional_text(1)?, row.text(2)?, row.text(3)?)?;
        }
        Ok(())
    }

    pub(super) fn finish(&self) -> Result<String> {
        let mut json = String::new();
        write_raw(&mut json, "[")?;
        write_raw(&mut json, &self.0)?;
        write_raw(&mut json, "]")?;
        Ok(json)
    }
}

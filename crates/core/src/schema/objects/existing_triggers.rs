//! The triggers that we, or published versions, have made on views: finding them in a database, and dropping them
//! without touching the views and what the application has made on these.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::error::Result;

use crate::connection::Database;
use crate::schema::definition::names::TriggerKind;
use crate::schema::objects::direct_table::after_name;
use crate::schema::objects::{ObjectKind, object_texts};
use crate::text::identifier;

/// A trigger of ours on a view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ViewTrigger {
    /// The view's name.
    pub view: String,
    /// The trigger's own name.
    pub name: String,
}

impl ViewTrigger {
    /// The statement that drops it, if it exists.
    pub(crate) fn removal(&self) -> String {
        format!("DROP TRIGGER IF EXISTS main.{}", identifier(&self.name))
    }

    /// Recognises one in a row of `sqlite_schema`, by its name and by being none of a real table.
    fn parse(name: &str, view: &str, sql: &str) -> Option<Self> {
        let rest = after_name(ObjectKind::Trigger, name, sql)?;
        let is_ours = TriggerKind::is_trigger_of(name, view) && rest.trim_start().starts_with("INSTEAD OF ");
        is_ours.then(|| Self { view: view.into(), name: name.into() })
    }
}

/// All triggers of ours on views.
///
/// # Errors
/// Errors of SQLite.
pub(crate) fn view_triggers(database: &Database<'_>) -> Result<Vec<ViewTrigger>> {
    const SQL: &str = "SELECT name, tbl_name, sql FROM main.sqlite_schema WHERE type = 'trigger' ORDER BY name";
    let mut statement = database.prepare(SQL)?;
    let mut rows = statement.query(&[])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        if let Some([name, view, sql]) = object_texts(&row)? {
            found.extend(ViewTrigger::parse(name, view, sql));
        }
    }
    Ok(found)
}

/// Drops the triggers of ours on those views for which `matches` says so.
///
/// # Errors
/// Errors of SQLite.
pub(crate) fn drop_view_triggers(database: &Database<'_>, matches: impl Fn(&str) -> bool) -> Result<()> {
    let triggers = view_triggers(database)?;
    let meant = triggers.iter().filter(|trigger| matches(&trigger.view));
    meant.map(ViewTrigger::removal).try_for_each(|sql| database.execute_batch(&sql))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_triggers_are_recognised_by_name_and_kind() {
        let is_ours = |name: &str, view: &str, sql: &str| ViewTrigger::parse(name, view, sql).is_some();
        let insert = r#"CREATE TRIGGER "ps_view_insert_a" INSTEAD OF INSERT ON "a" BEGIN SELECT 1; END"#;
        assert!(is_ours("ps_view_insert_a", "a", insert));
        assert!(!is_ours("ps_view_insert_a", "b", insert));
        assert!(!is_ours("ps_view_insert_a", "a", &insert.replace("INSTEAD OF", "AFTER")), "one of a direct table");
        assert!(!is_ours("mine", "a", &insert.replace("ps_view_insert_a", "mine")));
    }
}

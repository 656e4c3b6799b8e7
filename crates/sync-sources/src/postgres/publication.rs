//! The publication: which tables the server streams. Tables that a configuration reads are added if the role may.

use super::catalog::Table;
use super::sql::{Result, Session};
use super::types::{quote, quote_name};

/// A publication that exists.
#[derive(Clone, Debug)]
pub(crate) struct Publication {
    /// Whether tables cannot be added, as it has all.
    pub(crate) has_all_tables: bool,
    /// Of insert, update, delete and truncate, those that it leaves out.
    pub(crate) missing: Vec<&'static str>,
    /// Whether partitions appear as their parent.
    pub(crate) is_via_root: bool,
    /// Whether the role may alter it.
    pub(crate) is_owned: bool,
}

pub(crate) fn read(session: &mut Session, name: &str) -> Result<Option<Publication>> {
    let sql = "SELECT puballtables, pubinsert, pubupdate, pubdelete, pubtruncate,
            coalesce((to_jsonb(p)->>'pubviaroot')::bool, false), pg_has_role(pubowner, 'USAGE')
        FROM pg_publication p WHERE pubname = $1";
    let row = session.client.query_opt(sql, &[&name])?;
    Ok(row.map(|row| {
        let operations = ["insert", "update", "delete", "truncate"].into_iter().zip([1, 2, 3, 4]);
        Publication {
            has_all_tables: row.get(0),
            missing: operations.filter(|(_, at)| !row.get::<_, bool>(*at)).map(|(name, _)| name).collect(),
            is_via_root: row.get(5),
            is_owned: row.get(6),
        }
    }))
}

/// Whether the role may create one.
pub(crate) fn can_create(session: &mut Session) -> Result<bool> {
    let sql = "SELECT has_database_privilege(current_database(), 'CREATE')";
    Ok(session.client.query_one(sql, &[])?.get(0))
}

/// Tables that are to be added, and that the role may add. Without a key, a table whose updates are published could not be
/// updated any more.
pub(crate) fn addable(tables: &[Table]) -> impl Iterator<Item = &Table> {
    let is_addable = |table: &&Table| {
        !table.is_published && !table.is_partitioned && !table.is_unlogged && table.is_owned && table.key().is_some()
    };
    tables.iter().filter(is_addable)
}

/// SQL that makes the publication have tables.
pub(crate) fn add_sql(name: &str, exists: bool, tables: &[&Table]) -> String {
    let names: Vec<String> = tables.iter().map(|table| table.sql_name()).collect();
    let tables = if names.is_empty() { String::new() } else { format!(" TABLE ONLY {}", names.join(", ONLY ")) };
    match (exists, names.is_empty()) {
        (true, _) => format!("ALTER PUBLICATION {} ADD{tables}", quote_name(name)),
        (false, true) => format!("CREATE PUBLICATION {}", quote_name(name)),
        (false, false) => format!("CREATE PUBLICATION {} FOR{tables}", quote_name(name)),
    }
}

/// Adds what the role may add. Gives whether anything was added.
pub(crate) fn extend(session: &mut Session, name: &str, tables: &[Table]) -> Result<bool> {
    let publication = read(session, name)?;
    let addable: Vec<&Table> = addable(tables).collect();
    let may = match &publication {
        Some(publication) => publication.is_owned && !publication.has_all_tables && !addable.is_empty(),
        None => can_create(session)?,
    };
    if !may {
        return Ok(false);
    }
    match session.client.batch_execute(&add_sql(name, publication.is_some(), &addable)) {
        Ok(()) => Ok(true),
        // Another process was faster, or the role may not after all.
        Err(error) if error.code().is_some_and(|code| ["42710", "42501"].contains(&code.code())) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// What to do if there is none.
pub(crate) fn missing_message(name: &str) -> String {
    format!(
        "there is no publication {name}, and the role may not create it; run CREATE PUBLICATION {} FOR TABLE …, with the \
         tables of the configuration",
        quote_name(name)
    )
}

/// Whether there is one, as a condition.
pub(crate) fn exists(session: &mut Session, name: &str) -> Result<bool> {
    let sql = format!("SELECT EXISTS (SELECT 1 FROM pg_publication WHERE pubname = {})", quote(name));
    Ok(session.client.query_one(&sql, &[])?.get(0))
}

//! Rows that may lead to a bucket, and what has to fit.

use std::rc::Rc;

use super::nearness::is_equal;
use crate::explain::condition::{Condition, NamedValue};
use crate::explain::row::RowTrace;
use crate::value::Value;

/// Rows of the tables that parameter indexes read.
pub trait IndexRows {
    /// The rows of the tables that an index of the plan reads. It may be asked for again. `columns` are columns with the
    /// values that the wanted row has in them: of large tables, only a row that is found by these may be given.
    ///
    /// # Errors
    /// What prevented reading.
    fn rows(&self, index: usize, columns: &[(&str, &Value)]) -> Result<Rc<IndexTable>, String>;
}

/// Rows for an index.
#[derive(Clone, Debug, Default)]
pub struct IndexTable {
    /// They and what they give.
    pub rows: Vec<IndexRow>,
    /// Whether these are all that can be the wanted one.
    pub is_complete: bool,
}

/// A row for an index.
#[derive(Clone, Debug)]
pub struct IndexRow {
    /// The columns that identify it.
    pub key: Vec<NamedValue>,
    /// What it gives.
    pub trace: RowTrace,
}

/// What has to fit for a user to have a bucket. All links of a way have to hold.
#[derive(Clone, Debug)]
pub enum Link {
    /// A part of the bucket's key is a value of the request.
    Value(Match),
    /// A value has to be in a list of the request.
    Element {
        /// The list, as SQL.
        sql: String,
        /// The values of the request that it is made of.
        inputs: Vec<NamedValue>,
        /// What has to be in it.
        wanted: Value,
        /// Whether it is.
        holds: bool,
    },
    /// A row of another table leads to the bucket, or would.
    Row(RowLink),
    /// There is no row that would.
    NoRow {
        /// The number of the index.
        index: usize,
        /// What it would have to give.
        wanted: Vec<NamedValue>,
        /// What it is looked up by, as far as the request alone says that.
        asked: Vec<Match>,
        /// Whether all rows were compared that can be it.
        is_complete: bool,
    },
    /// A condition on the request and on what was looked up.
    Condition(Condition),
}

/// A value of a row, and a value of the request that has to be equal.
#[derive(Clone, Debug)]
pub struct Match {
    /// The column or expression of the row.
    pub part: String,
    /// Its value; none where no row is known.
    pub has: Option<NamedValue>,
    /// The value of the request, as SQL.
    pub sql: String,
    /// What it is; none if an earlier row gives it.
    pub asked: Option<NamedValue>,
    /// The claims and parameters that it is made of.
    pub inputs: Vec<NamedValue>,
}

/// A row of another table that leads to a bucket, or would.
#[derive(Clone, Debug)]
pub struct RowLink {
    /// The number of the index.
    pub index: usize,
    /// The columns that identify it.
    pub row: Vec<NamedValue>,
    /// What is needed of it.
    pub gives: Vec<NamedValue>,
    /// The parts of its key.
    pub parts: Vec<Match>,
    /// The conditions of the index.
    pub conditions: Vec<Condition>,
}

impl Match {
    /// Whether both are equal, as far as that can be said.
    pub fn holds(&self) -> bool {
        match (&self.has, &self.asked) {
            (Some(has), Some(asked)) => is_equal(&has.value, &asked.value),
            _ => true,
        }
    }
}

impl Link {
    /// Whether it fits.
    pub fn holds(&self) -> bool {
        match self {
            Self::Value(matching) => matching.holds(),
            Self::Element { holds, .. } => *holds,
            Self::Row(row) => row.parts.iter().all(Match::holds) && row.conditions.iter().all(Condition::holds),
            Self::NoRow { .. } => false,
            Self::Condition(condition) => condition.holds(),
        }
    }
}

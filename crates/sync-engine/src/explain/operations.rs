//! The newest operation of a row in a bucket, which is found by reading the bucket.

use std::cell::Cell;
use std::sync::Arc;

use super::Question;
use crate::live::DefinitionId;
use crate::store::{OpId, OpKind, PageLimit, Reader, StoreError};

/// How many operations are read for one answer.
const READ: usize = 1_000_000;

const PAGE: PageLimit = PageLimit { operations: 1_000, bytes: 1024 * 1024 };

/// Definition and key of a bucket.
pub(super) type Place = (DefinitionId, Arc<str>);

/// What a bucket has of a row at the checkpoint.
pub(super) enum Stored {
    /// The row.
    Put {
        op_id: OpId,
        /// Whether it is the row as it is at the source.
        is_current: bool,
    },
    /// That it is gone.
    Removed(OpId),
    /// Nothing.
    Nothing,
}

/// Reads buckets at a checkpoint.
pub(super) struct Operations<'a> {
    reader: &'a dyn Reader,
    /// The id that is asked for.
    pub(super) id: &'a str,
    left: Cell<usize>,
}

impl<'a> Operations<'a> {
    pub(super) fn new(reader: &'a dyn Reader, question: &Question<'a>) -> Self {
        Self { reader, id: question.object_id, left: Cell::new(READ) }
    }

    /// Whether all that was to be read was read.
    pub(super) fn is_complete(&self) -> bool {
        self.left.get() > 0
    }

    /// What a bucket has of a row, which is `data` at the source; none if that does not matter.
    pub(super) fn find(&self, place: Place, row: (&str, &str), data: Option<&str>) -> Result<Stored, StoreError> {
        let states = self.reader.buckets(&[place])?;
        let Some(bucket) = states.first().and_then(|state| state.id) else { return Ok(Stored::Nothing) };
        let (mut after, mut stored) = (0, Stored::Nothing);
        while self.is_complete() {
            let page = self.reader.operations(bucket, after, PAGE)?;
            for operation in &page.operations {
                after = operation.op_id;
                match &operation.kind {
                    OpKind::Put { row: put, data: found } if (&*put.object_type, &*put.object_id) == row => {
                        let is_current = data.is_none_or(|data| *data == **found);
                        stored = Stored::Put { op_id: operation.op_id, is_current };
                    }
                    OpKind::Remove { row: removed } if (&*removed.object_type, &*removed.object_id) == row => {
                        stored = Stored::Removed(operation.op_id);
                    }
                    OpKind::Put { .. } | OpKind::Remove { .. } | OpKind::Move | OpKind::Clear => {}
                }
            }
            self.left.set(self.left.get().saturating_sub(page.operations.len()));
            if !page.has_more || page.operations.is_empty() {
                break;
            }
        }
        Ok(stored)
    }
}

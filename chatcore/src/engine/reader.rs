//! Reading `events` in parts.

use super::context::Context;
use crate::{
    error::{Error, ErrorKind, Result},
    ids::{Offset, Partition},
    journal::Log,
    record::{self, EventRecord},
};

/// Records read at a time.
const CHUNK: usize = 256;

/// Reads `events` of a partition from a place up to another, which it leaves out.
#[derive(Debug)]
pub(super) struct Reader {
    partition: Partition,
    next: Offset,
    end: Offset,
}

impl Reader {
    pub(super) fn new(partition: Partition, from: Offset, end: Offset) -> Self {
        Self {
            partition,
            next: from,
            end,
        }
    }

    /// The next records; none at the end.
    ///
    /// # Errors
    /// `Unavailable` when the journal does not have them yet; otherwise as it says.
    pub(super) async fn next(&mut self, cx: &Context) -> Result<Option<Vec<EventRecord>>> {
        if self.next >= self.end {
            return Ok(None);
        }
        let read = cx
            .ports
            .journal
            .read(Log::Events, self.partition, self.next, CHUNK)
            .await?;
        let Some(last) = read.last() else {
            return Err(
                Error::new(ErrorKind::Unavailable, "read what was published")
                    .with_context("partition", self.partition)
                    .with_context("missing", self.next),
            );
        };
        self.next = last.offset.next();
        let end = self.end;
        let records = read.into_iter().filter(|record| record.offset < end);
        records
            .map(|record| record::decode(&record.bytes))
            .collect::<Result<Vec<_>>>()
            .map(Some)
    }
}

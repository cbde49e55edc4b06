//! Whether a partition is still this owner's by `events`: what it publishes after another owner's
//! fence is void, and it must notice.
//!
//! The store's compare-and-set tells an owner that another one has saved. It can't when the other
//! works on a former primary of the store, cut off with it. Both write to one journal, where the
//! places of an owner's records tell: as long as they follow each other, nobody else has written
//! between them; at a gap it looks who has.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{context::Context, reader::Reader};
use crate::{
    error::{Error, ErrorKind, Result},
    ids::{Fence, Offset, Partition},
    record::EventRecord,
};

/// An owner's time with a partition, from its fence on.
#[derive(Debug)]
pub(super) struct Tenure {
    pub(super) partition: Partition,
    pub(super) fence: Fence,
    /// Nobody with a higher fence has written below this.
    upto: AtomicU64,
}

impl Tenure {
    /// Begins after the record of the fence.
    pub(super) fn new(partition: Partition, fence: Fence, upto: Offset) -> Self {
        Self {
            partition,
            fence,
            upto: AtomicU64::new(upto.0),
        }
    }

    /// Takes note of where own records came to be, in order.
    ///
    /// # Errors
    /// `Conflict` when another owner has taken the partition before the last of them: what was
    /// published since is void. Otherwise as the journal says, and it must be asked again before
    /// anything counts as published.
    pub(super) async fn confirm(&self, cx: &Context, published: &[Offset]) -> Result<()> {
        for offset in published {
            let next = Offset(self.upto.load(Ordering::Acquire));
            if *offset > next {
                self.look(cx, next, *offset).await?;
            }
            self.upto.fetch_max(offset.next().0, Ordering::AcqRel);
        }
        Ok(())
    }

    /// Reads a gap: others' records, or own ones whose receipts were lost.
    async fn look(&self, cx: &Context, from: Offset, end: Offset) -> Result<()> {
        let mut reader = Reader::new(self.partition, from, end);
        while let Some(records) = reader.next(cx).await? {
            let highest = records.iter().map(EventRecord::fence).max();
            if let Some(fence) = highest.filter(|fence| *fence > self.fence) {
                return Err(Error::new(ErrorKind::Conflict, "publish as the owner")
                    .with_context("partition", self.partition)
                    .with_context("fence", self.fence)
                    .with_context("taken with", fence));
            }
        }
        Ok(())
    }
}

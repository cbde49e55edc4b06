//! Commits: the group's position moves up to what is emitted, and what it passed is forgotten.

use futures_util::{FutureExt, future::BoxFuture, stream::FuturesUnordered};

use super::{context::is_final, owned::Slot, stats::count, worker::Worker};
use crate::{
    error::{ErrorKind, Result},
    ids::{Fence, Offset, Partition},
    journal::Log,
};

/// Commands that leave the journal at once; the rest goes with later commits.
const TRIMMED_MAX: u64 = 10_000;

/// Fewer decisions than this stay in the outbox until the next tick: they cost little there, and
/// each trim is a call of the store.
const OUTBOX_TRIM_MIN: u64 = 64;

/// Trims under way. Nothing waits for them: until they are done the outbox is longer than it need
/// be, which is all.
pub(super) type Trims = FuturesUnordered<BoxFuture<'static, Trimmed>>;

/// How a trim of the outbox ended.
#[derive(Debug)]
pub(super) struct Trimmed {
    partition: Partition,
    fence: Fence,
    before: Offset,
    result: Result<()>,
}

impl Worker {
    /// Commits what has been emitted, and forgets it in the outbox.
    pub(super) async fn commit(&mut self) -> Result<()> {
        let mut emitted = Vec::new();
        let mut lost = Vec::new();
        for owned in self.owned() {
            match owned.progress.take_failure() {
                Some(error) if error.kind() == ErrorKind::Conflict => {
                    lost.push((owned.lane.partition, error));
                    continue;
                }
                Some(error) => return Err(error),
                None => {}
            }
            let upto = owned.progress.emitted();
            if upto > owned.committed {
                emitted.push((owned.lane.partition, upto));
            }
        }
        for (partition, error) in lost {
            self.give_up(partition, &error).await?;
        }
        for (partition, upto) in emitted {
            match self.consumer.commit(partition, upto).await {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::Conflict => {
                    self.slots.remove(&partition);
                    continue;
                }
                Err(error) if is_final(&error) => return Err(error),
                Err(error) => {
                    // The next tick tries again.
                    tracing::warn!(%error, %partition, "could not commit");
                    continue;
                }
            }
            if let Some(Slot::Owned(owned)) = self.slots.get_mut(&partition) {
                owned.committed = upto;
            }
            self.trim_long(partition);
            if let Err(error) = self.trim_commands(partition).await {
                tracing::warn!(%error, %partition, "could not trim the commands");
            }
        }
        Ok(())
    }

    /// Forgets in the outbox what is committed. One at a time: the next takes all that came
    /// meanwhile.
    /// Trims the outbox if that is worth a call.
    fn trim_long(&mut self, partition: Partition) {
        if let Some(Slot::Owned(owned)) = self.slots.get(&partition)
            && owned.committed.0 >= owned.trimmed.0 + OUTBOX_TRIM_MIN
        {
            self.trim(partition);
        }
    }

    /// Trims what is left in all outboxes.
    pub(super) fn trim_all(&mut self) {
        let left = self.owned().filter(|owned| owned.committed > owned.trimmed);
        let left: Vec<Partition> = left.map(|owned| owned.lane.partition).collect();
        for partition in left {
            self.trim(partition);
        }
    }

    pub(super) fn trim(&mut self, partition: Partition) {
        let Some(Slot::Owned(owned)) = self.slots.get_mut(&partition) else {
            return;
        };
        if owned.is_trimming {
            return;
        }
        owned.is_trimming = true;
        let (fence, before) = (owned.lane.fence, owned.committed);
        let partitions = self.cx.ports.partitions.clone();
        let trim = async move {
            let result = partitions.trim(partition, fence, before).await;
            Trimmed {
                partition,
                fence,
                before,
                result,
            }
        };
        self.trims.push(trim.boxed());
    }

    pub(super) async fn on_trimmed(&mut self, trimmed: Trimmed) -> Result<()> {
        let Trimmed {
            partition,
            fence,
            before,
            result,
        } = trimmed;
        let Some(Slot::Owned(owned)) = self.slots.get_mut(&partition) else {
            return Ok(());
        };
        if owned.lane.fence != fence {
            return Ok(());
        }
        owned.is_trimming = false;
        match result {
            Ok(()) => {
                owned.trimmed = owned.trimmed.max(before);
                self.trim_long(partition);
            }
            Err(error) if error.kind() == ErrorKind::Conflict => {
                self.give_up(partition, &error).await?;
            }
            // The next commit or tick tries again.
            Err(error) => tracing::warn!(%error, %partition, "could not trim the outbox"),
        }
        Ok(())
    }

    /// Lets commands go that are committed: what they led to is in `events`, and what is parked is
    /// in its state. A few are kept, and only so many go at once.
    async fn trim_commands(&mut self, partition: Partition) -> Result<()> {
        let (Some(Slot::Owned(owned)), Some(kept)) =
            (self.slots.get_mut(&partition), self.cx.config.commands_kept)
        else {
            return Ok(());
        };
        let upto = owned.committed.0.saturating_sub(kept);
        // Not for each one: by a tenth of what is kept.
        if upto < owned.commands_trimmed.0 + (kept / 10).max(1) {
            return Ok(());
        }
        let journal = &self.cx.ports.journal;
        let (first, _) = journal.bounds(Log::Commands, partition).await?;
        let before = Offset(upto.min(first.0 + TRIMMED_MAX));
        if before > first {
            journal.trim(Log::Commands, partition, before).await?;
            let trimmed = usize::try_from(before.0 - first.0).unwrap_or(usize::MAX);
            count(&self.cx.stats.commands_trimmed, trimmed);
        }
        owned.commands_trimmed = before.max(first);
        Ok(())
    }
}

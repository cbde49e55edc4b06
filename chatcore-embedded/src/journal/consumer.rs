//! A member of a group that reads a log.

use std::sync::Arc;

use async_trait::async_trait;
use chatcore::{
    error::{Error, ErrorKind, Result},
    ids::{Offset, Partition},
    journal::{Consumer, Delivery, Journal as _, Log},
};

use super::{EmbeddedJournal, groups::Member, lock, position_key, trimmed};
use crate::{
    tables::{Group, POSITIONS},
    writer::Answer,
};

/// The most records handed out at a time.
const RECORDS_MAX: usize = 256;
/// Past this many bytes no further record is added.
const BYTES_MAX: usize = 4 << 20;

#[derive(Debug)]
pub(super) struct EmbeddedConsumer {
    journal: EmbeddedJournal,
    group: (Log, String),
    member: u64,
}

/// What there is to do next.
enum Step {
    Tell(Delivery),
    Read(Partition, Offset),
    Wait,
}

impl EmbeddedConsumer {
    pub(super) fn new(journal: EmbeddedJournal, group: (Log, String), member: u64) -> Self {
        Self {
            journal,
            group,
            member,
        }
    }

    fn with_member<T>(&self, act: impl FnOnce(&mut Member) -> T) -> Option<T> {
        let mut groups = lock(&self.journal.state.groups);
        groups.get_mut(&self.group)?.member(self.member).map(act)
    }

    fn step(&self) -> Result<Step> {
        self.journal.database.opened()?;
        let closed = || Error::new(ErrorKind::Closed, "read the journal");
        let (told, turn) = self
            .with_member(|m| (m.next_told(), m.turn()))
            .ok_or_else(closed)?;
        if let Some(told) = told {
            return Ok(Step::Tell(told));
        }
        let durable = lock(&self.journal.state.durable);
        let has_records = |(partition, from): &(Partition, Offset)| {
            let slot = self.journal.state.slot(self.group.0, *partition);
            durable.get(slot).is_some_and(|d| d.end > *from)
        };
        let found = turn.into_iter().find(has_records);
        Ok(found.map_or(Step::Wait, |(partition, from)| Step::Read(partition, from)))
    }

    fn not_mine(operation: &'static str, partition: Partition) -> Error {
        Error::new(ErrorKind::Conflict, operation).with_context("partition", partition)
    }

    fn remove(&self) {
        if let Some(group) = lock(&self.journal.state.groups).get_mut(&self.group) {
            group.leave(self.member, self.journal.state.partitions);
        }
        self.journal.state.changed.notify_waiters();
    }
}

#[async_trait]
impl Consumer for EmbeddedConsumer {
    async fn next(&mut self) -> Result<Delivery> {
        let state = Arc::clone(&self.journal.state);
        loop {
            let mut changed = std::pin::pin!(state.changed.notified());
            changed.as_mut().enable();
            match self.step()? {
                Step::Tell(delivery) => return Ok(delivery),
                Step::Wait => self.journal.database.wait_for(changed).await?,
                Step::Read(partition, from) => {
                    let log = self.group.0;
                    let place = (partition, from);
                    let read = self.journal.read_within(log, place, RECORDS_MAX, BYTES_MAX);
                    let records = read.await?;
                    let to = records.last().map_or(from, |r| r.offset.next());
                    // Revoked while we read: then they are not ours to hand out.
                    let mine = self.with_member(|m| m.advance(partition, from, to));
                    if mine == Some(true) && !records.is_empty() {
                        return Ok(Delivery::Records { partition, records });
                    }
                }
            }
        }
    }

    async fn commit(&mut self, partition: Partition, next: Offset) -> Result<()> {
        let (log, name) = self.group.clone();
        let committed = lock(&self.journal.state.groups)
            .get_mut(&self.group)
            .is_some_and(|g| g.commit(self.member, partition, next));
        if !committed {
            return Err(Self::not_mine("commit a position", partition));
        }
        let state = Arc::clone(&self.journal.state);
        let work = move |group: &mut Group<'_>| {
            // The newest position, not ours: after a hand-over the new member's may be
            // waiting behind us.
            let newest = lock(&state.groups)
                .get(&(log, name.clone()))
                .map_or(next, |g| g.committed(partition));
            let key = position_key(log, &name, partition);
            group.put(POSITIONS, key.bytes(), &newest.0.to_be_bytes())?;
            Ok(())
        };
        // In the queue is enough: it is written before whatever is appended after this.
        let database = &self.journal.database;
        database.write_unheard(Answer::WhenVisible, work).await
    }

    async fn seek(&mut self, partition: Partition, offset: Offset) -> Result<()> {
        let (start, _) = self.journal.bounds(self.group.0, partition).await?;
        if offset < start {
            return Err(trimmed(partition, offset));
        }
        if self.with_member(|m| m.seek(partition, offset)) == Some(true) {
            return Ok(());
        }
        Err(Self::not_mine("seek", partition))
    }

    fn pause(&mut self, partition: Partition) {
        self.with_member(|m| m.pause(partition));
    }

    fn resume(&mut self, partition: Partition) {
        self.with_member(|m| m.resume(partition));
    }

    async fn leave(self: Box<Self>) -> Result<()> {
        // Dropping it leaves.
        Ok(())
    }
}

impl Drop for EmbeddedConsumer {
    fn drop(&mut self) {
        self.remove();
    }
}

//! The journal in process.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    fmt,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Notify;

use super::lock;
use crate::{
    clock::{Clock, Timestamp},
    error::{Error, ErrorKind, Result},
    ids::{Incarnation, Offset, Partition},
    journal::{Consumer, Delivery, Journal, Log, Pending, Receipt, Record, Refused},
};

/// Records that a partition of a log keeps at most, unless told otherwise.
const RECORDS_MAX: usize = 4_000_000;
/// Records handed out at a time.
const BATCH_MAX: usize = 512;

/// A [`Journal`] in process. Clones share the same logs.
#[derive(Clone)]
pub struct MemoryJournal {
    shared: Arc<Shared>,
}

struct Shared {
    partitions: u32,
    records_max: usize,
    incarnation: Incarnation,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    commands: Notify,
    events: Notify,
}

impl Shared {
    /// Told when something changes for the readers of a log: others are not woken for nothing.
    fn changed(&self, log: Log) -> &Notify {
        match log {
            Log::Commands => &self.commands,
            Log::Events => &self.events,
        }
    }
}

#[derive(Default)]
struct State {
    logs: BTreeMap<(Log, Partition), PartitionLog>,
    groups: BTreeMap<(Log, String), Group>,
    next_member: u64,
}

#[derive(Default)]
struct PartitionLog {
    start: u64,
    records: VecDeque<Record>,
    last_at: Timestamp,
}

impl PartitionLog {
    fn end(&self) -> u64 {
        self.start + self.records.len() as u64
    }

    fn from(&self, offset: Offset, limit: usize) -> Vec<Record> {
        let skip = usize::try_from(offset.0.saturating_sub(self.start)).unwrap_or(usize::MAX);
        self.records
            .iter()
            .skip(skip)
            .take(limit)
            .cloned()
            .collect()
    }
}

#[derive(Default)]
struct Group {
    committed: BTreeMap<Partition, Offset>,
    members: BTreeMap<u64, Member>,
}

#[derive(Default)]
struct Member {
    told: VecDeque<Delivery>,
    positions: BTreeMap<Partition, Offset>,
    paused: BTreeSet<Partition>,
    last: Option<Partition>,
}

impl Group {
    /// Shares the partitions out again, moving as few as possible: what a member keeps stays
    /// within its fair share, the rest goes to whoever has the fewest.
    fn rebalance(&mut self, partitions: u32) {
        let Some(fair) = (partitions as usize).checked_div(self.members.len()) else {
            return;
        };
        let mut spare = (partitions as usize) % self.members.len();
        let mut free: BTreeSet<Partition> = (0..partitions).map(Partition).collect();
        for member in self.members.values_mut() {
            let keep = if member.positions.len() > fair && spare > 0 {
                spare -= 1;
                fair + 1
            } else {
                fair
            };
            while member.positions.len() > keep {
                if let Some((partition, _)) = member.positions.pop_last() {
                    member.told.push_back(Delivery::Revoked { partition });
                }
            }
            for partition in member.positions.keys() {
                free.remove(partition);
            }
        }
        for partition in free {
            let committed = self.committed.get(&partition).copied().unwrap_or_default();
            if let Some(member) = self.members.values_mut().min_by_key(|m| m.positions.len()) {
                member.positions.insert(partition, committed);
                member.paused.remove(&partition);
                member.told.push_back(Delivery::Assigned {
                    partition,
                    committed,
                });
            }
        }
    }
}

impl MemoryJournal {
    /// An empty journal with this many partitions, at least one.
    #[must_use]
    pub fn new(partitions: u32, clock: Arc<dyn Clock>) -> Self {
        Self::bounded(partitions, clock, RECORDS_MAX)
    }

    /// An empty journal whose partitions keep at most this many records each, at least one; past
    /// it appends are refused until some are trimmed away.
    #[must_use]
    pub fn bounded(partitions: u32, clock: Arc<dyn Clock>, records_max: usize) -> Self {
        let incarnation = Incarnation(u64::try_from(clock.now().0).unwrap_or(1).max(1));
        Self {
            shared: Arc::new(Shared {
                partitions: partitions.max(1),
                records_max: records_max.max(1),
                incarnation,
                clock,
                state: Mutex::default(),
                commands: Notify::new(),
                events: Notify::new(),
            }),
        }
    }

    fn check(&self, partition: Partition, operation: &'static str) -> Result<()> {
        if partition.0 < self.shared.partitions {
            return Ok(());
        }
        Err(Error::new(ErrorKind::NotFound, operation).with_context("partition", partition))
    }
}

impl fmt::Debug for MemoryJournal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryJournal")
            .field("partitions", &self.shared.partitions)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Journal for MemoryJournal {
    fn partitions(&self) -> u32 {
        self.shared.partitions
    }

    fn incarnation(&self) -> Incarnation {
        self.shared.incarnation
    }

    fn try_append(
        &self,
        log: Log,
        partition: Partition,
        bytes: Bytes,
    ) -> std::result::Result<Pending, Refused> {
        if let Err(error) = self.check(partition, "append to the journal") {
            return Err(Refused { bytes, error });
        }
        let now = self.shared.clock.now();
        let mut state = lock(&self.shared.state);
        let data = state.logs.entry((log, partition)).or_default();
        if data.records.len() >= self.shared.records_max {
            let error = Error::new(ErrorKind::Overloaded, "append to the journal")
                .with_context("records", self.shared.records_max);
            return Err(Refused { bytes, error });
        }
        data.last_at = data.last_at.max(now);
        let receipt = Receipt {
            partition,
            offset: Offset(data.end()),
            at: data.last_at,
        };
        data.records.push_back(Record {
            offset: receipt.offset,
            at: receipt.at,
            bytes,
        });
        drop(state);
        self.shared.changed(log).notify_waiters();
        Ok(Pending::durable(receipt))
    }

    async fn ready(&self, log: Log, partition: Partition) -> Result<()> {
        self.check(partition, "append to the journal")?;
        loop {
            let mut changed = std::pin::pin!(self.shared.changed(log).notified());
            changed.as_mut().enable();
            let is_full = lock(&self.shared.state)
                .logs
                .get(&(log, partition))
                .is_some_and(|data| data.records.len() >= self.shared.records_max);
            if !is_full {
                return Ok(());
            }
            changed.await;
        }
    }

    async fn subscribe(&self, log: Log, group: &str) -> Result<Box<dyn Consumer>> {
        let key = (log, group.to_owned());
        let mut state = lock(&self.shared.state);
        state.next_member += 1;
        let member = state.next_member;
        let group = state.groups.entry(key.clone()).or_default();
        group.members.insert(member, Member::default());
        group.rebalance(self.shared.partitions);
        drop(state);
        self.shared.changed(log).notify_waiters();
        Ok(Box::new(MemoryConsumer {
            shared: self.shared.clone(),
            key,
            member,
        }))
    }

    async fn read(
        &self,
        log: Log,
        partition: Partition,
        from: Offset,
        limit: usize,
    ) -> Result<Vec<Record>> {
        self.check(partition, "read the journal")?;
        let state = lock(&self.shared.state);
        let Some(data) = state.logs.get(&(log, partition)) else {
            return Ok(Vec::new());
        };
        if from.0 < data.start {
            return Err(trimmed(partition, from));
        }
        Ok(data.from(from, limit))
    }

    async fn bounds(&self, log: Log, partition: Partition) -> Result<(Offset, Offset)> {
        self.check(partition, "read the journal's bounds")?;
        let state = lock(&self.shared.state);
        let bounds = state
            .logs
            .get(&(log, partition))
            .map(|data| (data.start, data.end()));
        let (start, end) = bounds.unwrap_or_default();
        Ok((Offset(start), Offset(end)))
    }

    async fn trim(&self, log: Log, partition: Partition, before: Offset) -> Result<()> {
        self.check(partition, "trim the journal")?;
        let mut state = lock(&self.shared.state);
        if let Some(data) = state.logs.get_mut(&(log, partition)) {
            while data.start < before.0 && data.records.pop_front().is_some() {
                data.start += 1;
            }
        }
        drop(state);
        self.shared.changed(log).notify_waiters();
        Ok(())
    }
}

fn trimmed(partition: Partition, from: Offset) -> Error {
    Error::new(ErrorKind::NotFound, "read the journal")
        .with_context("partition", partition)
        .with_context("trimmed offset", from)
}

struct MemoryConsumer {
    shared: Arc<Shared>,
    key: (Log, String),
    member: u64,
}

impl fmt::Debug for MemoryConsumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryConsumer")
            .field("key", &self.key)
            .field("member", &self.member)
            .finish_non_exhaustive()
    }
}

impl MemoryConsumer {
    fn with_member<T>(&self, act: impl FnOnce(&mut Member) -> Option<T>) -> Option<T> {
        let mut state = lock(&self.shared.state);
        state
            .groups
            .get_mut(&self.key)?
            .members
            .get_mut(&self.member)
            .and_then(act)
    }

    fn not_mine(operation: &'static str, partition: Partition) -> Error {
        Error::new(ErrorKind::Conflict, operation).with_context("partition", partition)
    }

    /// The next delivery, if there is one.
    fn poll(&self) -> Result<Option<Delivery>> {
        let mut guard = lock(&self.shared.state);
        let State { logs, groups, .. } = &mut *guard;
        let member = groups
            .get_mut(&self.key)
            .and_then(|g| g.members.get_mut(&self.member));
        let Some(member) = member else {
            return Err(Error::new(ErrorKind::Closed, "read the journal"));
        };
        if let Some(told) = member.told.pop_front() {
            return Ok(Some(told));
        }
        let last = member.last.map_or(0, |p| p.0 + 1);
        for step in 0..self.shared.partitions {
            let partition = Partition((last + step) % self.shared.partitions);
            let Some(position) = member.positions.get_mut(&partition) else {
                continue;
            };
            let Some(data) = logs.get(&(self.key.0, partition)) else {
                continue;
            };
            if member.paused.contains(&partition) || position.0 >= data.end() {
                continue;
            }
            if position.0 < data.start {
                return Err(trimmed(partition, *position));
            }
            let records = data.from(*position, BATCH_MAX);
            *position = Offset(position.0 + records.len() as u64);
            member.last = Some(partition);
            return Ok(Some(Delivery::Records { partition, records }));
        }
        Ok(None)
    }

    fn remove(&self) {
        let mut state = lock(&self.shared.state);
        if let Some(group) = state.groups.get_mut(&self.key)
            && group.members.remove(&self.member).is_some()
        {
            group.rebalance(self.shared.partitions);
        }
        drop(state);
        self.shared.changed(self.key.0).notify_waiters();
    }
}

#[async_trait]
impl Consumer for MemoryConsumer {
    async fn next(&mut self) -> Result<Delivery> {
        let shared = self.shared.clone();
        loop {
            let mut changed = std::pin::pin!(shared.changed(self.key.0).notified());
            changed.as_mut().enable();
            if let Some(delivery) = self.poll()? {
                return Ok(delivery);
            }
            changed.await;
        }
    }

    async fn commit(&mut self, partition: Partition, next: Offset) -> Result<()> {
        let mut state = lock(&self.shared.state);
        let group = state.groups.get_mut(&self.key);
        let group = group.filter(|g| {
            g.members
                .get(&self.member)
                .is_some_and(|m| m.positions.contains_key(&partition))
        });
        match group {
            Some(group) => {
                group.committed.insert(partition, next);
                Ok(())
            }
            None => Err(Self::not_mine("commit", partition)),
        }
    }

    async fn seek(&mut self, partition: Partition, offset: Offset) -> Result<()> {
        let (start, _) = MemoryJournal {
            shared: self.shared.clone(),
        }
        .bounds(self.key.0, partition)
        .await?;
        if offset < start {
            return Err(trimmed(partition, offset));
        }
        self.with_member(|m| m.positions.get_mut(&partition).map(|p| *p = offset))
            .ok_or_else(|| Self::not_mine("seek", partition))?;
        self.shared.changed(self.key.0).notify_waiters();
        Ok(())
    }

    fn pause(&mut self, partition: Partition) {
        self.with_member(|m| Some(m.paused.insert(partition)));
    }

    fn resume(&mut self, partition: Partition) {
        self.with_member(|m| Some(m.paused.remove(&partition)));
        self.shared.changed(self.key.0).notify_waiters();
    }

    async fn leave(self: Box<Self>) -> Result<()> {
        self.remove();
        Ok(())
    }
}

impl Drop for MemoryConsumer {
    fn drop(&mut self) {
        self.remove();
    }
}

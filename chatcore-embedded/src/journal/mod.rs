//! [`Journal`] over the database: an append is answered after the sync of its group.

mod append;
mod consumer;
mod dead_letters;
mod groups;
mod shared_table;
mod snapshots;
mod tail;

pub(crate) use dead_letters::EmbeddedDeadLetters;
pub(crate) use shared_table::EmbeddedShared;
pub(crate) use snapshots::EmbeddedSnapshots;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use async_trait::async_trait;
use bytes::Bytes;
use chatcore::{
    clock::Clock,
    error::{Error, ErrorKind, Result},
    ids::{Incarnation, Offset, Partition},
    journal::{Consumer, Journal, Log, Pending, Record, Refused},
};
use tokio::sync::{Notify, Semaphore};

use self::{
    append::Append,
    consumer::EmbeddedConsumer,
    groups::Group,
    tail::{Durable, Tail, log_byte, record_key, table, tail_key},
};
use crate::{
    database::Database,
    error::corrupt,
    keys::{Key, i64_at, u32_at, u64_at},
    options::RECORD_BYTES_MAX,
    tables::{Group as WriteGroup, POSITIONS, Snapshot, TAILS, View as _},
    writer::{Answer, Failure},
};

const APPEND: &str = "append to the journal";
const READ: &str = "read the journal";
const TRIM: &str = "trim the journal";

/// Records of a read that waits for memory are counted in these.
const UNIT_BYTES: usize = 1024;

/// [`Journal`] in the database.
#[derive(Debug, Clone)]
pub(crate) struct EmbeddedJournal {
    database: Database,
    state: Arc<State>,
}

/// What appends, readers and consumers share.
#[derive(Debug)]
struct State {
    clock: Arc<dyn Clock>,
    /// As written, by the writer's thread alone.
    writing: Mutex<Vec<Tail>>,
    durable: Mutex<Vec<Durable>>,
    groups: Mutex<BTreeMap<(Log, String), Group>>,
    changed: Notify,
    /// Bytes of appends that are not answered yet, in units.
    room: Arc<Semaphore>,
    partitions: u32,
}

/// Locks; a panic of another holder does not matter, since every change is made whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl EmbeddedJournal {
    /// Reads where each partition and each group stands.
    pub(crate) async fn open(
        database: Database,
        clock: Arc<dyn Clock>,
        waiting_bytes_max: usize,
    ) -> Result<Self> {
        let partitions = database.format.partitions;
        let (tails, groups) = database
            .read(move |view| Ok((read_tails(view, partitions)?, read_groups(view)?)))
            .await?;
        let state = State {
            clock,
            durable: Mutex::new(tails.iter().copied().map(Durable::new).collect()),
            writing: Mutex::new(tails),
            groups: Mutex::new(groups),
            changed: Notify::new(),
            room: Arc::new(Semaphore::new(waiting_bytes_max.div_ceil(UNIT_BYTES))),
            partitions,
        };
        Ok(Self {
            database,
            state: Arc::new(state),
        })
    }

    fn check(&self, partition: Partition, operation: &'static str) -> Result<()> {
        if partition.0 < self.state.partitions {
            return Ok(());
        }
        Err(Error::new(ErrorKind::NotFound, operation)
            .with_context("partition", partition)
            .with_context("partitions", self.state.partitions))
    }

    fn try_enqueue(&self, log: Log, partition: Partition, bytes: &Bytes) -> Result<Pending> {
        self.check(partition, APPEND)?;
        self.database.health()?;
        if bytes.len() > RECORD_BYTES_MAX {
            return Err(Error::new(ErrorKind::Invalid, APPEND)
                .with_context("bytes", bytes.len())
                .with_context("limit", RECORD_BYTES_MAX));
        }
        let overloaded = |what: &'static str| {
            Error::new(ErrorKind::Overloaded, APPEND).with_context("full", what)
        };
        let units = u32::try_from(bytes.len().div_ceil(UNIT_BYTES).max(1)).unwrap_or(u32::MAX);
        let room = Arc::clone(&self.state.room)
            .try_acquire_many_owned(units)
            .map_err(|_| overloaded("bytes that wait"))?;
        let place = self.database.try_place()?;
        let place = place.ok_or_else(|| overloaded("writes that wait"))?;
        let (settle, pending) = Pending::new();
        place.write(Box::new(Append::new(
            Arc::clone(&self.state),
            (log, partition),
            bytes.clone(),
            (settle, room),
        )));
        Ok(pending)
    }

    /// Reads records until there are `limit`, or until they have `bytes_max`; one at least.
    async fn read_within(
        &self,
        log: Log,
        (partition, from): (Partition, Offset),
        limit: usize,
        bytes_max: usize,
    ) -> Result<Vec<Record>> {
        self.check(partition, READ)?;
        let end = {
            let durable = lock(&self.state.durable);
            let Some(durable) = durable.get(self.state.slot(log, partition)) else {
                return Ok(Vec::new());
            };
            if from < durable.start {
                return Err(trimmed(partition, from));
            }
            if let Some(records) = durable.recent(from, limit) {
                return Ok(records);
            }
            durable.end
        };
        let range = record_key(partition, from).until(record_key(partition, end));
        let read = self.database.read(move |view| {
            let mut records: Vec<Record> = Vec::new();
            let mut bytes = 0;
            let mut damaged = false;
            view.scan(table(log), &range, &mut |key, value| {
                let record = decode_record(key, value);
                damaged |= record.is_none();
                bytes += value.len();
                records.extend(record);
                !damaged && records.len() < limit && bytes < bytes_max
            })?;
            Ok((records, damaged))
        });
        let (records, damaged) = read.await?;
        let first = records.first().map(|r| r.offset);
        if damaged || (limit > 0 && first != Some(from)) {
            // Trimmed while we read, or a record is missing that was durable.
            let start = self.bounds(log, partition).await?.0;
            if from < start {
                return Err(trimmed(partition, from));
            }
            return Err(
                corrupt(READ, "a record of the journal is damaged or missing")
                    .with_context("partition", partition)
                    .with_context("offset", from),
            );
        }
        Ok(records)
    }
}

#[async_trait]
impl Journal for EmbeddedJournal {
    fn partitions(&self) -> u32 {
        self.state.partitions
    }

    fn incarnation(&self) -> Incarnation {
        Incarnation(self.database.format.incarnation)
    }

    fn try_append(
        &self,
        log: Log,
        partition: Partition,
        bytes: Bytes,
    ) -> std::result::Result<Pending, Refused> {
        self.try_enqueue(log, partition, &bytes)
            .map_err(|error| Refused { bytes, error })
    }

    async fn ready(&self, _log: Log, partition: Partition) -> Result<()> {
        self.check(partition, APPEND)?;
        self.database.health()?;
        let closed = || Error::new(ErrorKind::Closed, APPEND);
        drop(self.state.room.acquire().await.map_err(|_| closed())?);
        self.database.place().await.map(drop)
    }

    async fn subscribe(&self, log: Log, group: &str) -> Result<Box<dyn Consumer>> {
        self.database.opened()?;
        let key = (log, group.to_owned());
        let member = lock(&self.state.groups)
            .entry(key.clone())
            .or_default()
            .join(self.state.partitions);
        self.state.changed.notify_waiters();
        Ok(Box::new(EmbeddedConsumer::new(self.clone(), key, member)))
    }

    async fn read(
        &self,
        log: Log,
        partition: Partition,
        from: Offset,
        limit: usize,
    ) -> Result<Vec<Record>> {
        self.read_within(log, (partition, from), limit, usize::MAX)
            .await
    }

    async fn bounds(&self, log: Log, partition: Partition) -> Result<(Offset, Offset)> {
        self.check(partition, READ)?;
        let durable = lock(&self.state.durable);
        let durable = durable.get(self.state.slot(log, partition));
        Ok(durable.map(|d| (d.start, d.end)).unwrap_or_default())
    }

    async fn trim(&self, log: Log, partition: Partition, before: Offset) -> Result<()> {
        self.check(partition, TRIM)?;
        let state = Arc::clone(&self.state);
        let slot = state.slot(log, partition);
        let work = move |group: &mut WriteGroup<'_>| {
            let mut writing = lock(&state.writing);
            let Some(tail) = writing.get_mut(slot) else {
                return Ok(Offset(0));
            };
            let before = before.min(tail.next);
            if before > tail.start {
                let old = record_key(partition, tail.start).until(record_key(partition, before));
                group.remove_range(table(log), &old)?;
                tail.start = before;
                group.put(TAILS, tail_key(log, partition).bytes(), &tail.encode())?;
            }
            Ok(tail.start)
        };
        let told = Arc::clone(&self.state);
        let tell = move |start: &Offset| {
            if let Some(durable) = lock(&told.durable).get_mut(slot) {
                durable.start = durable.start.max(*start);
            }
        };
        let write = self.database.write_then(Answer::WhenVisible, work, tell);
        write.await.map(drop)
    }
}

impl State {
    fn slot(&self, log: Log, partition: Partition) -> usize {
        let slot = u32::from(log_byte(log)) * self.partitions + partition.0;
        usize::try_from(slot).unwrap_or(usize::MAX)
    }
}

fn trimmed(partition: Partition, from: Offset) -> Error {
    Error::new(ErrorKind::NotFound, READ)
        .with_context("partition", partition)
        .with_context("trimmed offset", from)
}

fn decode_record(key: &[u8], value: &[u8]) -> Option<Record> {
    Some(Record {
        offset: Offset(u64_at(key, 4)?),
        at: chatcore::clock::Timestamp(i64_at(value, 0)?),
        bytes: Bytes::copy_from_slice(value.get(8..)?),
    })
}

fn read_tails(view: &Snapshot, partitions: u32) -> Result<Vec<Tail>, Failure> {
    let mut tails = Vec::new();
    for log in [Log::Commands, Log::Events] {
        for partition in (0..partitions).map(Partition) {
            let tail = match view.get(TAILS, tail_key(log, partition).bytes())? {
                None => Tail::default(),
                Some(bytes) => Tail::decode(&bytes).ok_or_else(|| {
                    Failure::Refused(corrupt(READ, "the end of a partition can't be read"))
                })?,
            };
            tails.push(tail);
        }
    }
    Ok(tails)
}

fn read_groups(view: &Snapshot) -> Result<BTreeMap<(Log, String), Group>, Failure> {
    let mut committed: BTreeMap<(Log, String), BTreeMap<Partition, Offset>> = BTreeMap::new();
    let mut damaged = false;
    view.scan(POSITIONS, &Key::default().prefix(), &mut |key, value| {
        let entry = || {
            let log = match key.first()? {
                0 => Log::Commands,
                _ => Log::Events,
            };
            let group = String::from_utf8(key.get(5..)?.to_vec()).ok()?;
            Some((
                log,
                group,
                Partition(u32_at(key, 1)?),
                Offset(u64_at(value, 0)?),
            ))
        };
        match entry() {
            Some((log, group, partition, offset)) => {
                committed
                    .entry((log, group))
                    .or_default()
                    .insert(partition, offset);
            }
            None => damaged = true,
        }
        true
    })?;
    if damaged {
        return Err(Failure::Refused(corrupt(
            READ,
            "a group's position can't be read",
        )));
    }
    let groups = committed.into_iter();
    Ok(groups.map(|(key, c)| (key, Group::new(c))).collect())
}

/// The key of a group's position.
fn position_key(log: Log, group: &str, partition: Partition) -> Key {
    Key::default()
        .u8(log_byte(log))
        .u32(partition.0)
        .rest(group.as_bytes())
}

//! The journal: ordered, durable, partitioned. It is the truth; everything else is a view of it.

mod compacted;
mod dead_letters;
mod room;

pub(crate) use room::append_when_room;

pub use compacted::{Change, SharedTable, SnapshotTable};
pub use dead_letters::{DeadLetter, DeadLetters};

use std::{
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::oneshot;

use crate::{
    clock::Timestamp,
    error::{Error, ErrorKind, Result},
    ids::{Incarnation, Offset, Partition},
};

/// The two partitioned logs. They have the same number of partitions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Log {
    /// What people and machines ask for.
    Commands,
    /// What it led to: decisions.
    Events,
}

/// Where and when a record was appended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receipt {
    /// In this partition.
    pub partition: Partition,
    /// At this offset.
    pub offset: Offset,
    /// The append time, given by the journal.
    pub at: Timestamp,
}

/// A record as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its offset.
    pub offset: Offset,
    /// The append time.
    pub at: Timestamp,
    /// What was appended.
    pub bytes: Bytes,
}

/// An append under way: resolves when the record is durable.
///
/// Dropping it does not take the append back.
#[derive(Debug)]
#[must_use = "an append is durable only once this resolves"]
pub struct Pending(Fate);

#[derive(Debug)]
enum Fate {
    Durable(Receipt),
    Waiting(oneshot::Receiver<Result<Receipt>>),
}

impl Pending {
    /// A pending append and the end that settles it.
    pub fn new() -> (oneshot::Sender<Result<Receipt>>, Self) {
        let (settle, pending) = oneshot::channel();
        (settle, Self(Fate::Waiting(pending)))
    }

    /// An append that is durable already.
    pub fn durable(receipt: Receipt) -> Self {
        Self(Fate::Durable(receipt))
    }
}

impl Future for Pending {
    type Output = Result<Receipt>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let settling = match &mut self.0 {
            Fate::Durable(receipt) => return Poll::Ready(Ok(*receipt)),
            Fate::Waiting(settling) => settling,
        };
        Pin::new(settling).poll(cx).map(|settled| {
            settled.unwrap_or_else(|_| {
                Err(Error::new(ErrorKind::Unavailable, "append to the journal")
                    .with_context("cause", "the journal was dropped"))
            })
        })
    }
}

/// A refused append hands the record back.
#[derive(Debug)]
pub struct Refused {
    /// What was to be appended.
    pub bytes: Bytes,
    /// Why not; [`ErrorKind::Overloaded`] when full.
    pub error: Error,
}

/// Ordered, durable, partitioned logs.
///
/// - **Ordering**: records of one log and partition have the order of the `try_append` calls that
///   took them, whoever made them; every reader sees that order. Append times don't go back within
///   a partition, as long as the clock that gives them does not.
/// - **Atomicity**: a record is there whole or not at all. When a pending append fails, those taken
///   after it in the same log and partition, before its failure was told, fail as well: what is
///   there never has a hole.
/// - **Durability**: once [`Pending`] resolves, the record survives the loss of any process, and
///   consumers and readers see only records that are durable.
/// - **Cancellation**: `ready`, `subscribe`, `read` and `bounds` may be dropped at any await.
///   Dropping a [`Pending`] does not take the append back.
/// - **Errors**: `Overloaded` when full, at once and with the bytes handed back; never a hang.
///   `Unavailable` with [`Retry::SameKeyOnly`](crate::error::Retry::SameKeyOnly) when the fate of
///   an append is unknown.
///
/// ```
/// # use chatcore::{error::Result, ids::Partition, journal::{Journal, Log, Receipt}};
/// async fn append(journal: &dyn Journal, bytes: bytes::Bytes) -> Result<Receipt> {
///     let partition = Partition(0);
///     journal.ready(Log::Commands, partition).await?;
///     match journal.try_append(Log::Commands, partition, bytes) {
///         Ok(pending) => pending.await,
///         Err(refused) => Err(refused.error),
///     }
/// }
/// ```
#[async_trait]
pub trait Journal: fmt::Debug + Send + Sync + 'static {
    /// How many partitions each log has; fixed when the journal was created.
    fn partitions(&self) -> u32;

    /// Which life of the journal this is.
    fn incarnation(&self) -> Incarnation;

    /// Takes the record if there is room. The order of calls is the order in the partition.
    ///
    /// # Errors
    /// [`Refused`] with the bytes when full, closed, or the partition does not exist.
    #[allow(
        clippy::result_large_err,
        reason = "the bytes are handed back by value"
    )]
    fn try_append(
        &self,
        log: Log,
        partition: Partition,
        bytes: Bytes,
    ) -> std::result::Result<Pending, Refused>;

    /// Waits until there is room for another record: a small one is taken then, unless somebody
    /// else took the room meanwhile.
    ///
    /// # Errors
    /// `Closed`, `Storage` or `Unavailable` when there will be none.
    async fn ready(&self, log: Log, partition: Partition) -> Result<()>;

    /// Joins a group that shares the partitions of a log. A group's members have different
    /// partitions; different groups have positions of their own.
    ///
    /// # Errors
    /// `Unavailable`, `Closed`.
    async fn subscribe(&self, log: Log, group: &str) -> Result<Box<dyn Consumer>>;

    /// Reads at most `limit` records from `from` on, without any group. Shorter than `limit`
    /// means: the end, as of now.
    ///
    /// # Errors
    /// `NotFound` when `from` was trimmed away.
    async fn read(
        &self,
        log: Log,
        partition: Partition,
        from: Offset,
        limit: usize,
    ) -> Result<Vec<Record>>;

    /// The first offset that is kept, and the one that the next record will get.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn bounds(&self, log: Log, partition: Partition) -> Result<(Offset, Offset)>;

    /// Records before `before` may be forgotten: a snapshot covers them and the archive has them.
    ///
    /// # Errors
    /// `Unavailable`, `Storage`.
    async fn trim(&self, log: Log, partition: Partition, before: Offset) -> Result<()>;
}

/// What a consumer is handed.
#[derive(Debug)]
pub enum Delivery {
    /// This member reads this partition from now on.
    Assigned {
        /// Which.
        partition: Partition,
        /// The group's position: the offset after the last committed record.
        committed: Offset,
    },
    /// No longer. What is under way is finished or abandoned; commits are refused.
    Revoked {
        /// Which.
        partition: Partition,
    },
    /// Records of one partition, consecutive, at least one.
    Records {
        /// Of which.
        partition: Partition,
        /// In order.
        records: Vec<Record>,
    },
}

/// A member of a group.
///
/// - **Ordering**: `Assigned` comes before the first records of a partition, which start at its
///   committed offset; records are consecutive unless `seek` moved the position.
/// - **Hand-over**: after `Revoked`, or once another member has the partition, `commit` fails with
///   `Conflict`. A member that was thought dead may go on reading for a while (a zombie).
/// - **Liveness**: `next` is called again and again; a hand-over may wait for it, and a member that
///   stays away too long is taken for dead.
/// - **Durability**: a commit is durable soon, at the latest when the member leaves; after a crash the
///   group may stand at an earlier one.
/// - **Cancellation**: `next` may be dropped; nothing is skipped.
///
/// ```
/// # use chatcore::{error::Result, journal::{Consumer, Delivery}};
/// async fn count(mut consumer: Box<dyn Consumer>) -> Result<usize> {
///     let mut seen = 0;
///     while seen < 10 {
///         if let Delivery::Records { partition, records } = consumer.next().await? {
///             seen += records.len();
///             if let Some(last) = records.last() {
///                 consumer.commit(partition, last.offset.next()).await?;
///             }
///         }
///     }
///     Ok(seen)
/// }
/// ```
#[async_trait]
pub trait Consumer: fmt::Debug + Send + 'static {
    /// What comes next; waits for it.
    ///
    /// # Errors
    /// `Closed` after the journal was closed; `Unavailable`.
    async fn next(&mut self) -> Result<Delivery>;

    /// The group's position in this partition is `next` from now on.
    ///
    /// # Errors
    /// `Conflict` when the partition is not this member's.
    async fn commit(&mut self, partition: Partition, next: Offset) -> Result<()>;

    /// The next records of this partition start at `offset`.
    ///
    /// # Errors
    /// `Conflict` when the partition is not this member's; `NotFound` when it was trimmed away.
    async fn seek(&mut self, partition: Partition, offset: Offset) -> Result<()>;

    /// No records of this partition until `resume`.
    fn pause(&mut self, partition: Partition);

    /// Records of this partition again, none skipped.
    fn resume(&mut self, partition: Partition);

    /// Leaves the group, so that others get the partitions at once.
    ///
    /// # Errors
    /// `Unavailable`; the member is gone all the same after its time limit.
    async fn leave(self: Box<Self>) -> Result<()>;
}

//! How far the engine is behind the journal, read from outside by whoever watches: it asks nobody
//! but the ports, so that it also tells of partitions that no node works for.

use std::time::Duration;

use futures_util::{StreamExt as _, stream};
use tokio::time::{Instant, timeout_at};

use super::recovery::PUTTING;
use crate::{
    clock::Timestamp,
    error::{Error, ErrorKind, Result},
    ids::{Offset, Partition},
    journal::{Journal, Log},
    ports::Ports,
    store::Mark,
};

/// Partitions that are asked about at a time: whoever works has the journal for itself.
const AT_ONCE: usize = 2;

/// How far one partition is behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lag {
    /// Which.
    pub partition: Partition,
    /// Where its commands end.
    pub end: Offset,
    /// The offset after the last command whose outcome is saved.
    pub applied: Offset,
    /// The offset after the last command whose outcome is saved, emitted and committed.
    pub committed: Offset,
    /// Whether its view is whole; it is not while it is built again, and before its first owner.
    pub is_built: bool,
    /// When the oldest command was appended that is not applied; none when there is none, or when
    /// the journal did not tell in time.
    pub unapplied_since: Option<Timestamp>,
    /// The same, of the oldest that is not committed.
    pub uncommitted_since: Option<Timestamp>,
}

impl Lag {
    /// Commands whose outcome is not saved.
    #[must_use]
    pub fn unapplied(&self) -> u64 {
        self.end.0.saturating_sub(self.applied.0)
    }

    /// Commands whose outcome is not committed.
    #[must_use]
    pub fn uncommitted(&self) -> u64 {
        self.end.0.saturating_sub(self.committed.0)
    }
}

/// Where all partitions stand, as far as the journal tells within this time; those that it does not
/// tell about are left out.
///
/// Costs one question to the store, one to the journal for each partition, and at most two records
/// read of each that is behind.
///
/// ```
/// # use std::{sync::Arc, time::Duration};
/// # use chatcore::{clock::SystemClock, engine::lag, memory};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> chatcore::error::Result<()> {
/// let ports = memory::ports(4, Arc::new(SystemClock));
/// let lags = lag(&ports, Duration::from_secs(1)).await?;
/// assert!(lags.len() == 4 && lags.iter().all(|lag| lag.unapplied() == 0));
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// `Unavailable` when the store does not answer in time, and its errors.
///
/// # Cancellation
/// Reads only.
pub async fn lag(ports: &Ports, within: Duration) -> Result<Vec<Lag>> {
    let until = Instant::now() + within;
    let partitions: Vec<Partition> = (0..ports.journal.partitions()).map(Partition).collect();
    let marks = timeout_at(until, ports.partitions.marks(&partitions)).await;
    let marks = marks.map_err(|_| {
        Error::new(ErrorKind::Unavailable, "ask how far the partitions are")
            .with_context("time limit ms", within.as_millis())
    })??;
    let journal = ports.journal.as_ref();
    let asked = stream::iter(partitions.into_iter().zip(marks))
        .map(|(partition, mark)| async move { of(journal, partition, &mark, until).await })
        .buffered(AT_ONCE);
    let mut told = std::pin::pin!(asked);
    let mut lags = Vec::new();
    while let Some(lag) = told.next().await {
        lags.extend(lag);
    }
    Ok(lags)
}

/// None when the journal does not tell where the partition ends.
async fn of(
    journal: &dyn Journal,
    partition: Partition,
    mark: &Mark,
    until: Instant,
) -> Option<Lag> {
    let bounds = timeout_at(until, journal.bounds(Log::Commands, partition)).await;
    let (first, end) = match bounds {
        Ok(Ok(bounds)) => bounds,
        Ok(Err(error)) => {
            tracing::debug!(%error, %partition, "it is not known how far the partition is");
            return None;
        }
        Err(_) => return None,
    };
    // While snapshots are put there the place says nothing of commands.
    let applied = match !mark.built && mark.applied >= PUTTING {
        true => first,
        false => mark.applied,
    };
    // A view that was never begun has committed what its group has; nothing older is kept.
    let committed = mark.trimmed.max(first).min(end);
    let unapplied_since = since(journal, partition, applied.max(first), end, until).await;
    let uncommitted_since = match committed == applied.max(first) {
        true => unapplied_since,
        false => since(journal, partition, committed, end, until).await,
    };
    Some(Lag {
        partition,
        end,
        applied,
        committed,
        is_built: mark.built,
        unapplied_since,
        uncommitted_since,
    })
}

/// When the command at this offset was appended; none when it left the journal meanwhile, so that
/// it is done with.
async fn since(
    journal: &dyn Journal,
    partition: Partition,
    at: Offset,
    end: Offset,
    until: Instant,
) -> Option<Timestamp> {
    if at >= end {
        return None;
    }
    let read = journal.read(Log::Commands, partition, at, 1);
    let read = timeout_at(until, read).await.ok()?.ok()?;
    read.first().map(|record| record.at)
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    };

    use super::*;
    use crate::{
        clock::Clock,
        ids::Fence,
        memory,
        store::{PartitionBatch, Rebuild},
    };

    const LONG: Duration = Duration::from_secs(10);

    /// Stands still unless it is moved.
    #[derive(Debug)]
    struct Still(AtomicI64);

    impl Still {
        fn new() -> Arc<Self> {
            Arc::new(Self(AtomicI64::new(1_000)))
        }

        fn second(&self) {
            self.0.fetch_add(1_000, Ordering::Relaxed);
        }
    }

    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp(self.0.load(Ordering::Relaxed))
        }
    }

    async fn append(ports: &Ports, partition: Partition) -> Timestamp {
        let bytes = bytes::Bytes::from_static(b"a command");
        let appended = ports.journal.try_append(Log::Commands, partition, bytes);
        appended.unwrap().await.unwrap().at
    }

    /// Nobody consumes; what an owner would do is done by hand.
    async fn own(ports: &Ports, partition: Partition) -> Mark {
        let mark = ports.partitions.take(partition, Fence(0)).await.unwrap();
        let mark = Mark {
            incarnation: ports.journal.incarnation(),
            ..mark
        };
        let begin = Rebuild::Begin(mark.clone());
        let store = &ports.partitions;
        store.rebuild(partition, mark.fence, begin).await.unwrap();
        let done = Rebuild::Done {
            incarnation: mark.incarnation,
            applied: mark.applied,
        };
        store.rebuild(partition, mark.fence, done).await.unwrap();
        mark
    }

    async fn apply(ports: &Ports, partition: Partition, mark: &Mark, upto: u64) {
        let batch = PartitionBatch {
            partition,
            fence: mark.fence,
            incarnation: mark.incarnation,
            expected: mark.applied,
            applied: Offset(upto),
            decisions: Vec::new(),
            snapshots: Vec::new(),
            due: Vec::new(),
            dialogs: 0,
            received: std::collections::BTreeMap::new(),
            events: Offset(0),
            trial: None,
            forget: Vec::new(),
        };
        let saved = ports.partitions.save(vec![batch]).await.unwrap();
        assert!(saved[0].is_ok(), "{saved:?}");
    }

    #[tokio::test]
    async fn a_partition_that_nobody_works_for_says_how_many_wait_and_since_when() {
        let clock = Still::new();
        let ports = memory::ports(2, clock.clone());
        let first = append(&ports, Partition(1)).await;
        clock.second();
        append(&ports, Partition(1)).await;
        let lags = lag(&ports, LONG).await.unwrap();
        assert_eq!((lags[0].unapplied(), lags[0].unapplied_since), (0, None));
        let behind = &lags[1];
        assert_eq!((behind.unapplied(), behind.uncommitted()), (2, 2));
        assert_eq!(behind.unapplied_since, Some(first));
        assert_eq!(behind.uncommitted_since, Some(first));
        assert!(!behind.is_built);
    }

    #[tokio::test]
    async fn what_is_applied_and_not_committed_counts_against_the_commit_alone() {
        let clock = Still::new();
        let ports = memory::ports(1, clock.clone());
        let only = Partition(0);
        let mark = own(&ports, only).await;
        let mut appended = Vec::new();
        for _ in 0..3 {
            appended.push(append(&ports, only).await);
            clock.second();
        }
        apply(&ports, only, &mark, 2).await;
        let found = lag(&ports, LONG).await.unwrap()[0];
        assert!(found.is_built);
        assert_eq!((found.unapplied(), found.uncommitted()), (1, 3));
        assert_eq!(found.unapplied_since, Some(appended[2]));
        assert_eq!(found.uncommitted_since, Some(appended[0]));
        let store = &ports.partitions;
        store.trim(only, mark.fence, Offset(1)).await.unwrap();
        let found = lag(&ports, LONG).await.unwrap()[0];
        assert_eq!((found.unapplied(), found.uncommitted()), (1, 2));
        assert_eq!(found.uncommitted_since, Some(appended[1]));
    }

    #[tokio::test]
    async fn while_snapshots_are_put_there_everything_counts() {
        let ports = memory::ports(1, Still::new());
        let only = Partition(0);
        append(&ports, only).await;
        let taken = ports.partitions.take(only, Fence(0)).await.unwrap();
        let begun = Mark {
            applied: PUTTING.next(),
            ..taken.clone()
        };
        let begin = Rebuild::Begin(begun);
        let store = &ports.partitions;
        store.rebuild(only, taken.fence, begin).await.unwrap();
        let found = lag(&ports, LONG).await.unwrap()[0];
        assert_eq!((found.unapplied(), found.is_built), (1, false));
    }
}

//! A store that loses what it has, or the end of it, while a partition is built again.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;

use super::bench::{Bench, anna, open};
use crate::{
    clock::Timestamp,
    engine::EngineConfig,
    error::Result,
    ids::{CustomerId, Fence, Offset, Partition, Target},
    journal::Log,
    memory::{MemoryArchive, MemoryLeases, MemoryStore},
    record::Decision,
    store::{DueLine, Mark, PartitionBatch, PartitionStore, Rebuild, Saved},
};

const P0: Partition = Partition(0);

/// When it loses something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loses {
    /// All, before it is told that all is there.
    AllBeforeDone,
    /// The snapshots, after it said that it has them.
    Snapshots,
}

#[derive(Debug)]
struct Losing {
    inner: Arc<MemoryStore>,
    loses: Loses,
    /// How often it has yet to.
    times: AtomicU32,
}

impl Losing {
    fn is_due(&self, loses: Loses) -> bool {
        self.loses == loses
            && self
                .times
                .fetch_update(Ordering::AcqRel, Ordering::Acquire, |n| n.checked_sub(1))
                .is_ok()
    }
}

#[async_trait]
impl PartitionStore for Losing {
    async fn take(&self, partition: Partition, above: Fence) -> Result<Mark> {
        self.inner.take(partition, above).await
    }

    async fn save(&self, batches: Vec<PartitionBatch>) -> Result<Vec<Result<Saved>>> {
        let has_snapshots = batches.iter().any(|batch| !batch.snapshots.is_empty());
        let before = self.inner.checkpoint();
        let saved = self.inner.save(batches).await;
        if has_snapshots && self.is_due(Loses::Snapshots) {
            self.inner.restore(before);
        }
        saved
    }

    async fn outbox(&self, partition: Partition) -> Result<Vec<Decision>> {
        self.inner.outbox(partition).await
    }

    async fn trim(&self, partition: Partition, fence: Fence, before: Offset) -> Result<()> {
        self.inner.trim(partition, fence, before).await
    }

    async fn marks(&self, partitions: &[Partition]) -> Result<Vec<Mark>> {
        self.inner.marks(partitions).await
    }

    async fn rebuild(&self, partition: Partition, fence: Fence, step: Rebuild) -> Result<()> {
        if matches!(step, Rebuild::Done { .. }) && self.is_due(Loses::AllBeforeDone) {
            self.inner.clear();
        }
        self.inner.rebuild(partition, fence, step).await
    }

    async fn due(
        &self,
        partition: Partition,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueLine>> {
        self.inner.due(partition, until, limit).await
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_lost_while_a_partition_is_built_again_is_built_again() {
    for loses in [Loses::AllBeforeDone, Loses::Snapshots] {
        let mut bench = Bench::new(1);
        let archive = Arc::new(MemoryArchive::default());
        let inner = Arc::new(MemoryStore::new(
            1,
            Arc::new(MemoryLeases::default()),
            archive,
        ));
        bench.ports.streams = inner.clone();
        bench.ports.partitions = inner.clone();
        let often = EngineConfig {
            snapshot_decisions: 1,
            ..EngineConfig::default()
        };
        let engine = bench.start(often.clone());
        bench.append(&open(&anna())).await;
        let boris = CustomerId::try_new("boris").unwrap();
        bench.append(&open(&boris)).await;
        bench.applied().await;
        engine.stop().await.unwrap();
        let before = bench.state(&Target::Customer(anna())).await;

        // What was decided first is in its snapshot alone, after the owner's record.
        let journal = &bench.ports.journal;
        journal.trim(Log::Events, P0, Offset(2)).await.unwrap();
        inner.clear();
        bench.ports.partitions = Arc::new(Losing {
            inner: inner.clone(),
            loses,
            times: AtomicU32::new(1),
        });
        let engine = bench.start(often);
        bench
            .until(|| async { bench.ports.partitions.marks(&[P0]).await.unwrap()[0].built })
            .await;
        let mark = bench.ports.partitions.marks(&[P0]).await.unwrap().remove(0);
        assert_eq!(
            mark.incarnation,
            bench.ports.journal.incarnation(),
            "{loses:?}"
        );
        assert!(mark.applied > Offset(0), "{loses:?}");
        let after = bench.state(&Target::Customer(anna())).await;
        assert_eq!(after, before, "{loses:?}");
        engine.stop().await.unwrap();
    }
}

//! A store that loses what it has, or the end of it, while a partition is built again or its mark
//! is read.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use async_trait::async_trait;

use super::bench::{Bench, anna, node, open};
use crate::{
    clock::Timestamp,
    engine::EngineConfig,
    error::Result,
    identity::PlainSealer,
    ids::{CustomerId, Fence, Offset, Partition, StreamId, Target},
    journal::Log,
    memory::{Checkpoint, MemoryArchive, MemoryLeases, MemoryStore},
    record::Decision,
    routing::{Hub, HubConfig},
    store::{DueLine, Mark, PartitionBatch, PartitionStore, Rebuild, Saved, StreamStore},
};

const P0: Partition = Partition(0);

/// When it loses something.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loses {
    /// All, before it is told that all is there.
    AllBeforeDone,
    /// The snapshots, after it said that it has them.
    Snapshots,
    /// The end, after it told its mark.
    EndAfterMark,
}

#[derive(Debug)]
struct Losing {
    inner: Arc<MemoryStore>,
    /// What it has left, when it loses its end.
    left: Checkpoint,
    loses: Loses,
    /// How often it has yet to.
    times: AtomicU32,
}

impl Losing {
    fn once(inner: &Arc<MemoryStore>, loses: Loses, left: Checkpoint) -> Arc<Self> {
        Arc::new(Self {
            inner: inner.clone(),
            left,
            loses,
            times: AtomicU32::new(1),
        })
    }

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
        let marks = self.inner.marks(partitions).await;
        if self.is_due(Loses::EndAfterMark) {
            self.inner.restore(self.left.clone());
        }
        marks
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

/// One partition, in a store at hand.
fn bench() -> (Bench, Arc<MemoryStore>) {
    let mut bench = Bench::new(1);
    let leases = Arc::new(MemoryLeases::default());
    let archive = Arc::new(MemoryArchive::default());
    let inner = Arc::new(MemoryStore::new(1, leases, archive));
    bench.ports.streams = inner.clone();
    bench.ports.partitions = inner.clone();
    (bench, inner)
}

#[tokio::test(start_paused = true)]
async fn what_is_lost_while_a_partition_is_built_again_is_built_again() {
    for loses in [Loses::AllBeforeDone, Loses::Snapshots] {
        let (mut bench, inner) = bench();
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
        bench.ports.partitions = Losing::once(&inner, loses, inner.checkpoint());
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

#[tokio::test(start_paused = true)]
async fn the_head_of_a_store_that_lost_its_end_after_its_mark_was_read_is_not_told() {
    let (mut bench, inner) = bench();
    let engine = bench.start(EngineConfig::default());
    bench.append(&open(&anna())).await;
    bench.applied().await;
    let left = inner.checkpoint();
    bench.append(&open(&anna())).await;
    bench.applied().await;
    engine.stop().await.unwrap();
    let whole = inner.checkpoint();
    bench.ports.partitions = Losing::once(&inner, Loses::EndAfterMark, left);
    let hub = Hub::new(
        bench.ports.clone(),
        Arc::new(PlainSealer),
        node("gateway"),
        HubConfig::default(),
    );
    let stream = StreamId::Customer(anna());
    let mut end = None;
    let told = hub.head_if_settled(&stream, &mut end).await.unwrap();
    assert_eq!(told, None);
    assert_eq!(end, Some(Offset(2)));
    inner.restore(whole);
    let told = hub.head_if_settled(&stream, &mut end).await.unwrap();
    let head = inner.heads(&[stream]).await.unwrap()[0];
    assert_eq!(told, Some(head));
}

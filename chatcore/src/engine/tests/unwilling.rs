//! A journal that does not take what the engine writes, or has let go what it wants to read.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use async_trait::async_trait;
use bytes::Bytes;

use super::bench::{Bench, anna, open};
use crate::{
    engine::EngineConfig,
    error::{Error, ErrorKind, Result},
    ids::{Fence, Incarnation, Offset, Partition, Target},
    journal::{Consumer, Delivery, Journal, Log, Pending, Record, Refused},
    record::{CommandRecord, FORMAT_VERSION},
    store::PartitionBatch,
};

const P0: Partition = Partition(0);

/// A journal that fails so many calls of a kind.
#[derive(Debug)]
struct Unwilling {
    inner: Arc<dyn Journal>,
    appends: AtomicU64,
    seeks: Arc<AtomicU64>,
}

#[derive(Debug)]
struct UnwillingConsumer {
    inner: Box<dyn Consumer>,
    seeks: Arc<AtomicU64>,
}

impl Unwilling {
    /// Puts one before the journal of the bench.
    fn put(bench: &mut Bench, appends: u64, seeks: u64) {
        bench.ports.journal = Arc::new(Self {
            inner: bench.ports.journal.clone(),
            appends: AtomicU64::new(appends),
            seeks: Arc::new(AtomicU64::new(seeks)),
        });
    }
}

fn fails(left: &AtomicU64) -> bool {
    let take = |left: u64| left.checked_sub(1);
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take)
        .is_ok()
}

#[async_trait]
impl Journal for Unwilling {
    fn partitions(&self) -> u32 {
        self.inner.partitions()
    }

    fn incarnation(&self) -> Incarnation {
        self.inner.incarnation()
    }

    fn try_append(
        &self,
        log: Log,
        partition: Partition,
        bytes: Bytes,
    ) -> std::result::Result<Pending, Refused> {
        if log == Log::Commands && fails(&self.appends) {
            let error = Error::new(ErrorKind::Unavailable, "append to the journal");
            return Err(Refused { bytes, error });
        }
        self.inner.try_append(log, partition, bytes)
    }

    async fn ready(&self, log: Log, partition: Partition) -> Result<()> {
        self.inner.ready(log, partition).await
    }

    async fn subscribe(&self, log: Log, group: &str) -> Result<Box<dyn Consumer>> {
        Ok(Box::new(UnwillingConsumer {
            inner: self.inner.subscribe(log, group).await?,
            seeks: self.seeks.clone(),
        }))
    }

    async fn read(
        &self,
        log: Log,
        partition: Partition,
        from: Offset,
        limit: usize,
    ) -> Result<Vec<Record>> {
        self.inner.read(log, partition, from, limit).await
    }

    async fn bounds(&self, log: Log, partition: Partition) -> Result<(Offset, Offset)> {
        self.inner.bounds(log, partition).await
    }

    async fn trim(&self, log: Log, partition: Partition, before: Offset) -> Result<()> {
        self.inner.trim(log, partition, before).await
    }
}

#[async_trait]
impl Consumer for UnwillingConsumer {
    async fn next(&mut self) -> Result<Delivery> {
        self.inner.next().await
    }

    async fn commit(&mut self, partition: Partition, next: Offset) -> Result<()> {
        self.inner.commit(partition, next).await
    }

    async fn seek(&mut self, partition: Partition, offset: Offset) -> Result<()> {
        if fails(&self.seeks) {
            return Err(Error::new(ErrorKind::NotFound, "seek"));
        }
        self.inner.seek(partition, offset).await
    }

    fn pause(&mut self, partition: Partition) {
        self.inner.pause(partition);
    }

    fn resume(&mut self, partition: Partition) {
        self.inner.resume(partition);
    }

    async fn leave(self: Box<Self>) -> Result<()> {
        self.inner.leave().await
    }
}

/// Writes the customer's snapshot as it is, or as a newer version would.
async fn rewrite(bench: &Bench, target: &Target, snapshot: Bytes) {
    let partitions = &bench.ports.partitions;
    let mark = partitions.take(P0, Fence(0)).await.unwrap();
    let batch = PartitionBatch {
        partition: P0,
        fence: mark.fence,
        incarnation: mark.incarnation,
        expected: mark.applied,
        applied: mark.applied,
        decisions: Vec::new(),
        snapshots: vec![(target.clone(), snapshot)],
        due: Vec::new(),
        dialogs: mark.dialogs,
        received: BTreeMap::new(),
        events: mark.events,
        trial: None,
        forget: Vec::new(),
    };
    let saved = partitions.save(vec![batch]).await.unwrap();
    assert!(saved.iter().all(Result::is_ok));
}

#[tokio::test(start_paused = true)]
async fn what_is_parked_is_brought_up_though_the_journal_did_not_take_it_at_first() {
    let mut bench = Bench::new(1);
    let annas = Target::Customer(anna());
    let engine = bench.start(EngineConfig::default());
    let mut newer = open(&anna()).body.to_vec();
    newer[0] = FORMAT_VERSION + 1;
    let newer = CommandRecord {
        body: newer.into(),
        ..open(&anna())
    };
    bench.append(&newer).await;
    bench.applied().await;
    engine.stop().await.unwrap();
    // The next worker is of the version that knows the command.
    let mut state = bench.state(&annas).await;
    state.parked[0].command.body = open(&anna()).body;
    rewrite(&bench, &annas, state.encode().unwrap()).await;
    assert!(bench.state(&annas).await.can_unpark());

    bench.append(&open(&anna())).await;
    Unwilling::put(&mut bench, 2, 0);
    let engine = bench.start(EngineConfig::default());
    bench
        .until(|| async { bench.state(&annas).await.parked().len() == 0 })
        .await;
    engine.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_owner_that_finds_its_commands_gone_looks_again_where_it_is() {
    let mut bench = Bench::new(1);
    bench.append(&open(&anna())).await;
    Unwilling::put(&mut bench, 0, 2);
    let engine = bench.start(EngineConfig::default());
    bench.applied().await;
    engine.stop().await.unwrap();

    Unwilling::put(&mut bench, 0, u64::MAX);
    let ended = bench.start(EngineConfig::default()).ended().await;
    assert_eq!(ended.unwrap_err().kind(), ErrorKind::NotFound, "for good");
}

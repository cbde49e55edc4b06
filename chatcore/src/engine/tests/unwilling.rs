//! A journal that does not take what the engine writes, or has let go what it wants to read.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::Mutex;
use tokio_util::task::TaskTracker;

use super::bench::{Bench, anna, node, open};
use crate::{
    engine::EngineConfig,
    error::{Error, ErrorKind, Result},
    ids::{Fence, Incarnation, Offset, Partition, SessionId, Target},
    journal::{Consumer, Delivery, Journal, Log, Pending, Record, Refused},
    record::{CommandRecord, FORMAT_VERSION, ReplyTo},
    routing::InboxEvent,
    store::PartitionBatch,
};

const P0: Partition = Partition(0);

/// A journal that fails so many calls of a kind.
#[derive(Debug)]
struct Unwilling {
    inner: Arc<dyn Journal>,
    appends: AtomicU64,
    seeks: Arc<AtomicU64>,
    /// What is published meanwhile becomes durable when this is let go.
    held: Arc<Mutex<()>>,
    /// Whether questions for bounds are never answered.
    silent: Arc<AtomicBool>,
    tasks: TaskTracker,
}

#[derive(Debug)]
struct UnwillingConsumer {
    inner: Box<dyn Consumer>,
    seeks: Arc<AtomicU64>,
}

impl Unwilling {
    /// Puts one before the journal of the bench.
    fn put(bench: &mut Bench, appends: u64, seeks: u64) -> (Arc<Mutex<()>>, Arc<AtomicBool>) {
        let held = Arc::new(Mutex::new(()));
        let silent = Arc::new(AtomicBool::new(false));
        bench.ports.journal = Arc::new(Self {
            inner: bench.ports.journal.clone(),
            appends: AtomicU64::new(appends),
            seeks: Arc::new(AtomicU64::new(seeks)),
            held: held.clone(),
            silent: silent.clone(),
            tasks: bench.tasks.clone(),
        });
        (held, silent)
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
        let appended = self.inner.try_append(log, partition, bytes)?;
        if log == Log::Commands {
            return Ok(appended);
        }
        let (settle, pending) = Pending::new();
        let held = self.held.clone();
        self.tasks.spawn(async move {
            let _let_go = held.lock().await;
            let _ = settle.send(appended.await);
        });
        Ok(pending)
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
        if self.silent.load(Ordering::Relaxed) {
            std::future::pending::<()>().await;
        }
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
async fn people_see_what_is_decided_before_it_is_published_and_commits_wait_for_that() {
    let mut bench = Bench::new(1);
    let (held, _) = Unwilling::put(&mut bench, 0, 0);
    let here = node("gateway");
    let mut inbox = bench.ports.inbox.receive(&here).await.unwrap();
    let engine = bench.start(EngineConfig::default());
    // What a take-over writes is not held.
    bench.append(&open(&anna())).await;
    bench.applied().await;
    let not_durable = held.lock().await;
    for n in 1..=3 {
        let reply_to = Some(ReplyTo {
            node: here.clone(),
            session: SessionId(n),
        });
        let asked = CommandRecord {
            reply_to,
            ..open(&anna())
        };
        bench.append(&asked).await;
        let told = tokio::time::timeout(Duration::from_secs(60), inbox.next()).await;
        assert!(
            matches!(told, Ok(Ok(InboxEvent::Frame(_)))),
            "{n}: {told:?}"
        );
    }
    let committed = || async { bench.ports.partitions.marks(&[P0]).await.unwrap()[0].trimmed };
    // What is committed leaves the outbox at a tick.
    tokio::time::sleep(2 * EngineConfig::default().tick).await;
    assert!(committed().await <= Offset(1));
    drop(not_durable);
    bench
        .until(|| async { committed().await == Offset(4) })
        .await;
    engine.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_look_that_is_not_answered_holds_up_no_command() {
    let mut bench = Bench::new(1);
    let (_, silent) = Unwilling::put(&mut bench, 0, 0);
    let engine = bench.start(EngineConfig::default());
    bench.append(&open(&anna())).await;
    bench.applied().await;
    silent.store(true, Ordering::Relaxed);
    // A tick passes, and asks.
    tokio::time::sleep(2 * EngineConfig::default().tick).await;
    let (_, offset) = bench.append(&open(&anna())).await;
    let began = tokio::time::Instant::now();
    bench
        .until(|| async {
            assert!(began.elapsed() < Duration::from_secs(60), "it waits");
            bench.ports.partitions.marks(&[P0]).await.unwrap()[0].applied > offset
        })
        .await;
    silent.store(false, Ordering::Relaxed);
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

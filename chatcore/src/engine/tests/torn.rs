//! What the engine is given is not whole, or not sane.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use async_trait::async_trait;
use bytes::Bytes;

use super::bench::{Bench, anna, internal, open};
use crate::{
    content::Sealed,
    dialog::CustomerCommand,
    engine::{EngineConfig, Machine, testing},
    error::{ErrorKind, Result},
    ids::{CustomerId, DialogId, Fence, Offset, Participant, Partition, Target},
    journal::{Log, SnapshotTable},
    memory::MemoryJournal,
    record::{self, Command, EventRecord},
    store::{Mark, Rebuild},
};

const P0: Partition = Partition(0);

fn target() -> Target {
    Target::Customer(anna())
}

async fn only_dialog(bench: &Bench) -> (DialogId, u64) {
    let state = bench.state(&target()).await;
    let Machine::Customer(customer) = state.machine() else {
        panic!("a customer has a customer's state");
    };
    let (id, dialog) = customer.dialogs().next().unwrap();
    (id, dialog.position().seq.0)
}

#[tokio::test(start_paused = true)]
async fn a_store_that_lacks_what_it_says_it_has_is_built_again() {
    let bench = Bench::new(1);
    let engine = bench.start(EngineConfig::default());
    bench.append(&open(&anna())).await;
    bench.applied().await;
    let (dialog, _) = only_dialog(&bench).await;
    let ask = Command::<Sealed>::Customer(CustomerCommand::AskPerson {
        dialog,
        queue: None,
    });
    let ask = internal(target(), Participant::Customer(anna()), ask);
    bench.append(&ask).await;
    bench.applied().await;
    engine.stop().await.unwrap();
    let before = only_dialog(&bench).await;

    // It has the first command by its mark and nothing of it: as one that was emptied between the
    // two questions of a take-over.
    let store = &bench.ports.partitions;
    let fence = store.take(P0, Fence(0)).await.unwrap().fence;
    let begun = Mark {
        fence,
        incarnation: bench.ports.journal.incarnation(),
        applied: Offset(1),
        ..Mark::default()
    };
    store
        .rebuild(P0, fence, Rebuild::Begin(begun))
        .await
        .unwrap();
    let done = Rebuild::Done {
        incarnation: bench.ports.journal.incarnation(),
        applied: Offset(1),
    };
    store.rebuild(P0, fence, done).await.unwrap();
    let engine = bench.start(EngineConfig::default());
    bench.applied().await;
    assert_eq!(engine.stats.rebuilds.load(Ordering::Relaxed), 1);
    assert_eq!(only_dialog(&bench).await, before);
    engine.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn the_view_of_another_journal_is_refused_and_left_as_it_is() {
    let mut bench = Bench::new(1);
    let engine = bench.start(EngineConfig::default());
    bench.append(&open(&anna())).await;
    bench.applied().await;
    engine.stop().await.unwrap();
    let former = bench.ports.journal.clone();
    let before = bench.ports.partitions.marks(&[P0]).await.unwrap();

    bench.later(Duration::from_secs(1));
    bench.ports.journal = Arc::new(MemoryJournal::new(1, bench.ports.clock.clone()));
    let refused = bench.start(EngineConfig::default()).ended().await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Invalid);
    let after = bench.ports.partitions.marks(&[P0]).await.unwrap();
    assert_eq!(after, before);
    only_dialog(&bench).await;

    bench.ports.journal = former;
    let engine = bench.start(EngineConfig::default());
    bench
        .append(&open(&CustomerId::try_new("boris").unwrap()))
        .await;
    bench.applied().await;
    engine.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_a_former_owner_published_late_is_void_for_the_next_one_too() {
    let bench = Bench::new(1);
    let former = bench.start(EngineConfig::default());
    bench.append(&open(&anna())).await;
    bench.applied().await;
    former.stop().await.unwrap();
    let marks = async || bench.ports.partitions.marks(&[P0]).await.unwrap();
    let before = marks().await[0].events;
    let engine = bench.start(EngineConfig::default());
    bench
        .until(|| async { marks().await[0].events > before })
        .await;
    engine.kill().await;
    // The owner dies before the next command. The one before it, on a former primary of the store,
    // decides that on its own.
    let boris = Target::Customer(CustomerId::try_new("boris").unwrap());
    let (_, cause) = bench
        .append(&open(&CustomerId::try_new("boris").unwrap()))
        .await;
    let void = EventRecord::Decided {
        fence: Fence(1),
        decision: Box::new(testing::decision(cause.0)),
    };
    let bytes = record::encode(&void).unwrap();
    let pending = bench.ports.journal.try_append(Log::Events, P0, bytes);
    pending.unwrap().await.unwrap();
    let engine = bench.start(EngineConfig::default());
    bench.applied().await;
    engine.stop().await.unwrap();
    let published = bench.published(P0).await;
    let of_it = published.iter().find(|d| d.cause == cause);
    assert_eq!(of_it.map(|d| &d.target), Some(&boris));
}

#[tokio::test(start_paused = true)]
async fn an_owner_notices_that_another_took_the_partition_where_only_the_journal_tells() {
    let bench = Bench::new(1);
    let engine = bench.start(EngineConfig::default());
    bench.append(&open(&anna())).await;
    bench.applied().await;
    // As one that works on a former primary of the store does.
    let other = EventRecord::Owner { fence: Fence(100) };
    let bytes = record::encode(&other).unwrap();
    let pending = bench.ports.journal.try_append(Log::Events, P0, bytes);
    pending.unwrap().await.unwrap();
    bench
        .append(&open(&CustomerId::try_new("boris").unwrap()))
        .await;
    bench
        .until(|| async { bench.published(P0).await.len() == 2 })
        .await;
    engine.stop().await.unwrap();
    let mark = bench.ports.partitions.marks(&[P0]).await.unwrap();
    assert!(mark[0].fence > Fence(100), "{:?}", mark[0]);
    assert_eq!(mark[0].trimmed, Offset(2), "committed once it counted");
}

/// A port with a bug.
#[derive(Debug)]
struct Panics {
    on_read: bool,
}

#[async_trait]
impl SnapshotTable for Panics {
    async fn put(&self, _: Partition, _: Vec<(String, Offset, Option<Bytes>)>) -> Result<()> {
        panic!("a bug in a backend");
    }

    async fn read(&self, _: Partition) -> Result<Vec<(String, Offset, Bytes)>> {
        assert!(!self.on_read, "a bug in a backend");
        Ok(Vec::new())
    }
}

#[tokio::test(start_paused = true)]
async fn a_panic_of_a_backend_ends_the_engine_instead_of_one_partition() {
    for on_read in [true, false] {
        let mut bench = Bench::new(1);
        bench.ports.snapshots = Arc::new(Panics { on_read });
        bench.append(&open(&anna())).await;
        let config = EngineConfig {
            snapshot_decisions: 1,
            ..EngineConfig::default()
        };
        let error = bench.start(config).ended().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal, "{error}");
    }
}

//! Commands that are done with leave the journal, and nothing is missed of them.

use std::{sync::atomic::Ordering, time::Duration};

use bytes::Bytes;

use super::bench::{Bench, anna, internal, open};
use crate::{
    content::Sealed,
    engine::{EngineConfig, Machine},
    ids::{CustomerId, DialogId, Fence, Offset, Participant, Partition, Target},
    journal::Log,
    record::{self, Command, FORMAT_VERSION, ParkedCommand},
    store::{Mark, Rebuild},
};

const P0: Partition = Partition(0);

fn config(commands_kept: Option<u64>) -> EngineConfig {
    EngineConfig {
        commands_kept,
        tick: Duration::from_millis(20),
        ..EngineConfig::default()
    }
}

async fn bounds(bench: &Bench) -> (u64, u64) {
    let bounds = bench.ports.journal.bounds(Log::Commands, P0).await;
    let (first, end) = bounds.unwrap();
    (first.0, end.0)
}

/// All commands are applied, committed and gone.
async fn all_gone(bench: &Bench) {
    bench.applied().await;
    bench
        .until(|| async {
            let (first, end) = bounds(bench).await;
            first == end
        })
        .await;
}

async fn unreadable(bench: &Bench) {
    let journal = &bench.ports.journal;
    let pending = journal.try_append(Log::Commands, P0, Bytes::from_static(b"nonsense"));
    pending.unwrap().await.unwrap();
}

async fn dialogs(bench: &Bench, customer: &CustomerId) -> Vec<DialogId> {
    let state = bench.state(&Target::Customer(customer.clone())).await;
    match state.machine() {
        Machine::Customer(state) => state.dialogs().map(|(id, _)| id).collect(),
        Machine::Desk(_) => panic!("a customer has a customer's state"),
    }
}

/// The store forgets the partition, as one that was emptied.
async fn empty(bench: &Bench) {
    let store = &bench.ports.partitions;
    let fence = store.take(P0, Fence(0)).await.unwrap().fence;
    let begun = Rebuild::Begin(Mark::default());
    store.rebuild(P0, fence, begun).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_emptied_store_is_built_again_though_the_commands_are_gone() {
    let bench = Bench::new(1);
    let engine = bench.start(config(Some(0)));
    bench.append(&open(&anna())).await;
    // They lead to no decision: what is published ends before the journal begins.
    for _ in 0..5 {
        unreadable(&bench).await;
    }
    all_gone(&bench).await;
    assert_eq!(engine.stats.commands_trimmed.load(Ordering::Relaxed), 6);
    let of_anna = dialogs(&bench, &anna()).await;
    engine.stop().await.unwrap();

    empty(&bench).await;
    let engine = bench.start(config(Some(0)));
    let boris = CustomerId::try_new("boris").unwrap();
    bench.append(&open(&boris)).await;
    all_gone(&bench).await;
    assert_eq!(engine.stats.rebuilds.load(Ordering::Relaxed), 1);
    assert_eq!(dialogs(&bench, &anna()).await, of_anna);
    let of_boris = dialogs(&bench, &boris).await;
    assert!(of_boris.len() == 1 && of_boris != of_anna, "{of_boris:?}");
    let letters = bench.ports.dead_letters.list(None, 100).await.unwrap();
    assert_eq!(letters.len(), 5, "nothing is decided or buried twice");
    engine.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn as_many_commands_stay_as_are_asked_for() {
    for (kept, expected) in [(None, 0), (Some(100), 0), (Some(4), 6)] {
        let bench = Bench::new(1);
        let engine = bench.start(config(kept));
        for _ in 0..10 {
            bench.append(&open(&anna())).await;
            bench.applied().await;
        }
        // The last commit and what it lets go.
        engine.stop().await.unwrap();
        let (first, end) = bounds(&bench).await;
        assert_eq!((first, end), (expected, 10), "{kept:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_parked_command_outlives_its_record() {
    let bench = Bench::new(1);
    let engine = bench.start(config(Some(0)));
    let mut newer = open(&anna());
    let mut body = newer.body.to_vec();
    body[0] = FORMAT_VERSION + 1;
    newer.body = body.into();
    let (_, offset) = bench.append(&newer).await;
    assert_eq!(offset, Offset(0));
    all_gone(&bench).await;
    let give_up = Command::<Sealed>::Parked(ParkedCommand::GiveUp { offset });
    let anna_ = Target::Customer(anna());
    let give_up = internal(anna_.clone(), Participant::System, give_up);
    bench.append(&give_up).await;
    all_gone(&bench).await;
    assert_eq!(bench.state(&anna_).await.parked().len(), 0);
    let letters = bench.ports.dead_letters.list(None, 10).await.unwrap();
    let records: Vec<_> = letters.into_iter().map(|(_, l)| l.record).collect();
    assert_eq!(records, [record::encode(&newer).unwrap()]);
    engine.stop().await.unwrap();
}

//! The engine at work: beginning and end, hand-over, timers, operators on nodes that are gone,
//! commands that kill.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use super::bench::{Bench, anna, internal, node, open};
use crate::{
    content::Sealed,
    dialog::{CustomerCommand, DialogSettings, Open},
    engine::{Aggregate, EngineConfig, replay},
    ids::{
        ChannelId, CustomerId, Fence, Label, Node, Participant, Partition, QueueId, StaffId, Target,
    },
    memory::MemoryLeases,
    queue::{DeskCommand, DeskConfig, NodeName, OperatorConfig, Presence, QueueConfig},
    record::{self, Command, CommandRecord, FORMAT_VERSION, ParkedCommand, Verdict},
    store::{LeaseStore, PartitionBatch, Trial},
};

fn oleg() -> StaffId {
    StaffId::try_new("oleg").unwrap()
}

fn rules() -> DeskCommand {
    let queue = QueueId::try_new("general").unwrap();
    DeskCommand::Configure(DeskConfig {
        queues: BTreeMap::from([(queue.clone(), QueueConfig::default())]),
        operators: BTreeMap::from([(
            oleg(),
            OperatorConfig {
                name: "Oleg".to_owned(),
                capacity: 2,
                queues: BTreeSet::from([queue]),
            },
        )]),
        grace_ms: 60_000,
        ..DeskConfig::default()
    })
}

fn came(name: &str) -> DeskCommand {
    DeskCommand::Came {
        operator: oleg(),
        node: NodeName::from(&node(name)),
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_waits_for_what_is_saved_and_for_all_tasks() {
    let bench = Bench::new(3);
    for i in 0..50 {
        let customer = CustomerId::try_new(format!("c{i}")).unwrap();
        bench.append(&open(&customer)).await;
    }
    let engine = bench.start(EngineConfig::default());
    bench.applied().await;
    let stats = engine.stats.clone();
    engine.stop().await.unwrap();
    assert_eq!(stats.accepted.load(Ordering::Relaxed), 50);
    for partition in (0..3).map(Partition) {
        let decisions = bench.published(partition).await;
        let marks = bench.ports.partitions.marks(&[partition]).await.unwrap();
        assert_eq!(decisions.len() as u64, marks[0].applied.0);
        assert_eq!(marks[0].trimmed, marks[0].applied, "all was committed");
        assert_eq!(bench.ports.partitions.outbox(partition).await.unwrap(), []);
    }
    bench.tasks.close();
    bench.tasks.wait().await;
}

#[tokio::test(start_paused = true)]
async fn many_partitions_share_saves() {
    let bench = Bench::new(8);
    for i in 0..200 {
        let customer = CustomerId::try_new(format!("c{i}")).unwrap();
        bench.append(&open(&customer)).await;
    }
    let engine = bench.start(EngineConfig::default());
    bench.applied().await;
    let saves = engine.stats.saves.load(Ordering::Relaxed);
    assert!(saves < 20, "{saves} saves for 200 commands of 8 partitions");
    engine.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn little_memory_and_little_room_change_nothing() {
    let bench = Bench::new(2);
    for i in 0..300 {
        let customer = CustomerId::try_new(format!("c{}", i % 40)).unwrap();
        bench.append(&open(&customer)).await;
    }
    let engine = bench.start(EngineConfig {
        resident_max: 5,
        batch_records_max: 3,
        prefetch_records_max: 7,
        unemitted_batches_max: 1,
        snapshot_decisions: 2,
        ..EngineConfig::default()
    });
    bench.applied().await;
    engine.stop().await.unwrap();
    let first = bench.published(Partition(0)).await.len();
    let second = bench.published(Partition(1)).await.len();
    assert_eq!(first + second, 300);
}

#[tokio::test(start_paused = true)]
async fn partitions_are_handed_over_to_another_engine_and_back() {
    let bench = Bench::new(4);
    let first = bench.start(EngineConfig::default());
    for i in 0..20 {
        let customer = CustomerId::try_new(format!("a{i}")).unwrap();
        bench.append(&open(&customer)).await;
    }
    bench.applied().await;
    let second = bench.start(EngineConfig::default());
    for i in 0..20 {
        let customer = CustomerId::try_new(format!("b{i}")).unwrap();
        bench.append(&open(&customer)).await;
    }
    bench.applied().await;
    bench
        .until(|| async { second.stats.recoveries.load(Ordering::Relaxed) == 2 })
        .await;
    first.kill().await;
    for i in 0..20 {
        let customer = CustomerId::try_new(format!("c{i}")).unwrap();
        bench.append(&open(&customer)).await;
    }
    bench.applied().await;
    second.stop().await.unwrap();
    let mut dialogs = BTreeSet::new();
    for partition in (0..4).map(Partition) {
        for decision in bench.published(partition).await {
            assert_eq!(decision.dialogs_opened, 1);
            let streams = decision.appended.iter().map(|a| a.stream.clone());
            dialogs.extend(streams.filter(|s| matches!(s, crate::ids::StreamId::Dialog(_))));
        }
    }
    assert_eq!(dialogs.len(), 60, "each dialog has a number of its own");
}

#[tokio::test(start_paused = true)]
async fn operators_on_a_node_that_is_gone_are_lost() {
    let bench = Bench::new(1);
    let day = Duration::from_secs(86_400);
    bench.ports.leases.open(&node("alive"), day).await.unwrap();
    bench
        .ports
        .leases
        .open(&node("dying"), Duration::from_secs(100))
        .await
        .unwrap();
    bench.to_desk(rules()).await;
    bench.to_desk(came("dying")).await;
    let engine = bench.start(EngineConfig::default());
    bench.applied().await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let presence = bench.desk_state().await.operator(&oleg()).unwrap().presence;
    assert_eq!(presence, Presence::Online, "its node has a lease");

    // A new owner finds the desk although nobody writes to it.
    engine.kill().await;
    let engine = bench.start(EngineConfig::default());
    let since = tokio::time::Instant::now();
    bench
        .until(|| async {
            bench.desk_state().await.operator(&oleg()).unwrap().presence == Presence::Lost
        })
        .await;
    let waited = since.elapsed();
    assert!(
        waited > Duration::from_secs(40 + 14),
        "{waited:?}: 40 s of lease, then 15 s"
    );
    assert!(waited < Duration::from_secs(40 + 18), "{waited:?}");

    // The grace is a timer.
    goes_on(&bench, Duration::from_secs(61)).await;
    bench
        .until(|| async {
            bench.desk_state().await.operator(&oleg()).unwrap().presence == Presence::Gone
        })
        .await;
    engine.stop().await.unwrap();
}

/// Time goes on, and the engine with it.
async fn goes_on(bench: &Bench, by: Duration) {
    for _ in 0..by.as_secs().div_ceil(5) {
        bench.later(Duration::from_secs(5));
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
}

/// Nobody could come back while nothing ran, or while the process stood still.
#[tokio::test(start_paused = true)]
async fn a_silence_takes_nothing_from_an_operators_grace() {
    let hour = Duration::from_secs(3_600);
    for dies in [true, false] {
        let bench = Bench::new(2);
        let presence = || async { bench.desk_state().await.operator(&oleg()).unwrap().presence };
        bench.to_desk(rules()).await;
        bench.to_desk(came("one")).await;
        let (operator, node) = (oleg(), NodeName::from(&node("one")));
        bench.to_desk(DeskCommand::Lost { operator, node }).await;
        let mut engine = bench.start(EngineConfig::default());
        bench.applied().await;
        goes_on(&bench, Duration::from_secs(30)).await;
        assert_eq!(
            presence().await,
            Presence::Lost,
            "half of the grace is over"
        );
        if dies {
            engine.kill().await;
            bench.later(hour);
            engine = bench.start(EngineConfig::default());
        } else {
            bench.later(hour);
        }
        goes_on(&bench, Duration::from_secs(20)).await;
        assert_eq!(presence().await, Presence::Lost, "dies: {dies}");
        // At most a whole one: how long nobody wrote before the end may have been silence too.
        goes_on(&bench, Duration::from_secs(45)).await;
        bench
            .until(|| async { presence().await == Presence::Gone })
            .await;
        engine.stop().await.unwrap();
    }
}

/// The leases were lost with the store, not with the nodes.
#[tokio::test(start_paused = true)]
async fn another_life_of_the_store_begins_the_wait_again() {
    let mut bench = Bench::new(1);
    let leases = Arc::new(MemoryLeases::default());
    bench.ports.leases = leases.clone();
    let lease = Duration::from_secs(100);
    for name in ["a", "b"] {
        leases.open(&node(name), lease).await.unwrap();
    }
    bench.to_desk(rules()).await;
    bench.to_desk(came("a")).await;
    let engine = bench.start(EngineConfig::default());
    bench.applied().await;
    let presence = async || bench.desk_state().await.operator(&oleg()).unwrap().presence;
    tokio::time::sleep(Duration::from_secs(110)).await;
    assert_eq!(
        presence().await,
        Presence::Online,
        "without a lease for 10 s"
    );
    leases.clear();
    tokio::time::sleep(Duration::from_secs(13)).await;
    assert_eq!(
        presence().await,
        Presence::Online,
        "for 23 s, 13 of this life"
    );
    leases.open(&node("a"), lease).await.unwrap();
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(presence().await, Presence::Online, "it came back");
    tokio::time::sleep(Duration::from_secs(60)).await;
    assert_eq!(presence().await, Presence::Lost, "it did not renew");
    engine.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_timer_never_fires_before_its_time() {
    let bench = Bench::new(1);
    bench.to_desk(rules()).await;
    bench.to_desk(came("a")).await;
    bench
        .to_desk(DeskCommand::Lost {
            operator: oleg(),
            node: NodeName::from(&node("a")),
        })
        .await;
    let engine = bench.start(EngineConfig::default());
    bench.applied().await;
    goes_on(&bench, Duration::from_secs(55)).await;
    bench.later(Duration::from_millis(4_999));
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(engine.stats.timers.load(Ordering::Relaxed), 0);
    bench.later(Duration::from_millis(1));
    bench
        .until(|| async { engine.stats.timers.load(Ordering::Relaxed) == 1 })
        .await;
    bench.applied().await;
    tokio::time::sleep(Duration::from_secs(30)).await;
    assert_eq!(engine.stats.timers.load(Ordering::Relaxed), 1, "fired once");
    engine.stop().await.unwrap();
}

/// As if these nodes had been about to decide the first command.
async fn died_over_it(bench: &Bench, nodes: &[Node]) {
    let partition = Partition(0);
    let mark = bench
        .ports
        .partitions
        .take(partition, crate::ids::Fence(0))
        .await
        .unwrap();
    let note = PartitionBatch {
        partition,
        fence: mark.fence,
        incarnation: mark.incarnation,
        expected: mark.applied,
        applied: mark.applied,
        decisions: Vec::new(),
        snapshots: Vec::new(),
        due: Vec::new(),
        dialogs: mark.dialogs,
        received: BTreeMap::new(),
        events: mark.events,
        trial: Some(Trial {
            offset: mark.applied,
            nodes: nodes.to_vec(),
        }),
        forget: Vec::new(),
    };
    let saved = bench.ports.partitions.save(vec![note]).await.unwrap();
    assert!(saved[0].is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_command_that_killed_three_owners_is_parked_and_can_be_tried_again() {
    let nodes: Vec<Node> = (0..4).map(|n| node(&format!("other-{n}"))).collect();
    // Of the last three, one lives: the partition was taken from it.
    for (died, lives, is_parked) in [
        (1, None, false),
        (2, None, false),
        (3, None, true),
        (3, Some(1), false),
        (4, Some(1), true),
    ] {
        let bench = Bench::new(1);
        bench.start(EngineConfig::default()).stop().await.unwrap();
        let engine = bench.start(EngineConfig::default());
        bench.applied().await;
        engine.stop().await.unwrap();
        if let Some(lives) = lives {
            let ttl = Duration::from_secs(3_600);
            bench.ports.leases.open(&nodes[lives], ttl).await.unwrap();
        }
        died_over_it(&bench, &nodes[..died]).await;
        let (partition, offset) = bench.append(&open(&anna())).await;
        let other = CustomerId::try_new("boris").unwrap();
        bench.append(&open(&other)).await;
        let engine = bench.start(EngineConfig::default());
        bench.applied().await;
        let decisions = bench.published(partition).await;
        let of_it = decisions.iter().find(|d| d.cause == offset).unwrap();
        let parked = matches!(of_it.verdict, Verdict::Parked { .. });
        assert_eq!(parked, is_parked, "after {died}, of which {lives:?} lives");
        let of_other = decisions
            .iter()
            .find(|d| d.target == Target::Customer(other.clone()));
        assert_eq!(of_other.unwrap().dialogs_opened, 1, "others go on");
        let letters = bench.ports.dead_letters.list(None, 10).await.unwrap();
        assert_eq!(letters.len(), usize::from(is_parked));
        if is_parked {
            let retry = internal(
                Target::Customer(anna()),
                Participant::System,
                Command::Parked(ParkedCommand::Retry),
            );
            bench.append(&retry).await;
            bench.applied().await;
            let state = bench.state(&Target::Customer(anna())).await;
            assert_eq!(state.parked().len(), 0);
        }
        engine.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_letter_is_replayed_as_a_new_command() {
    let bench = Bench::new(1);
    let engine = bench.start(EngineConfig::default());
    let whole = open(&anna());
    let broken = CommandRecord {
        body: bytes::Bytes::from_static(b"\x01nonsense"),
        ..whole.clone()
    };
    bench.append(&broken).await;
    bench.applied().await;
    engine.stop().await.unwrap();
    let letters = bench.ports.dead_letters.list(None, 10).await.unwrap();
    let mut letter = letters[0].1.clone();
    assert_eq!(letter.reason, Label::try_new("unreadable").unwrap());
    // Mended: another build reads it.
    letter.record = record::encode(&whole).unwrap();
    let receipt = replay(bench.ports.journal.as_ref(), &letter).await.unwrap();
    let engine = bench.start(EngineConfig::default());
    bench.applied().await;
    let decisions = bench.published(Partition(0)).await;
    let of_it = decisions.iter().find(|d| d.cause == receipt.offset);
    assert_eq!(of_it.unwrap().dialogs_opened, 1);
    engine.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_newer_command_parks_its_customer_alone() {
    let bench = Bench::new(1);
    let engine = bench.start(EngineConfig::default());
    let mut newer = open(&anna());
    let mut body = newer.body.to_vec();
    body[0] = FORMAT_VERSION + 1;
    newer.body = body.into();
    bench.append(&newer).await;
    bench.append(&open(&anna())).await;
    bench
        .append(&open(&CustomerId::try_new("boris").unwrap()))
        .await;
    bench.applied().await;
    let state = bench.state(&Target::Customer(anna())).await;
    assert_eq!(state.parked().len(), 2);
    assert_eq!(engine.stats.accepted.load(Ordering::Relaxed), 1);
    engine.stop().await.unwrap();
    assert_eq!(
        bench.ports.dead_letters.list(None, 10).await.unwrap(),
        [],
        "it is no dead letter"
    );
}

/// Writes a customer's snapshot as a newer version would: what it was before is in `stored`.
async fn written_by_a_newer_version(bench: &Bench, target: &Target) -> bytes::Bytes {
    let partitions = &bench.ports.partitions;
    let partition = target.partition(bench.ports.journal.partitions());
    let ours = bench.state(target).await.encode().unwrap();
    let mut newer = ours.to_vec();
    newer[0] = FORMAT_VERSION + 1;
    let mark = partitions.take(partition, Fence(0)).await.unwrap();
    let batch = PartitionBatch {
        partition,
        fence: mark.fence,
        incarnation: mark.incarnation,
        expected: mark.applied,
        applied: mark.applied,
        decisions: Vec::new(),
        snapshots: vec![(target.clone(), newer.into())],
        due: Vec::new(),
        dialogs: mark.dialogs,
        received: BTreeMap::new(),
        events: mark.events,
        trial: None,
        forget: Vec::new(),
    };
    let saved = partitions.save(vec![batch]).await.unwrap();
    assert!(saved.iter().all(Result::is_ok));
    ours
}

#[tokio::test(start_paused = true)]
async fn a_state_of_a_newer_version_parks_its_target_and_nobody_else() {
    let bench = Bench::new(1);
    let annas = Target::Customer(anna());
    let boris = CustomerId::try_new("boris").unwrap();
    bench.append(&open(&anna())).await;
    let running = bench.start(EngineConfig::default());
    bench.applied().await;
    running.stop().await.unwrap();
    let ours = written_by_a_newer_version(&bench, &annas).await;

    // Two lives of a worker that can't read it; what they are sent comes again and again.
    let mut sent = Vec::new();
    for topic in ["first", "second"] {
        let running = bench.start(EngineConfig::default());
        let settings = record::encode(&Command::Customer(CustomerCommand::<Sealed>::Open(Open {
            channel: ChannelId::try_new("web").unwrap(),
            topic: Some(Label::try_new(topic).unwrap()),
            settings: DialogSettings::default(),
        })));
        let command = CommandRecord {
            body: settings.unwrap(),
            ..open(&anna())
        };
        for again in [&command, &command] {
            bench.append(again).await;
        }
        bench.append(&open(&boris)).await;
        bench.applied().await;
        assert_eq!(running.stats.parked.load(Ordering::Relaxed), 1);
        assert!(running.stats.accepted.load(Ordering::Relaxed) >= 1, "boris");
        sent.push(command.body);
        running.stop().await.unwrap();
    }

    let stored = bench.ports.streams.load(std::slice::from_ref(&annas)).await;
    let mut stored = stored.unwrap().remove(0);
    let snapshot = stored.snapshot.replace(ours).unwrap();
    assert_eq!(snapshot[0], FORMAT_VERSION + 1, "it is as it was left");
    let aggregate = Aggregate::load(&annas, &stored).unwrap();
    let parked: Vec<_> = aggregate.parked().map(|p| p.command.body.clone()).collect();
    assert_eq!(parked, sent, "in order, each once");
    assert!(aggregate.can_unpark());
}

#[tokio::test(start_paused = true)]
async fn what_was_emitted_leaves_the_outbox_by_many_at_ticks_and_at_the_end() {
    let bench = Bench::new(1);
    let some = |from: usize, to: usize| {
        let bench = &bench;
        async move {
            for i in from..to {
                let customer = CustomerId::try_new(format!("c{i}")).unwrap();
                bench.append(&open(&customer)).await;
            }
            bench.applied().await;
        }
    };
    let outbox = || async {
        let outbox = bench.ports.partitions.outbox(Partition(0)).await;
        outbox.unwrap().len()
    };
    let began = tokio::time::Instant::now();
    let tick = Duration::from_secs(10);
    let engine = bench.start(EngineConfig {
        tick,
        ..EngineConfig::default()
    });
    some(0, 1).await;
    bench.until(|| async { outbox().await == 0 }).await;
    some(1, 10).await;
    bench
        .until(|| async { bench.published(Partition(0)).await.len() == 10 })
        .await;
    assert_eq!(outbox().await, 9, "not worth a call");
    some(10, 100).await;
    bench.until(|| async { outbox().await < 64 }).await;
    assert!(began.elapsed() < 2 * tick, "by many");
    bench.until(|| async { outbox().await == 0 }).await;
    some(100, 110).await;
    engine.stop().await.unwrap();
    assert_eq!(outbox().await, 0, "at the end");
}

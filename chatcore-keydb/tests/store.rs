//! What the store keeps, with many callers at once and with many streams.
//!
//! Starts servers of its own on loopback; without a program to start, each test says that it was
//! skipped.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    dead_code,
    reason = "a test fails by panicking, and shares its helpers"
)]

mod common;

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use bytes::Bytes;
use chatcore::{
    clock::{SystemClock, Timestamp},
    content::{ContentKind, Sealed},
    dialog::{DialogEvent, Phase},
    error::ErrorKind,
    ids::{
        CustomerId, DeskId, DialogId, Fence, Incarnation, Node, NodeEpoch, NodeId, Offset,
        OwnerEpoch, Participant, Partition, Seq, StreamId, Target, TenantId,
    },
    memory,
    record::{
        Accepted, Access, Appended, ChainHash, CommandId, Decision, Event, Outcome, Position,
        StreamEvent, Verdict, Visibility, encode,
    },
    routing::{InboxEvent, NodeFrame, NodeInbox as _},
    store::{
        DueLine, Follow, FollowFrom, LeaseStore as _, Mark, PartitionBatch, PartitionStore as _,
        Rebuild, StoredDecision, StreamStore as _,
    },
};
use chatcore_keydb::{Config, KeyDb};
use common::server::{Server, free_port, program};

const P0: Partition = Partition(0);
const JOURNAL: Incarnation = Incarnation(u64::MAX - 1);
const LONG: Duration = Duration::from_secs(60);

async fn connect(server: &Server) -> Arc<KeyDb> {
    let archive = memory::ports(1, Arc::new(SystemClock)).archive;
    let config = Config::new(server.address().parse().unwrap(), 1);
    KeyDb::connect(common::patient(config), archive)
        .await
        .unwrap()
}

fn here() -> Node {
    Node {
        id: NodeId::try_new("n1").unwrap(),
        epoch: NodeEpoch(1),
    }
}

/// Owns the one partition, which is empty and built.
async fn own(store: &KeyDb) -> Fence {
    let fence = store.take(P0, Fence(0)).await.unwrap().fence;
    begin(store, fence).await;
    let done = Rebuild::Done {
        incarnation: JOURNAL,
        applied: Offset(0),
    };
    store.rebuild(P0, fence, done).await.unwrap();
    fence
}

async fn begin(store: &KeyDb, fence: Fence) {
    let mark = Mark {
        incarnation: JOURNAL,
        ..Mark::default()
    };
    store
        .rebuild(P0, fence, Rebuild::Begin(mark))
        .await
        .unwrap();
}

fn empty_batch(fence: Fence, expected: u64, applied: u64) -> PartitionBatch {
    PartitionBatch {
        partition: P0,
        fence,
        incarnation: JOURNAL,
        expected: Offset(expected),
        applied: Offset(applied),
        decisions: Vec::new(),
        snapshots: Vec::new(),
        due: Vec::new(),
        dialogs: 0,
        received: BTreeMap::new(),
        forget: Vec::new(),
        events: Offset(0),
        trial: None,
    }
}

fn customer(n: u64) -> CustomerId {
    CustomerId::try_new(format!("c{n:031}")).unwrap()
}

fn stream(n: u64) -> StreamId {
    StreamId::Dialog(DialogId(n))
}

/// Random, as sealed bytes are: alike ones would be slow in a script, which keeps each text once.
fn sealed() -> Bytes {
    let mut bytes = vec![0; 120];
    getrandom::fill(&mut bytes).unwrap();
    Bytes::from(bytes)
}

/// A message of customer `n` in a dialog of the same number, the `seq`th.
fn decision(cause: u64, n: u64, seq: u64) -> StoredDecision {
    let position = |seq| Position {
        seq: Seq(seq),
        hash: ChainHash(seq),
    };
    let event = StreamEvent {
        seq: Seq(seq),
        hash: ChainHash(seq),
        at: Timestamp(1_790_000_000_000),
        visibility: Visibility::Everyone,
        event: Event::Dialog(DialogEvent::Message {
            author: Participant::Customer(customer(n)),
            body: Sealed {
                kind: ContentKind::Text,
                chars: 120,
                bytes: sealed(),
            },
            reply_to: None,
            assurance: None,
        }),
    };
    let appended = Appended {
        stream: stream(n),
        after: position(seq - 1),
        events: vec![event],
        access: Access::Dialog {
            customer: customer(n),
            owner: None,
            epoch: OwnerEpoch(0),
            desk: DeskId::try_new("main").unwrap(),
            phase: Phase::Waiting,
            last_owner: None,
        },
    };
    let decision = Decision {
        cause: Offset(cause),
        at: Timestamp(1_790_000_000_000),
        tenant: TenantId::single(),
        trace: None,
        target: Target::Customer(customer(n)),
        author: Participant::Customer(customer(n)),
        id: CommandId::Internal,
        digest: 0,
        settled: 0,
        reply_to: None,
        unparked: None,
        brought_up_by: None,
        verdict: Verdict::Decided(Outcome::Accepted(Accepted {
            dialog: Some(DialogId(n)),
            redacted: false,
            seq: Seq(seq),
        })),
        appended: vec![appended],
        cursors: Vec::new(),
        follow_ups: Vec::new(),
        forget: Vec::new(),
        dialogs_opened: 0,
    };
    let bytes = encode(&decision).unwrap();
    StoredDecision {
        decision: Arc::new(decision),
        bytes,
    }
}

/// One message in each of so many dialogs, in one batch.
fn wide_batch(fence: Fence, from: u64, dialogs: u64, seq: u64) -> PartitionBatch {
    let decisions = (0..dialogs).map(|n| decision(from + n, n, seq));
    PartitionBatch {
        decisions: decisions.collect(),
        ..empty_batch(fence, from, from + dialogs)
    }
}

async fn save(store: &KeyDb, batch: PartitionBatch) {
    store.save(vec![batch]).await.unwrap().remove(0).unwrap();
}

fn keys(server: &Server) -> Vec<String> {
    let said = server.ask("KEYS *").unwrap();
    let mut keys: Vec<String> = said
        .lines()
        .filter(|line| line.starts_with('{'))
        .map(str::to_owned)
        .collect();
    keys.sort();
    keys
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_save_from_one_position_exactly_one_wins() {
    let Some(program) = program() else { return };
    let server = Server::start(&program, free_port(), &[]);
    let store = connect(&server).await;
    let fence = own(&store).await;
    for round in 0..10 {
        let tasks: Vec<_> = (0..40)
            .map(|_| {
                let store = Arc::clone(&store);
                let batch = PartitionBatch {
                    decisions: vec![decision(round, 1, round + 1)],
                    ..empty_batch(fence, round, round + 1)
                };
                #[allow(clippy::disallowed_methods, reason = "each is waited for below")]
                tokio::spawn(async move { store.save(vec![batch]).await.unwrap().remove(0) })
            })
            .collect();
        let mut won = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(_) => won += 1,
                Err(error) => assert_eq!(error.kind(), ErrorKind::Conflict, "{error}"),
            }
        }
        assert_eq!(won, 1, "in round {round}");
    }
    let heads = store.heads(&[stream(1)]).await.unwrap();
    assert_eq!(heads[0].seq, Seq(10));
    assert_eq!(store.outbox(P0).await.unwrap().len(), 10);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_take_each_has_a_fence_of_its_own() {
    let Some(program) = program() else { return };
    let server = Server::start(&program, free_port(), &[]);
    let store = connect(&server).await;
    let takes = (0..100).map(|_| store.take(P0, Fence(0)));
    let taken = futures_util::future::join_all(takes).await;
    let mut fences: Vec<u64> = taken.into_iter().map(|m| m.unwrap().fence.0).collect();
    fences.sort_unstable();
    assert_eq!(fences, (1..=100).collect::<Vec<u64>>());
}

#[tokio::test]
async fn calls_past_the_limit_are_refused_and_nothing_was_done() {
    let Some(program) = program() else { return };
    let server = Server::start(&program, free_port(), &[]);
    let archive = memory::ports(1, Arc::new(SystemClock)).archive;
    let config = Config {
        calls_max: 2,
        entry_wait_max: Duration::from_millis(50),
        ..Config::new(server.address().parse().unwrap(), 1)
    };
    let store = KeyDb::connect(config, archive).await.unwrap();
    server.pause();
    let takes = futures_util::future::join_all((0..5).map(|_| store.take(P0, Fence(0))));
    let taken = takes.await;
    server.wake();
    let overloaded = taken
        .iter()
        .filter(|t| t.as_ref().is_err_and(|e| e.kind() == ErrorKind::Overloaded));
    assert_eq!(overloaded.count(), 3);
    let figures = store.figures();
    assert_eq!((figures.refused, figures.calls, figures.waiting), (3, 0, 0));
}

/// More than a script passes to one command at once.
#[tokio::test]
async fn a_wide_batch_is_saved_whole_and_a_rebuild_leaves_nothing_of_it() {
    const DIALOGS: u64 = 3_000;
    let Some(program) = program() else { return };
    let server = Server::start(&program, free_port(), &[]);
    let store = connect(&server).await;
    let fence = own(&store).await;
    let here = here();
    store.open(&here, LONG).await.unwrap();
    save(&store, wide_batch(fence, 0, DIALOGS, 1)).await;
    for n in [0, DIALOGS - 1] {
        let follow = Follow {
            stream: stream(n),
            node: here.clone(),
            from: FollowFrom::Tail(1),
            limit: 1,
        };
        assert_eq!(store.follow(follow).await.unwrap().head.seq, Seq(1));
    }
    let batch = wide_batch(fence, DIALOGS, DIALOGS, 2);
    let saved = store.save(vec![batch]).await.unwrap().remove(0).unwrap();
    let routes = [stream(0), stream(DIALOGS - 1)].map(|s| (s, vec![here.clone()]));
    assert_eq!(saved.routes, routes.into());
    let all: Vec<StreamId> = (0..DIALOGS).map(stream).collect();
    let heads = store.heads(&all).await.unwrap();
    assert!(heads.iter().all(|head| head.seq == Seq(2)));
    assert_eq!(store.outbox(P0).await.unwrap().len(), 2 * 3_000);
    let targets: Vec<Target> = (0..DIALOGS)
        .map(|n| Target::Customer(customer(n)))
        .collect();
    let states = store.load(&targets).await.unwrap();
    assert!(states.iter().all(|state| state.decisions.len() == 2));

    begin(&store, fence).await;
    let left = [
        "{chatcore:p0}:routes",
        "{chatcore:p0}:view",
        "{chatcore}:leases",
    ];
    assert_eq!(keys(&server), left);
    let mark = store.marks(&[P0]).await.unwrap().remove(0);
    assert_eq!(
        (mark.fence, mark.incarnation, mark.built),
        (fence, JOURNAL, false)
    );
}

/// What has left leaves nothing behind: with no dialogs and timers, only the marks are there.
#[tokio::test]
async fn what_is_snapshotted_trimmed_and_forgotten_takes_no_room() {
    let Some(program) = program() else { return };
    let server = Server::start(&program, free_port(), &[]);
    let store = connect(&server).await;
    let fence = own(&store).await;
    let target = Target::Customer(customer(1));
    let line = DueLine {
        at: Timestamp(i64::MIN),
        target: target.clone(),
        key: Bytes::from_static(b"key"),
        generation: 1,
    };
    let batch = PartitionBatch {
        decisions: vec![decision(0, 1, 1), decision(1, 1, 2)],
        due: vec![(target.clone(), vec![line.clone()])],
        ..empty_batch(fence, 0, 2)
    };
    save(&store, batch).await;
    let due = store.due(P0, Timestamp(i64::MIN), 1).await.unwrap();
    assert_eq!(due, [line]);
    let batch = PartitionBatch {
        snapshots: vec![(target.clone(), Bytes::from_static(b"state"))],
        due: vec![(target, Vec::new())],
        forget: vec![stream(1)],
        ..empty_batch(fence, 2, 2)
    };
    save(&store, batch).await;
    store.trim(P0, fence, Offset(2)).await.unwrap();
    assert_eq!(
        keys(&server),
        ["{chatcore:p0}:snapshots", "{chatcore:p0}:view"]
    );
}

/// A new owner finds an empty partition where a rebuild was cut off.
#[tokio::test]
async fn a_rebuild_that_was_fenced_off_changes_nothing() {
    let Some(program) = program() else { return };
    let server = Server::start(&program, free_port(), &[]);
    let store = connect(&server).await;
    let old = own(&store).await;
    save(&store, wide_batch(old, 0, 3, 1)).await;
    let new = store.take(P0, Fence(0)).await.unwrap().fence;
    let mark = Mark::default();
    let refused = store.rebuild(P0, old, Rebuild::Begin(mark)).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Conflict);
    let mark = store.marks(&[P0]).await.unwrap().remove(0);
    assert_eq!(
        (mark.fence, mark.applied, mark.built),
        (new, Offset(3), true)
    );
    assert_eq!(store.heads(&[stream(2)]).await.unwrap()[0].seq, Seq(1));
}

#[tokio::test]
async fn a_later_inbox_replaces_the_earlier_and_a_shutdown_ends_all() {
    let Some(program) = program() else { return };
    let server = Server::start(&program, free_port(), &[]);
    let (store, other) = (connect(&server).await, connect(&server).await);
    let mut first = store.receive(&here()).await.unwrap();
    let mut second = store.receive(&here()).await.unwrap();
    assert_eq!(first.next().await.unwrap_err().kind(), ErrorKind::Closed);
    let typing = Arc::new(NodeFrame::Typing {
        dialog: DialogId(1),
        participant: Participant::Bot,
    });
    other.send(&here(), vec![typing.clone()]).await.unwrap();
    let InboxEvent::Frame(frame) = second.next().await.unwrap() else {
        panic!("nothing was lost");
    };
    assert_eq!(frame, typing);

    store.shutdown().await;
    assert_eq!(second.next().await.unwrap_err().kind(), ErrorKind::Closed);
    let error = store.marks(&[P0]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    let error = store.receive(&here()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
    server.until("CLIENT LIST", "addr");
    let connected = |said: String| said.lines().filter(|l| l.contains(" addr=")).count();
    let clients = || connected(server.ask("CLIENT LIST").unwrap());
    // Those of the other, and the one that asks.
    for _ in 0..100 {
        if clients() == 5 {
            break;
        }
    }
    assert_eq!(clients(), 5);
    assert!(other.server_figures().await.unwrap().connected_clients >= 4);
}

/// Prints how many calls a message costs the server, those inside scripts among them.
#[tokio::test]
#[ignore = "measures"]
async fn how_many_calls_a_message_takes() {
    let Some(program) = program() else { return };
    let server = Server::start(&program, free_port(), &[]);
    let store = connect(&server).await;
    let fence = own(&store).await;
    let (mut at, messages) = (0, 2_560);
    for (dialogs, seqs) in [(1, 2_560), (256, 10)] {
        begin(&store, fence).await;
        at = 0;
        server.ask("CONFIG RESETSTAT").unwrap();
        for seq in 1..=seqs {
            save(&store, wide_batch(fence, at, dialogs, seq)).await;
            at += dialogs;
        }
        let stats = server.ask("INFO commandstats").unwrap();
        let calls = stats.lines().filter_map(|line| {
            let (_, rest) = line.split_once(":calls=")?;
            let (calls, rest) = rest.split_once(",usec=")?;
            let (micros, _) = rest.split_once(',')?;
            let is_script = line.contains("evalsha");
            Some((
                calls.parse::<u64>().unwrap(),
                is_script,
                micros.parse::<u64>().unwrap(),
            ))
        });
        let (mut all, mut micros) = (0, 0);
        for (calls, is_script, took) in calls {
            all += calls;
            micros += if is_script { took } else { 0 };
        }
        eprintln!(
            "batches of {dialogs}: {:.2} calls and {:.1} µs of the server a message",
            all as f64 / f64::from(messages),
            micros as f64 / f64::from(messages),
        );
    }
    assert_eq!(at, 2_560);
}

/// Prints what things take, for docs/guide/keydb.md.
#[tokio::test]
#[ignore = "measures"]
async fn how_much_room_things_take() {
    let Some(program) = program() else { return };
    let server = Server::start(&program, free_port(), &[]);
    let store = connect(&server).await;
    let fence = own(&store).await;
    let used = || -> i64 {
        let info = server.ask("INFO memory").unwrap();
        let line = info.lines().find_map(|l| l.strip_prefix("used_memory:"));
        line.unwrap().trim().parse().unwrap()
    };
    let (mut at, mut before) = (0, used());
    for (what, seq) in [
        ("first message of a dialog", 1),
        ("second", 2),
        ("third", 3),
    ] {
        save(&store, wide_batch(fence, at, 3_000, seq)).await;
        at += 3_000;
        let now = used();
        eprintln!("{what}: {} bytes", (now - before) / 3_000);
        before = now;
    }
    store.trim(P0, fence, Offset(at)).await.unwrap();
    eprintln!(
        "in the outbox, each: {} bytes",
        (before - used()) / at as i64
    );
    eprintln!(
        "a decision encoded: {} bytes",
        decision(1, 1, 1).bytes.len()
    );
}

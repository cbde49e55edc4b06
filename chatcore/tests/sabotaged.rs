//! What is broken on purpose, each noticed by what would notice it in earnest.
#![cfg(all(feature = "conformance", feature = "sabotage"))]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{panic::AssertUnwindSafe, sync::Arc, time::Duration};

use chatcore::{
    clock::SystemClock,
    conformance::{self, PARTITIONS},
    content::Sealed,
    dialog::{CustomerCommand, CustomerEvent, DialogSettings, Open},
    engine::{Engine, EngineConfig},
    ids::{
        ChannelId, CustomerId, Label, Node, NodeEpoch, NodeId, Participant, StreamId, Target,
        TenantId,
    },
    journal::Log,
    memory,
    ports::Ports,
    queue::Policies,
    record::{Command, CommandId, CommandRecord, Event, encode},
    routing::{Inbox, InboxEvent, NodeFrame},
    sabotage::{self, Switch},
    store::{Follow, FollowFrom},
};
use futures_util::FutureExt;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

#[tokio::test]
async fn a_renewal_that_creates_a_lease_is_noticed() {
    let _held = sabotage::hold(Switch::RenewalCreatesLease);
    let ports = memory::ports(PARTITIONS, Arc::new(SystemClock));
    let case = conformance::lease::renewing_never_creates_a_lease(ports);
    assert!(
        AssertUnwindSafe(case).catch_unwind().await.is_err(),
        "the suite must fail"
    );
}

#[tokio::test(start_paused = true)]
async fn remembered_routes_are_noticed() {
    let whole = sabotage::none();
    assert!(a_later_follower_is_told().await);
    drop(whole);
    let _held = sabotage::hold(Switch::CachedRoutes);
    assert!(!a_later_follower_is_told().await);
}

/// Whether a node that follows a stream after another one did is handed what happens then.
async fn a_later_follower_is_told() -> bool {
    let ports = memory::ports(1, Arc::new(SystemClock));
    let shutdown = CancellationToken::new();
    let engine = Engine::try_new(
        ports.clone(),
        node("worker"),
        Policies::default(),
        EngineConfig::default(),
    );
    let (engine, stop) = (engine.unwrap(), shutdown.clone());
    let running = TaskTracker::new().spawn(async move { engine.run(stop).await });
    let mut first = follow(&ports, node("first")).await;
    write(
        &ports,
        CustomerCommand::Open(Open {
            channel: ChannelId::try_new("web").unwrap(),
            topic: None,
            settings: DialogSettings::default(),
        }),
    )
    .await;
    let opened = told(first.as_mut()).await;
    let Some(CustomerEvent::DialogOpened { dialog, .. }) = opened else {
        return false;
    };
    let mut second = follow(&ports, node("second")).await;
    write(
        &ports,
        CustomerCommand::Close {
            dialog,
            owner_epoch: None,
            outcome: Label::try_new("done").unwrap(),
        },
    )
    .await;
    let is_told = told(second.as_mut()).await.is_some();
    shutdown.cancel();
    running.await.unwrap().unwrap();
    is_told
}

fn anna() -> CustomerId {
    CustomerId::try_new("anna").unwrap()
}

fn node(name: &str) -> Node {
    Node {
        id: NodeId::try_new(name).unwrap(),
        epoch: NodeEpoch(1),
    }
}

/// As a node whose sessions are the customer's.
async fn follow(ports: &Ports, node: Node) -> Box<dyn Inbox> {
    let inbox = ports.inbox.receive(&node).await.unwrap();
    let ttl = Duration::from_secs(1_000_000);
    ports.leases.open(&node, ttl).await.unwrap();
    let follow = || Follow {
        stream: StreamId::Customer(anna()),
        node: node.clone(),
        from: FollowFrom::Tail(0),
        limit: 1,
    };
    // Until the worker has built its partition.
    while ports.streams.follow(follow()).await.is_err() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    inbox
}

async fn write(ports: &Ports, command: CustomerCommand<Sealed>) {
    let record = CommandRecord {
        tenant: TenantId::single(),
        trace: None,
        target: Target::Customer(anna()),
        author: Participant::Customer(anna()),
        rights: None,
        assurance: None,
        id: CommandId::Internal,
        redaction: None,
        reply_to: None,
        digest: 0,
        settled: 0,
        body: encode(&Command::Customer(command)).unwrap(),
    };
    let partition = record.target.partition(1);
    let bytes = encode(&record).unwrap();
    let pending = ports.journal.try_append(Log::Commands, partition, bytes);
    pending.unwrap().await.unwrap();
}

/// The next event of the customer's stream that is handed over, within a while.
async fn told(inbox: &mut dyn Inbox) -> Option<CustomerEvent> {
    let next = async {
        loop {
            let InboxEvent::Frame(frame) = inbox.next().await.unwrap() else {
                continue;
            };
            let NodeFrame::Events(appended) = frame.as_ref() else {
                continue;
            };
            let mut events = appended.events.iter();
            if let Some(Event::Customer(event)) = events.next().map(|e| &e.event) {
                return event.clone();
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), next)
        .await
        .ok()
}

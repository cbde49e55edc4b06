//! The chat on in-process ports.

mod revocations;

use std::collections::BTreeMap;

use super::*;
use crate::{
    clock::{Clock, Timestamp},
    content::Content,
    dialog::{CustomerCommand, Open},
    identity::{Assurance, Identity, Proof, StaffRole, Who},
    ids::{ChannelId, CustomerId, DeviceId, NodeId, Offset, Partition, StaffId},
    journal::Log,
    memory,
    record::{Outcome, Reply},
    routing::{CloseCode, SessionEvent, StreamState},
};

/// A wall clock that follows tokio's, so that tests may pause it.
#[derive(Debug)]
struct TokioClock(tokio::time::Instant);

impl Clock for TokioClock {
    fn now(&self) -> Timestamp {
        Timestamp(1_000_000).plus(self.0.elapsed())
    }
}

fn chat() -> Chat {
    let clock = Arc::new(TokioClock(tokio::time::Instant::now()));
    Chat::builder(memory::ports(4, clock)).build().unwrap()
}

fn anna() -> Who {
    Who::Customer(CustomerId::try_new("anna").unwrap())
}

fn olga() -> Who {
    Who::Staff {
        id: StaffId::try_new("olga").unwrap(),
        desk: DeskId::try_new("main").unwrap(),
        role: StaffRole::Operator,
    }
}

fn connect(who: Who, expires_in: Duration) -> Connect {
    Connect {
        identity: Identity {
            who,
            name: "Name".to_owned(),
            assurance: Assurance::Authenticated,
            expires_at: Timestamp(1_000_000).plus(expires_in),
            proof: Proof::default(),
        },
        device: DeviceId::try_new("d1").unwrap(),
        resume: BTreeMap::new(),
        trace: None,
    }
}

fn open() -> Command<Content> {
    Command::Customer(CustomerCommand::Open(Open {
        channel: ChannelId::try_new("web").unwrap(),
        topic: None,
        settings: Default::default(),
    }))
}

/// A node of several on the same ports.
fn node(ports: &Ports, name: &str, role: NodeRole) -> Chat {
    let builder = Chat::builder(ports.clone()).with_node(NodeId::try_new(name).unwrap());
    builder.with_role(role).build().unwrap()
}

/// Waits until it is so.
async fn until(is_so: impl AsyncFn() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(60), waiting);
    waited.await.expect("it becomes so");
}

async fn while_running<T>(chat: &Chat, doing: impl Future<Output = T>) -> T {
    let shutdown = CancellationToken::new();
    tokio::select! {
        biased;
        done = doing => done,
        ended = chat.run(shutdown) => panic!("ended: {ended:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_sent_is_told_as_durable_and_decided() {
    let chat = chat();
    while_running(&chat, async {
        let who = anna();
        let (sender, mut events) = chat
            .connect(connect(who, Duration::from_secs(3600)))
            .unwrap()
            .split();
        let target = Target::Customer(CustomerId::try_new("anna").unwrap());
        sender.send(target.clone(), 1, open()).await.unwrap();
        loop {
            match events.next().await.unwrap() {
                SessionEvent::Durable { target: told, n } => {
                    assert_eq!((told, n), (target, 1));
                    break;
                }
                SessionEvent::Waiting { .. } | SessionEvent::Reset { .. } => {}
                other => panic!("{other:?}"),
            }
        }
        loop {
            match events.next().await.unwrap() {
                SessionEvent::Reply { n, reply, .. } => {
                    assert_eq!(n, 1);
                    match reply {
                        Reply::Outcome(Outcome::Accepted(done)) => assert!(done.dialog.is_some()),
                        other => panic!("{other:?}"),
                    }
                    break;
                }
                SessionEvent::Waiting { .. }
                | SessionEvent::Reset { .. }
                | SessionEvent::Range { .. } => {}
                other => panic!("{other:?}"),
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_operator_starts_with_the_board() {
    let chat = chat();
    while_running(&chat, async {
        let mut session = chat
            .connect(connect(olga(), Duration::from_secs(3600)))
            .unwrap();
        loop {
            match session.next().await.unwrap() {
                // Until the engine has built the store.
                SessionEvent::Waiting { .. } => {}
                SessionEvent::Reset { state, .. } => {
                    assert!(matches!(state, StreamState::Board(_)));
                    break;
                }
                other => panic!("{other:?}"),
            }
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_session_is_warned_and_ends_with_its_token() {
    let chat = chat();
    while_running(&chat, async {
        let (sender, mut events) = chat
            .connect(connect(anna(), Duration::from_secs(3600)))
            .unwrap()
            .split();
        let mut warned = false;
        loop {
            match events.next().await.unwrap() {
                SessionEvent::Expiring { .. } => warned = true,
                SessionEvent::Closed { code } => {
                    assert_eq!(code, CloseCode::Expired);
                    break;
                }
                _ => {}
            }
        }
        assert!(warned);
        assert!(events.next().await.is_none());
        let target = Target::Customer(CustomerId::try_new("anna").unwrap());
        let refused = sender.send(target, 1, open()).await.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Closed);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_gateway_takes_what_a_worker_decides() {
    let clock = Arc::new(TokioClock(tokio::time::Instant::now()));
    let ports = memory::ports(4, clock);
    let gateway = node(&ports, "gateway", NodeRole::Gateway);
    let worker = node(&ports, "worker", NodeRole::Worker);
    while_running(&gateway, async {
        let (sender, mut events) = gateway
            .connect(connect(anna(), Duration::from_secs(3600)))
            .unwrap()
            .split();
        let target = Target::Customer(CustomerId::try_new("anna").unwrap());
        sender.send(target, 1, open()).await.unwrap();
        let mut hear = async |is_it: fn(&SessionEvent) -> bool| {
            while !is_it(&events.next().await.unwrap()) {}
        };
        hear(|event| matches!(event, SessionEvent::Durable { .. })).await;
        let reply = |event: &SessionEvent| matches!(event, SessionEvent::Reply { .. });
        // Longer than anything that is tried again.
        let alone = tokio::time::timeout(Duration::from_secs(60), hear(reply)).await;
        assert!(alone.is_err(), "a gateway decided something");
        while_running(&worker, hear(reply)).await;
    })
    .await;
    let commands = gateway.engine_stats().all();
    assert!(
        commands.iter().all(|(_, count)| *count == 0),
        "{commands:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_worker_takes_no_sessions_and_is_among_the_living() {
    let clock = Arc::new(TokioClock(tokio::time::Instant::now()));
    let ports = memory::ports(4, clock);
    let worker = node(&ports, "worker", NodeRole::Worker);
    while_running(&worker, async {
        let refused = worker.connect(connect(anna(), Duration::from_secs(3600)));
        let refused = refused.unwrap_err();
        assert_eq!(refused.kind(), ErrorKind::Closed);
        assert!(refused.to_string().contains("worker"), "{refused}");
        // The engine asks who lives before it says that a command kills.
        until(async || ports.leases.alive().await.unwrap() == [worker.node().clone()]).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_desks_are_written_down_in_every_role() {
    for role in [NodeRole::All, NodeRole::Gateway, NodeRole::Worker] {
        let clock = Arc::new(TokioClock(tokio::time::Instant::now()));
        let ports = memory::ports(1, clock);
        let desk = DeskId::try_new("second").unwrap();
        let builder = Chat::builder(ports.clone()).with_role(role);
        let chat = builder
            .with_desk(desk, DeskConfig::default())
            .build()
            .unwrap();
        let written = until(async || {
            let bounds = ports.journal.bounds(Log::Commands, Partition(0)).await;
            bounds.unwrap().1 > Offset(0)
        });
        while_running(&chat, written).await;
    }
}

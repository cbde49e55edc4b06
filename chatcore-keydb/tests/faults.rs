//! What the store does when its server does not.
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

use std::{sync::Arc, time::Duration};

use chatcore::{
    clock::SystemClock,
    error::{Error, ErrorKind, Retry},
    ids::{DialogId, Fence, Incarnation, Node, NodeEpoch, NodeId, Offset, Participant, Partition},
    memory,
    routing::{InboxEvent, NodeFrame, NodeInbox as _},
    store::{LeaseStore as _, Mark, PartitionStore as _, Rebuild},
};
use chatcore_keydb::{COMMANDS, Config, KeyDb};
use common::server::{Server, free_port, program};
use tokio::time::{Instant, sleep, timeout};

const P0: Partition = Partition(0);
/// Sentinels that do not agree at once try again after seconds.
const LONG: Duration = Duration::from_secs(60);

fn config(address: &str) -> Config {
    Config {
        answer_max: Duration::from_secs(1),
        watch_every: Duration::from_millis(300),
        start_max: Duration::from_secs(10),
        ..Config::new(address.parse().unwrap(), 4)
    }
}

async fn connect(address: &str) -> chatcore::error::Result<Arc<KeyDb>> {
    let archive = memory::ports(4, Arc::new(SystemClock)).archive;
    KeyDb::connect(config(address), archive).await
}

/// Where nobody is to be found.
async fn connect_in_vain(address: &str) -> Error {
    let config = Config {
        start_max: Duration::from_secs(1),
        ..config(address)
    };
    let archive = memory::ports(4, Arc::new(SystemClock)).archive;
    KeyDb::connect(config, archive).await.unwrap_err()
}

fn node(name: &str) -> Node {
    Node {
        id: NodeId::try_new(name).unwrap(),
        epoch: NodeEpoch(1),
    }
}

fn typing(dialog: u64) -> Arc<NodeFrame> {
    Arc::new(NodeFrame::Typing {
        dialog: DialogId(dialog),
        participant: Participant::Bot,
    })
}

/// Takes the partition as soon as somebody answers.
async fn take_again(store: &KeyDb) -> Mark {
    let taken = async {
        loop {
            match store.take(P0, Fence(0)).await {
                Ok(mark) => return mark,
                Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}"),
            }
        }
    };
    timeout(LONG, taken).await.unwrap()
}

#[tokio::test]
async fn a_wrong_address_and_a_wrong_password_are_told_apart() {
    let Some(program) = program() else { return };
    let nobody = format!("redis://127.0.0.1:{}", free_port());
    let error = connect_in_vain(&nobody).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains(&nobody), "{error}");

    let server = Server::start(&program, free_port(), &["--requirepass", "right"]);
    let began = Instant::now();
    for login in ["", ":wrong-one@", "user:wrong-one@"] {
        let address = format!("redis://{login}127.0.0.1:{}", server.port);
        let error = connect(&address).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Forbidden, "{error}");
        assert!(error.to_string().contains("password"), "{error}");
        assert!(!error.to_string().contains("wrong-one"), "{error}");
    }
    assert!(
        began.elapsed() < Duration::from_secs(10),
        "nobody waits for that"
    );
    let address = format!("redis://:right@127.0.0.1:{}", server.port);
    connect(&address).await.unwrap().marks(&[P0]).await.unwrap();
}

/// The list of commands is whole: a user who may use these and no others can do everything.
#[tokio::test]
async fn a_user_who_may_use_the_listed_commands_needs_no_others() {
    let Some(program) = program() else { return };
    let server = Server::start(&program, free_port(), &[]);
    let commands: Vec<String> = COMMANDS.iter().map(|c| format!("+{c}")).collect();
    let rules = "ACL SETUSER chat on >secret ~{chatcore* &{chatcore}:inbox:* -@all";
    let said = server
        .ask(&format!("{rules} {}", commands.join(" ")))
        .unwrap();
    assert!(said.contains("OK"), "{said}");
    let address = format!("redis://chat:secret@127.0.0.1:{}", server.port);
    let store = connect(&address).await.unwrap();
    let mark = store.take(P0, Fence(0)).await.unwrap();
    store
        .rebuild(P0, mark.fence, Rebuild::Begin(Mark::default()))
        .await
        .unwrap();
    store.trim(P0, mark.fence, Offset(1)).await.unwrap();
    store.open(&node("n1"), LONG).await.unwrap();
    store.close(&node("n1")).await.unwrap();
    store.identity().await.unwrap();
    let mut inbox = store.receive(&node("n1")).await.unwrap();
    store.send(&node("n1"), vec![typing(1)]).await.unwrap();
    assert!(matches!(inbox.next().await.unwrap(), InboxEvent::Frame(_)));
}

#[tokio::test]
async fn scripts_that_the_server_forgot_are_loaded_again() {
    let Some(program) = program() else { return };
    let server = Server::start(&program, free_port(), &[]);
    let store = connect(&server.address()).await.unwrap();
    let first = store.take(P0, Fence(0)).await.unwrap();
    server.ask("SCRIPT FLUSH").unwrap();
    let second = store.take(P0, Fence(0)).await.unwrap();
    assert_eq!(second.fence, Fence(first.fence.0 + 1), "it was done once");
    assert_eq!(store.figures().connected, 1);
}

#[tokio::test]
async fn the_identity_changes_when_the_store_was_emptied_or_restarted() {
    let Some(program) = program() else { return };
    let port = free_port();
    let server = Server::start(&program, port, &[]);
    let store = connect(&server.address()).await.unwrap();
    let first = store.identity().await.unwrap();
    assert_eq!(store.identity().await.unwrap(), first);
    server.ask("FLUSHALL").unwrap();
    let second = store.identity().await.unwrap();
    assert_ne!(second, first);
    drop(server);
    let _server = Server::start(&program, port, &[]);
    take_again(&store).await;
    let third = store.identity().await.unwrap();
    assert!(third != first && third != second);
}

/// The same process with the same keys, after another was the primary: what it had taken since is
/// lost, and nothing but the replication id tells.
#[tokio::test]
async fn a_primary_that_was_a_replica_meanwhile_has_another_identity() {
    let Some(program) = program() else { return };
    let first = Server::start(&program, free_port(), &[]);
    let second = Server::start(&program, free_port(), &[]);
    let store = connect(&first.address()).await.unwrap();
    let before = store.identity().await.unwrap();
    second.copy(&first);
    store.take(P0, Fence(0)).await.unwrap();
    first.copy(&second);
    assert_eq!(
        take_again(&store).await.fence,
        Fence(1),
        "the first one is lost"
    );
    assert_ne!(store.identity().await.unwrap(), before);
}

#[tokio::test]
async fn a_killed_server_is_found_again_and_a_gap_is_told() {
    let Some(program) = program() else { return };
    let port = free_port();
    let server = Server::start(&program, port, &[]);
    let store = connect(&server.address()).await.unwrap();
    let mut inbox = store.receive(&node("n1")).await.unwrap();
    drop(server);
    let error = loop {
        if let Err(error) = store.marks(&[P0]).await {
            break error;
        }
    };
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    let _server = Server::start(&program, port, &[]);
    take_again(&store).await;
    let next = timeout(LONG, inbox.next()).await.unwrap().unwrap();
    assert!(matches!(next, InboxEvent::Gap));
    store.send(&node("n1"), vec![typing(1)]).await.unwrap();
    let next = timeout(LONG, inbox.next()).await.unwrap().unwrap();
    assert!(matches!(next, InboxEvent::Frame(_)));
}

#[tokio::test]
async fn an_answer_that_is_late_leaves_the_fate_open_and_costs_the_connections() {
    let Some(program) = program() else { return };
    let server = Server::start(&program, free_port(), &[]);
    let store = connect(&server.address()).await.unwrap();
    let before = store.take(P0, Fence(0)).await.unwrap().fence;
    server.pause();
    let error = store.take(P0, Fence(0)).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.retry()),
        (ErrorKind::Unavailable, Retry::SameKeyOnly),
        "{error}"
    );
    assert!(!store.figures().is_up);
    server.wake();
    let after = take_again(&store).await.fence;
    // The late one was done, too, or was not.
    assert!(after.0 > before.0, "{before} {after}");
    assert!(store.figures().connected >= 2);
}

#[tokio::test]
async fn a_demoted_primary_is_left() {
    let Some(program) = program() else { return };
    let first = Server::start(&program, free_port(), &[]);
    let second = Server::start(&program, free_port(), &[]);
    let store = connect(&first.address()).await.unwrap();
    store.take(P0, Fence(0)).await.unwrap();
    first
        .ask(&format!("REPLICAOF 127.0.0.1 {}", second.port))
        .unwrap();
    let error = store.take(P0, Fence(0)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    // A replica is no primary, however often it is asked.
    let error = store.marks(&[P0]).await.unwrap_err();
    assert!(error.to_string().contains("replica"), "{error}");
    first.ask("REPLICAOF NO ONE").unwrap();
    take_again(&store).await;
}

#[tokio::test]
async fn a_primary_without_its_replicas_refuses_and_goes_on_when_they_are_back() {
    let Some(program) = program() else { return };
    let server = Server::start(&program, free_port(), &["--min-replicas-to-write", "1"]);
    let store = connect(&server.address()).await.unwrap();
    let error = store.take(P0, Fence(0)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(matches!(error.retry(), Retry::Safe { .. }), "{error}");
    assert!(error.to_string().contains("NOREPLICAS"), "{error}");
    let of_it = ["--replicaof", "127.0.0.1", &server.port.to_string()];
    let _replica = Server::start(&program, free_port(), &of_it);
    assert_eq!(
        take_again(&store).await.fence,
        Fence(1),
        "none was done before"
    );
}

#[tokio::test]
async fn a_full_store_refuses_and_goes_on_when_there_is_room() {
    let Some(program) = program() else { return };
    let server = Server::start(&program, free_port(), &[]);
    let store = connect(&server.address()).await.unwrap();
    server.ask("CONFIG SET maxmemory 1").unwrap();
    let error = store.take(P0, Fence(0)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Overloaded, "{error}");
    assert!(matches!(error.retry(), Retry::Safe { .. }));
    server.ask("CONFIG SET maxmemory 0").unwrap();
    assert_eq!(store.take(P0, Fence(0)).await.unwrap().fence, Fence(1));
}

#[tokio::test]
async fn sentinels_lead_to_the_new_primary_and_nobody_writes_to_the_paused_one() {
    let Some(program) = program() else { return };
    let first = Server::start(&program, free_port(), &[]);
    let of_first = ["--replicaof", "127.0.0.1", &first.port.to_string()];
    let second = Server::start(&program, free_port(), &of_first);
    second.until("INFO replication", "master_link_status:up");
    let mut sentinels: Vec<Server> = (0..3)
        .map(|_| Server::start_sentinel(&program, first.port, &[]))
        .collect();
    for sentinel in &sentinels {
        sentinel.until("SENTINEL CKQUORUM test", "OK 3");
        sentinel.until("SENTINEL MASTER test", "num-slaves\r\n$1\r\n1");
    }
    let all: Vec<String> = sentinels
        .iter()
        .map(|s| format!("127.0.0.1:{}", s.port))
        .collect();
    let address = format!("redis+sentinel://{}/test", all.join(","));
    let store = connect(&address).await.unwrap();
    let before = store.identity().await.unwrap();
    let begun = Mark {
        incarnation: Incarnation(7),
        ..Mark::default()
    };
    let fence = store.take(P0, Fence(0)).await.unwrap().fence;
    store
        .rebuild(P0, fence, Rebuild::Begin(begun))
        .await
        .unwrap();
    second.until("HGET {chatcore:p0}:view incarnation", "7");

    first.pause();
    let mark = take_again(&store).await;
    assert_eq!(
        mark.incarnation,
        Incarnation(7),
        "it is the replica that took over"
    );
    assert_ne!(store.identity().await.unwrap(), before);
    first.wake();
    // The former primary still believes to be one for some seconds.
    let mut last = mark.fence;
    for _ in 0..20 {
        last = store.take(P0, Fence(0)).await.unwrap().fence;
        sleep(Duration::from_millis(50)).await;
    }
    let stored = second.ask("HGET {chatcore:p0}:view fence").unwrap();
    assert!(stored.contains(&last.to_string()), "{stored}: {last}");

    // Without a majority nobody can say that another took over: what works is kept.
    let connected = store.figures().connected;
    sentinels.truncate(1);
    for _ in 0..20 {
        store.take(P0, Fence(0)).await.unwrap();
        sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(store.figures().connected, connected);
    let error = connect_in_vain(&address).await;
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("majority"), "{error}");
}

#[tokio::test]
async fn sentinels_are_asked_with_their_own_login() {
    let Some(program) = program() else { return };
    let primary = Server::start(&program, free_port(), &["--requirepass", "one"]);
    let sentinel = Server::start_sentinel(&program, primary.port, &[]);
    let told = sentinel
        .ask("ACL SETUSER watch on >two ~* &* +@all")
        .unwrap();
    assert!(told.contains("OK"), "{told}");
    let told = sentinel.ask("ACL SETUSER default off").unwrap();
    assert!(told.contains("OK"), "{told}");
    let port = sentinel.port;
    let address = |login: &str| format!("redis+sentinel://:one@127.0.0.1:{port}/test{login}");
    let known = address("?sentinel_user=watch&sentinel_password=two");
    let store = connect(&known).await.unwrap();
    assert!(store.figures().is_up);
    store.shutdown().await;
    for refused in ["", "?sentinel_user=watch&sentinel_password=three"] {
        let error = connect_in_vain(&address(refused)).await;
        assert_eq!(error.kind(), ErrorKind::Forbidden, "{error}");
    }
}

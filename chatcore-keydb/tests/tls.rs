//! A store over TLS: each knows the other by its certificate, or nothing is said.
//!
//! Starts servers of its own on loopback, with certificates of the folder that
//! `CHATCORE_TEST_CERTIFICATES` names (`cargo xtask services with` does).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    dead_code,
    reason = "a test fails by panicking, and shares its helpers"
)]

mod common;

use std::{fs, sync::Arc, time::Duration};

use chatcore::{
    clock::SystemClock,
    error::{ErrorKind, Result},
    ids::{DialogId, Fence, Node, NodeEpoch, NodeId, Participant, Partition},
    memory,
    routing::{InboxEvent, NodeFrame, NodeInbox as _},
    store::{LeaseStore as _, PartitionStore as _},
};
use chatcore_keydb::{Config, KeyDb, Tls};
use common::server::{Server, free_port, program};

const P0: Partition = Partition(0);

/// The folder of the certificates, if there is one.
fn certificates() -> Option<String> {
    let folder = std::env::var("CHATCORE_TEST_CERTIFICATES").unwrap_or_default();
    let is_required = std::env::var("CHATCORE_TEST_REQUIRE").is_ok_and(|v| v == "1");
    if folder.is_empty() {
        assert!(!is_required, "CHATCORE_TEST_CERTIFICATES names no folder");
        eprintln!("skipped: CHATCORE_TEST_CERTIFICATES names no folder");
        return None;
    }
    Some(folder)
}

/// How a server, or a Sentinel, is told to speak TLS at this port and to let in who has a
/// certificate of the authority's.
fn sealed(folder: &str, port: u16) -> Vec<String> {
    let words = format!(
        "--tls-port {port} --tls-cert-file {folder}/broker.pem --tls-key-file {folder}/broker.key \
         --tls-ca-cert-file {folder}/ca.pem --tls-auth-clients yes --tls-replication yes"
    );
    words.split_whitespace().map(str::to_owned).collect()
}

fn words(all: &[String]) -> Vec<&str> {
    all.iter().map(String::as_str).collect()
}

fn tls(folder: &str, trusted: &str, identity: Option<&str>) -> Tls {
    let read = |name: String| fs::read(format!("{folder}/{name}")).unwrap();
    let trusted = read(format!("{trusted}.pem"));
    let identity = identity.map(|name| (read(format!("{name}.pem")), read(format!("{name}.key"))));
    let identity = identity.as_ref().map(|(chain, key)| (&chain[..], &key[..]));
    Tls::new(Some(&trusted), identity).unwrap()
}

async fn connect(address: &str, tls: Tls) -> Result<Arc<KeyDb>> {
    let config = Config {
        start_max: Duration::from_secs(3),
        ..Config::new(address.parse().unwrap(), 4).with_tls(tls)
    };
    let archive = memory::ports(4, Arc::new(SystemClock)).archive;
    KeyDb::connect(config, archive).await
}

/// Scripts, and what is pushed to an inbox.
async fn works(store: &KeyDb) {
    store.take(P0, Fence(0)).await.unwrap();
    let node = Node {
        id: NodeId::try_new("n1").unwrap(),
        epoch: NodeEpoch(1),
    };
    store.open(&node, Duration::from_secs(10)).await.unwrap();
    let mut inbox = store.receive(&node).await.unwrap();
    let typing = NodeFrame::Typing {
        dialog: DialogId(1),
        participant: Participant::Bot,
    };
    store.send(&node, vec![Arc::new(typing)]).await.unwrap();
    assert!(matches!(inbox.next().await.unwrap(), InboxEvent::Frame(_)));
}

#[tokio::test]
async fn each_knows_the_other_by_its_certificate() {
    let (Some(program), Some(folder)) = (program(), certificates()) else {
        return;
    };
    let port = free_port();
    let _server = Server::start(&program, free_port(), &words(&sealed(&folder, port)));
    let address = format!("rediss://127.0.0.1:{port}");
    let known = tls(&folder, "ca", Some("client"));
    works(&connect(&address, known).await.unwrap()).await;

    let unknown = tls(&folder, "other", Some("client"));
    let error = connect(&address, unknown).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden, "{error}");
    assert!(error.to_string().contains("certificate"), "{error}");
    // With TLS 1.3 a client may hear no more than that the server hangs up.
    for identity in [Some("other"), None] {
        let unknown = tls(&folder, "ca", identity);
        let error = connect(&address, unknown).await.unwrap_err();
        let kinds = [ErrorKind::Forbidden, ErrorKind::Unavailable];
        assert!(kinds.contains(&error.kind()), "{identity:?}: {error}");
    }
    // The certificate is of 127.0.0.1.
    let address = format!("rediss://localhost:{port}");
    let known = tls(&folder, "ca", Some("client"));
    let error = connect(&address, known).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Forbidden, "{error}");
}

#[tokio::test]
async fn sentinels_are_asked_over_tls_too() {
    let (Some(program), Some(folder)) = (program(), certificates()) else {
        return;
    };
    let (primary, port) = (free_port(), free_port());
    let _server = Server::start(&program, free_port(), &words(&sealed(&folder, primary)));
    let more = sealed(&folder, port);
    let _sentinel = Server::start_sentinel(&program, primary, &words(&more));
    let address = format!("rediss+sentinel://127.0.0.1:{port}/test");
    let store = connect(&address, tls(&folder, "ca", Some("client")))
        .await
        .unwrap();
    works(&store).await;
}

#[tokio::test]
async fn certificates_for_an_address_without_tls_are_a_mistake() {
    let address = "redis://127.0.0.1:1".parse().unwrap();
    let Some(folder) = certificates() else { return };
    let config = Config::new(address, 4).with_tls(tls(&folder, "ca", None));
    let error = config.check().unwrap_err();
    assert!(error.to_string().contains("rediss://"), "{error}");
}

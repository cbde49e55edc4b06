//! How far the partitions are behind, as it is told over HTTP.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chatcore::{
    chat::{Chat, NodeRole},
    clock::{Clock, Timestamp},
    ids::Partition,
    journal::Log,
    memory,
    ports::Ports,
};
use chatcore_server::{
    http::accept::{AcceptLimits, serve},
    identity::{JwtAuthenticator, TokenRules},
    routes,
    server::{Server, ServerOptions},
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, task::JoinSet, time::timeout};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    client::{Client, get, request},
    process::{LONG, Process},
};

/// Asks until the answer is as it should be.
async fn until(address: &str, path: &str, is: impl Fn(u16, &Value) -> bool) -> Value {
    let asked = async {
        loop {
            let (status, answer) = get(address, path, None).await;
            if is(status, &answer) {
                return answer;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    timeout(LONG, asked).await.expect("it is so in the end")
}

/// Moves when it is told to.
#[derive(Debug)]
struct ByHand(AtomicI64);

impl Clock for ByHand {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed))
    }
}

async fn append(ports: &Ports, partition: u32) {
    let bytes = bytes::Bytes::from_static(b"a command");
    let appended = ports
        .journal
        .try_append(Log::Commands, Partition(partition), bytes);
    appended.unwrap().await.unwrap();
}

#[tokio::test]
async fn a_partition_that_nobody_works_for_is_told_and_the_node_stays_ready() {
    let clock = Arc::new(ByHand(AtomicI64::new(1_000_000)));
    let ports = memory::ports(4, clock.clone());
    append(&ports, 2).await;
    clock.0.fetch_add(40_000, Ordering::Relaxed);
    append(&ports, 2).await;
    // A gateway is driven, and no worker: nobody consumes.
    let gateway = Chat::builder(ports).with_role(NodeRole::Gateway);
    let chat = gateway.build().unwrap();
    let rules = TokenRules {
        secret: vec![7; 32],
        issuer: None,
        audience: None,
    };
    let tokens = Arc::new(JwtAuthenticator::try_new(rules, clock).unwrap());
    let server = Server::new(chat, tokens, ServerOptions::default());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let mut tasks = JoinSet::new();
    let (router, stop) = (routes(&server), CancellationToken::new());
    let (running, ends) = (server.chat().clone(), stop.clone());
    tasks.spawn(async move { running.run(ends).await.unwrap() });
    let limits = AcceptLimits::default();
    let accepting = serve(listener, router, limits, TaskTracker::new(), stop.clone());
    tasks.spawn(async move { accepting.await.unwrap() });
    let (status, unknown) = get(&address, "/lag", None).await;
    assert_eq!(
        (status, &unknown["error"]["code"]),
        (503, &json!("unavailable"))
    );

    let (watching, ends) = (server.clone(), stop.clone());
    tasks.spawn(async move { watching.watch(ends).await });
    let told = until(&address, "/lag", |status, _| status == 200).await;
    assert_eq!(told["age_ms"], 0);
    let behind = json!({
        "partition": 2, "built": false, "end": 2, "applied": 0, "committed": 0,
        "unapplied": 2, "unapplied_ms": 40_000, "uncommitted": 2, "uncommitted_ms": 40_000,
    });
    assert_eq!(told["partitions"][2], behind);
    assert_eq!(told["partitions"][1]["unapplied"], 0);
    let ready = until(&address, "/readyz", |status, _| status == 200).await;
    assert_eq!(ready["ready"], true, "{ready}");
    let said = "partition 2: 2 commands wait, the oldest for 40 s";
    let behind = ready["behind"].as_array().unwrap();
    assert!(behind.contains(&json!(said)), "{ready}");
    stop.cancel();
}

#[tokio::test]
async fn what_is_worked_off_is_not_behind() {
    let folder = tempfile::tempdir().unwrap();
    let server = Process::on(folder.path()).await;
    let mut anna = Client::demo(&server, "Anna", "tab-1").await;
    let open = json!({"open": {"channel": "web", "topic": null}});
    anna.command("anna", 1, open).await;
    anna.reply(1).await;
    let is_done = |status: u16, told: &Value| {
        let all = told["partitions"].as_array();
        let is_done =
            |p: &Value| p["built"] == true && p["unapplied"] == 0 && p["uncommitted"] == 0;
        status == 200
            && all.is_some_and(|all| all.len() == 8 && all.iter().all(is_done))
            && all.is_some_and(|all| all.iter().any(|p| p["end"] != 0))
    };
    let told = until(&server.address, "/lag", is_done).await;
    assert!(!told.to_string().contains("anna"), "{told}");
    let (_, ready) = get(&server.address, "/readyz", None).await;
    assert_eq!(ready, json!({"ready": true, "why": [], "behind": []}));
    let (_, _, figures) = request(&server.address, "GET /metrics", "").await;
    for line in [
        "chatcore_lag_records{partition=\"0\",against=\"applied\"} 0",
        "chatcore_lag_records{partition=\"7\",against=\"commit\"} 0",
        "chatcore_lag_seconds{partition=\"0\",against=\"applied\"} 0",
        "chatcore_partition_built{partition=\"0\"} 1",
        "chatcore_lag_age_seconds ",
        "chatcore_ready 1",
    ] {
        assert!(figures.contains(line), "{line} is not in:\n{figures}");
    }
}

//! The accept loop against connections that mean no good.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test may end at once"
)]

use std::{net::SocketAddr, time::Duration};

use axum::{Router, extract::Request, routing::get};
use chatcore_server::http::{
    accept::{AcceptLimits, Listener, serve},
    address::{ClientAddress, TrustedProxies},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

const LONG: Duration = Duration::from_secs(20);

async fn start(limits: AcceptLimits) -> (SocketAddr, TaskTracker, CancellationToken) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let router = Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/large", get(|| async { vec![b'x'; 64 * 1024 * 1024] }));
    let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
    let serving = serve(listener, router, limits, tasks.clone(), shutdown.clone());
    tasks.spawn(async move { serving.await.unwrap() });
    (address, tasks, shutdown)
}

async fn whole_answer(socket: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    timeout(LONG, socket.read_to_end(&mut answer))
        .await
        .expect("the server ends the connection")
        .unwrap_or_default();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_head_that_never_ends_is_cut_off() {
    let limits = AcceptLimits {
        header_timeout: Duration::from_millis(200),
        ..AcceptLimits::default()
    };
    let (address, ..) = start(limits).await;
    let mut slow = TcpStream::connect(address).await.unwrap();
    slow.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nx-a: ")
        .await
        .unwrap();
    let answer = whole_answer(&mut slow).await;
    assert!(!answer.contains("200 OK"), "{answer}");
}

#[tokio::test]
async fn a_connection_over_the_limit_waits_until_a_place_is_free() {
    let limits = AcceptLimits {
        connections_max: 1,
        ..AcceptLimits::default()
    };
    let (address, ..) = start(limits).await;
    let mut first = TcpStream::connect(address).await.unwrap();
    first
        .write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    let mut byte = [0];
    first.read_exact(&mut byte).await.unwrap();
    let mut second = TcpStream::connect(address).await.unwrap();
    let request = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    second.write_all(request).await.unwrap();
    let early = timeout(Duration::from_millis(300), second.read_exact(&mut byte)).await;
    assert!(
        early.is_err(),
        "the second connection was served beside the first"
    );
    drop(first);
    assert!(whole_answer(&mut second).await.contains("200 OK"));
}

#[tokio::test]
async fn a_reader_that_stops_reading_is_dropped() {
    let limits = AcceptLimits {
        write_timeout: Duration::from_millis(200),
        ..AcceptLimits::default()
    };
    let (address, tasks, shutdown) = start(limits).await;
    let mut lazy = TcpStream::connect(address).await.unwrap();
    lazy.write_all(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    lazy.read_u8().await.unwrap();
    shutdown.cancel();
    tasks.close();
    timeout(LONG, tasks.wait())
        .await
        .expect("the connection's task ends");
}

#[tokio::test]
async fn a_request_under_way_is_finished_at_shutdown() {
    let (address, tasks, shutdown) = start(AcceptLimits::default()).await;
    let mut socket = TcpStream::connect(address).await.unwrap();
    socket
        .write_all(b"GET /large HTTP/1.1\r\nhost: x\r\n\r\n")
        .await
        .unwrap();
    socket.read_u8().await.unwrap();
    shutdown.cancel();
    tasks.close();
    let answer = whole_answer(&mut socket).await;
    assert!(answer.len() > 64 * 1024 * 1024, "{} bytes", answer.len());
    timeout(LONG, tasks.wait()).await.expect("all tasks end");
}

#[tokio::test]
async fn handlers_are_told_the_address_that_a_trusted_proxy_names() {
    let whose = |request: Request| async move {
        let address = request.extensions().get::<ClientAddress>();
        address.map_or_else(String::new, |address| address.0.to_string())
    };
    let nobody = TrustedProxies::default();
    let loopback = ["127.0.0.0/8".parse().unwrap()].into_iter().collect();
    for (proxies, expected) in [(nobody, "127.0.0.1"), (loopback, "203.0.113.9")] {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        let listener = Listener::from(tcp).with_trusted_proxies(proxies);
        let router = Router::new().route("/", get(whose));
        let (tasks, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let limits = AcceptLimits::default();
        let serving = serve(listener, router, limits, tasks.clone(), shutdown.clone());
        tasks.spawn(async move { serving.await.unwrap() });
        let mut socket = TcpStream::connect(address).await.unwrap();
        let asked = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
                      x-forwarded-for: 203.0.113.9\r\n\r\n";
        socket.write_all(asked).await.unwrap();
        let answer = whole_answer(&mut socket).await;
        assert!(answer.ends_with(expected), "{answer}");
        shutdown.cancel();
    }
}

/// Whether the server answers on a connection that stays open.
async fn is_served(socket: &mut TcpStream, head: &str) -> Option<String> {
    socket.write_all(head.as_bytes()).await.ok()?;
    let mut answer = Vec::with_capacity(1024);
    let read = timeout(LONG, socket.read_buf(&mut answer));
    let count = read.await.expect("an answer or an end").ok()?;
    (count > 0).then(|| String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn an_address_with_too_many_connections_is_refused_until_one_ends() {
    let limits = AcceptLimits {
        connections_per_address: 2,
        ..AcceptLimits::default()
    };
    let (address, ..) = start(limits).await;
    let head = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";
    let mut first = TcpStream::connect(address).await.unwrap();
    let mut second = TcpStream::connect(address).await.unwrap();
    assert!(is_served(&mut first, head).await.is_some());
    assert!(is_served(&mut second, head).await.is_some());
    let mut third = TcpStream::connect(address).await.unwrap();
    assert_eq!(is_served(&mut third, head).await, None);
    assert!(is_served(&mut second, head).await.is_some(), "others go on");
    drop(first);
    let freed = async {
        loop {
            let mut again = TcpStream::connect(address).await.unwrap();
            if is_served(&mut again, head).await.is_some() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(LONG, freed).await.expect("a place is free again");
}

#[tokio::test]
async fn behind_a_proxy_requests_of_an_address_are_counted() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let proxies: TrustedProxies = ["127.0.0.0/8".parse().unwrap()].into_iter().collect();
    let listener = Listener::from(listener).with_trusted_proxies(proxies);
    let waits = get(std::future::pending::<String>);
    let router = Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/waits", waits);
    let limits = AcceptLimits {
        connections_per_address: 1,
        ..AcceptLimits::default()
    };
    let tasks = TaskTracker::new();
    let serving = serve(
        listener,
        router,
        limits,
        tasks.clone(),
        CancellationToken::new(),
    );
    tasks.spawn(async move { serving.await.unwrap() });
    let head = |path: &str, client: &str| {
        format!("GET {path} HTTP/1.1\r\nhost: x\r\nx-forwarded-for: {client}\r\n\r\n")
    };
    let mut held = TcpStream::connect(address).await.unwrap();
    let anna = head("/waits", "203.0.113.9");
    held.write_all(anna.as_bytes()).await.unwrap();
    let mut shared = TcpStream::connect(address).await.unwrap();
    let refused = async {
        loop {
            let answer = is_served(&mut shared, &head("/", "203.0.113.9")).await;
            let answer = answer.expect("the shared connection stays");
            if answer.contains("429") {
                return answer;
            }
        }
    };
    let answer = timeout(LONG, refused).await.expect("one at a time");
    assert!(answer.to_lowercase().contains("retry-after: 1"), "{answer}");
    let boris = is_served(&mut shared, &head("/", "203.0.113.10")).await;
    assert!(boris.unwrap().contains("200 OK"));
}

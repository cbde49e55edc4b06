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

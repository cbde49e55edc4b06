//! A connection without a network, on paused time.

use std::{sync::Arc, time::Duration};

use chatcore::{
    chat::Chat,
    clock::{Clock as _, SystemClock},
    memory,
};
use tokio::time::Instant;

use super::*;
use crate::{
    identity::{JwtAuthenticator, TokenRules, demo_people},
    protocol::HEARTBEAT_MS,
    server::{Server, ServerOptions},
};

const DRAIN: Duration = Duration::from_secs(40);

/// Anna's connection to a chat that nobody drives: it tells nothing.
async fn opened() -> (Server, Opened) {
    let rules = TokenRules {
        secret: vec![7; 32],
        issuer: None,
        audience: None,
    };
    let tokens = Arc::new(JwtAuthenticator::try_new(rules, Arc::new(SystemClock)).unwrap());
    let people = demo_people(&tokens, SystemClock.now()).unwrap();
    let chat = Chat::builder(memory::ports(1, Arc::new(SystemClock)))
        .build()
        .unwrap();
    let options = ServerOptions {
        drain_timeout: DRAIN,
        ..ServerOptions::default()
    };
    let server = Server::new(chat, tokens, options);
    let hello = format!(
        r#"{{"hello": {{"token": "{}", "device": "d"}}}}"#,
        people[0].token
    );
    let hello = parse_hello(&hello).unwrap();
    let opened = server.open(hello, None, "test").await.unwrap();
    (server, opened)
}

#[tokio::test(start_paused = true)]
async fn one_who_has_nothing_to_say_pings_at_each_beat() {
    let (_server, mut opened) = opened().await;
    for _ in 0..2 {
        let began = Instant::now();
        let Out::Frame(frame) = opened.outbound.next().await else {
            panic!("it ended");
        };
        assert_eq!(frame.kind(), "ping");
        let beat = Duration::from_millis(u64::from(HEARTBEAT_MS));
        assert!(began.elapsed() <= beat + Duration::from_millis(10));
    }
}

#[tokio::test(start_paused = true)]
async fn a_leaving_node_gives_a_hint_then_time_and_then_closes() {
    let (server, mut opened) = opened().await;
    server.drain();
    let began = Instant::now();
    let Out::Frame(frame) = opened.outbound.next().await else {
        panic!("it ended without a hint");
    };
    let ServerFrame::Reconnect { after_ms } = *frame else {
        panic!("{frame:?}");
    };
    assert!(Duration::from_millis(after_ms) <= DRAIN / 2);
    opened.inbound.take(r#"{"ping": {}}"#).await.unwrap();
    let Out::Frame(frame) = opened.outbound.next().await else {
        panic!("it ended before it answered");
    };
    assert_eq!(frame.kind(), "pong");
    loop {
        match opened.outbound.next().await {
            Out::Frame(frame) | Out::Shared(frame, _) => assert_eq!(frame.kind(), "ping"),
            Out::End(close) => break assert_eq!(close, Close::Draining),
        }
    }
    assert!(began.elapsed() >= DRAIN / 4 && began.elapsed() <= DRAIN / 2);
}

#[tokio::test(start_paused = true)]
async fn when_the_one_half_ends_the_other_does() {
    let (_server, mut opened) = opened().await;
    opened.inbound.end(Close::Silent).await;
    assert!(matches!(
        opened.outbound.next().await,
        Out::End(Close::Silent)
    ));
    drop(opened.outbound);
    let taken = opened.inbound.take(r#"{"ping": {}}"#).await;
    assert_eq!(taken, Err(Close::Done));
}

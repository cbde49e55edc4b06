//! A socket's life: hello, then one task that reads and one that writes.

use std::time::Duration;

use axum::http::HeaderMap;
use futures_util::{StreamExt as _, stream::SplitStream};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::{
    Socket,
    hello::{hello, why},
    writer::{self, Writer},
};
use crate::{
    connection::{Inbound, Opened, Refusal},
    protocol::{Close, ErrorCode, HEARTBEAT_MS, ServerFrame},
    server::Server,
    trace,
};

/// After our close frame: how long we wait for theirs.
const FAREWELL: Duration = Duration::from_secs(2);

pub(super) async fn run(server: Server, mut socket: Socket, headers: &HeaderMap) {
    let hello = match hello(&mut socket).await {
        Ok(hello) => hello,
        Err(Some(refusal)) => return refuse(socket, refusal).await,
        Err(None) => return,
    };
    let trace = trace::of(hello.traceparent.as_deref(), headers);
    let traceparent = trace.as_ref().map(|trace| trace.0.clone());
    let Opened {
        inbound,
        outbound,
        welcome,
    } = match server.open(hello, trace, "websocket").await {
        Ok(opened) => opened,
        Err(refusal) => return refuse(socket, refusal).await,
    };
    let span = trace::span(welcome.session, &traceparent);
    let (sink, stream) = socket.split();
    let ended = CancellationToken::new();
    let writer = Writer::new(sink, outbound, ended.clone());
    let writing = writer.run(welcome).instrument(span.clone());
    server.tasks().spawn(writing);
    read(stream, inbound, &ended).instrument(span).await;
}

/// Says why there is no session, closes, and waits for the other end a little.
async fn refuse(mut socket: Socket, Refusal { wrong, close }: Refusal) {
    if wrong.code == ErrorCode::Internal {
        tracing::error!(text = wrong.text, "a session could not be opened");
    }
    if writer::say_last(&mut socket, &ServerFrame::Error(wrong), close).await {
        let rest = async { while let Some(Ok(_)) = socket.next().await {} };
        // Either way it ends here.
        let _ = timeout(FAREWELL, rest).await;
    }
}

/// Takes frames until one side ends. The liveness clock runs only while this waits for the socket,
/// not while a frame waits for its place.
async fn read(mut stream: SplitStream<Socket>, mut inbound: Inbound, ended: &CancellationToken) {
    let two_beats = Duration::from_millis(2 * u64::from(HEARTBEAT_MS));
    let close = loop {
        let message = tokio::select! {
            message = timeout(two_beats, stream.next()) => message,
            () = ended.cancelled() => break None,
        };
        let text = match message {
            Err(_) => break Some(Close::Silent),
            Ok(Some(Ok(Message::Text(text)))) => text,
            Ok(Some(Ok(Message::Binary(_)))) => break Some(Close::Binary),
            Ok(Some(Ok(Message::Close(_))) | None) => break Some(Close::Done),
            Ok(Some(Ok(_))) => continue,
            Ok(Some(Err(error))) => break Some(why(&error).unwrap_or(Close::Done)),
        };
        let taken = tokio::select! {
            taken = inbound.take(&text) => taken,
            () = ended.cancelled() => break None,
        };
        if let Err(close) = taken {
            break Some(close);
        }
    };
    if let Some(close) = close {
        inbound.end(close).await;
    }
    drop(inbound);
    // Their close frame, or their end; what they send meanwhile is not read any more.
    let rest = async { while let Some(Ok(_)) = stream.next().await {} };
    let _ = timeout(FAREWELL, rest).await;
}

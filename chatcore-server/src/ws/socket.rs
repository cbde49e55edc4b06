//! A socket's life: hello, then one task that reads and one that writes.

use std::{
    pin::{Pin, pin},
    time::Duration,
};

use axum::http::HeaderMap;
use futures_util::{StreamExt as _, stream::SplitStream};
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use super::{
    Socket,
    hello::{hello, why},
    writer::{self, Writer},
};
use crate::{
    connection::{Inbound, Opened, Out, Refusal},
    protocol::{Close, ErrorCode, HEARTBEAT_MS, ServerFrame},
    server::Server,
    trace,
};

/// After our close frame: how long we wait for theirs.
const FAREWELL: Duration = Duration::from_secs(2);
/// Silent for so long, the other end is taken for gone.
const TWO_BEATS: Duration = Duration::from_millis(2 * HEARTBEAT_MS as u64);

/// What is done once, or now and then, is boxed: the task of an idle socket has room for what it
/// waits with, and for no more.
pub(super) async fn run(server: Server, mut socket: Socket, headers: HeaderMap) {
    let hello = match Box::pin(hello(&mut socket)).await {
        Ok(hello) => hello,
        Err(Some(refusal)) => return Box::pin(refuse(socket, refusal)).await,
        Err(None) => return,
    };
    let trace = trace::of(hello.traceparent.as_deref(), &headers);
    // Kept as long as the socket otherwise.
    drop(headers);
    let traceparent = trace.as_ref().map(|trace| trace.0.clone());
    let Opened {
        inbound,
        outbound,
        welcome,
    } = match Box::pin(server.open(hello, trace, "websocket")).await {
        Ok(opened) => opened,
        Err(refusal) => return Box::pin(refuse(socket, refusal)).await,
    };
    let span = trace::span(welcome.session, &traceparent);
    let (sink, stream) = socket.split();
    let ended = CancellationToken::new();
    let writer = Writer::new(sink, outbound, ended.clone());
    let first = Out::Frame(Box::new(ServerFrame::Welcome(welcome)));
    let writing = writer.run(first).instrument(span.clone());
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
    let mut ended = pin!(ended.cancelled());
    let mut alarm = pin!(sleep(TWO_BEATS));
    let close = loop {
        let message = tokio::select! {
            message = heard(&mut stream, alarm.as_mut()) => message,
            () = &mut ended => break None,
        };
        let text = match message {
            None => break Some(Close::Silent),
            Some(Some(Ok(Message::Text(text)))) => text,
            Some(Some(Ok(Message::Binary(_)))) => break Some(Close::Binary),
            Some(Some(Ok(Message::Close(_))) | None) => break Some(Close::Done),
            Some(Some(Ok(_))) => continue,
            Some(Some(Err(error))) => break Some(why(&error).unwrap_or(Close::Done)),
        };
        let taken = tokio::select! {
            taken = Box::pin(inbound.take(&text)) => taken,
            () = &mut ended => break None,
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

/// What comes next; none after two beats of silence.
async fn heard(
    stream: &mut SplitStream<Socket>,
    mut alarm: Pin<&mut Sleep>,
) -> Option<Option<Result<Message, Error>>> {
    let silent = Instant::now() + TWO_BEATS;
    loop {
        tokio::select! {
            biased;
            message = stream.next() => return Some(message),
            () = alarm.as_mut() => {}
        }
        if Instant::now() >= silent {
            return None;
        }
        // It rings after two beats or earlier, so that what is heard in between moves no timer.
        alarm.as_mut().reset(silent);
    }
}
